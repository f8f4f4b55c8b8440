//! Stages that compute properties of molecules: of the source, of a queue, or of another stage.

use std::collections::{BTreeMap, VecDeque};

use super::results::RankedResults;
use crate::config::campaign::Schedule;
use crate::engine::calculations::Evaluated;
use crate::engine::hash::HashSet;
use crate::engine::{Engine, EngineStep};
use crate::plan::{MoleculeSource, Plan, RankedProperty, RecipeNode, StageKind};
use crate::task::{Candidate, Record, StoppedBy, TaskId};

/// Molecules of a list that are kept submitted at once, unless the campaign says how many: enough
/// for any site, and few enough for the memory of a long list.
const WINDOW: usize = 1000;

/// State of a stage that computes properties.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct ComputeStage {
    /// Names of the properties.
    pub properties: Vec<String>,
    /// The calculations that they need.
    pub recipe: Vec<RecipeNode>,
    has_begun: bool,
    is_complete: bool,
    /// Molecules of a list that are not submitted yet.
    waiting: VecDeque<String>,
    /// Molecules that were taken from the source or from another stage.
    asked_for: usize,
    /// Evaluations that are submitted and have not ended.
    in_flight: usize,
    /// Evaluations that failed for good.
    failed: usize,
    /// Molecules that failed for want of a free atom.
    without_atoms: Vec<String>,
    /// Molecules whose evaluation is to begin again.
    again: VecDeque<String>,
    /// Evaluations that it began, without those that were cancelled.
    begun: usize,
    /// Evaluations in a row that ended without a better molecule.
    stale: usize,
    /// Evaluated molecules.
    results: RankedResults,
    /// Molecules that this stage has taken from another one.
    promoted: HashSet<String>,
    /// Results of the other stage when it last took some.
    results_seen: usize,
}

impl ComputeStage {
    pub fn new(
        plan: &Plan,
        properties: &[String],
        ranking: &[RankedProperty],
        are_taken: bool,
    ) -> Self {
        Self {
            recipe: plan.recipe(properties),
            properties: properties.to_vec(),
            has_begun: false,
            is_complete: false,
            waiting: VecDeque::new(),
            asked_for: 0,
            in_flight: 0,
            failed: 0,
            without_atoms: Vec::new(),
            again: VecDeque::new(),
            begun: 0,
            stale: 0,
            results: RankedResults::new(ranking, are_taken),
            promoted: HashSet::default(),
            results_seen: 0,
        }
    }

    /// Records the end of an evaluation.
    pub fn evaluation_ended(
        &mut self,
        smiles: &str,
        task: TaskId,
        result: &Evaluated,
        is_feasible: bool,
    ) {
        self.in_flight -= 1;
        let lowest_before = self.results.lowest_cost();
        match result {
            Evaluated::Values(values) => self.results.add(smiles, task, values, is_feasible),
            Evaluated::Failed(_) => self.failed += 1,
            Evaluated::WithoutAtom(_) => {
                self.failed += 1;
                self.without_atoms.push(smiles.to_owned());
            }
            Evaluated::Cancelled => {
                self.begun = self.begun.saturating_sub(1);
                self.again.push_back(smiles.to_owned());
                return;
            }
        }
        self.stale = match self.results.lowest_cost() == lowest_before {
            true => self.stale + 1,
            false => 0,
        };
    }

    /// Counts a molecule whose evaluation an earlier run had done.
    pub fn inherit(&mut self) {
        self.asked_for += 1;
        self.in_flight += 1;
    }

    /// Begins the evaluations again that failed for want of a free atom, and returns their molecules.
    pub fn evaluate_again(&mut self) -> Vec<String> {
        let again = std::mem::take(&mut self.without_atoms);
        self.failed -= again.len();
        self.begun = self.begun.saturating_sub(again.len());
        self.is_complete &= again.is_empty();
        self.again.extend(again.iter().cloned());
        again
    }

    /// Lets a list go on that ended before its last molecule.
    pub fn continue_list(&mut self) {
        self.is_complete &= self.waiting.is_empty() && self.again.is_empty();
    }

    /// Failed evaluations for want of a free atom.
    pub fn without_atoms(&self) -> usize {
        self.without_atoms.len()
    }

    /// Evaluations that it began, without those that were cancelled.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Evaluations in a row that ended without a better molecule.
    pub fn stale(&self) -> usize {
        self.stale
    }

    /// Returns true if a feasible molecule has reached `value` of the property that ranks them.
    pub fn has_reached(&self, value: f64) -> bool {
        self.results.reach(value)
    }

