//! Stages that rank proposed molecules and queue the best.

use super::Turn;
use crate::config::campaign::Schedule;
use crate::engine::tasks::Work;
use crate::engine::{CandidateQueue, Engine, EngineStep};
use crate::plan::{MoleculeSource, Plan, StageKind};
use crate::task::{Candidate, FileRef, Outcome, Prediction, RankedCandidate, Record};

/// State of a stage that screens.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct ScreenStage {
    pub turn: Turn,
    /// Predictions of the present round, the best first.
    pub ranked: Vec<RankedCandidate>,
    /// Candidates that wait to be computed.
    pub queue: CandidateQueue,
}

impl ScreenStage {
    /// A stage that selects so many; its queue holds two rounds of what its consumer computes at
    /// once, or one batch if that is more.
    pub fn new(plan: &Plan, select: usize) -> Self {
        let parallel = plan.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Compute {
                molecules: MoleculeSource::Queue(_),
                parallel,
                ..
            } => *parallel,
            _ => None,
        });
        let parallel = parallel.max().unwrap_or(1);
        Self {
            turn: Turn::default(),
            ranked: Vec::new(),
            queue: CandidateQueue::new(select.max(2 * parallel)),
        }
    }
}

impl Engine {
    /// Has the molecules of the generators predicted; false if there is no model or no molecule.
    pub(in crate::engine) fn begin_screening(
        &mut self,
        place: usize,
        step: &mut EngineStep,
    ) -> bool {
        let StageKind::Screen {
            model, generators, ..
        } = &self.plan.stages[place].kind
        else {
            return false;
        };
        let candidates: Vec<FileRef> = generators
            .iter()
            .filter_map(|place| self.stages[*place].generate()?.candidates.clone())
            .collect();
        let Some(model) = self.model_of(*model).filter(|_| !candidates.is_empty()) else {
            return false;
        };
        let incumbent = self.incumbent.as_ref().and_then(|_| self.merit());
        let work = Work::Screen {
            stage: place,
            model,
            candidates,
            incumbent,
        };
        self.submit_turn(place, work, step);
        true
    }

    /// Keeps the predictions; false if there are none.
    pub(in crate::engine) fn screening_ended(
        &mut self,
        place: usize,
        answer: Option<&Outcome>,
    ) -> bool {
        let Some(Outcome::Screened { ranked }) = answer else {
            return false;
        };
        let ranked = self.feasible_first(place, ranked.clone());
        let Some(screen) = self.stages[place].screen_mut() else {
            return false;
        };
        screen.ranked = ranked;
        true
    }

    /// Predicted values of a candidate of the `screen` stage at `place` by property, each in its
    /// unit.
    pub(in crate::engine) fn predicted_values(
        &self,
        place: usize,
        candidate: &RankedCandidate,
    ) -> Vec<(String, Prediction)> {
        let StageKind::Screen { model, .. } = self.plan.stages[place].kind else {
            return Vec::new();
        };
        let predictions = [candidate.prediction].into_iter();
        let predictions = predictions.chain(candidate.further.iter().copied());
        let targets = self.plan.targets(model).iter().zip(predictions);
        let values = targets.map(|(target, cost)| {
            let value = target.direction.prediction(cost);
            (target.property.clone(), value)
        });
        values.collect()
    }

    /// Selects the best new molecules of a `screen` stage and puts them into its queue as the next
    /// batch.
    pub(in crate::engine) fn push(&mut self, place: usize, step: &mut EngineStep) {
        let Some(screen) = self.stages[place].screen_mut() else {
            return;
        };
        let ranked = std::mem::take(&mut screen.ranked);
        let StageKind::Screen { select, .. } = self.plan.stages[place].kind else {
            return;
        };
        let batch = self.batch_of(place);
        let room = match self.plan.schedule {
            Schedule::Interleaved => select,
            Schedule::Batch => {
                let screens = self.stages.iter().filter_map(super::Stage::screen);
                let queued = screens.map(|screen| screen.queue.len()).sum();
                select.min(self.evaluations_left().saturating_sub(queued))
            }
        };
        let mut chosen: Vec<Candidate> = Vec::new();
        for ranked in &ranked {
            let RankedCandidate {
                smiles, prediction, ..
            } = ranked;
            let is_new = chosen.len() < room
                && prediction.mean.is_finite()
                && !self.known.contains_key(smiles);
            if is_new {
                let rank = chosen.len() as u32;
                self.known.insert(smiles.clone(), (batch, rank));
                chosen.push(Candidate {
                    smiles: smiles.clone(),
                    batch,
                    rank,
                    predictions: self.predicted_values(place, ranked).into_iter().collect(),
                });
            }
        }
        let new_candidates = chosen.len();
        step.records.push(Record::BatchFinished {
            batch,
            new_candidates,
        });
        self.round.add(new_candidates);
        step.records
            .extend(chosen.iter().cloned().map(Record::Queued));
        self.number_in_batch_order(place, &chosen);
        let Some(screen) = self.stages[place].screen_mut() else {
            return;
        };
        for replaced in screen.queue.push(chosen) {
            self.known.remove(&replaced.smiles);
            let Candidate { batch, rank, .. } = replaced;
            step.records.push(Record::Superseded { batch, rank });
        }
    }

    /// With `schedule: batch` the tasks of candidates are numbered in their order, whenever they are
    /// submitted.
    fn number_in_batch_order(&mut self, screen: usize, candidates: &[Candidate]) {
        let is_consumer = |stage: &crate::plan::PlannedStage| match &stage.kind {
            StageKind::Compute { molecules, .. } => *molecules == MoleculeSource::Queue(screen),
            _ => false,
        };
        let consumer = self.plan.stages.iter().position(is_consumer);
        if let (Schedule::Batch, Some(consumer)) = (self.plan.schedule, consumer) {
            for candidate in candidates {
                self.reserve(consumer, &candidate.smiles);
            }
        }
    }
}
