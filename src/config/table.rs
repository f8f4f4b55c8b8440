//! Lines of SMILES and names, and tables with columns of them, as other programs write them.

use std::sync::Arc;

use super::fault::{Fault, Faults, Place, Text};

/// What the file holds, line by line.
pub struct Table {
    pub rows: Vec<Row>,
    /// How the file was understood: its delimiter and its columns.
    pub layout: String,
}

/// What stands where a molecule is expected.
pub struct Row {
    /// Without the extension of CXSMILES; empty where the cell is.
    pub smiles: String,
    pub name: Option<String>,
    /// Counted from 1, as in [`Place`].
    pub line: usize,
    pub column: usize,
}

impl Row {
    /// Where the SMILES stands.
    pub fn place(&self, text: &Arc<Text>) -> Place {
        Place {
            text: Arc::clone(text),
            line: self.line,
            column: self.column,
            length: self.smiles.chars().count().max(1),
        }
    }
}

/// Names of a column of SMILES, the first that is there counts; case, blanks, `_` and `-` make no difference.
const SMILES: [&str; 6] = [
    "smiles",
    "isomericsmiles",
    "canonicalsmiles",
    "connectivitysmiles",
    "smilesstring",
    "smi",
];
/// Names of a column of names, in order of preference; any that ends in the word `name`, then any that ends in `id`, too.
const NAMES: [&str; 8] = [
    "name", "title", "compound", "molecule", "id", "cid", "cas", "inchikey",
];

const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// What programs write where there is no value.
const MISSING: [&str; 7] = ["nan", "na", "n/a", "#n/a", "null", "none", "-"];

