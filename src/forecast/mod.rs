//! Forecast of a campaign: its engine, with events from a simulated site.

mod costs;
mod machine;
mod outcomes;
mod partition;
mod simulated_run;
mod table;
mod tally;
mod times;

pub use costs::{Costs, MethodCost, StageCost, costs};
pub use machine::{BlockRules, Machine, MachineError, Supply};
pub use table::Table;
pub use tally::Spread;
pub use times::{Millis, Times};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::campaign::MethodKind;
use crate::plan::{Plan, PlannedMethod};
use crate::task::{IllegalEvent, StoppedBy};

use simulated_run::SimulatedRun;

/// Assumptions about a campaign that has not run.
#[derive(Clone, Debug, PartialEq)]
pub struct Assumptions {
    /// Durations of simulations; none for what is typical of each engine.
    pub task_time: Option<Times>,
    /// Durations of the tasks of some methods by name, in place of all others.
    pub recorded: BTreeMap<String, Times>,
    /// Durations of `generate` tasks.
    pub ml_time: Times,
    /// Durations of `train` and `screen` tasks.
    pub fit_time: Times,
    /// Share of attempts at a simulation that fail, 0 to 1.
    pub failures: f64,
    /// Time that a job or block waits in the scheduler's queue, milliseconds.
    pub queue_wait: Millis,
    /// Correlation of the surrogate's predictions with computed values, in (0, 1].
    pub skill: f64,
}

impl Assumptions {
    /// Returns assumptions about durations, and none about anything else: no failures, no waiting.
    pub fn of_times(
        task_time: Option<Times>,
        ml_time: Times,
        fit_time: Times,
        recorded: BTreeMap<String, Times>,
    ) -> Self {
        Self {
            task_time,
            recorded,
            ml_time,
            fit_time,
            failures: 0.0,
            queue_wait: 0,
            skill: 1.0,
        }
    }

    /// Durations of the tasks of a method.
    pub fn times_of(&self, method: &PlannedMethod) -> Times {
        if let Some(times) = self.recorded.get(&method.name) {
            return *times;
        }
        match &method.kind {
            MethodKind::Simulate { engine, .. } => {
                let typical = || Times::lognormal(engine.simulator().typical_time(), SPREAD);
                self.task_time.unwrap_or_else(typical)
            }
            MethodKind::Generate { .. } => self.ml_time,
            MethodKind::Train { .. } | MethodKind::Screen { .. } => self.fit_time,
        }
    }
}

/// Standard deviation of the logarithm of typical durations.
const SPREAD: f64 = 0.5;

/// Forecast of a campaign on a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Reason for the end.
    #[serde(serialize_with = "word")]
    pub stopped_by: StoppedBy,
    /// Time from begin to end, seconds.
    pub seconds: f64,
    /// Hours of nodes that are held, idle or not.
    pub node_hours: f64,
    /// Core-hours of attempts that ended.
    pub core_hours: f64,
    /// Number of tasks of all kinds.
    pub tasks: u64,
    /// Molecules that were evaluated or failed permanently, initial ones included.
    pub evaluations: usize,
    /// Molecules that failed permanently.
    pub failures: usize,
    /// Batches with new candidates.
    pub batches: u32,
    /// Use of the partitions, by name.
    pub partitions: BTreeMap<String, PartitionForecast>,
    /// Use from the first submitted candidate to the last; None without candidates.
    pub search: Option<SearchForecast>,
    /// Best molecule; None if none was evaluated, or if the objective is no atomization energy, of
    /// which alone there is a table.
    pub best: Option<Best>,
}

/// Use of a partition from begin to end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PartitionForecast {
    /// Number of slots.
    pub slots: usize,
    /// Number of tasks.
    pub tasks: u64,
    /// Busy share of the time of all slots, 0 to 1.
    pub utilisation: f64,
}

/// Use of the partition that evaluates candidates, from the first submitted candidate to the last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchForecast {
    /// Name of the partition.
    pub partition: String,
    /// Submission of the first candidate, seconds since the begin.
    pub from_seconds: f64,
    /// Submission of the last candidate, seconds since the begin.
    pub until_seconds: f64,
    /// Busy share of slot time, 0 to 1.
    pub utilisation: f64,
    /// Share of slot time idle for lack of candidates, 0 to 1.
    pub idle_without_candidates: f64,
    /// Share of slot time idle while tasks wait for nodes, 0 to 1.
    pub idle_without_nodes: f64,
    /// Number of queued candidates.
    pub queued: u64,
    /// Number of superseded candidates.
    pub superseded: u64,
    /// Number of newer batches at the submission of a candidate.
    pub age_in_batches: Spread,
    /// Number of results that the model had not seen at the submission of a candidate.
    pub age_in_results: Spread,
}

/// Best molecule beside the best of the table. The search is a rough model: see `docs/scale.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    /// SMILES, with the number of its copy.
    pub smiles: String,
    /// Value of the objective, in its unit.
    pub value: f64,
    /// Evaluations until it was found.
    pub found_after_evaluations: usize,
    /// Time at which it was found, seconds since the begin.
    pub found_after_seconds: f64,
    /// Molecules of the table.
    pub molecules: usize,
}

/// Reason for which there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// The table is too small for the initial molecules.
    #[error("the table holds {found} molecules, and {asked} are to be drawn at the start")]
    TooFewMolecules {
        /// Molecules of the table.
        found: usize,
        /// Molecules to be drawn.
        asked: usize,
    },
    /// Tasks wait, and no event is due.
    #[error("the method `{method}` waits for something that never comes")]
    Stuck {
        /// The method that waits.
        method: String,
    },
    /// The simulation gave the engine an impossible event.
    #[error("the engine received an impossible event")]
    Illegal(#[from] IllegalEvent),
}

/// Runs the campaign on the simulated machine with the molecules of the table. The result depends
/// on the arguments alone.
///
/// # Errors
///
/// Fails if the table is too small, or no event is due before the run has ended.
pub fn forecast(
    plan: &Plan,
    machine: &Machine,
    table: &Table,
    assumptions: &Assumptions,
) -> Result<Forecast, ForecastError> {
    let mut run = SimulatedRun::new(plan, machine, table, assumptions);
    let stopped_by = run.run_to_end()?;
    Ok(run.forecast(machine, stopped_by))
}

fn word<S: serde::Serializer>(stopped_by: &StoppedBy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(stopped_by.word())
}
