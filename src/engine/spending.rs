//! Time and cores that a run has used, and the budgets that they are held against. All of it
//! follows from the events: a replay decides the same.

use std::collections::BTreeMap;

use crate::config::campaign::Schedule;
use crate::plan::PlannedMethod;
use crate::task::{Event, Fact, StoppedBy, TaskId, Usage};

use super::Engine;

const MS_PER_HOUR: f64 = 3_600_000.0;

/// Time and cores that a run has used so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spending {
    /// Time that the run was at work, without the pauses before it was resumed, milliseconds.
    at_work: i64,
    /// Time of the last event, milliseconds since the Unix epoch.
    last: Option<i64>,
    /// Use of all attempts: cores by the time that they had them, core milliseconds.
    core_ms: u64,
    /// Attempts of each stage, by its place.
    by_stage: BTreeMap<usize, StageSpending>,
}

/// Use of the attempts of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct StageSpending {
    core_ms: u64,
    /// Time at work when its first molecule began.
    begun: Option<i64>,
    /// True once its wall time is over.
    is_late: bool,
}

impl Spending {
    /// Counts the time until an event. A pause before the run was resumed does not count.
    pub fn pass(&mut self, event: &Event) {
        if let (Some(last), false) = (self.last, event.fact == Fact::Resumed) {
            self.at_work += event.at.saturating_sub(last).max(0);
        }
        self.last = Some(event.at);
    }

    /// Notes that a stage begins a molecule.
    pub fn begin(&mut self, place: usize) {
        let at_work = self.at_work;
        let stage = self.by_stage.entry(place).or_default();
        stage.begun.get_or_insert(at_work);
    }

    /// Adds an attempt of a stage, or one of no stage, whose end was recorded at `at`.
    fn add(&mut self, method: &PlannedMethod, place: Option<usize>, usage: &Usage, at: i64) {
        let Some(took) = usage.took(at) else {
            return;
        };
        let core_ms = took.saturating_mul(method.cores_of_task() as u64);
        self.core_ms = self.core_ms.saturating_add(core_ms);
        if let Some(place) = place {
            let stage = self.by_stage.entry(place).or_default();
            stage.core_ms = stage.core_ms.saturating_add(core_ms);
        }
    }

    fn of(&self, place: usize) -> StageSpending {
        self.by_stage.get(&place).copied().unwrap_or_default()
    }
}

impl Engine {
    /// Core-hours of all attempts that have ended.
    pub fn core_hours(&self) -> f64 {
        self.spending.core_ms as f64 / MS_PER_HOUR
    }

    /// Adds what an attempt of a live task has used.
    pub(super) fn spend(&mut self, task: TaskId, usage: &Usage, at: i64) {
        let Some(task) = self.running.get(&task) else {
            return;
        };
        if let Some(method) = self.plan.methods.get(self.method(&task.work)) {
            self.spending.add(method, task.stage, usage, at);
        }
    }

    /// Returns true if the stage at `place` has used up its budget and begins no more molecules.
    pub(super) fn is_spent(&self, place: usize) -> bool {
        let (Some(budget), Some(stage)) =
            (self.plan.stages[place].budget, self.stages[place].compute())
        else {
            return false;
        };
        let spending = self.spending.of(place);
        let hours = spending.core_ms as f64 / MS_PER_HOUR;
        let node_hours = hours / self.plan.node_cores as f64;
        // With `schedule: batch` the number of slots must not decide what is computed.
        let is_judged = self.plan.schedule == Schedule::Interleaved || stage.in_flight() == 0;
        spending.is_late
            || budget
                .evaluations
                .is_some_and(|limit| stage.begun() >= limit)
            || budget.core_hours.is_some_and(|limit| hours >= limit)
            || budget.node_hours.is_some_and(|limit| node_hours >= limit)
            || is_judged && budget.target.is_some_and(|value| stage.has_reached(value))
            || is_judged
                && budget
                    .stale_evaluations
                    .is_some_and(|limit| stage.stale() >= limit)
    }

    /// Reason to end the run for the cores that it has used.
    pub(super) fn spent_cores(&self) -> Option<StoppedBy> {
        let stop = &self.plan.stop;
        let node_hours = self.core_hours() / self.plan.node_cores as f64;
        if stop
            .core_hours
            .is_some_and(|limit| self.core_hours() >= limit)
        {
            Some(StoppedBy::CoreHours)
        } else if stop.node_hours.is_some_and(|limit| node_hours >= limit) {
            Some(StoppedBy::NodeHours)
        } else {
            None
        }
    }

    /// Time at which the wall time of the run or of one of its stages is over, milliseconds since
    /// the Unix epoch; none without a limit, and once no more tasks are submitted.
    pub fn deadline(&self) -> Option<i64> {
        if self.stopping.is_some() {
            return None;
        }
        let Spending { at_work, last, .. } = self.spending;
        let run = self.wall_time().map(|limit| limit - at_work);
        let stages = (0..self.stages.len()).filter_map(|place| self.left_of_stage(place));
        let left = run.into_iter().chain(stages).min()?;
        Some(last?.saturating_add(left))
    }

    /// Wall time of the run, milliseconds.
    fn wall_time(&self) -> Option<i64> {
        let limit = self.plan.stop.wall_time?.get().as_millis();
        Some(i64::try_from(limit).unwrap_or(i64::MAX))
    }

    /// Returns true if the wall time of the run is over.
    pub(super) fn is_late(&self) -> bool {
        self.wall_time()
            .is_some_and(|limit| self.spending.at_work >= limit)
    }

    /// Wall time that a stage has left, milliseconds; none without a limit, before it has begun,
    /// and once the engine knows that it is over.
    fn left_of_stage(&self, place: usize) -> Option<i64> {
        let limit = self.plan.stages[place].budget?.wall_time?.get().as_millis();
        let StageSpending { begun, is_late, .. } = self.spending.of(place);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let is_over = is_late || self.stages[place].compute()?.is_complete();
        Some(limit - (self.spending.at_work - begun?)).filter(|_| !is_over)
    }

    /// A deadline is over: that of the run, or those of stages.
    pub(super) fn time_is_up(&mut self) {
        let of_stages = self.note_late_stages();
        if self.is_late() || !of_stages {
            self.stopping = self.stopping.or(Some(StoppedBy::WallTime));
        }
    }

    /// Judges the wall times of stages again: their budgets may have changed.
    pub(super) fn judge_stages_again(&mut self) {
        for stage in self.spending.by_stage.values_mut() {
            stage.is_late = false;
        }
        self.note_late_stages();
    }

    /// Notes the stages whose wall time is over; true if there are new ones.
    fn note_late_stages(&mut self) -> bool {
        let late = |place: &usize| self.left_of_stage(*place).is_some_and(|left| left <= 0);
        let late: Vec<usize> = (0..self.stages.len()).filter(late).collect();
        for place in &late {
            self.spending.by_stage.entry(*place).or_default().is_late = true;
        }
        !late.is_empty()
    }
}
