//! Lines of a SMILES and a name.

use std::sync::Arc;

use super::columns::{column_of_names, column_of_smiles, header_columns};
use super::delimited::cells;
use super::{MoleculeRow, MoleculeTable, label, names_from, shown};
use crate::config::diagnostic::{Diagnostics, Text};

/// Reads lines of a SMILES and a name; a first line that names the columns makes them a table.
///
/// # Errors
///
/// Fails as [`super::table`] does, if it is one.
pub fn lines(text: &Arc<Text>) -> Result<MoleculeTable, Diagnostics> {
    let mut heading = None;
    let mut rows = Vec::new();
    let mut first = true;
    let mut delimiter = None;
    let mut start = 0;
    for (index, line) in text.text.split_inclusive('\n').enumerate() {
        let begin = start;
        start += line.len();
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(found) = header_of_lines(content)
        {
            if let Some(delimiter) = found.delimiter {
                return cells(text, begin, delimiter, found.smiles, &found.columns);
            }
            heading = Some(found);
            continue;
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let (row, by) = match &heading {
            Some(heading) if heading.columns.len() > 2 || heading.smiles > 0 => {
                (words(content, heading), Some(' '))
            }
            _ => line_of_one(content),
        };
        delimiter = delimiter.or(by);
        rows.push(MoleculeRow {
            line: index + 1,
            column: indent + row.column,
            ..row
        });
    }
    let has_names = rows.iter().any(|row| row.name.is_some());
    let names = match (&heading, delimiter) {
        (Some(heading), _) => {
            let name = heading.name.map(|index| &heading.columns[index]);
            format!(", the first names the columns{}", names_from(name))
        }
        (None, Some(delimiter)) if has_names => {
            format!(", its name behind it, separated by {}", shown(delimiter))
        }
        (None, _) => String::new(),
    };
    Ok(MoleculeTable {
        rows,
        layout: format!("lines of one SMILES{names}"),
    })
}

/// A first line that names the columns of lines of SMILES.
struct Heading {
    /// None for blanks.
    delimiter: Option<char>,
    columns: Vec<String>,
    smiles: usize,
    name: Option<usize>,
}

fn header_of_lines(content: &str) -> Option<Heading> {
    let delimiter = ['\t', ',', ';'].into_iter().find(|c| content.contains(*c));
    let columns = match delimiter {
        Some(delimiter) => header_columns(content, delimiter),
        None => content.split_whitespace().map(str::to_owned).collect(),
    };
    let smiles = column_of_smiles(&columns)?;
    let name = column_of_names(&columns, smiles);
    Some(Heading {
        delimiter,
        columns,
        smiles,
        name,
    })
}

/// A line of words separated by blanks, below a heading.
fn words(content: &str, heading: &Heading) -> MoleculeRow {
    let mut all = Vec::new();
    let mut rest = content;
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        rest = &rest[start..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        all.push((content.len() - rest.len(), &rest[..end]));
        rest = &rest[end..];
    }
    let (at, smiles) = all.get(heading.smiles).copied().unwrap_or((0, ""));
    let name = heading.name.and_then(|index| all.get(index));
    MoleculeRow {
        smiles: smiles.to_owned(),
        name: name.and_then(|(_, name)| label(name)),
        line: 0,
        column: content[..at].chars().count() + 1,
    }
}

/// The SMILES of a line with what follows it, and what separates the two.
fn line_of_one(content: &str) -> (MoleculeRow, Option<char>) {
    // Neither belongs to SMILES.
    let is_end = |c: char| c.is_whitespace() || c == ',' || c == ';';
    let quoted = content.strip_prefix('"').and_then(|inner| {
        let (smiles, rest) = inner.split_once('"')?;
        Some((smiles.trim(), rest, 2))
    });
    let (smiles, rest, column) = quoted.unwrap_or_else(|| {
        let (smiles, rest) = content.split_at(content.find(is_end).unwrap_or(content.len()));
        (smiles, rest, 1)
    });
    let delimiter = rest.chars().next();
    let name = match delimiter {
        Some(delimiter @ (',' | ';')) => {
            let rest = without_extension(&rest[1..]);
            header_columns(rest, delimiter).into_iter().next()
        }
        Some(_) => {
            let rest = without_extension(rest.trim_start());
            rest.split('\t')
                .find(|cell| !cell.trim().is_empty())
                .map(str::to_owned)
        }
        None => None,
    };
    let row = MoleculeRow {
        smiles: smiles.to_owned(),
        name: name.and_then(|name| label(&name)),
        line: 0,
        column,
    };
    (row, delimiter)
}

/// Text after the extension of CXSMILES, `|...|`, if there is one.
fn without_extension(rest: &str) -> &str {
    let rest = rest.trim_start();
    let inner = rest
        .strip_prefix('|')
        .and_then(|inner| inner.find('|').map(|end| &inner[end + 1..]));
    inner.unwrap_or(rest).trim_start_matches(' ')
}
