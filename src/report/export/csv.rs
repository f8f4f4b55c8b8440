//! Comma-separated values.

use std::io;

use serde_json::Value;

use super::columns::ExportTable;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, MoleculeWriter, Writing};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "csv",
    is_binary: false,
    has_calculations: false,
    has_states: false,
    writing: Writing::Whole(begin),
};

struct CsvWriter<'a> {
    table: &'a ExportTable,
    out: csv::Writer<&'a mut Destination<'a>>,
}

fn begin<'a>(
    table: &'a ExportTable,
    out: &'a mut Destination<'a>,
) -> io::Result<Box<dyn MoleculeWriter + 'a>> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(table.columns.iter().map(|column| &column.name))?;
    Ok(Box::new(CsvWriter { table, out }))
}

impl MoleculeWriter for CsvWriter<'_> {
    fn write(&mut self, molecule: &ExportedMolecule) -> io::Result<Option<LeftOut>> {
        let row = self.table.shown(&molecule.values);
        self.out.write_record(row.map(|(_, value)| match value {
            Value::Null => String::new(),
            Value::String(text) => cell(&text),
            other => cell(&other.to_string()),
        }))?;
        Ok(None)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns a cell without control characters that no spreadsheet takes for a formula.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn cell(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let begins = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠'
        )
    };
    let is_formula = text.starts_with(begins) || text.trim_start().starts_with(begins);
    let quote = if is_formula && text.parse::<f64>().is_err() {
        "'"
    } else {
        ""
    };
    quote.chars().chain(text.chars().map(shown)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_computes_nothing_and_numbers_stay_numbers() {
        for formula in [
            "=cmd|' /C calc'!A0",
            "+1+cmd",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "＝1",
        ] {
            assert!(cell(formula).starts_with('\''), "{formula:?}");
        }
        for plain in [
            "-1.5",
            "-3e-7",
            "+4",
            "C=O",
            "[O-]C",
            "N#CC=C",
            "2024-11-26T20:23:19.000Z",
            "",
        ] {
            assert_eq!(cell(plain), plain);
        }
        assert_eq!(
            cell("a\u{1b}]0;x\u{7}b\u{9b}2J\nc"),
            "a\u{fffd}]0;x\u{fffd}b\u{fffd}2J\nc"
        );
    }
}
