//! SDF (V2000): the geometry of each evaluated molecule with the bonds of its SMILES and all
//! hydrogens, and its columns as data fields with their units in their names.
//!
//! BIOVIA, CTfile Formats (2020), chapters 4 and 5.

use std::io;

use serde_json::Value;

use super::columns::ExportTable;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, Writing};
use crate::chem::{Geometry, Molecule, mol_block};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "sdf",
    is_binary: false,
    has_calculations: true,
    has_states: false,
    writing: Writing::Alone(write),
};

/// Most atoms that the table of V2000 can hold.
const MOST_ATOMS: usize = 999;

fn write(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    out: &mut Destination,
) -> io::Result<Option<LeftOut>> {
    let block = match block(molecule) {
        Ok(block) => block,
        Err(reason) => return Ok(Some(reason)),
    };
    // The first line is the title.
    let rest = block.split_once('\n').map_or("", |(_, rest)| rest);
    writeln!(out, "{}\n{}", line(molecule.title()), rest.trim_end())?;
    for (column, value) in table.shown(&molecule.values) {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => line(&text),
            other => other.to_string(),
        };
        // A line that begins with > or $ would end the field.
        let begins = text.is_empty() || text.starts_with(['>', '$']);
        let space = if begins { " " } else { "" };
        writeln!(out, ">  <{}>\n{space}{text}\n", column.plain_name())?;
    }
    writeln!(out, "$$$$")?;
    Ok(None)
}

fn block(molecule: &ExportedMolecule) -> Result<String, LeftOut> {
    let xyz = molecule.xyz().ok_or(LeftOut::NoGeometry)?;
    let geometry = Geometry::from_xyz(xyz).map_err(|_| LeftOut::NoGeometry)?;
    if geometry.atoms.len() > MOST_ATOMS {
        return Err(LeftOut::TooLarge);
    }
    let graph = Molecule::parse(&molecule.candidate.smiles).map_err(|_| LeftOut::OtherBonds)?;
    mol_block(&graph, &geometry).ok_or(LeftOut::OtherBonds)
}

/// A text on one line.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
