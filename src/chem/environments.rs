//! Atom environments of Morgan fingerprints on the graph of heavy atoms. The toolkit's own take fifty
//! times as long.

use super::{BondKind, HeavyAtom, Molecule, atomic_number};

/// A set of bonds, by their places.
type BondSet = u128;

/// Number of bonds that a set holds.
pub(super) const MOST_BONDS: usize = BondSet::BITS as usize;

/// Identifiers of the environments of up to `radius` bonds around each atom, one for each occurrence
/// (Rogers and Hahn, J. Chem. Inf. Model. 50, 742, 2010): those of RDKit's `MorganGenerator` with its
/// default invariants. None for what the heavy atoms do not tell (isotopes, hydrogens that are atoms
/// of the graph) and for molecules of more bonds than a set holds.
pub(super) fn environments(molecule: &Molecule, radius: u32) -> Option<Vec<u32>> {
    let atoms = molecule.heavy_atoms();
    let bonds = molecule.heavy_bonds();
    if molecule.has_special_atoms() || bonds.len() > MOST_BONDS {
        return None;
    }
    let in_ring = in_ring(molecule);
    let mut centres: Vec<Centre> = (atoms.iter().zip(in_ring))
        .map(|(atom, in_ring)| Centre::new(invariant(atom, in_ring)))
        .collect();
    for (place, bond) in bonds.iter().enumerate() {
        let code = code(bond.kind);
        centres[bond.from].bonds.push((place, bond.to, code));
        centres[bond.to].bonds.push((place, bond.from, code));
    }
    Some(grow(&centres, radius).identifiers)
}

/// An atom around which environments grow.
pub(super) struct Centre {
    /// Identifier of its environment of no bonds.
    invariant: u32,
    /// Place of each bond, the atom at its other end, and its code.
    pub(super) bonds: Vec<(usize, usize, u32)>,
}

impl Centre {
    pub(super) fn new(invariant: u32) -> Self {
        Self {
            invariant,
            bonds: Vec::new(),
        }
    }
}

/// Environments of the atoms of a molecule.
pub(super) struct Grown {
    /// Identifier of each occurrence.
    pub(super) identifiers: Vec<u32>,
    /// True if they might be others with the atoms in another order. Of atoms whose environments are
    /// the same bonds the one with the lowest identifier grows on, and the others count as zero for
    /// their neighbours; of equal identifiers it is the first atom.
    pub(super) depend_on_order: bool,
}

/// Grows the environments by one bond at a time, up to `radius`.
pub(super) fn grow(centres: &[Centre], radius: u32) -> Grown {
    let mut invariants: Vec<u32> = centres.iter().map(|centre| centre.invariant).collect();
    let mut identifiers = invariants.clone();
    let mut covered: Vec<BondSet> = vec![0; centres.len()];
    let mut seen: Vec<BondSet> = Vec::new();
    // Atoms whose environment was that of another atom grow no further.
    let mut is_live: Vec<bool> = centres.iter().map(|c| !c.bonds.is_empty()).collect();
    // Those that an atom with the same identifier came before.
    let mut is_second = vec![false; centres.len()];
    let mut depend_on_order = false;
    for layer in 0..radius {
        let mut next = vec![0; centres.len()];
        let mut reached = covered.clone();
        let mut grown = Vec::new();
        for atom in (0..centres.len()).filter(|atom| is_live[*atom]) {
            let mut shell: Vec<(u32, u32)> = Vec::with_capacity(4);
            for &(place, other, code) in &centres[atom].bonds {
                reached[atom] |= covered[other] | 1 << place;
                shell.push((code, invariants[other]));
            }
            shell.sort_unstable();
            let start = combine(layer, invariants[atom]);
            next[atom] = shell.into_iter().fold(start, |hash, (bond, invariant)| {
                combine(hash, combine(combine(0, bond), invariant))
            });
            grown.push((reached[atom], next[atom], atom));
        }
        grown.sort_unstable();
        let mut last = None;
        for (bonds, identifier, atom) in grown {
            is_live[atom] = !seen.contains(&bonds);
            if is_live[atom] {
                let mut around = centres[atom].bonds.iter();
                depend_on_order |= around.any(|(_, other, _)| is_second[*other]);
                seen.push(bonds);
                identifiers.push(identifier);
            } else {
                is_second[atom] = last == Some((bonds, identifier));
            }
            last = Some((bonds, identifier));
        }
        (invariants, covered) = (next, reached);
    }
    Grown {
        identifiers,
        depend_on_order,
    }
}

fn invariant(atom: &HeavyAtom, in_ring: bool) -> u32 {
    let element = atomic_number(&atom.symbol).map_or(0, u32::from);
    let degree = atom.neighbours.len() + atom.hydrogens;
    let counts = (degree as u32, atom.hydrogens as u32);
    invariant_of(element, counts, i32::from(atom.charge), in_ring)
}

/// Invariant of an atom: element, degree and hydrogens, charge, ring membership.
pub(super) fn invariant_of(
    element: u32,
    (degree, hydrogens): (u32, u32),
    charge: i32,
    in_ring: bool,
) -> u32 {
    // The fifth is the difference of an isotope's mass from the standard one.
    let parts = [element, degree, hydrogens, charge.cast_unsigned(), 0];
    let hash = parts.into_iter().fold(0, combine);
    if in_ring { combine(hash, 1) } else { hash }
}

