//! Generator loop: train, generate, screen, queue; again when there are new results to learn from.

use crate::config::campaign::Schedule;
use crate::task::{Candidate, FileRef, Outcome, RankedCandidate, Record, StoppedBy};

use super::{Engine, EngineStep, Phase, TaskSpec};

/// Start molecules handed to the agent once it found nothing new.
const FRESH_STARTS: usize = 8;

/// State of the generator loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GeneratorLoop {
    /// True while a batch is being made.
    busy: bool,
    /// Number of the batch being made, or of the last one made.
    batch: u32,
    /// Number of batches with new candidates.
    pushed: u32,
    /// Number of evaluated molecules that the batch learns from.
    trained_on: usize,
    /// Statistics of the first evaluated molecules, with their number; the next training adds to
    /// them. None before the first training, and after one that failed, as they may be the reason.
    statistics: Option<(FileRef, usize)>,
    /// Model of the batch being made.
    model: Option<FileRef>,
    /// Molecules that the agent visited for this batch.
    candidates: Option<FileRef>,
    /// State of the agent after the last batch.
    agent: Option<FileRef>,
    /// Batches in a row without a new candidate.
    barren: usize,
    /// True if a task of the last batch failed permanently.
    failed: bool,
    /// Batches in a row without a better molecule.
    stale: usize,
    best_at_last_push: Option<f64>,
}

impl GeneratorLoop {
    /// Returns the number of the batch being made, or of the last one made.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Returns the number of batches with new candidates.
    pub fn pushed(&self) -> u32 {
        self.pushed
    }

    /// Returns the number of barren batches in a row.
    pub fn barren(&self) -> usize {
        self.barren
    }

    /// Returns the reason for which the last batches were barren.
    pub fn why_barren(&self) -> StoppedBy {
        if self.failed {
            StoppedBy::GeneratorFailed
        } else {
            StoppedBy::BarrenBatches
        }
    }

    /// Returns the number of batches in a row without a better molecule.
    pub fn stale(&self) -> usize {
        self.stale
    }

    /// Returns the saved agent, if there is one.
    pub fn agent(&self) -> Option<&FileRef> {
        self.agent.as_ref()
    }

    /// Returns the statistics of the first evaluated molecules, with their number.
    pub fn statistics(&self) -> Option<(&FileRef, usize)> {
        let (file, observations) = self.statistics.as_ref()?;
        Some((file, *observations))
    }

    /// Drops agent and statistics: the next batch begins with a new agent and fits all results.
    pub fn forget_saved(&mut self) {
        self.agent = None;
        self.statistics = None;
    }

    /// Drops the files of a batch that was finished or cancelled.
    pub fn forget_batch(&mut self) {
        self.model = None;
        self.candidates = None;
    }

    /// Iterates over the files that its tasks read now or later.
    pub fn files(&self) -> impl Iterator<Item = &FileRef> {
        let of_batch = self.model.iter().chain(&self.candidates);
        let lasting = self.statistics.iter().map(|(file, _)| file);
        of_batch.chain(lasting).chain(&self.agent)
    }
}

impl Engine {
    /// Begins a batch when there is a reason to.
    pub(super) fn generate(&mut self, step: &mut EngineStep) {
        if self.generator.busy || self.phase != Phase::Loops || !self.batch_is_wanted() {
            return;
        }
        let observations = self.evaluated.len();
        self.generator.busy = true;
        self.generator.batch += 1;
        self.generator.trained_on = observations;
        step.records.push(Record::BatchStarted {
            batch: self.generator.batch,
            observations,
        });
        self.submit(TaskSpec::Train { observations }, step);
    }

    /// Returns true if there are new results to learn from, or the queue is about to run empty.
    fn batch_is_wanted(&self) -> bool {
        let left = self.config.stop.evaluations - self.searched.min(self.config.stop.evaluations);
        if left == 0 || self.generator.barren >= self.config.stop.barren_batches {
            return false;
        }
        match self.config.schedule {
            Schedule::Batch => self.queue.is_empty() && self.simulations == 0,
            Schedule::Interleaved => {
                let learnt_all = self.evaluated.len() == self.generator.trained_on;
                !learnt_all || self.queue.len() < self.config.parallel.min(left)
            }
        }
    }

