//! Rounds of the generator loop: each of its stages has one turn, then there is a new batch for
//! each `screen` stage.

use crate::config::campaign::{Loop, Schedule};
use crate::plan::{MoleculeSource, StageKind};
use crate::task::{Record, StoppedBy, TaskId};

use super::stage::Turn;
use super::tasks::Work;
use super::{Engine, EngineStep};

/// Number of the best molecules that generators start from.
const BEST: usize = 64;

/// State of the generator loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Round {
    /// The present round, or the last one.
    number: u32,
    is_running: bool,
    /// Number of results that the round learns from.
    observations: usize,
    /// Number of evaluated molecules when it began.
    evaluated: usize,
    /// Places of the best of these, the best first.
    best: Vec<usize>,
    /// The number of the round's first task; each stage has one, in the order of the plan: so the
    /// order in which tasks end decides nothing.
    first_task: u64,
    /// New candidates of the round so far.
    new_candidates: usize,
    /// Rounds that brought new candidates.
    productive: u32,
    /// Rounds in a row without a new candidate.
    barren: usize,
    /// True if a task of the last round failed for good.
    failed: bool,
    /// Rounds in a row without a better molecule, or without a larger hypervolume.
    stale: usize,
    best_at_last_push: Option<f64>,
}

impl Round {
    pub fn number(&self) -> u32 {
        self.number
    }

    /// A number that grows when a round begins and when it ends.
    pub fn advancement(&self) -> u32 {
        2 * self.number - u32::from(self.is_running)
    }

    /// Number of evaluated molecules when the round began.
    pub fn evaluated(&self) -> usize {
        self.evaluated
    }

    /// Places of the best molecules that were evaluated when the round began, the best first.
    pub fn best(&self) -> &[usize] {
        &self.best
    }

    /// Number of results that the round learns from.
    pub fn observations(&self) -> usize {
        self.observations
    }

    /// Rounds that brought new candidates.
    pub fn productive(&self) -> u32 {
        self.productive
    }

    /// Rounds in a row without a new candidate.
    pub fn barren(&self) -> usize {
        self.barren
    }

    /// Rounds in a row without a better molecule.
    pub fn stale(&self) -> usize {
        self.stale
    }

    /// Ends a round whose tasks were cancelled.
    pub fn cut_short(&mut self) {
        self.is_running = false;
    }

    /// Counts new candidates.
    pub fn add(&mut self, new_candidates: usize) {
        self.new_candidates += new_candidates;
    }

    /// Reason for which the last rounds were barren.
    pub fn why_barren(&self) -> StoppedBy {
        if self.failed {
            StoppedBy::GeneratorFailed
        } else {
            StoppedBy::BarrenBatches
        }
    }
}

impl Engine {
    /// Begins a round when there is a reason to, gives each stage its turn, and ends the round.
    pub(super) fn advance_round(&mut self, step: &mut EngineStep) {
        let stages = self.plan.stages_in(Loop::Generator);
        let places: Vec<usize> = stages.map(|(place, _)| place).collect();
        if places.is_empty() {
            return;
        }
        if !self.round.is_running {
            let is_ready = places.iter().all(|place| self.is_ready(*place));
            if !is_ready || !self.round_is_wanted() {
                return;
            }
            self.begin_round(&places, step);
        }
        for place in &places {
            self.take_turn(*place, step);
        }
        if places
            .iter()
            .all(|place| self.stages[*place].turn().is_some_and(Turn::is_over))
        {
            self.end_round(&places, step);
        }
    }

    /// Never far ahead: only with new results to learn from, or when a consumer is about to run
    /// dry.
    fn round_is_wanted(&self) -> bool {
        let left = self.evaluations_left();
        if left == 0
            || self.evaluated.is_empty()
            || self.round.barren >= self.plan.stop.barren_batches
        {
            return false;
        }
        match self.plan.schedule {
            Schedule::Batch => self.is_idle(),
            Schedule::Interleaved => {
                let has_news = self.observations.len() != self.round.observations;
                has_news
                    || self.plan.stages.iter().any(|stage| match &stage.kind {
                        StageKind::Compute {
                            molecules: MoleculeSource::Queue(screen),
                            parallel,
                            ..
                        } => {
                            let queued = self.stages[*screen].screen().map_or(0, |s| s.queue.len());
                            queued < parallel.unwrap_or(1).min(left)
                        }
                        _ => false,
                    })
            }
        }
    }

