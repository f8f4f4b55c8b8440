//! Forecast of a campaign: the engine that runs campaigns, with events from a simulated site.

mod machine;
mod partition;
mod simulation;
mod table;
mod tally;
mod times;
mod world;

pub use machine::{BlockRules, Machine, MachineError, Supply};
pub use table::Table;
pub use tally::Spread;
pub use times::{Millis, Times};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::Plan;
use crate::task::{IllegalEvent, StoppedBy};

use simulation::Simulation;

/// Assumptions about a campaign that has not run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Duration of a simulation.
    pub task_time: Times,
    /// Duration of a `generate` task.
    pub ml_time: Times,
    /// Duration of a `train` or `screen` task.
    pub fit_time: Times,
    /// Share of attempts at a simulation that fail, 0 to 1.
    pub failures: f64,
    /// Time that a job or a block waits in the scheduler's queue.
    pub queue_wait: Millis,
    /// Correlation of the surrogate's predictions with the truth, of (0, 1].
    pub skill: f64,
}

/// Forecast of a campaign on a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    #[serde(serialize_with = "word")]
    pub stopped_by: StoppedBy,
    /// From beginning to end.
    pub seconds: f64,
    pub node_hours: f64,
    /// Tasks of all kinds, attempts at them not counted.
    pub tasks: u64,
    /// Molecules whose evaluation ended, the initial ones included.
    pub evaluations: usize,
    pub failures: usize,
    /// Batches that brought new candidates.
    pub batches: u32,
    pub partitions: BTreeMap<String, PartitionForecast>,
    /// From the first candidate handed over to the last; none without candidates.
    pub search: Option<Search>,
    pub best: Option<Best>,
}

/// A partition of the machine, from beginning to end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PartitionForecast {
    pub slots: usize,
    pub tasks: u64,
    /// Share of the time of all slots in which they compute.
    pub utilisation: f64,
}

/// The partition that evaluates candidates, while there are candidates to come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    pub partition: String,
    pub from_seconds: f64,
    pub until_seconds: f64,
    pub utilisation: f64,
    /// Share of slot time idle because no candidate was there.
    pub idle_without_candidates: f64,
    /// Share of slot time idle because tasks waited for nodes.
    pub idle_without_nodes: f64,
    /// Candidates queued, and those of them that newer ones pushed out.
    pub queued: u64,
    pub superseded: u64,
    /// Age of a candidate when it is handed over: batches that are newer.
    pub age_in_batches: Spread,
    /// Age of a candidate when it is handed over: results that its model had not seen.
    pub age_in_results: Spread,
}

/// The best molecule, and how it compares. The search is a rough model: see `docs/scale.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    pub smiles: String,
    /// Value of the objective, in its unit.
    pub value: f64,
    pub found_after_evaluations: usize,
    pub found_after_seconds: f64,
    /// Molecules of the table.
    pub molecules: usize,
}

/// Reason for which there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    #[error("the table holds {found} molecules, and {asked} are to be drawn at the start")]
    TooFewMolecules { found: usize, asked: usize },
    #[error("the method `{method}` waits for something that never comes")]
    Stuck { method: String },
    #[error("the engine was told what cannot have happened")]
    Illegal(#[from] IllegalEvent),
}

/// Runs the campaign on the machine with the molecules of the table, as assumed.
pub fn forecast(
    plan: &Plan,
    machine: &Machine,
    table: &Table,
    assumptions: &Assumptions,
) -> Result<Forecast, ForecastError> {
    let mut simulation = Simulation::new(plan, machine, table, assumptions);
    let stopped_by = simulation.run()?;
    Ok(simulation.forecast(machine, stopped_by))
}

fn word<S: serde::Serializer>(stopped_by: &StoppedBy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(stopped_by.word())
}
