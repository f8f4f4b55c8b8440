//! How far a run is, for people who watch.

use super::{Engine, EvaluatedMolecule, Phase};
/// Counts for people who watch.
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
    pub phase: &'static str,
    /// Tasks that have ended, of every kind.
    pub ended: u64,
}

impl Engine {
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
                Phase::Fresh | Phase::References => "atomic references",
                Phase::Initial => "initial molecules",
                Phase::Loops if self.queue.is_empty() && self.simulations == 0 => {
                    "waiting for the generator"
                }
                Phase::Loops => "searching",
                Phase::Ended(_) => "ended",
            },
            ended: self.last_task - self.live.len() as u64,
        }
    }
}
