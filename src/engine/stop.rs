//! End of a run: reasons to stop, and tasks that are cancelled then.

use crate::task::{Record, StoppedBy, TaskId};

use super::{Effect, Engine, EngineStep, Phase};

/// Number of ended evaluations from which the share of failures counts.
const FAILURES_JUDGED_FROM: usize = 10;

impl Engine {
    /// Returns a reason to submit no more tasks. With `schedule: batch` there is one between
    /// batches only, so the computed molecules do not depend on the number of slots.
    pub(super) fn reason_to_stop(&self) -> Option<StoppedBy> {
        if !self.may_judge() {
            return None;
        }
        let stop = &self.config.stop;
        let reached = |target| self.incumbent.as_ref().is_some_and(|i| i.value <= target);
        if let Some(reason) = self.failed_too_often() {
            Some(reason)
        } else if stop.target.is_some_and(reached) {
            Some(StoppedBy::Target)
        } else if stop
            .stale_batches
            .is_some_and(|limit| self.generator.stale() >= limit)
        {
            Some(StoppedBy::StaleBatches)
        } else if self.searched >= stop.evaluations {
            Some(StoppedBy::Evaluations)
        } else if self.generator.barren() >= stop.barren_batches
            && self.queue.is_empty()
            && self.simulations == 0
        {
            Some(self.generator.why_barren())
        } else {
            None
        }
    }

    /// Returns a reason to stop if the share of failures is too high.
    pub(super) fn failed_too_often(&self) -> Option<StoppedBy> {
        let ended = self.evaluations();
        let limit = self.config.stop.failure_share * ended as f64;
        (ended >= FAILURES_JUDGED_FROM && self.quarantined.len() as f64 > limit)
            .then_some(StoppedBy::FailureShare)
    }

    /// Cancels the tasks whose results are not needed, once no more tasks are submitted.
    pub(super) fn cancel_pointless(&mut self, stopped_by: StoppedBy, step: &mut EngineStep) {
        let at_once = !matches!(
            stopped_by,
            StoppedBy::Evaluations
                | StoppedBy::Target
                | StoppedBy::StaleBatches
                | StoppedBy::BarrenBatches
        );
        let pointless: Vec<TaskId> = self
            .live
            .iter()
            .filter(|(_, live)| at_once || !live.spec.is_evaluation())
            .map(|(id, _)| *id)
            .collect();
        for task in pointless {
            self.cancel(task, step);
        }
    }

    /// Ends the run, once no more tasks are submitted and all have ended.
    pub(super) fn end_if_due(&mut self, step: &mut EngineStep) {
        let Some(stopped_by) = self.stopping else {
            return;
        };
        if self.is_ended() || !self.live.is_empty() {
            return;
        }
        for left in std::iter::from_fn(|| self.queue.pop()) {
            step.records.push(Record::Superseded {
                batch: left.batch,
                rank: left.rank,
            });
        }
        self.phase = Phase::Ended(stopped_by);
        step.records.push(Record::RunEnded { stopped_by });
        step.effects.push(Effect::End);
    }
}
