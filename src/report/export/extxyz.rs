//! Extended XYZ: the geometry of each evaluated molecule, with its columns in the comment line.
//! <https://github.com/libAtoms/extxyz>
//!
//! Coordinates are in angstrom. Units are at the ends of names; no key is one that ASE takes for a
//! result in its own units.

use std::io;

use serde_json::Value;

use super::columns::ExportTable;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, Writing};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "extxyz",
    is_binary: false,
    has_calculations: true,
    has_states: false,
    writing: Writing::Alone(write),
};

fn write(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    out: &mut Destination,
) -> io::Result<Option<LeftOut>> {
    // The second line is a comment.
    let mut lines = molecule.xyz().unwrap_or_default().lines();
    let (Some(count), Some(_)) = (lines.next(), lines.next()) else {
        return Ok(Some(LeftOut::NoGeometry));
    };
    writeln!(out, "{}", count.trim())?;
    write!(out, "Properties=species:S:1:pos:R:3 pbc=\"F F F\"")?;
    for (column, value) in table.shown(&molecule.values) {
        if let Some(value) = value_of(&value) {
            write!(out, " {}={value}", column.plain_name())?;
        }
    }
    writeln!(out)?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(None)
}

/// A value as the format writes it; none for nothing.
fn value_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(true) => Some("T".to_owned()),
        Value::Bool(false) => Some("F".to_owned()),
        Value::String(text) => {
            let text = text.replace(char::is_control, " ");
            Some(format!(
                "\"{}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"")
            ))
        }
        other => Some(other.to_string()),
    }
}
