//! Progress of a run, for those who observe it.

use std::fmt;

use super::{Engine, EvaluatedMolecule, Phase};

/// Phase of a run as an observer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    References,
    InitialMolecules,
    WaitingForGenerator,
    Searching,
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

/// Counts that tell how far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub evaluations: usize,
    pub asked_for: usize,
    /// Molecules that failed for good.
    pub failures: usize,
    /// Results that an earlier run had.
    pub cached: usize,
    pub batches: u32,
    pub queued: usize,
    pub newest_batch: Option<u32>,
    pub in_flight: usize,
    pub incumbent: Option<EvaluatedMolecule>,
    pub phase: RunPhase,
    /// Tasks that have ended, of every kind.
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
