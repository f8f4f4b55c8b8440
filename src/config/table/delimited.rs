//! Tables whose first line names the columns: CSV and its relatives.

use std::sync::Arc;

use super::columns::{column_of_names, column_of_smiles, header_columns};
use super::cursor::Cursor;
use super::{MISSING, MoleculeRow, MoleculeTable, label, names_from, shown};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place, Text};

const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Reads a table whose first line names its columns.
///
/// # Errors
///
/// Fails if there is no column of SMILES, or a row cannot be read.
pub fn table(text: &Arc<Text>) -> Result<MoleculeTable, Diagnostics> {
    let (start, given) = separator_line(&text.text);
    let header_start = start + blank(&text.text[start..]);
    let header = text.text[header_start..].lines().next().unwrap_or_default();
    if header.trim().is_empty() {
        return Ok(MoleculeTable {
            rows: Vec::new(),
            layout: "a table".into(),
        });
    }
    let rank = |delimiter: &char| {
        let columns = header_columns(header, *delimiter);
        (column_of_smiles(&columns).is_some(), columns.len())
    };
    let found = DELIMITERS
        .iter()
        .rev()
        .max_by_key(|delimiter| rank(delimiter))
        .copied();
    let delimiter = given.or(found).unwrap_or(',');
    let columns = header_columns(header, delimiter);
    let Some(smiles) = column_of_smiles(&columns) else {
        let line = text.text[..header_start].matches('\n').count() + 1;
        return Err(no_column(text, line, header, delimiter, &columns).into());
    };
    cells(text, header_start, delimiter, smiles, &columns)
}

/// The cells of a table below its header, which begins at the byte `start`.
pub fn cells(
    text: &Arc<Text>,
    start: usize,
    delimiter: char,
    smiles: usize,
    columns: &[String],
) -> Result<MoleculeTable, Diagnostics> {
    let name = column_of_names(columns, smiles);
    let body = &text.text[start..];
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter as u8)
        .from_reader(body.as_bytes());
    let mut cursor = Cursor::new(&text.text, start);
    let mut rows = Vec::new();
    let mut diagnostics = Diagnostics::default();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let place = error.position().map(|position| {
                    cursor.move_to(start + position.byte() as usize);
                    at(text, cursor.line, 1)
                });
                let diagnostic = Diagnostic::new(format!("this row cannot be read: {error}"));
                diagnostics.push(diagnostic.at(place).hint(WAY_OUT));
                continue;
            }
        };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let begin = record.position().map_or(0, |position| position.byte());
        cursor.move_to(start + begin as usize);
        let (line, column, closed) = cursor.cell(smiles, delimiter);
        if !closed {
            let message = "a quotation mark in this row is not closed";
            let hint =
                "write a mark inside the text twice (`\"\"`), and put one at the end of the cell";
            diagnostics.push(
                Diagnostic::new(message)
                    .at(at(text, cursor.line, 1))
                    .hint(hint),
            );
            continue;
        }
        let Some(smiles) = smiles_of(record.get(smiles).unwrap_or_default()) else {
            continue;
        };
        rows.push(MoleculeRow {
            smiles,
            name: name.and_then(|index| record.get(index)).and_then(label),
            line,
            column,
        });
    }
    let layout = format!(
        "a table with columns separated by {}, SMILES from the column `{}`{}",
        shown(delimiter),
        columns[smiles],
        names_from(name.map(|index| &columns[index]))
    );
    diagnostics.or(MoleculeTable { rows, layout })
}

/// SMILES in a cell, empty for a missing value; None for a comment.
fn smiles_of(cell: &str) -> Option<String> {
    let cell = cell.trim();
    let cell = cell
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(cell);
    if cell.starts_with('#') {
        return None;
    }
    let is_missing = MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word));
    // An extension of CXSMILES or a name may follow a blank.
    let word = cell.split_whitespace().next().filter(|_| !is_missing);
    Some(word.unwrap_or_default().to_owned())
}

/// Hint for a wrong row.
const WAY_OUT: &str = "correct or remove this row";

fn no_column(
    text: &Arc<Text>,
    line: usize,
    header: &str,
    delimiter: char,
    columns: &[String],
) -> Diagnostic {
    let columns: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
    let hint = format!(
        "its columns, read as separated by {}, are {}; rename the column of SMILES to `smiles`, or save the file as `.smi` with a SMILES and a name per line",
        shown(delimiter),
        columns.join(", ")
    );
    Diagnostic::new("the table has no column `smiles`")
        .at(Place {
            length: header.chars().count().max(1),
            ..at(text, line, 1)
        })
        .hint(hint)
}

fn at(text: &Arc<Text>, line: usize, column: usize) -> Place {
    Place {
        text: Arc::clone(text),
        line,
        column,
        length: 1,
    }
}

/// The first line `sep=;` that Excel reads and writes: its length, and the delimiter.
fn separator_line(text: &str) -> (usize, Option<char>) {
    let line = text.split_inclusive('\n').next().unwrap_or_default();
    let delimiter = line.trim_end_matches(['\r', '\n']).strip_prefix("sep=");
    let mut letters = delimiter.unwrap_or_default().chars();
    match (letters.next(), letters.next()) {
        (Some(delimiter), None) if delimiter.is_ascii() => (line.len(), Some(delimiter)),
        _ => (0, None),
    }
}

/// The length of the blank lines at the beginning.
fn blank(text: &str) -> usize {
    let lines = text.split_inclusive('\n');
    lines
        .take_while(|line| line.trim().is_empty())
        .map(str::len)
        .sum()
}
