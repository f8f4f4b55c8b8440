//! Sizes of the rings of a molecule.

use std::collections::{BTreeSet, VecDeque};

use super::Molecule;

/// A set of bonds, by their places.
type BondSet = u128;

/// Numbers of atoms of the rings in the smallest set of smallest rings, in which each ring is as
/// small as possible: 5 for norbornane, not the 6 around both rings. Molecules of more bonds than a
/// set holds are left to the toolkit, which takes much longer.
pub fn ring_sizes(molecule: &Molecule) -> BTreeSet<usize> {
    let bonds = molecule.heavy_bonds();
    // A molecule is one piece.
    let count = (bonds.len() + 1).saturating_sub(molecule.heavy_atoms().len());
    if count == 0 {
        return BTreeSet::new();
    }
    if bonds.len() > BondSet::BITS as usize {
        let rings = molecule.inner().symmetrized_sssr();
        let rings = rings.expect("a sanitised molecule has rings that can be found");
        return rings.atom_rings().iter().map(Vec::len).collect();
    }
    let ends: Vec<[usize; 2]> = bonds.iter().map(|bond| [bond.from, bond.to]).collect();
    let mut basis: Vec<BondSet> = Vec::with_capacity(count);
    let mut sizes = BTreeSet::new();
    for ring in candidates(molecule.heavy_atoms().len(), &ends) {
        let mut rest = ring;
        for other in &basis {
            // The lowest bond of each member is in no later one.
            if rest >> other.trailing_zeros() & 1 == 1 {
                rest ^= other;
            }
        }
        if rest != 0 {
            basis.push(rest);
            sizes.insert(ring.count_ones() as usize);
        }
        if basis.len() == count {
            break;
        }
    }
    sizes
}

/// Rings among which a smallest set is, the smallest first: for each atom and each bond the shortest
/// paths from the atom to both ends, and the bond (J. D. Horton, SIAM J. Comput. 16, 358, 1987).
fn candidates(atoms: usize, bonds: &[[usize; 2]]) -> Vec<BondSet> {
    let mut rings = Vec::new();
    for root in 0..atoms {
        let paths = paths(atoms, bonds, root);
        for (place, [a, b]) in bonds.iter().enumerate() {
            let ring = (paths[*a] ^ paths[*b]) | 1 << place;
            let length = paths[*a].count_ones() + paths[*b].count_ones() + 1;
            // Otherwise the paths share bonds, or one of them ends with this bond.
            if ring.count_ones() == length {
                rings.push(ring);
            }
        }
    }
    rings.sort_unstable_by_key(|ring| (ring.count_ones(), *ring));
    rings.dedup();
    rings
}

/// Bonds of a shortest path from `root` to each atom, breadth first.
fn paths(atoms: usize, bonds: &[[usize; 2]], root: usize) -> Vec<BondSet> {
    let mut paths: Vec<Option<BondSet>> = vec![None; atoms];
    paths[root] = Some(0);
    let mut queue = VecDeque::from([(root, 0)]);
    while let Some((at, path)) = queue.pop_front() {
        for (place, ends) in bonds
            .iter()
            .enumerate()
            .filter(|(_, ends)| ends.contains(&at))
        {
            let next = ends[0] + ends[1] - at;
            if paths[next].is_none() {
                let path: BondSet = path | 1 << place;
                paths[next] = Some(path);
                queue.push_back((next, path));
            }
        }
    }
    paths.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::qm9::Qm9;

    #[test]
    fn the_rings_of_qm9_are_those_that_the_toolkit_finds() {
        let qm9 = Qm9::open();
        for entry in qm9.molecules().step_by(43) {
            let molecule = Molecule::from_canonical(entry.smiles).unwrap();
            let rings = molecule.inner().symmetrized_sssr().unwrap();
            let sizes: BTreeSet<usize> = rings.atom_rings().iter().map(Vec::len).collect();
            assert_eq!(ring_sizes(&molecule), sizes, "{}", entry.smiles);
        }
    }

    #[test]
    fn many_rings_have_the_same_sizes_whoever_finds_them() {
        // Eighteen rings of six, with and without a tail by which there are too many bonds for a set.
        let chain = "C1CCCCC1".repeat(18);
        let tail = "C".repeat(30);
        let few = Molecule::parse(&chain).unwrap();
        let many = Molecule::parse(&format!("{chain}{tail}")).unwrap();
        assert!(few.heavy_bonds().len() < 128 && many.heavy_bonds().len() > 128);
        assert_eq!(ring_sizes(&few), ring_sizes(&many));
        assert_eq!(ring_sizes(&few), BTreeSet::from([6]));
    }
}
