//! JSON, one object a line.

use std::io;

use serde_json::{Map, Value};

use super::columns::ExportTable;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, Writing};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "jsonl",
    is_binary: false,
    has_calculations: false,
    has_states: false,
    writing: Writing::Alone(write),
};

fn write(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    out: &mut Destination,
) -> io::Result<Option<LeftOut>> {
    let row = table.shown(&molecule.values);
    let row: Map<String, Value> = row
        .map(|(column, value)| (column.name.clone(), value))
        .collect();
    write_line(&Value::Object(row), out)?;
    Ok(None)
}

/// Writes a value as a line.
pub(super) fn write_line(value: &Value, out: &mut Destination) -> io::Result<()> {
    writeln!(out, "{}", escaped(&value.to_string()))
}

/// Returns JSON whose control characters are all escaped, also those beyond ASCII.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_says_the_same() {
        let line = serde_json::to_string("a\u{1b}\u{7f}\u{9b}é").unwrap();
        let escaped = escaped(&line);
        assert!(!escaped.chars().any(char::is_control), "{escaped}");
        assert_eq!(
            serde_json::from_str::<String>(&escaped).unwrap(),
            "a\u{1b}\u{7f}\u{9b}é"
        );
    }
}
