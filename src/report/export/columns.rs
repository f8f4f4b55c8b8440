//! Columns of an export: their names, units and types, and the values of a candidate.

use serde_json::{Map, Value, json};

use crate::report::{ReportError, timestamp};
use crate::store::{CandidateRow, RunInfo, Store};

/// Columns of the export of a run.
pub struct ExportTable {
    pub run: RunInfo,
    pub columns: Vec<ExportColumn>,
}

/// A column of an export.
pub struct ExportColumn {
    /// Its name, with its unit at the end: `binding_kcal_mol`.
    pub name: String,
    /// Unit of its values; empty for a plain number and for text.
    pub unit: String,
    pub kind: ColumnKind,
    source: ColumnSource,
}

/// Type of the values of a column, each of which may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Number,
    Flag,
    /// Milliseconds since the Unix epoch.
    Time,
}

/// Place of a column's values in a candidate.
enum ColumnSource {
    Field(fn(&CandidateRow) -> Value),
    Property(String),
    PredictionMean(String),
    PredictionStd(String),
    Quantity(String),
}

impl ExportColumn {
    fn field(name: &str, kind: ColumnKind, field: fn(&CandidateRow) -> Value) -> Self {
        Self {
            name: name.to_owned(),
            unit: String::new(),
            kind,
            source: ColumnSource::Field(field),
        }
    }

    fn number(name: &str, unit: &str, source: ColumnSource) -> Self {
        Self {
            name: column(name, unit),
            unit: unit.to_owned(),
            kind: ColumnKind::Number,
            source,
        }
    }

    /// Its value in a text: a time as a timestamp.
    pub fn shown(&self, value: &Value) -> Value {
        match (self.kind, value.as_i64()) {
            (ColumnKind::Time, Some(at)) => json!(timestamp(at)),
            _ => value.clone(),
        }
    }

    /// Its name in letters, digits and underscores.
    pub fn plain_name(&self) -> String {
        self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }
}

impl ExportTable {
    /// Reads the columns of a run.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn read(store: &mut Store) -> Result<Self, ReportError> {
        let (run, shape) = (store.run_info().await?, store.export_shape().await?);
        let properties = store.properties().await?;
        let units = store.quantity_units().await?;
        let mut columns = vec![
            ExportColumn::field("smiles", ColumnKind::Text, |c| json!(c.smiles)),
            ExportColumn::field("name", ColumnKind::Text, |c| json!(c.name)),
        ];
        columns.extend(properties.iter().map(|property| {
            let source = ColumnSource::Property(property.name.clone());
            ExportColumn::number(&property.name, &property.unit, source)
        }));
        let only = run.only_objective();
        if shape.has_constraints {
            let feasible = |c: &CandidateRow| json!(c.feasible);
            columns.push(ExportColumn::field("feasible", ColumnKind::Flag, feasible));
        }
        if only.is_none() {
            let on_front = |c: &CandidateRow| json!(c.on_front);
            columns.push(ExportColumn::field("on_front", ColumnKind::Flag, on_front));
        }
        columns.extend(status_columns());
        for property in &properties {
            let is_only = only.is_some_and(|only| only.property == property.name);
            if !is_only && !shape.predicted.contains(&property.name) {
                continue;
            }
            // The only objective has no name in its columns.
            let end = match is_only {
                true => String::new(),
                false => format!("_{}", property.name),
            };
            let [name, unit] = [&property.name, &property.unit];
            let mean = ColumnSource::PredictionMean(name.clone());
            columns.push(ExportColumn::number(
                &format!("prediction_mean{end}"),
                unit,
                mean,
            ));
            let std = ColumnSource::PredictionStd(name.clone());
            columns.push(ExportColumn::number(
                &format!("prediction_std{end}"),
                unit,
                std,
            ));
        }
        columns.extend(shape.quantities.into_iter().map(|name| {
            let unit = units.get(&name).map_or("au", String::as_str).to_owned();
            ExportColumn::number(&name.clone(), &unit, ColumnSource::Quantity(name))
        }));
        columns.extend(usage_columns());
        Ok(Self { run, columns })
    }

    /// Values of a candidate, one for each column.
    pub fn values(&self, candidate: &CandidateRow) -> Vec<Value> {
        let properties = object(&candidate.properties);
        let quantities = object(&candidate.quantities);
        // A molecule of the source was chosen by no prediction.
        let predictions = candidate.all_predictions();
        let predicted =
            |name: &String, place: usize| json!(predictions.get(name).map(|p| p[place]));
        let values = self.columns.iter().map(|column| match &column.source {
            ColumnSource::Field(field) => field(candidate),
            ColumnSource::Property(name) => properties.get(name).cloned().unwrap_or_default(),
            ColumnSource::PredictionMean(name) => predicted(name, 0),
            ColumnSource::PredictionStd(name) => predicted(name, 1),
            ColumnSource::Quantity(name) => quantities.get(name).cloned().unwrap_or_default(),
        });
        values.collect()
    }

    /// Columns with the values of a molecule, as text shows them.
    pub fn shown<'a>(
        &'a self,
        values: &'a [Value],
    ) -> impl Iterator<Item = (&'a ExportColumn, Value)> {
        let pairs = self.columns.iter().zip(values);
        pairs.map(|(column, value)| (column, column.shown(value)))
    }
}

fn status_columns() -> Vec<ExportColumn> {
    use ColumnKind::{Integer, Text};
    vec![
        ExportColumn::field("status", Text, |c| json!(c.status)),
        ExportColumn::field("failure", Text, |c| json!(c.failure)),
        ExportColumn::field("failure_message", Text, |c| json!(c.failure_message)),
        ExportColumn::field("batch", Integer, |c| json!(c.batch)),
        ExportColumn::field("rank", Integer, |c| json!(c.rank)),
    ]
}

fn usage_columns() -> Vec<ExportColumn> {
    use ColumnKind::{Flag, Integer, Number, Text, Time};
    let mut columns = vec![
        ExportColumn::field("level_of_theory", Text, |c| json!(c.level_of_theory)),
        ExportColumn::field("engine", Text, |c| json!(c.engine)),
        ExportColumn::field("engine_version", Text, |c| json!(c.engine_version)),
        ExportColumn::field("attempts", Integer, |c| json!(c.attempts)),
        ExportColumn::field("cached", Flag, |c| json!(c.cached)),
        ExportColumn::field("submitted", Time, |c| json!(c.submitted)),
        ExportColumn::field("started", Time, |c| json!(c.started)),
        ExportColumn::field("finished", Time, |c| json!(c.finished)),
        ExportColumn::field("peak_memory_mib", Number, |c| {
            json!(c.peak_memory_kib.map(|kib| kib as f64 / 1024.0))
        }),
    ];
    if let Some(memory) = columns.last_mut() {
        memory.unit = "MiB".to_owned();
    }
    columns
}

/// The name of a column with its unit: `solvation_energy_kcal_mol`.
fn column(name: &str, unit: &str) -> String {
    let unit: String = unit
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    match unit.as_str() {
        "" => name.to_owned(),
        unit => format!("{name}_{unit}"),
    }
}

/// A JSON object; empty if the text is none.
pub fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap_or_default()
}
