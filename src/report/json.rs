//! JSON objects that `--json` prints.

use std::path::Path;

use serde_json::{Value, json};

use crate::store::{NamedCount, Summary};

/// State of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// An engine works on it.
    Running,
    /// It has not ended and no engine works on it; `resume` continues it.
    Interrupted,
    /// It has ended.
    Finished,
}

impl RunState {
    /// Returns the state of a run. `is_at_work`: an engine works on its directory.
    pub fn of(summary: &Summary, is_at_work: bool) -> Self {
        match (&summary.stopped_by, is_at_work) {
            (Some(_), _) => Self::Finished,
            (None, true) => Self::Running,
            (None, false) => Self::Interrupted,
        }
    }

    /// Returns the word for it in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished => "finished",
        }
    }
}

/// Slots of a partition at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusySlots {
    /// Name of the partition.
    pub partition: String,
    /// Number of slots in use.
    pub busy: i64,
    /// Number of slots; None if it is not bounded.
    pub slots: Option<usize>,
}

/// Returns the output of `run --json` and `resume --json`.
pub fn final_json(run_dir: &Path, summary: &Summary, state: RunState, core_hours: f64) -> Value {
    let mut object = common(run_dir, summary, state);
    object["core_hours"] = json!(core_hours);
    object
}

/// Returns the output of `status --json`: that of `run --json` with level of theory, queue and
/// slots.
pub fn status_json(
    run_dir: &Path,
    summary: &Summary,
    state: RunState,
    level_of_theory: &str,
    slots: &[BusySlots],
) -> Value {
    let mut object = common(run_dir, summary, state);
    object["state"] = json!(state.word());
    object["level_of_theory"] = json!(level_of_theory);
    object["queued"] = json!(summary.counts.queued);
    object["newest_batch"] = json!(summary.counts.newest_batch);
    object["in_flight"] = json!(summary.counts.in_flight);
    let slots = slots
        .iter()
        .map(|s| (s.partition.clone(), json!({"busy": s.busy, "all": s.slots})));
    object["slots"] = Value::Object(slots.collect());
    object
}

fn common(run_dir: &Path, summary: &Summary, state: RunState) -> Value {
    let stopped_by = match state {
        RunState::Running => None,
        RunState::Interrupted => Some("interrupted".to_owned()),
        RunState::Finished => summary.stopped_by.clone(),
    };
    let objectives = &summary.run.objectives;
    let mut object = json!({
        "run_dir": run_dir,
        "evaluations": summary.counts.evaluations,
        "failures": summary.counts.failures,
        "failures_by_kind": by_kind(&summary.failures_by_kind),
        "failed_attempts_by_kind": by_kind(&summary.failed_attempts_by_kind),
        "cached": summary.counts.cached,
        "batches": summary.counts.batches,
        "best": best_json(summary),
        "stopped_by": stopped_by,
    });
    if objectives.len() > 1 {
        let front = summary.front.iter().map(|row| {
            let values = objectives.iter();
            let values = values.map(|o| (o.property.clone(), json!(row.value(&o.property))));
            json!({
                "smiles": row.smiles,
                "name": row.name,
                "values": Value::Object(values.collect()),
            })
        });
        let units = objectives.iter();
        let units = units.map(|o| (o.property.clone(), json!(o.unit)));
        object["front"] = Value::Array(front.collect());
        object["units"] = Value::Object(units.collect());
        object["hypervolume"] = json!(summary.hypervolume);
    }
    object
}

/// Returns the best molecule with its value; null where there is none, and with several objectives.
pub fn best_json(summary: &Summary) -> Value {
    let best = summary.best.as_ref().zip(summary.run.only_objective());
    json!(best.map(|(best, objective)| json!({
        "smiles": best.smiles,
        "name": best.name,
        "property": objective.property,
        "value": best.objective,
        "unit": objective.unit,
    })))
}

fn by_kind(counts: &[NamedCount]) -> Value {
    let counts = counts.iter();
    Value::Object(counts.map(|c| (c.name.clone(), json!(c.count))).collect())
}
