//! Export of every candidate of a run as CSV or JSON lines.

use std::io::Write;

use serde::Serialize;

use super::{ReportError, timestamp};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::store::CandidateRow;

/// File format of an export: comma-separated values, or one JSON object a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// A row of an export, in the order of its columns. Predictions are of the objective, times in UTC.
#[derive(Debug, Serialize)]
struct ExportRow<'a> {
    smiles: &'a str,
    /// Name in the run's source.
    name: Option<&'a str>,
    /// E(molecule) - sum of E(atoms).
    atomization_energy_hartree: Option<f64>,
    atomization_energy_kcal_mol: Option<f64>,
    atomization_energy_hartree_per_atom: Option<f64>,
    total_energy_hartree: Option<f64>,
    status: &'a str,
    failure: Option<&'a str>,
    failure_message: Option<&'a str>,
    batch: i64,
    rank: i64,
    prediction_mean_hartree: Option<f64>,
    prediction_std_hartree: Option<f64>,
    level_of_theory: Option<&'a str>,
    engine: Option<&'a str>,
    engine_version: Option<&'a str>,
    attempts: Option<i64>,
    cached: Option<bool>,
    submitted: Option<String>,
    started: Option<String>,
    finished: Option<String>,
    peak_memory_mib: Option<f64>,
}

impl<'a> From<&'a CandidateRow> for ExportRow<'a> {
    fn from(c: &'a CandidateRow) -> Self {
        let energy = c.atomization_energy_hartree;
        Self {
            smiles: &c.smiles,
            name: c.name.as_deref(),
            atomization_energy_hartree: energy,
            atomization_energy_kcal_mol: energy.map(hartree_to_kcal_per_mol),
            atomization_energy_hartree_per_atom: energy
                .zip(c.atoms)
                .map(|(e, atoms)| e / atoms as f64),
            total_energy_hartree: c.total_energy_hartree,
            status: &c.status,
            failure: c.failure.as_deref(),
            failure_message: c.failure_message.as_deref(),
            batch: c.batch,
            rank: c.rank,
            prediction_mean_hartree: c.prediction_mean_hartree,
            prediction_std_hartree: c.prediction_std_hartree,
            level_of_theory: c.level_of_theory.as_deref(),
            engine: c.engine.as_deref(),
            engine_version: c.engine_version.as_deref(),
            attempts: c.attempts,
            cached: c.cached,
            submitted: c.submitted.map(timestamp),
            started: c.started.map(timestamp),
            finished: c.finished.map(timestamp),
            peak_memory_mib: c.peak_memory_kib.map(|kib| kib as f64 / 1024.0),
        }
    }
}

/// Writes `rows` to `out`, in order.
///
/// # Errors
///
/// Fails if `out` cannot be written.
pub fn export(
    rows: &[CandidateRow],
    format: ExportFormat,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let written = match format {
        ExportFormat::Csv => write_csv(rows, out),
        ExportFormat::Jsonl => write_jsonl(rows, out),
    };
    written.map_err(|source| ReportError::Write {
        what: "the export".into(),
        source,
    })
}

fn write_csv(rows: &[CandidateRow], out: &mut dyn Write) -> std::io::Result<()> {
    let mut plain = csv::Writer::from_writer(Vec::new());
    for row in rows {
        plain.serialize(ExportRow::from(row))?;
    }
    let plain = plain.into_inner().map_err(|e| e.into_error())?;
    let mut reader = csv::ReaderBuilder::new();
    let mut csv = csv::Writer::from_writer(out);
    for record in reader.has_headers(false).from_reader(&*plain).records() {
        csv.write_record(record?.iter().map(cell))?;
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

fn write_jsonl(rows: &[CandidateRow], out: &mut dyn Write) -> std::io::Result<()> {
    for row in rows {
        let line = serde_json::to_string(&ExportRow::from(row))?;
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
