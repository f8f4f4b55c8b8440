//! Stages that rank proposed molecules and queue the best.

use super::Turn;
use super::shares::GeneratorShares;
use crate::config::campaign::Schedule;
use crate::engine::hash::HashSet;
use crate::engine::tasks::Work;
use crate::engine::{CandidateQueue, Engine, EngineStep};
use crate::plan::{MoleculeSource, Plan, StageKind, TrainingTarget};
use crate::task::{Candidate, FileRef, Metrics, Outcome, Prediction, RankedCandidate, Record};

/// State of a stage that screens.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct ScreenStage {
    pub turn: Turn,
    /// Predictions of the present round, the best first.
    pub ranked: Vec<RankedCandidate>,
    /// Candidates that wait to be computed.
    pub queue: CandidateQueue,
    /// Shares of its generators; none if the best of all make a batch.
    pub shares: Option<GeneratorShares>,
}

impl ScreenStage {
    /// A stage that selects so many molecules of these generators. Its queue holds two rounds of
    /// what its consumer computes at once, or one batch if that is more.
    pub fn new(plan: &Plan, generators: &[usize], select: usize) -> Self {
        let shares = generators
            .iter()
            .map(|place| match plan.stages[*place].kind {
                StageKind::Generate { share, .. } => share,
                _ => None,
            });
        let shares: Vec<Option<f64>> = shares.collect();
        let is_shared = shares.iter().any(Option::is_some);
        let equal = 1.0 / shares.len().max(1) as f64;
        let shares = shares.into_iter().map(|share| share.unwrap_or(equal));
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
            shares: is_shared.then(|| GeneratorShares::new(shares.collect())),
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
        let proposed = |(index, place): (usize, &usize)| {
            let candidates = self.stages[*place].generate()?.candidates.clone();
            Some((index, candidates?))
        };
        let candidates: Vec<(usize, FileRef)> =
            generators.iter().enumerate().filter_map(proposed).collect();
        let Some(model) = self.model_of(*model).filter(|_| !candidates.is_empty()) else {
            return false;
        };
        let is_constrained = !self.plan.constraints.is_empty();
        let work = Work::Screen {
            stage: place,
            model,
            candidates,
            incumbent: self.incumbent.as_ref().and_then(|_| self.merit()),
            front: self.front.costs(),
            reference: self.front.reference().cloned().unwrap_or_default(),
            // Candidates that are predicted to be infeasible may stand in front of all others.
            most: match is_constrained {
                true => usize::MAX,
                false => self.known.len() + self.selected_in_a_round(),
            },
        };
        self.submit_turn(place, work, step);
        true
    }

    /// Number of molecules that a round queues at most.
    fn selected_in_a_round(&self) -> usize {
        let stages = self.plan.stages.iter();
        let selected = stages.map(|stage| match stage.kind {
            StageKind::Screen { select, .. } => select,
            _ => 0,
        });
        selected.sum()
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

    /// The targets that the model of the `screen` stage at `place` predicts.
    pub(in crate::engine) fn targets_of_screen(&self, place: usize) -> &[TrainingTarget] {
        match self.plan.stages[place].kind {
            StageKind::Screen { model, .. } => self.plan.targets(model),
            _ => &[],
        }
    }

    /// Predicted values of a candidate of the `screen` stage at `place` by property, each in its
    /// unit.
    pub(in crate::engine) fn predicted_values(
        &self,
        place: usize,
        candidate: &RankedCandidate,
    ) -> Vec<(String, Prediction)> {
        let predictions = [candidate.prediction].into_iter();
        let predictions = predictions.chain(candidate.further.iter().copied());
        let targets = self.targets_of_screen(place).iter().zip(predictions);
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
        let mut distinct = HashSet::default();
        let is_new = |candidate: &RankedCandidate| {
            candidate.prediction.mean.is_finite()
                && !self.known.contains_key(&candidate.smiles)
                && !self.quarantined.contains(&candidate.smiles)
                && !self.lacks_atoms_of(&candidate.smiles)
                && distinct.insert(candidate.smiles.clone())
        };
        let mut new: Vec<RankedCandidate> = ranked.into_iter().filter(is_new).collect();
        self.count_new(place, batch, &new, room, step);
        match self.stages[place].screen_mut() {
            Some(ScreenStage {
                shares: Some(shares),
                ..
            }) => new = shares.choose(new, room),
            _ => new.truncate(room),
        }
        let chosen: Vec<Candidate> = (0..)
            .zip(new)
            .map(|(rank, candidate)| self.candidate(place, batch, rank, candidate))
            .collect();
        for Candidate { smiles, rank, .. } in &chosen {
            self.known.insert(smiles.clone(), (batch, *rank));
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

    /// Tells each generator of a `screen` stage how many of its molecules are new, and records the
    /// number.
    fn count_new(
        &mut self,
        place: usize,
        batch: u32,
        new: &[RankedCandidate],
        room: usize,
        step: &mut EngineStep,
    ) {
        let StageKind::Screen { generators, .. } = &self.plan.stages[place].kind else {
            return;
        };
        for (number, generator) in generators.iter().enumerate() {
            let own = new.iter().filter(|candidate| candidate.generator == number);
            let own = own.count();
            if let Some(stage) = self.stages[*generator].generate_mut() {
                stage.count_new(own, room);
            }
            step.records.push(Record::BatchMetrics {
                batch,
                stage: self.plan.stages[*generator].name.clone(),
                metrics: Metrics::from([("new".to_owned(), own as f64)]),
            });
        }
    }

    /// A candidate of the `screen` stage at `place`.
    fn candidate(&self, place: usize, batch: u32, rank: u32, ranked: RankedCandidate) -> Candidate {
        let generator = match &self.plan.stages[place].kind {
            StageKind::Screen { generators, .. } => generators.get(ranked.generator),
            _ => None,
        };
        Candidate {
            predictions: self.predicted_values(place, &ranked).into_iter().collect(),
            smiles: ranked.smiles,
            parents: ranked.parents,
            batch,
            rank,
            generator: generator.map(|place| self.plan.stages[*place].name.clone()),
        }
    }

    /// Moves the shares of the generators of each `screen` stage by the results that the present
    /// round learns from, and records them.
    pub(in crate::engine) fn move_shares(&mut self, step: &mut EngineStep) {
        let mut screens = self.stages.iter().filter_map(super::Stage::screen);
        // Ranking all results is expensive.
        if screens.all(|screen| screen.shares.is_none()) {
            return;
        }
        let results = self.evaluated.iter().take(self.round.evaluated());
        let scores = self.scores(self.round.evaluated());
        let costs: Vec<(&str, f64)> = (results.map(|molecule| molecule.smiles.as_str()))
            .zip(scores)
            .collect();
        let batches: Vec<u32> = self.batches().collect();
        let screens = self.plan.stages.iter().zip(&mut self.stages);
        let screens = screens.filter_map(|(planned, stage)| match &planned.kind {
            StageKind::Screen { generators, .. } => Some((generators, stage.screen_mut()?)),
            _ => None,
        });
        for (batch, (generators, screen)) in batches.into_iter().zip(screens) {
            let Some(shares) = &mut screen.shares else {
                continue;
            };
            shares.judge(&costs);
            for (generator, share) in generators.iter().zip(shares.current()) {
                step.records.push(Record::BatchMetrics {
                    batch,
                    stage: self.plan.stages[*generator].name.clone(),
                    metrics: Metrics::from([("share".to_owned(), share)]),
                });
            }
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
