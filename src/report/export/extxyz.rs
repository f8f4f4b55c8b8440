//! Extended XYZ: the geometry of each evaluated molecule, with its columns in the comment line.
//! <https://github.com/libAtoms/extxyz>
//!
//! Coordinates are in angstrom. Quantities of methods are in atomic units and have `au` at the end of
//! their names; no key is one that ASE takes for a result in its own units.

use std::io::{self, Write};

use serde_json::Value;

use super::{ExportFormat, ExportedMolecule};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "extxyz",
    has_geometries: true,
    write,
};

fn write(
    molecules: &mut dyn Iterator<Item = ExportedMolecule>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for ExportedMolecule { columns, xyz } in molecules {
        // The second line is a comment.
        let mut lines = xyz.lines();
        let (Some(count), Some(_)) = (lines.next(), lines.next()) else {
            continue;
        };
        writeln!(out, "{}", count.trim())?;
        write!(out, "Properties=species:S:1:pos:R:3 pbc=\"F F F\"")?;
        for (name, value) in &columns {
            if let Some(value) = value_of(value) {
                write!(out, " {}={value}", key(name))?;
            }
        }
        writeln!(out)?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()
}

/// A key of letters, digits and underscores: `energy.homo` becomes `energy_homo_au`.
fn key(column: &str) -> String {
    let plain = column.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    match column.contains('.') {
        true => format!("{plain}_au"),
        false => plain,
    }
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
