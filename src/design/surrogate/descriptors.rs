//! Descriptors of whole molecules, the features of a linear kernel: composition, rings, unsaturation,
//! branching, length.

use crate::chem::{BondKind, HeavyAtom, HeavyBond, Molecule};

/// Number of descriptors.
pub const DESCRIPTORS: usize = 20;

/// Descriptors of a molecule, as numbers: atoms C, N, O, F, H; rings (bonds - atoms + 1); rings of 3, of
/// 4 and of more atoms (each bond counts 1/n for the smallest ring, of n atoms, that it is in);
/// aromatic atoms; double and triple bonds; single bonds between unsaturated atoms; atoms of the
/// largest connected set of unsaturated atoms; atoms with three and with four heavy neighbours; bonds
/// between two atoms other than carbon; cumulated double bonds; cations; length of the longest
/// shortest path, in bonds.
pub fn descriptors(molecule: &Molecule) -> [f64; DESCRIPTORS] {
    let atoms = molecule.heavy_atoms();
    let bonds = molecule.heavy_bonds();
    let element = |symbol: &str| atoms.iter().filter(|atom| atom.symbol == symbol).count();
    let kind = |kind: BondKind| bonds.iter().filter(|bond| bond.kind == kind).count();
    let degree = |degree: usize| {
        (atoms.iter())
            .filter(|a| a.neighbours.len() == degree)
            .count()
    };
    let has = |atom: &HeavyAtom, kind: BondKind| atom.neighbours.iter().any(|(k, _)| *k == kind);
    let conjugating = |bond: &&HeavyBond| {
        let ends = [bond.from, bond.to];
        bond.kind == BondKind::Single && ends.iter().all(|end| is_unsaturated(&atoms[*end]))
    };
    let polar = |bond: &&HeavyBond| {
        [bond.from, bond.to]
            .iter()
            .all(|end| atoms[*end].symbol != "C")
    };
    let doubles = |atom: &&HeavyAtom| {
        let kinds = atom.neighbours.iter().map(|(kind, _)| *kind);
        kinds.filter(|kind| *kind == BondKind::Double).count() > 1
    };
    let [three, four, larger] = rings(molecule, &bonds);
    [
        element("C") as f64,
        element("N") as f64,
        element("O") as f64,
        element("F") as f64,
        atoms.iter().map(|atom| atom.hydrogens).sum::<usize>() as f64,
        (bonds.len() + 1).saturating_sub(atoms.len()) as f64,
        three,
        four,
        larger,
        (atoms.iter())
            .filter(|a| has(a, BondKind::Aromatic))
            .count() as f64,
        kind(BondKind::Double) as f64,
        kind(BondKind::Triple) as f64,
        bonds.iter().filter(conjugating).count() as f64,
        largest_unsaturated(molecule) as f64,
        degree(3) as f64,
        degree(4) as f64,
        bonds.iter().filter(polar).count() as f64,
        atoms.iter().filter(doubles).count() as f64,
        molecule.cations() as f64,
        longest_path(molecule) as f64,
    ]
}

fn is_unsaturated(atom: &HeavyAtom) -> bool {
    let mut kinds = atom.neighbours.iter().map(|(kind, _)| *kind);
    kinds.any(|kind| kind != BondKind::Single)
}

/// Rings of three, of four and of more atoms.
fn rings(molecule: &Molecule, bonds: &[HeavyBond]) -> [f64; 3] {
    let mut rings = [0.0; 3];
    if bonds.len() < molecule.heavy_atoms().len() {
        // A molecule is one piece, so it is a tree.
        return rings;
    }
    for bond in bonds {
        let steps = molecule.distances(bond.from, |a, b| (a, b) != (bond.from, bond.to));
        if let Some(steps) = steps[bond.to] {
            let size = steps + 1;
            rings[size.clamp(3, 5) - 3] += 1.0 / size as f64;
        }
    }
    rings
}

fn largest_unsaturated(molecule: &Molecule) -> usize {
    let atoms = molecule.heavy_atoms();
    let unsaturated = |place: usize| is_unsaturated(&atoms[place]);
    let connected = |from: usize| {
        let steps = molecule.distances(from, |a, b| unsaturated(a) && unsaturated(b));
        steps.iter().flatten().count()
    };
    let starts = (0..atoms.len()).filter(|place| unsaturated(*place));
    starts.map(connected).max().unwrap_or(0)
}

fn longest_path(molecule: &Molecule) -> usize {
    let longest = |from| {
        let steps = molecule.distances(from, |_, _| true);
        steps.into_iter().flatten().max()
    };
    let atoms = 0..molecule.heavy_atoms().len();
    atoms.filter_map(longest).max().unwrap_or(0)
}
