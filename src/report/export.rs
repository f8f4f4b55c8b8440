//! Every molecule of a run as CSV or JSON lines.

use std::io::Write;

use serde::Serialize;

use super::{ReportError, timestamp};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::store::CandidateRow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Jsonl,
}

/// A row of an export. Energies without a unit in their name are the objective, in hartree.
#[derive(Debug, Serialize)]
struct Row<'a> {
    smiles: &'a str,
    /// In the run's source.
    name: Option<&'a str>,
    /// Atomization energy: E(molecule) - sum of E(atoms).
    energy_hartree: Option<f64>,
    energy_kcal_mol: Option<f64>,
    energy_per_atom_hartree: Option<f64>,
    total_energy_hartree: Option<f64>,
    status: &'a str,
    failure: Option<&'a str>,
    failure_message: Option<&'a str>,
    batch: i64,
    rank: i64,
    predicted: Option<f64>,
    predicted_std: Option<f64>,
    method: Option<&'a str>,
    engine: Option<&'a str>,
    engine_version: Option<&'a str>,
    attempts: Option<i64>,
    cached: Option<bool>,
    submitted: Option<String>,
    started: Option<String>,
    finished: Option<String>,
    peak_memory_mib: Option<f64>,
}

impl<'a> From<&'a CandidateRow> for Row<'a> {
    fn from(c: &'a CandidateRow) -> Self {
        let energy = c.atomization_energy_hartree;
        Self {
            smiles: &c.smiles,
            name: c.name.as_deref(),
            energy_hartree: energy,
            energy_kcal_mol: energy.map(hartree_to_kcal_per_mol),
            energy_per_atom_hartree: energy.zip(c.atoms).map(|(e, atoms)| e / atoms as f64),
            total_energy_hartree: c.total_energy_hartree,
            status: &c.status,
            failure: c.failure.as_deref(),
            failure_message: c.failure_message.as_deref(),
            batch: c.batch,
            rank: c.rank,
            predicted: c.predicted,
            predicted_std: c.predicted_std,
            method: c.level.as_deref(),
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

/// Writes `rows` to `out`.
pub fn export(
    rows: &[CandidateRow],
    format: Format,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let written = match format {
        Format::Csv => write_csv(rows, out),
        Format::Jsonl => write_jsonl(rows, out),
    };
    written.map_err(|source| ReportError::Write {
        what: "the export".into(),
        source,
    })
}

fn write_csv(rows: &[CandidateRow], out: &mut dyn Write) -> std::io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    for row in rows {
        csv.serialize(Row::from(row))?;
    }
    csv.flush()
}

fn write_jsonl(rows: &[CandidateRow], out: &mut dyn Write) -> std::io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, &Row::from(row))?;
        writeln!(out)?;
    }
    out.flush()
}