/// Reads a table whose first line names its columns.
pub fn table(text: &Arc<Text>) -> Result<Table, Faults> {
    let (start, given) = separator_line(&text.text);
    let header_start = start + blank(&text.text[start..]);
    let header = text.text[header_start..].lines().next().unwrap_or_default();
    if header.trim().is_empty() {
        return Ok(Table {
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

/// Reads lines of a SMILES and a name; a first line that names the columns makes them a table.
pub fn lines(text: &Arc<Text>) -> Result<Table, Faults> {
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
        rows.push(Row {
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
    Ok(Table {
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
fn words(content: &str, heading: &Heading) -> Row {
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
    Row {
        smiles: smiles.to_owned(),
        name: name.and_then(|(_, name)| label(name)),
        line: 0,
        column: content[..at].chars().count() + 1,
    }
}

/// The SMILES of a line with what follows it, and what separates the two.
fn line_of_one(content: &str) -> (Row, Option<char>) {
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
    let row = Row {
        smiles: smiles.to_owned(),
        name: name.and_then(|name| label(&name)),
        line: 0,
        column,
    };
    (row, delimiter)
}

/// What follows the extension of CXSMILES, `|...|`, if there is one.
fn without_extension(rest: &str) -> &str {
    let rest = rest.trim_start();
    let inner = rest
        .strip_prefix('|')
        .and_then(|inner| inner.find('|').map(|end| &inner[end + 1..]));
    inner.unwrap_or(rest).trim_start_matches(' ')
}

/// The cells of a table below its header, which begins at the byte `start`.
fn cells(
    text: &Arc<Text>,
    start: usize,
    delimiter: char,
    smiles: usize,
    columns: &[String],
) -> Result<Table, Faults> {
    let name = column_of_names(columns, smiles);
    let body = &text.text[start..];
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter as u8)
        .from_reader(body.as_bytes());
    let mut cursor = Cursor {
        text: &text.text,
        at: start,
        line: text.text[..start].matches('\n').count() + 1,
    };
    let mut rows = Vec::new();
    let mut faults = Faults::default();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let place = error.position().map(|position| {
                    cursor.move_to(start + position.byte() as usize);
                    at(text, cursor.line, 1)
                });
                let fault = Fault::new(format!("this row cannot be read: {error}"));
                faults.push(fault.at(place).hint(Some(WAY_OUT.into())));
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
            let message = "a quotation mark opens a cell in this row, and none closes it";
            let hint = "double a mark that belongs to the text (`\"\"`), and put one at the end of the cell";
            faults.push(
                Fault::new(message)
                    .at(at(text, cursor.line, 1))
                    .hint(Some(hint.into())),
            );
            continue;
        }
        let cell = record.get(smiles).unwrap_or_default().trim();
        let cell = cell
            .strip_prefix('"')
            .and_then(|inner| inner.strip_suffix('"'))
            .unwrap_or(cell);
        if cell.starts_with('#') {
            continue;
        }
        let is_missing = MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word));
        // What follows a blank is an extension of CXSMILES or a name.
        let word = cell.split_whitespace().next().unwrap_or_default();
        rows.push(Row {
            smiles: if is_missing {
                String::new()
            } else {
                word.to_owned()
            },
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
    faults.or(Table { rows, layout })
}

/// What to do about a row that is wrong.
const WAY_OUT: &str = "correct or remove this row";

fn names_from(column: Option<&String>) -> String {
    column.map_or_else(String::new, |column| {
        format!(", names from the column `{column}`")
    })
}

/// A name as it is shown: in one line, without what steers a terminal.
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

/// A column's name in lower case, without what people write in different ways.
fn plain(column: &str) -> String {
    let letters = column.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn column_of_smiles(columns: &[String]) -> Option<usize> {
    let columns: Vec<String> = columns.iter().map(|column| plain(column)).collect();
    let known = SMILES
        .iter()
        .find_map(|known| columns.iter().position(|column| column == known));
    // `smiles_rdkit`, if there is but one of the kind.
    let mut alike = (0..columns.len()).filter(|index| columns[*index].contains("smiles"));
    known.or_else(|| alike.next().filter(|_| alike.next().is_none()))
}

fn column_of_names(columns: &[String], smiles: usize) -> Option<usize> {
    let position = |is_it: &dyn Fn(&str) -> bool| {
        (0..columns.len()).find(|index| *index != smiles && is_it(&columns[*index]))
    };
    let ends_in = |word: &'static str| {
        move |column: &str| {
            let column = column.trim().to_lowercase();
            let before = column
                .strip_suffix(word)
                .map(|before| before.chars().last());
            before.is_some_and(|last| last.is_some_and(|c| !c.is_alphanumeric()))
        }
    };
    let known = |wanted: &'static str| position(&|column| plain(column) == wanted);
    let (names, ids) = NAMES.split_at(4);
    let named = names.iter().find_map(|name| known(name));
    let named = named.or_else(|| position(&ends_in("name")));
    let named = named.or_else(|| ids.iter().find_map(|name| known(name)));
    named.or_else(|| position(&ends_in("id")))
}

fn header_columns(header: &str, delimiter: char) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter as u8)
        .trim(csv::Trim::All)
        .from_reader(header.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    let columns = first.iter().flat_map(|record| record.iter());
    columns
        .map(|column| column.trim_start_matches('#').to_owned())
        .collect()
}

fn no_column(
    text: &Arc<Text>,
    line: usize,
    header: &str,
    delimiter: char,
    columns: &[String],
) -> Fault {
    let columns: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
    let hint = format!(
        "its columns, taken to be separated by {}, are {}; name that of the SMILES `smiles`, or save lines of a SMILES and a name as `.smi`",
        shown(delimiter),
        columns.join(", ")
    );
    Fault::new("the table has no column `smiles`")
        .at(Place {
            length: header.chars().count().max(1),
            ..at(text, line, 1)
        })
        .hint(Some(hint))
}

fn shown(delimiter: char) -> &'static str {
    match delimiter {
        ',' => "commas",
        ';' => "semicolons",
        '\t' => "tabs",
        '|' => "`|`",
        _ => "blanks",
    }
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

/// A place in a table that moves forward: the reader's own positions count from the blank lines before a row.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Cursor<'_> {
    /// To the first letter of the row that is read from the byte `at` on.
    fn move_to(&mut self, at: usize) {
        let rest = &self.text.as_bytes()[at..];
        let row = at
            + rest
                .iter()
                .take_while(|b| matches!(**b, b'\r' | b'\n'))
                .count();
        let passed = &self.text.as_bytes()[self.at..row];
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.at = row;
    }

    /// Line and column of the cell `index` of the row, and whether every quote up to the row's end is closed.
    fn cell(&self, index: usize, delimiter: char) -> (usize, usize, bool) {
        let (mut line, mut column) = (self.line, 1);
        let (mut cell, mut found) = (0, None);
        let (mut in_quotes, mut is_start) = (false, true);
        let mut letters = self.text[self.at..].chars().peekable();
        while let Some(letter) = letters.next() {
            let leads = letter == ' ' || letter == '"' && is_start;
            if cell == index && found.is_none() && !leads {
                found = Some((line, column));
            }
            match letter {
                '"' if is_start => in_quotes = true,
                '"' if in_quotes && letters.next_if_eq(&'"').is_some() => column += 1,
                '"' => in_quotes = false,
                '\n' | '\r' if !in_quotes => break,
                _ => {}
            }
            is_start = letter == delimiter && !in_quotes;
            cell += usize::from(is_start);
            if letter == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        let (line, column) = found.unwrap_or((self.line, 1));
        (line, column, !in_quotes)
    }
}