    /// Continues the batch with the outcome of one of its tasks; None if that failed permanently,
    /// which ends the batch.
    pub(super) fn generator_task_ended(
        &mut self,
        spec: TaskSpec,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        match (spec, answer) {
            (TaskSpec::Train { observations }, Some(trained @ Outcome::Trained { .. })) => {
                self.trained(observations, trained, step);
            }
            (TaskSpec::Generate { model, .. }, Some(generated @ Outcome::Generated { .. })) => {
                self.generated(model, generated, step);
            }
            (TaskSpec::Screen { .. }, Some(Outcome::Screened { ranked })) => {
                self.generator.failed = false;
                self.push(ranked, step);
            }
            (spec, _) => {
                if matches!(spec, TaskSpec::Train { .. }) {
                    self.generator.statistics = None;
                }
                self.generator.failed = true;
                self.push(&[], step);
            }
        }
    }

    /// Takes in a model of `observations` evaluated molecules, and submits the agent with it.
    fn trained(&mut self, observations: usize, outcome: &Outcome, step: &mut EngineStep) {
        let Outcome::Trained {
            model,
            statistics,
            groups,
            rmse_hartree,
            ..
        } = outcome
        else {
            return;
        };
        step.records.push(Record::BatchTrained {
            batch: self.generator.batch,
            groups: *groups,
            rmse_hartree: *rmse_hartree,
        });
        self.generator.model = Some(model.clone());
        self.generator.statistics = statistics.clone().map(|file| (file, observations));
        let (starts, epsilon_at_least) = self.widening();
        let spec = TaskSpec::Generate {
            model: model.clone(),
            starts,
            epsilon_at_least,
        };
        self.submit(spec, step);
    }

    /// Takes in the molecules that the agent visited, and submits their screening by `model`.
    fn generated(&mut self, model: FileRef, outcome: &Outcome, step: &mut EngineStep) {
        let Outcome::Generated {
            agent,
            candidates,
            count,
            epsilon,
            mean_reward,
            mean_loss,
        } = outcome
        else {
            return;
        };
        step.records.push(Record::BatchGenerated {
            batch: self.generator.batch,
            candidates: *count,
            epsilon: *epsilon,
            mean_reward: *mean_reward,
            mean_loss: *mean_loss,
        });
        self.generator.agent = Some(agent.clone());
        self.generator.candidates = Some(candidates.clone());
        let spec = TaskSpec::Screen {
            model,
            candidates: candidates.clone(),
            incumbent: self.incumbent.as_ref().map(|best| best.value),
        };
        self.submit(spec, step);
    }

    /// Returns start molecules and a lower bound of epsilon: after a barren batch the agent begins
    /// at other molecules and explores more.
    fn widening(&mut self) -> (Vec<String>, Option<f64>) {
        let barren = self.generator.barren;
        if barren == 0 {
            return (Vec::new(), None);
        }
        let draws = std::iter::from_fn(|| self.draw()).take(FRESH_STARTS);
        let mut starts: Vec<String> = draws.collect();
        starts.reverse();
        (starts, Some((0.25 * (barren + 1) as f64).min(1.0)))
    }

    /// Selects the best new molecules and puts them into the queue as the next batch.
    fn push(&mut self, ranked: &[RankedCandidate], step: &mut EngineStep) {
        self.generator.busy = false;
        self.generator.forget_batch();
        let batch = self.generator.batch;
        let room = match self.config.schedule {
            Schedule::Interleaved => self.config.select,
            Schedule::Batch => self
                .config
                .select
                .min(self.config.stop.evaluations - self.searched),
        };
        let mut chosen: Vec<Candidate> = Vec::new();
        for RankedCandidate { smiles, prediction } in ranked {
            if chosen.len() < room
                && prediction.mean.is_finite()
                && self.known.insert(smiles.clone())
            {
                chosen.push(Candidate {
                    smiles: smiles.clone(),
                    batch,
                    rank: chosen.len() as u32,
                    prediction: Some(*prediction),
                });
            }
        }
        step.records.push(Record::BatchFinished {
            batch,
            new_candidates: chosen.len(),
        });
        if chosen.is_empty() {
            self.generator.barren += 1;
            return;
        }
        self.generator.barren = 0;
        self.generator.pushed += 1;
        let best = self.incumbent.as_ref().map(|i| i.value);
        let improved = self.generator.pushed == 1 || best != self.generator.best_at_last_push;
        self.generator.stale = if improved {
            0
        } else {
            self.generator.stale + 1
        };
        self.generator.best_at_last_push = best;
        step.records
            .extend(chosen.iter().cloned().map(Record::Queued));
        for replaced in self.queue.push(chosen) {
            self.known.remove(&replaced.smiles);
            step.records.push(Record::Superseded {
                batch: replaced.batch,
                rank: replaced.rank,
            });
        }
    }
}