    /// Returns true if it has taken its molecules.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns true if a molecule of a list waits.
    fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.again.is_empty()
    }

    /// Returns true if all molecules of a stage that runs once have been computed or have failed.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Evaluations that are submitted and have not ended.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Evaluations that failed for good.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Evaluations that have ended, failed ones included.
    pub fn ended(&self) -> usize {
        self.results.len() + self.failed
    }

    /// Molecules of the source, or of another stage, that it was given.
    pub fn asked_for(&self) -> usize {
        self.asked_for
    }

    /// Returns true if it has begun and is not complete.
    pub fn is_active(&self) -> bool {
        self.has_begun && !self.is_complete
    }

    pub(super) fn advancement(&self) -> usize {
        self.ended() + self.asked_for + usize::from(self.has_begun) + usize::from(self.is_complete)
    }

    fn add(&mut self, molecules: Vec<String>) {
        self.asked_for += molecules.len();
        self.waiting.extend(molecules);
    }
}

impl Engine {
    /// Advances the stage at `place` if it computes: takes molecules, and keeps evaluations
    /// submitted.
    pub(in crate::engine) fn advance_compute(&mut self, place: usize, step: &mut EngineStep) {
        let StageKind::Compute {
            molecules,
            parallel,
            ..
        } = &self.plan.stages[place].kind
        else {
            return;
        };
        let (molecules, parallel) = (molecules.clone(), *parallel);
        match molecules {
            MoleculeSource::Queue(screen) => {
                self.consume(place, screen, parallel.unwrap_or(1), step)
            }
            MoleculeSource::Share { share, of } => {
                self.promote(place, share, of);
                self.submit_waiting(place, parallel.unwrap_or(usize::MAX), step);
            }
            MoleculeSource::All | MoleculeSource::Random(_) | MoleculeSource::Best { .. } => {
                self.begin_list(place, &molecules);
                self.submit_waiting(place, parallel.unwrap_or(WINDOW), step);
                self.complete_list(place, &molecules, step);
            }
        }
    }

    /// Returns true if all stages before the stage at `place` that run once are complete.
    pub(in crate::engine) fn is_ready(&self, place: usize) -> bool {
        self.plan.stages[place].after.iter().all(|before| {
            let compute = self.stages[*before].compute();
            let runs_once = self.plan.stages[*before].in_loop.is_none();
            !runs_once || compute.is_some_and(ComputeStage::is_complete)
        })
    }

    /// Takes the molecules of a stage that runs once, when the stages before it are complete.
    fn begin_list(&mut self, place: usize, molecules: &MoleculeSource) {
        let has_begun = self.stages[place]
            .compute()
            .is_none_or(|stage| stage.has_begun);
        if has_begun || !self.is_ready(place) {
            return;
        }
        let list = match molecules {
            MoleculeSource::Best { count, of } => self.stages[*of]
                .compute()
                .map(|stage| stage.results.best(*count))
                .unwrap_or_default(),
            _ => self
                .drawn
                .remove(&self.plan.stages[place].name)
                .unwrap_or_default(),
        };
        self.give(place, list);
    }

    /// Completes a stage that runs once; while no molecule of a random draw could be computed, one
    /// more is drawn.
    fn complete_list(&mut self, place: usize, molecules: &MoleculeSource, step: &mut EngineStep) {
        let Some(stage) = self.stages[place].compute() else {
            return;
        };
        let is_spent = self.is_spent(place);
        if !stage.is_active() || stage.has_waiting() && !is_spent || stage.in_flight > 0 {
            return;
        }
        if !stage.results.is_empty() {
            if let Some(stage) = self.stages[place].compute_mut() {
                stage.is_complete = true;
            }
            return;
        }
        let is_random = matches!(molecules, MoleculeSource::Random(_)) && !is_spent;
        let drawn = if is_random { self.draw() } else { None };
        match drawn {
            Some(smiles) => {
                self.give(place, vec![smiles]);
                self.submit_waiting(place, 1, step);
            }
            None => self.stopping = self.stopping.or(Some(StoppedBy::NothingComputed)),
        }
    }

    /// Takes the molecules that are now among the best share of another stage's results.
    fn promote(&mut self, place: usize, share: f64, of: usize) {
        let is_between_batches = self.plan.schedule == Schedule::Interleaved || self.is_idle();
        let Some(source) = self.stages[of].compute().filter(|_| is_between_batches) else {
            return;
        };
        let results = source.results.len();
        let count = (share * results as f64).ceil() as usize;
        let Some(stage) = self.stages[place].compute() else {
            return;
        };
        if stage.results_seen == results {
            return;
        }
        let mut new = source.results.best(count);
        new.retain(|smiles| !stage.promoted.contains(smiles));
        if let Some(stage) = self.stages[place].compute_mut() {
            stage.results_seen = results;
            stage.promoted.extend(new.iter().cloned());
        }
        self.give(place, new);
    }

