//! Files of molecules: lines of SMILES and names, and tables with such columns.

mod columns;
mod cursor;
mod delimited;
mod lines;

pub use columns::column_of_smiles;
pub use delimited::table;
pub use lines::lines;

use std::sync::Arc;

use super::diagnostic::{Place, Text};

/// Rows of a file of molecules.
pub struct MoleculeTable {
    /// Rows in the order of the file.
    pub rows: Vec<MoleculeRow>,
    /// Layout that was assumed: delimiter and columns.
    pub layout: String,
}

/// Cell in which a molecule is expected.
pub struct MoleculeRow {
    /// Without the extension of CXSMILES; empty where the cell is.
    pub smiles: String,
    /// Name beside the molecule; none if there is none.
    pub name: Option<String>,
    /// Counted from 1, as in [`Place`].
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl MoleculeRow {
    /// Place of the SMILES.
    pub fn place(&self, text: &Arc<Text>) -> Place {
        Place {
            text: Arc::clone(text),
            line: self.line,
            column: self.column,
            length: self.smiles.chars().count().max(1),
        }
    }
}

/// Texts that programs write for a missing value.
const MISSING: [&str; 7] = ["nan", "na", "n/a", "#n/a", "null", "none", "-"];

/// The part of a layout that says where names come from.
fn names_from(column: Option<&String>) -> String {
    column.map_or_else(String::new, |column| {
        format!(", names from the column `{column}`")
    })
}

/// Name as it is shown: in one line, without control characters.
fn label(name: &str) -> Option<String> {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let name = name.trim_matches(is_space);
    let name = name
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(name);
    let words: Vec<&str> = name
        .split(is_space)
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join(" ");
    let is_missing = MISSING.iter().any(|word| name.eq_ignore_ascii_case(word));
    (!name.is_empty() && !is_missing).then_some(name)
}

/// The word for a delimiter.
fn shown(delimiter: char) -> &'static str {
    match delimiter {
        ',' => "commas",
        ';' => "semicolons",
        '\t' => "tabs",
        '|' => "`|`",
        _ => "blanks",
    }
}
