//! MDL mol blocks (V2000) of molecules with a geometry.

use cosmolkit::MolBlockWriteParams;

use super::bonds::has_bonds_of;
use super::{Geometry, Molecule};

/// Mol block of a molecule with all hydrogens at the positions of `geometry`, in Kekulé form; its
/// title is empty. None unless the atoms are those of [`super::embed`] in the same order, and
/// distances show exactly the bonds of the graph.
pub fn mol_block(molecule: &Molecule, geometry: &Geometry) -> Option<String> {
    let explicit = molecule.inner().with_hydrogens().ok()?;
    let atoms = explicit.atoms();
    let symbols = atoms.iter().map(|atom| atom.element().symbol());
    let given = geometry.atoms.iter().map(|(symbol, _)| symbol.as_str());
    if !symbols.eq(given) || !has_bonds_of(molecule, geometry) {
        return None;
    }
    let positions = geometry.atoms.iter().map(|(_, position)| *position);
    let mut builder = explicit.to_builder();
    builder.add_3d_conformer(positions.collect()).ok()?;
    let placed = builder.build().ok()?;
    placed
        .to_mol_with_params(&MolBlockWriteParams::default())
        .ok()
}