    /// Gives molecules to a stage, which has begun with them. With `schedule: batch` their tasks are
    /// numbered now, whenever they are submitted.
    fn give(&mut self, place: usize, molecules: Vec<String>) {
        let molecules = self.without_inherited(place, molecules);
        if self.plan.schedule == Schedule::Batch {
            for smiles in &molecules {
                self.reserve(place, smiles);
            }
        }
        if let Some(stage) = self.stages[place].compute_mut() {
            stage.has_begun = true;
            stage.add(molecules);
        }
    }

    /// Submits molecules of a list until `limit` are in flight.
    fn submit_waiting(&mut self, place: usize, limit: usize, step: &mut EngineStep) {
        while self.may_evaluate(place)
            && let Some(stage) = self.stages[place].compute_mut()
            && stage.in_flight < limit
            && let Some(smiles) = stage
                .again
                .pop_front()
                .or_else(|| stage.waiting.pop_front())
        {
            let candidate = self.candidate_of(smiles, step);
            self.begin_evaluation(place, candidate, step);
        }
    }

    /// Submits molecules of a queue until `parallel` are in flight: newest batch first, best rank
    /// first.
    fn consume(&mut self, place: usize, screen: usize, parallel: usize, step: &mut EngineStep) {
        while self.may_evaluate(place)
            && let Some(stage) = self.stages[place].compute_mut()
            && stage.in_flight < parallel
            && let Some(smiles) = stage.again.pop_front()
        {
            let candidate = self.candidate_of(smiles, step);
            self.begin_evaluation(place, candidate, step);
        }
        while self.may_evaluate(place)
            && self.stages[place]
                .compute()
                .is_some_and(|stage| stage.in_flight < parallel)
            && let Some(candidate) = self.stages[screen].screen_mut().and_then(|s| s.queue.pop())
        {
            self.begin_evaluation(place, candidate, step);
        }
    }

    fn begin_evaluation(&mut self, place: usize, candidate: Candidate, step: &mut EngineStep) {
        self.searched += usize::from(self.is_counted(place));
        if let Some(stage) = self.stages[place].compute_mut() {
            stage.in_flight += 1;
            stage.begun += 1;
        }
        self.spending.begin(place);
        self.evaluate(place, candidate, step);
    }

    /// Returns true if evaluations of a stage count against `stop.evaluations`: those of all
    /// objectives, in a loop if there are loops.
    pub(in crate::engine) fn is_counted(&self, place: usize) -> bool {
        let stage = &self.plan.stages[place];
        let is_searched = stage.in_loop.is_some() || !self.plan.has_loops();
        is_searched && self.plan.computes_objectives(stage)
    }

    fn may_evaluate(&self, place: usize) -> bool {
        self.stopping.is_none() && self.has_evaluations_left(place)
    }

    fn has_evaluations_left(&self, place: usize) -> bool {
        !self.is_spent(place) && (!self.is_counted(place) || self.evaluations_left() > 0)
    }

    /// Evaluations of the objective that may still be submitted.
    pub(in crate::engine) fn evaluations_left(&self) -> usize {
        self.plan
            .stop
            .evaluations
            .unwrap_or(usize::MAX)
            .saturating_sub(self.searched)
    }

    /// The candidate that a molecule already is, or a new one of batch 0.
    pub(in crate::engine) fn candidate_of(
        &mut self,
        smiles: String,
        step: &mut EngineStep,
    ) -> Candidate {
        let known = self.known.get(&smiles).copied();
        let (batch, rank) = known.unwrap_or((0, self.sourced));
        let candidate = Candidate {
            smiles,
            batch,
            rank,
            predictions: BTreeMap::new(),
            generator: None,
            parents: Vec::new(),
        };
        if known.is_none() {
            self.sourced += 1;
            self.known.insert(candidate.smiles.clone(), (batch, rank));
            step.records.push(Record::Queued(candidate.clone()));
        }
        candidate
    }

    /// Returns true if no evaluation is in flight, and no molecule waits that may be evaluated.
    pub(in crate::engine) fn is_idle(&self) -> bool {
        let waiting = |place: usize, stage: &ComputeStage| {
            let queue = match &self.plan.stages[place].kind {
                StageKind::Compute {
                    molecules: MoleculeSource::Queue(screen),
                    ..
                } => self.stages[*screen]
                    .screen()
                    .is_some_and(|screen| !screen.queue.is_empty()),
                _ => false,
            };
            self.has_evaluations_left(place) && (queue || stage.has_waiting())
        };
        let mut stages =
            (0..self.stages.len()).filter_map(|p| Some((p, self.stages[p].compute()?)));
        stages.all(|(place, stage)| stage.in_flight == 0 && !waiting(place, stage))
    }
}
