//! Sizes of the rings of a molecule.

use std::collections::BTreeSet;

use super::Molecule;

/// Numbers of atoms of the rings in the smallest set of smallest rings, in which each ring is as
/// small as possible: 5 for norbornane, not the 6 around both rings.
pub fn ring_sizes(molecule: &Molecule) -> BTreeSet<usize> {
    let atoms = molecule.heavy_atoms();
    let ends: usize = atoms.iter().map(|atom| atom.neighbours.len()).sum();
    // One piece with a bond less than atoms is a tree; the search for rings costs more.
    if ends / 2 < atoms.len() {
        return BTreeSet::new();
    }
    let rings = molecule.inner().symmetrized_sssr();
    let rings = rings.expect("a sanitised molecule has rings that can be found");
    rings.atom_rings().iter().map(Vec::len).collect()
}
