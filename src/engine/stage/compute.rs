//! Stages that compute a property of molecules: of the source, of a queue, or of another stage.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::config::campaign::Schedule;
use crate::engine::calculations::Evaluated;
use crate::engine::{Engine, EngineStep};
use crate::plan::{MoleculeSource, StageKind};
use crate::task::{Candidate, Record, StoppedBy, TaskId};

/// Molecules of a list that are kept submitted at once, unless the campaign says how many: enough
/// for any site, and few enough for the memory of a long list.
const WINDOW: usize = 1000;

/// State of a stage that computes a property.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct ComputeStage {
    /// Name of the property.
    pub property: String,
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
    /// Evaluated molecules, the best first.
    results: BTreeSet<RankedResult>,
    /// Molecules that this stage has taken from another one.
    promoted: HashSet<String>,
}

/// A result of a stage, ordered by cost; ties go to the task submitted first.
#[derive(Clone, Debug, PartialEq)]
struct RankedResult {
    cost: f64,
    task: TaskId,
    smiles: String,
}

impl Eq for RankedResult {}

impl Ord for RankedResult {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_cost = self.cost.total_cmp(&other.cost);
        let by_task = || self.task.cmp(&other.task);
        by_cost
            .then_with(by_task)
            .then_with(|| self.smiles.cmp(&other.smiles))
    }
}

impl PartialOrd for RankedResult {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl ComputeStage {
    pub fn new(property: &str) -> Self {
        Self {
            property: property.to_owned(),
            has_begun: false,
            is_complete: false,
            waiting: VecDeque::new(),
            asked_for: 0,
            in_flight: 0,
            failed: 0,
            results: BTreeSet::new(),
            promoted: HashSet::new(),
        }
    }

    /// Records the end of an evaluation; `cost` of an evaluated molecule.
    pub fn evaluation_ended(
        &mut self,
        smiles: &str,
        task: TaskId,
        result: Evaluated,
        cost: Option<f64>,
    ) {
        self.in_flight -= 1;
        self.failed += usize::from(matches!(result, Evaluated::Failed(_)));
        if let Some(cost) = cost {
            let smiles = smiles.to_owned();
            self.results.insert(RankedResult { cost, task, smiles });
        }
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

    /// The best `count` molecules so far, the best first.
    fn best(&self, count: usize) -> impl Iterator<Item = &String> {
        let best = self.results.iter().take(count);
        best.map(|result| &result.smiles)
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
                .map(|stage| stage.best(*count).cloned().collect())
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
        if !stage.is_active() || !stage.waiting.is_empty() || stage.in_flight > 0 {
            return;
        }
        if !stage.results.is_empty() {
            if let Some(stage) = self.stages[place].compute_mut() {
                stage.is_complete = true;
            }
            return;
        }
        let is_random = matches!(molecules, MoleculeSource::Random(_));
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
        let count = (share * source.results.len() as f64).ceil() as usize;
        let Some(stage) = self.stages[place].compute() else {
            return;
        };
        let best = source.best(count);
        let new = best.filter(|smiles| !stage.promoted.contains(*smiles));
        let new: Vec<String> = new.cloned().collect();
        if let Some(stage) = self.stages[place].compute_mut() {
            stage.promoted.extend(new.iter().cloned());
        }
        self.give(place, new);
    }

    /// Gives molecules to a stage, which has begun with them. With `schedule: batch` their tasks are
    /// numbered now, whenever they are submitted.
    fn give(&mut self, place: usize, molecules: Vec<String>) {
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
            && let Some(smiles) = stage.waiting.pop_front()
        {
            let candidate = self.candidate_of(smiles, step);
            self.begin_evaluation(place, candidate, step);
        }
    }

    /// Submits molecules of a queue until `parallel` are in flight: newest batch first, best rank
    /// first.
    fn consume(&mut self, place: usize, screen: usize, parallel: usize, step: &mut EngineStep) {
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
        }
        self.evaluate(place, candidate, step);
    }

    /// Returns true if evaluations of a stage count against `stop.evaluations`: those of the
    /// objective in a loop.
    pub(in crate::engine) fn is_counted(&self, place: usize) -> bool {
        let property = self.stages[place].compute().map(|stage| &stage.property);
        self.plan.stages[place].in_loop.is_some() && property == Some(&self.plan.objective.property)
    }

    fn may_evaluate(&self, place: usize) -> bool {
        self.stopping.is_none() && self.has_evaluations_left(place)
    }

    fn has_evaluations_left(&self, place: usize) -> bool {
        !self.is_counted(place) || self.evaluations_left() > 0
    }

    /// Evaluations of the loops that may still be submitted.
    pub(in crate::engine) fn evaluations_left(&self) -> usize {
        self.plan
            .stop
            .evaluations
            .unwrap_or(usize::MAX)
            .saturating_sub(self.searched)
    }

    /// The candidate that a molecule already is, or a new one of batch 0.
    fn candidate_of(&mut self, smiles: String, step: &mut EngineStep) -> Candidate {
        let known = self.known.get(&smiles).copied();
        let (batch, rank) = known.unwrap_or((0, self.sourced));
        let candidate = Candidate {
            smiles,
            batch,
            rank,
            prediction: None,
            generator: None,
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
            self.has_evaluations_left(place) && (queue || !stage.waiting.is_empty())
        };
        let mut stages =
            (0..self.stages.len()).filter_map(|p| Some((p, self.stages[p].compute()?)));
        stages.all(|(place, stage)| stage.in_flight == 0 && !waiting(place, stage))
    }
}
