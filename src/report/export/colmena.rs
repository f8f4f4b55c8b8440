//! Records of Colmena, as its molecule design applications write `simulation_records.jsonld`: a
//! `Result` a line for each molecule whose evaluation has ended. <https://colmena.readthedocs.io>
//!
//! `inputs` holds the SMILES, `value` the objective in its unit (an object for several), `task_info`
//! batch, rank, prediction and units. Times are in seconds since the Unix epoch.

use std::io;

use serde_json::{Map, Value, json};

use super::columns::ExportTable;
use super::jsonl::write_line;
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, Writing};
use crate::store::{CandidateRow, ObjectiveInfo, RunInfo};

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "colmena",
    is_binary: false,
    has_calculations: false,
    has_states: false,
    writing: Writing::Alone(write),
};

fn write(
    table: &ExportTable,
    molecule: &ExportedMolecule,
    out: &mut Destination,
) -> io::Result<Option<LeftOut>> {
    let candidate = molecule.candidate;
    match candidate.status.as_str() {
        "evaluated" | "failed" => {
            write_line(&record(&table.run, candidate), out)?;
            Ok(None)
        }
        _ => Ok(Some(LeftOut::NotComputed)),
    }
}

fn record(run: &RunInfo, candidate: &CandidateRow) -> Value {
    let seconds = |at: Option<i64>| at.map(|at| at as f64 / 1000.0);
    let running = candidate.started.zip(candidate.finished);
    let success = candidate.status == "evaluated";
    let properties: Vec<&str> = (run.objectives.iter())
        .map(|objective| objective.property.as_str())
        .collect();
    let message = candidate.failure_message.as_deref().unwrap_or_default();
    let failure = candidate.failure.as_ref().filter(|_| !success);
    json!({
        "inputs": [[candidate.smiles], {}],
        "value": of_objectives(run, |objective| candidate.value(&objective.property)),
        "method": format!("compute_{}", properties.join("_and_")),
        "topic": "simulator",
        "success": success,
        "task_info": {
            "name": candidate.name,
            "batch": candidate.batch,
            "rank": candidate.rank,
            "pred": prediction(run, candidate, 0),
            "pred_std": prediction(run, candidate, 1),
            "unit": of_objectives(run, |objective| Some(objective.unit.clone())),
            "level_of_theory": candidate.level_of_theory,
            "attempts": candidate.attempts,
            "cached": candidate.cached,
        },
        "failure_info": failure.map(|kind| json!({"exception": format!("{kind}: {message}"), "traceback": null})),
        "time_created": seconds(candidate.submitted),
        "time_compute_started": seconds(candidate.started),
        "time_result_received": seconds(candidate.finished),
        "time_running": running.map(|(started, finished)| (finished - started).max(0) as f64 / 1000.0),
        "serialization_method": "json",
        "keep_inputs": true,
    })
}

/// Mean (place 0) or standard deviation (1) of what was predicted of the objectives.
fn prediction(run: &RunInfo, candidate: &CandidateRow, place: usize) -> Value {
    let predictions = candidate.all_predictions();
    of_objectives(run, |objective| {
        predictions.get(&objective.property).map(|p| p[place])
    })
}

/// The value of the only objective, or an object with that of each.
fn of_objectives<T: serde::Serialize>(
    run: &RunInfo,
    value: impl Fn(&ObjectiveInfo) -> Option<T>,
) -> Value {
    match run.only_objective() {
        Some(objective) => json!(value(objective)),
        None => {
            let values = run.objectives.iter();
            let values: Map<_, _> = values
                .map(|objective| (objective.property.clone(), json!(value(objective))))
                .collect();
            Value::Object(values)
        }
    }
}