    fn begin_round(&mut self, places: &[usize], step: &mut EngineStep) {
        let observations = self.observations.len();
        let new = self.round.evaluated..self.evaluated.len();
        self.round.best = self.best_places(&self.round.best, new, BEST);
        self.round.evaluated = self.evaluated.len();
        self.round.number += 1;
        self.round.is_running = true;
        self.round.observations = observations;
        self.round.new_candidates = 0;
        self.round.failed = false;
        self.round.first_task = self.last_task + 1;
        self.last_task += places.len() as u64;
        for place in places {
            self.stages[*place].set_turn(Turn::Waiting);
            self.widen(*place);
        }
        self.move_shares(step);
        for batch in self.batches() {
            step.records.push(Record::BatchStarted {
                batch,
                observations,
            });
        }
    }

    /// Submits the task of a stage whose turn it is.
    fn take_turn(&mut self, place: usize, step: &mut EngineStep) {
        let is_over = |before: &usize| self.stages[*before].turn().is_none_or(Turn::is_over);
        let is_waiting = self.stages[place].turn() == Some(Turn::Waiting);
        if !is_waiting || !self.plan.stages[place].after.iter().all(is_over) {
            return;
        }
        self.stages[place].set_turn(Turn::Running);
        let submitted = match self.plan.stages[place].kind {
            StageKind::Train { .. } => {
                self.begin_training(place, step);
                true
            }
            StageKind::Generate { model, .. } => self.begin_generation(place, model, step),
            StageKind::Screen { .. } => self.begin_screening(place, step),
            StageKind::Compute { .. } => true,
        };
        if !submitted {
            self.end_turn(place, Turn::Failed);
        }
    }

    /// Submits the task of a stage in the present round.
    pub(super) fn submit_turn(&mut self, place: usize, work: Work, step: &mut EngineStep) {
        let before = self
            .plan
            .stages_in(Loop::Generator)
            .take_while(|(other, _)| *other < place);
        let task = TaskId(self.round.first_task + before.count() as u64);
        self.submit_as(task, work, step);
    }

    /// Ends the turn of a stage.
    pub(super) fn end_turn(&mut self, place: usize, turn: Turn) {
        self.round.failed |= turn == Turn::Failed;
        self.stages[place].set_turn(turn);
    }

    fn end_round(&mut self, places: &[usize], step: &mut EngineStep) {
        self.round.is_running = false;
        for place in places {
            self.push(*place, step);
        }
        for place in places {
            self.stages[*place].forget_round();
        }
        if self.round.new_candidates == 0 {
            self.round.barren += 1;
            return;
        }
        self.round.barren = 0;
        self.round.productive += 1;
        let best = self.merit();
        let improved = self.round.productive == 1 || best != self.round.best_at_last_push;
        self.round.stale = if improved { 0 } else { self.round.stale + 1 };
        self.round.best_at_last_push = best;
    }

    /// Batches of the present round, one for each `screen` stage.
    pub(super) fn batches(&self) -> impl Iterator<Item = u32> {
        let screens = self
            .plan
            .stages
            .iter()
            .filter(|stage| stage.kind.is_screen());
        let all = screens.count() as u32;
        let first = self.round.number.saturating_sub(1) * all + 1;
        first..first + all
    }

    /// Batches of the present round that a `train` or `generate` stage contributes to.
    pub(super) fn batches_of(&self, place: usize) -> Vec<u32> {
        let screens = self.plan.stages.iter().map(|stage| &stage.kind);
        let screens = screens.filter(|kind| kind.is_screen());
        let batches = screens.zip(self.batches());
        batches
            .filter(|(screen, _)| screen.uses(place))
            .map(|(_, batch)| batch)
            .collect()
    }

    /// Batch of the present round that a `screen` stage makes.
    pub(super) fn batch_of(&self, place: usize) -> u32 {
        let before = self.plan.stages[..place].iter();
        let before = before.filter(|stage| stage.kind.is_screen()).count();
        self.batches().nth(before).unwrap_or_default()
    }
}
