//! Export of every candidate of a run, in one of several formats: a file of this folder each.

mod csv;
mod extxyz;
mod jsonl;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{ReportError, timestamp};
use crate::store::{CandidateRow, PropertyInfo, RunInfo};

/// Every format of an export. A new one is a file of this folder, and an entry here (with its
/// `mod`).
static FORMATS: [&ExportFormat; 3] = [&csv::FORMAT, &jsonl::FORMAT, &extxyz::FORMAT];

/// The format of `simulation_records.jsonl`.
pub(super) static JSON_LINES: &ExportFormat = &jsonl::FORMAT;

/// Format of an export.
#[derive(Debug)]
pub struct ExportFormat {
    /// Name on the command line.
    pub name: &'static str,
    /// True for a format that has geometries.
    pub has_geometries: bool,
    /// Writes the molecules, whose rows all have the same keys.
    write: fn(&mut dyn Iterator<Item = ExportedMolecule>, out: &mut dyn Write) -> io::Result<()>,
}

/// A molecule of an export.
struct ExportedMolecule {
    columns: ExportRow,
    /// Geometry of its last calculation in the XYZ format, for a format that has geometries; empty
    /// if there is none.
    xyz: String,
}

impl ExportFormat {
    /// Names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|format| format.name)
    }

    /// Returns the format with this name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }
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
/// `geometries`: in the XYZ format, by batch and rank, for a format that has them.
///
/// # Errors
///
/// `out` cannot be written.
pub fn export(
    rows: &[CandidateRow],
    run: &RunInfo,
    properties: &[PropertyInfo],
    geometries: &HashMap<(i64, i64), String>,
    format: &ExportFormat,
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
    let mut molecules = rows.iter().map(|row| ExportedMolecule {
        columns: columns.row(row),
        xyz: (geometries.get(&(row.batch, row.rank)).cloned()).unwrap_or_default(),
    });
    let written = (format.write)(&mut molecules, out);
    written.map_err(|source| ReportError::Write {
        what: "the export".into(),
        source,
    })
}
