//! Progress of a run, for its observers.

use std::fmt;

use super::{Engine, EvaluatedMolecule, Phase};

/// Phase of a run, for its observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// The free atoms are computed, or the run has not begun.
    References,
    /// The initial molecules are evaluated.
    InitialMolecules,
    /// No candidate is queued or being evaluated.
    WaitingForGenerator,
    /// Candidates are evaluated.
    Searching,
    /// The run has ended.
    Ended,
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::References => "atomic references",
            Self::InitialMolecules => "initial molecules",
            Self::WaitingForGenerator => "waiting for the generator",
            Self::Searching => "searching",
            Self::Ended => "ended",
        })
    }
}

/// Progress of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Molecules that were evaluated or failed permanently.
    pub evaluations: usize,
    /// Evaluations after which the run ends at the latest, initial ones included.
    pub asked_for: usize,
    /// Molecules that failed permanently.
    pub failures: usize,
    /// Cache hits, free atoms included.
    pub cached: usize,
    /// Batches with new candidates.
    pub batches: u32,
    /// Candidates in the queue.
    pub queued: usize,
    /// Newest batch in the queue; None if it is empty.
    pub newest_batch: Option<u32>,
    /// Evaluations that are submitted and have not ended.
    pub in_flight: usize,
    /// Best evaluated molecule, if there is one.
    pub incumbent: Option<EvaluatedMolecule>,
    /// Phase of the run.
    pub phase: RunPhase,
    /// Tasks of every kind that have ended.
    pub ended: u64,
}

impl Engine {
    /// Returns the progress so far.
    pub fn progress(&self) -> Progress {
        Progress {
            evaluations: self.evaluations(),
            asked_for: self.initial.len() + self.config.stop.evaluations,
            failures: self.quarantined.len(),
            cached: self.cached,
            batches: self.generator.pushed(),
            queued: self.queue.len(),
            newest_batch: self.queue.newest_batch(),
            in_flight: self.simulations,
            incumbent: self.incumbent.clone(),
            phase: match self.phase {
                Phase::Fresh | Phase::References => RunPhase::References,
                Phase::Initial => RunPhase::InitialMolecules,
                Phase::Loops if self.queue.is_empty() && self.simulations == 0 => {
                    RunPhase::WaitingForGenerator
                }
                Phase::Loops => RunPhase::Searching,
                Phase::Ended(_) => RunPhase::Ended,
            },
            ended: self.last_task - self.live.len() as u64,
        }
    }
}
