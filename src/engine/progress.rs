//! Progress of a run, for those who observe it.

use std::fmt;

use super::stage::{ComputeStage, Stage};
use super::{Engine, EvaluatedMolecule, Phase};

/// Phase of a run as an observer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// The free atoms are computed.
    FreeAtoms,
    /// Stages that run once are active: their names.
    Stages(Vec<String>),
    /// The consumer loop has nothing to compute.
    WaitingForGenerator,
    /// The loops run.
    Searching,
    /// The run has ended.
    Ended,
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FreeAtoms => f.write_str("free atoms"),
            Self::Stages(names) => f.write_str(&names.join(", ")),
            Self::WaitingForGenerator => f.write_str("waiting for the generator"),
            Self::Searching => f.write_str("searching"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// Counts that tell how far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Molecules that were evaluated or failed for good; in the loops those of the objective.
    pub evaluations: usize,
    /// Evaluations after which the run ends at the latest, as far as they are known.
    pub asked_for: usize,
    /// Molecules that failed for good.
    pub failures: usize,
    /// Results that an earlier run had.
    pub cached: usize,
    /// Rounds that brought new candidates.
    pub batches: u32,
    /// Candidates in the queues.
    pub queued: usize,
    /// Newest batch in a queue; none if all are empty.
    pub newest_batch: Option<u32>,
    /// Evaluations that are submitted and have not ended.
    pub in_flight: usize,
    /// Best feasible molecule, if there is one; none with several objectives.
    pub incumbent: Option<EvaluatedMolecule>,
    /// Molecules of the Pareto front; none with one objective.
    pub front: Option<usize>,
    /// Hypervolume of the front, once it has a reference point.
    pub hypervolume: Option<f64>,
    /// Unit of the first objective; empty for a plain number.
    pub unit: String,
    /// Phase of the run.
    pub phase: RunPhase,
    /// Tasks that have ended, of every kind.
    pub ended: u64,
}

impl Engine {
    /// Returns the progress so far.
    pub fn progress(&self) -> Progress {
        let places = || (0..self.stages.len()).filter_map(|p| Some((p, self.stages[p].compute()?)));
        let sum = |of: fn(&ComputeStage) -> usize| places().map(|(_, stage)| of(stage)).sum();
        // In the loops evaluations of the objective count.
        let counted = places().filter(|(place, _)| {
            self.plan.stages[*place].in_loop.is_none() || self.is_counted(*place)
        });
        let queues = || {
            self.stages
                .iter()
                .filter_map(Stage::screen)
                .map(|screen| &screen.queue)
        };
        let in_loops = if self.plan.has_loops() {
            self.plan.stop.evaluations
        } else {
            None
        };
        let once = places().filter(|(place, _)| self.plan.stages[*place].in_loop.is_none());
        let asked_for: usize = once.map(|(_, stage)| stage.asked_for()).sum();
        // Molecules of stages that have not begun.
        let drawn: usize = self.drawn.values().map(Vec::len).sum();
        Progress {
            evaluations: counted.map(|(_, stage)| stage.ended()).sum(),
            asked_for: asked_for + drawn + in_loops.unwrap_or(0),
            failures: sum(ComputeStage::failed),
            cached: self.cached,
            batches: self.round.productive(),
            queued: queues().map(|queue| queue.len()).sum(),
            newest_batch: queues().filter_map(|queue| queue.newest_batch()).max(),
            in_flight: sum(ComputeStage::in_flight),
            incumbent: self.incumbent.clone(),
            front: match self.plan.only_objective() {
                Some(_) => None,
                None => Some(self.front.len()),
            },
            hypervolume: self.front.hypervolume(),
            unit: self.plan.objective_property().unit.name().to_owned(),
            phase: self.run_phase(),
            ended: self.ended_tasks,
        }
    }

    fn run_phase(&self) -> RunPhase {
        match self.phase {
            Phase::Fresh | Phase::FreeAtoms => return RunPhase::FreeAtoms,
            Phase::Ended(_) => return RunPhase::Ended,
            Phase::Stages => {}
        }
        let stages = self.plan.stages.iter().zip(&self.stages);
        let active = stages.filter(|(planned, stage)| {
            planned.in_loop.is_none() && stage.compute().is_some_and(ComputeStage::is_active)
        });
        let active: Vec<String> = active.map(|(planned, _)| planned.name.clone()).collect();
        match active.is_empty() {
            false => RunPhase::Stages(active),
            true if self.is_idle() => RunPhase::WaitingForGenerator,
            true => RunPhase::Searching,
        }
    }
}
