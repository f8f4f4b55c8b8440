//! Export of every candidate of a run as CSV or JSON lines.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::{ReportError, timestamp};
use crate::store::{CandidateRow, PropertyInfo, RunInfo};

/// File format of an export: comma-separated values, or one JSON object a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// Columns of an export that depend on the run: its properties, what was predicted, and the
/// quantities of its calculations.
struct ExportColumns<'a> {
    properties: &'a [PropertyInfo],
    /// True if constraints were judged.
    has_constraints: bool,
    /// True if the run has several objectives.
    has_front: bool,
    /// Predicted properties, each with the end of the names of its columns.
    predicted: Vec<(&'a str, String)>,
    /// `method.quantity`, in atomic units.
    quantities: BTreeSet<String>,
}

/// A molecule as an object: the keys are the columns, the same in each row.
type ExportRow = Map<String, Value>;

impl ExportColumns<'_> {
    fn row(&self, c: &CandidateRow) -> ExportRow {
        let values = object(&c.properties);
        let quantities = object(&c.quantities);
        let mut row = ExportRow::new();
        let mut add = |key: &str, value: Value| drop(row.insert(key.to_owned(), value));
        add("smiles", json!(c.smiles));
        add("name", json!(c.name));
        for property in self.properties {
            let value = values.get(&property.name).cloned();
            add(
                &column(&property.name, &property.unit),
                value.unwrap_or_default(),
            );
        }
        if self.has_constraints {
            add("feasible", json!(c.feasible));
        }
        if self.has_front {
            add("on_front", json!(c.on_front));
        }
        add("status", json!(c.status));
        add("failure", json!(c.failure));
        add("failure_message", json!(c.failure_message));
        add("batch", json!(c.batch));
        add("rank", json!(c.rank));
        let predictions = c.all_predictions();
        for (property, end) in &self.predicted {
            let prediction = predictions.get(*property);
            add(
                &format!("prediction_mean{end}"),
                json!(prediction.map(|p| p[0])),
            );
            add(
                &format!("prediction_std{end}"),
                json!(prediction.map(|p| p[1])),
            );
        }
        for name in &self.quantities {
            add(name, quantities.get(name).cloned().unwrap_or_default());
        }
        add("level_of_theory", json!(c.level_of_theory));
        add("engine", json!(c.engine));
        add("engine_version", json!(c.engine_version));
        add("attempts", json!(c.attempts));
        add("cached", json!(c.cached));
        add("submitted", json!(c.submitted.map(timestamp)));
        add("started", json!(c.started.map(timestamp)));
        add("finished", json!(c.finished.map(timestamp)));
        add(
            "peak_memory_mib",
            json!(c.peak_memory_kib.map(|kib| kib as f64 / 1024.0)),
        );
        row
    }
}

/// The name of a column with its unit: `solvation_energy_kcal_mol`.
fn column(property: &str, unit: &str) -> String {
    let unit: String = unit
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    match unit.as_str() {
        "" => property.to_owned(),
        unit => format!("{property}_{unit}"),
    }
}

fn object(json: &str) -> ExportRow {
    serde_json::from_str(json).unwrap_or_default()
}

/// Writes `rows` to `out`, with columns for the properties of the run. Predictions are in the unit of
/// their property; those of the objective have no name in their columns if it is the only one.
///
/// # Errors
///
/// `out` cannot be written.
pub fn export(
    rows: &[CandidateRow],
    run: &RunInfo,
    properties: &[PropertyInfo],
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let quantities = rows.iter().flat_map(|row| object(&row.quantities));
    let predictions = rows.iter().filter(|row| row.batch > 0);
    let predicted: BTreeSet<String> = predictions
        .flat_map(|row| row.all_predictions().into_keys())
        .collect();
    let only = run.only_objective().map(|objective| &objective.property);
    let is_only = |name: &String| only == Some(name);
    let named = properties
        .iter()
        .filter(|property| is_only(&property.name) || predicted.contains(&property.name));
    let ends = named.map(|property| {
        let end = match is_only(&property.name) {
            true => String::new(),
            false => format!("_{}", column(&property.name, &property.unit)),
        };
        (property.name.as_str(), end)
    });
    let columns = ExportColumns {
        properties,
        has_constraints: rows.iter().any(|row| row.feasible.is_some()),
        has_front: only.is_none(),
        predicted: ends.collect(),
        quantities: quantities.map(|(name, _)| name).collect(),
    };
    let written = match format {
        ExportFormat::Csv => write_csv(rows, &columns, out),
        ExportFormat::Jsonl => write_jsonl(rows, &columns, out),
    };
    written.map_err(|source| ReportError::Write {
        what: "the export".into(),
        source,
    })
}

fn write_csv(
    rows: &[CandidateRow],
    columns: &ExportColumns,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let mut is_first = true;
    for row in rows.iter().map(|row| columns.row(row)) {
        if std::mem::take(&mut is_first) {
            csv.write_record(row.keys())?;
        }
        csv.write_record(row.values().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => cell(text),
            other => cell(&other.to_string()),
        }))?;
    }
    csv.flush()
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

fn write_jsonl(
    rows: &[CandidateRow],
    columns: &ExportColumns,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for row in rows {
        let line = serde_json::to_string(&columns.row(row))?;
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