/// The code of a bond: twice its order in tenths where it is aromatic, as RDKit numbers them.
fn code(kind: BondKind) -> u32 {
    match kind {
        BondKind::Single => 1,
        BondKind::Double => 2,
        BondKind::Triple => 3,
        BondKind::Aromatic => 12,
    }
}

/// Adds a value to a hash (`boost::hash_combine` of 32 bits).
fn combine(hash: u32, value: u32) -> u32 {
    let mixed = value
        .wrapping_add(0x9e37_79b9)
        .wrapping_add(hash << 6)
        .wrapping_add(hash >> 2);
    hash ^ mixed
}

/// For each heavy atom, true if it is in a ring: a bond of it lies on a cycle.
fn in_ring(molecule: &Molecule) -> Vec<bool> {
    let atoms = molecule.heavy_atoms();
    let mut search = RingSearch {
        atoms,
        order: vec![0; atoms.len()],
        lowest: vec![0; atoms.len()],
        in_ring: vec![false; atoms.len()],
        visited: 0,
    };
    for root in 0..atoms.len() {
        if search.order[root] == 0 {
            search.visit(root, None);
        }
    }
    search.in_ring
}

/// Depth-first search for the bonds whose removal leaves a molecule in one piece (R. Tarjan, SIAM J.
/// Comput. 1, 146, 1972).
struct RingSearch<'a> {
    atoms: &'a [HeavyAtom],
    /// Place of each atom in the order of the visits, from 1; 0 before its visit.
    order: Vec<u32>,
    /// The first atom in that order that is reached from the atom or from those after it.
    lowest: Vec<u32>,
    in_ring: Vec<bool>,
    visited: u32,
}

impl RingSearch<'_> {
    fn visit(&mut self, atom: usize, from: Option<usize>) {
        self.visited += 1;
        (self.order[atom], self.lowest[atom]) = (self.visited, self.visited);
        for &(_, next) in &self.atoms[atom].neighbours {
            if Some(next) == from {
                continue;
            }
            let is_new = self.order[next] == 0;
            if is_new {
                self.visit(next, Some(atom));
            }
            let reached = if is_new {
                self.lowest[next]
            } else {
                self.order[next]
            };
            self.lowest[atom] = self.lowest[atom].min(reached);
            // The bond is on a cycle if the far end reaches this atom or one before it otherwise.
            if reached <= self.order[atom] {
                (self.in_ring[atom], self.in_ring[next]) = (true, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::qm9::Qm9;
    use cosmolkit::MorganFingerprintParams;

    /// Those of the toolkit, which are RDKit's (`tests/design/gaussian_process.rs`).
    fn of_the_toolkit(molecule: &Molecule, radius: u32) -> Vec<u32> {
        let mut params = MorganFingerprintParams::default();
        params.generator.radius = radius;
        let counts = molecule
            .inner()
            .fingerprint_morgan_sparse_count_with_params(&params, None)
            .unwrap();
        let counts = counts.nonzero_elements().iter();
        counts
            .flat_map(|(identifier, count)| vec![*identifier as u32; *count as usize])
            .collect()
    }

    fn assert_equal(molecule: &Molecule) {
        for radius in 0..=4 {
            let mut ours = environments(molecule, radius).unwrap();
            ours.sort_unstable();
            assert_eq!(
                ours,
                of_the_toolkit(molecule, radius),
                "{molecule:?} {radius}"
            );
        }
    }

    #[test]
    fn environments_of_molecules_of_qm9_are_those_of_the_toolkit() {
        let qm9 = Qm9::open();
        for entry in qm9.molecules().step_by(67) {
            assert_equal(&Molecule::from_canonical(entry.smiles).unwrap());
        }
    }

    #[test]
    fn environments_of_ions_radicals_and_fused_rings_are_those_of_the_toolkit() {
        for smiles in [
            "C",
            "[CH3]",
            "[O]O",
            "[NH4+]",
            "C[N+](=O)[O-]",
            "c1ccc2[nH]ccc2c1",
            "C1CC2CCC1CC2",
            "C12C3C4C1C5C2C3C45",
            "CS(=O)(=O)c1ccsc1",
            "BrC(Cl)(F)I",
            "C1CC1C1CC1",
            "OB(O)c1ccccc1",
            "C[Si](C)(C)C#N",
            "F/C=C/F",
            "C[C@H](N)O",
            "CC(C)(C)CCC(C)(C)C",
            "O=c1[nH]c(=O)c2[nH]cnc2[nH]1",
            "C1CCCCCCCCCCCCCC1",
            "c1ccc(-c2ccc(-c3ccccc3)cc2)cc1",
        ] {
            assert_equal(&Molecule::parse(smiles).unwrap());
        }
    }

    #[test]
    fn isotopes_are_left_to_the_toolkit() {
        for smiles in ["[13CH4]", "[2H]C", "[H][H]"] {
            assert_eq!(environments(&Molecule::parse(smiles).unwrap(), 2), None);
        }
    }
}
