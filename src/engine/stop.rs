//! End of a run: the reasons to stop, and the tasks that are cancelled then.

use crate::config::campaign::Schedule;
use crate::plan::{MoleculeSource, StageKind};
use crate::task::{Candidate, Record, StoppedBy, TaskId};

use super::stage::{ComputeStage, Stage};
use super::{Effect, Engine, EngineStep, Phase};

/// Evaluations that must have ended before the share of failures is judged.
const FAILURES_JUDGED_FROM: usize = 10;

impl Engine {
    /// Returns a reason to submit no more tasks. With `schedule: batch` only between batches, so
    /// that the number of slots cannot decide what was computed.
    pub(super) fn reason_to_stop(&self) -> Option<StoppedBy> {
        if self.plan.schedule == Schedule::Batch && !self.is_idle() {
            return None;
        }
        self.failed_too_often()
            .or_else(|| self.spent_cores())
            .or_else(|| match self.plan.has_loops() {
                false => self.all_complete(),
                true if self.loops_are_active() => self.reason_to_end_loops(),
                true => None,
            })
    }

    fn failed_too_often(&self) -> Option<StoppedBy> {
        let (mut ended, mut failed) = (0, 0);
        for stage in self.stages.iter().filter_map(Stage::compute) {
            ended += stage.ended() - stage.without_atoms();
            failed += stage.failed() - stage.without_atoms();
        }
        let limit = self.plan.stop.failure_share * ended as f64;
        (ended >= FAILURES_JUDGED_FROM && failed as f64 > limit).then_some(StoppedBy::FailureShare)
    }

    /// The end of a campaign without loops: every stage is complete, or the target is reached.
    fn all_complete(&self) -> Option<StoppedBy> {
        let mut stages = self.stages.iter().filter_map(Stage::compute);
        if self.target_is_reached() {
            Some(StoppedBy::Target)
        } else if self.evaluations_left() == 0 {
            Some(StoppedBy::Evaluations)
        } else {
            stages
                .all(ComputeStage::is_complete)
                .then_some(StoppedBy::Completed)
        }
    }

    /// Returns true if all stages that run once before the loops are complete.
    pub(super) fn loops_are_active(&self) -> bool {
        let in_loops = self.plan.stages.iter().enumerate();
        let mut in_loops = in_loops.filter(|(_, stage)| stage.in_loop.is_some());
        in_loops.all(|(place, _)| self.is_ready(place))
    }

    fn target_is_reached(&self) -> bool {
        let objective = self.plan.only_objective();
        let (Some(objective), Some(target), Some(best)) =
            (objective, self.plan.stop.target, &self.incumbent)
        else {
            return false;
        };
        objective.direction.cost(best.value()) <= objective.direction.cost(target)
    }

    fn reason_to_end_loops(&self) -> Option<StoppedBy> {
        let stop = &self.plan.stop;
        if self.target_is_reached() {
            Some(StoppedBy::Target)
        } else if stop
            .stale_batches
            .is_some_and(|limit| self.round.stale() >= limit)
        {
            Some(StoppedBy::StaleBatches)
        } else if self.evaluations_left() == 0 {
            Some(StoppedBy::Evaluations)
        } else if self.loops_are_spent() {
            Some(StoppedBy::Budgets)
        } else if self.round.barren() >= stop.barren_batches && self.is_idle() {
            Some(self.round.why_barren())
        } else {
            None
        }
    }

    /// Returns true if the budgets of the loops allow no more evaluations of the objective.
    fn loops_are_spent(&self) -> bool {
        let stages = self.plan.stages.iter().enumerate();
        let in_loops = stages.filter(|(_, stage)| stage.in_loop.is_some());
        let of = |wanted: fn(&Self, usize) -> bool| {
            let mut places = in_loops
                .clone()
                .map(|(place, _)| place)
                .filter(|place| wanted(self, *place))
                .peekable();
            places.peek().is_some() && places.all(|place| self.is_spent(place))
        };
        of(Self::is_counted) || of(Self::takes_queue) && self.is_idle()
    }

    fn takes_queue(&self, place: usize) -> bool {
        match &self.plan.stages[place].kind {
            StageKind::Compute { molecules, .. } => matches!(molecules, MoleculeSource::Queue(_)),
            _ => false,
        }
    }

    /// Cancels the tasks whose results cannot matter, once no more tasks are submitted.
    pub(super) fn cancel_pointless(&mut self, stopped_by: StoppedBy, step: &mut EngineStep) {
        let at_once = !matches!(
            stopped_by,
            StoppedBy::Evaluations
                | StoppedBy::CoreHours
                | StoppedBy::NodeHours
                | StoppedBy::Budgets
                | StoppedBy::Target
                | StoppedBy::StaleBatches
                | StoppedBy::BarrenBatches
                | StoppedBy::Completed
        );
        let pointless: Vec<TaskId> = self
            .running
            .iter()
            .filter(|(_, running)| at_once || !running.work.is_of_a_molecule())
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
        if self.is_ended() || !self.running.is_empty() {
            return;
        }
        for screen in self.stages.iter_mut().filter_map(Stage::screen_mut) {
            while let Some(candidate) = screen.queue.pop() {
                let Candidate {
                    smiles,
                    batch,
                    rank,
                    ..
                } = candidate;
                // A run that is reopened may propose it again.
                self.known.remove(&smiles);
                step.records.push(Record::Superseded { batch, rank });
            }
        }
        self.stages.iter_mut().for_each(Stage::forget_round);
        self.phase = Phase::Ended(stopped_by);
        step.records.push(Record::RunEnded { stopped_by });
        step.effects.push(Effect::End);
    }
}
