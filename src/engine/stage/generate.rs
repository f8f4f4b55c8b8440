//! Stages that propose molecules.

use super::{TrainStage, Turn};
use crate::engine::tasks::Work;
use crate::engine::{Engine, EngineStep};
use crate::task::{FileRef, Outcome, Record};

/// Start molecules handed to the agent once it found nothing new.
const FRESH_STARTS: usize = 8;

/// State of a stage that generates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct GenerateStage {
    pub turn: Turn,
    /// The agent as it was saved last.
    pub agent: Option<FileRef>,
    /// The molecules that it visited in the present round.
    pub candidates: Option<FileRef>,
    /// Start molecules of the present round in place of an empty state.
    starts: Vec<String>,
    /// Epsilon of the present round, at least.
    epsilon_at_least: Option<f64>,
}

impl Engine {
    /// Lets the agent explore against the model of the stage `model`; false if there is none.
    pub(in crate::engine) fn begin_generation(
        &mut self,
        place: usize,
        model: usize,
        step: &mut EngineStep,
    ) -> bool {
        let Some(model) = self.model_of(model) else {
            return false;
        };
        let Some(stage) = self.stages[place].generate() else {
            return false;
        };
        let work = Work::Generate {
            stage: place,
            model,
            starts: stage.starts.clone(),
            epsilon_at_least: stage.epsilon_at_least,
        };
        self.submit_turn(place, work, step);
        true
    }

    /// The model of the present round that a stage trained.
    pub(in crate::engine) fn model_of(&self, place: usize) -> Option<FileRef> {
        self.stages[place]
            .train()
            .and_then(|stage: &TrainStage| stage.model.clone())
    }

    /// Keeps the agent and the molecules that it visited; false if there are none.
    pub(in crate::engine) fn generation_ended(
        &mut self,
        place: usize,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) -> bool {
        let Some(Outcome::Generated {
            agent,
            candidates,
            count,
            epsilon,
            mean_reward,
            mean_loss,
        }) = answer
        else {
            return false;
        };
        for batch in self.batches_of(place) {
            step.records.push(Record::BatchGenerated {
                batch,
                candidates: *count,
                epsilon: *epsilon,
                mean_reward: *mean_reward,
                mean_loss: *mean_loss,
            });
        }
        if let super::Stage::Generate(stage) = &mut self.stages[place] {
            stage.agent = Some(agent.clone());
            stage.candidates = Some(candidates.clone());
        }
        true
    }

    /// After a barren round: epsilon up, and fresh start molecules in place of an empty state.
    pub(in crate::engine) fn widen(&mut self, place: usize) {
        if self.stages[place].generate().is_none() {
            return;
        }
        let barren = self.round.barren();
        let wanted = if barren == 0 { 0 } else { FRESH_STARTS };
        let mut starts: Vec<String> = std::iter::from_fn(|| self.draw()).take(wanted).collect();
        starts.reverse();
        if let super::Stage::Generate(stage) = &mut self.stages[place] {
            stage.starts = starts;
            let epsilon = (0.25 * (barren + 1) as f64).min(1.0);
            stage.epsilon_at_least = (barren > 0).then_some(epsilon);
        }
    }
}
