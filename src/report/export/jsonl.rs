//! JSON, one object a line.

use std::io::{self, Write};

use super::{ExportFormat, ExportedMolecule};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "jsonl",
    has_geometries: false,
    write,
};

fn write(
    molecules: &mut dyn Iterator<Item = ExportedMolecule>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for ExportedMolecule { columns: row, .. } in molecules {
        let line = serde_json::to_string(&row)?;
        writeln!(out, "{}", escaped(&line))?;
    }
    out.flush()
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
