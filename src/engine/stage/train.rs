//! Stages that fit the surrogate to the evaluated molecules.

use super::Turn;
use crate::engine::tasks::Work;
use crate::engine::{Engine, EngineStep};
use crate::task::{FileRef, Metrics, Outcome, Record};

/// State of a stage that trains.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct TrainStage {
    pub turn: Turn,
    /// Memory of the first so many evaluated molecules, to which the next training adds; none until
    /// there is one, and after a training failed, for which it may be the reason.
    pub memory: Option<(FileRef, usize)>,
    /// The model of the present round.
    pub model: Option<FileRef>,
}

impl Engine {
    pub(in crate::engine) fn begin_training(&mut self, place: usize, step: &mut EngineStep) {
        let observations = self.round.observations();
        self.submit_turn(
            place,
            Work::Train {
                stage: place,
                observations,
            },
            step,
        );
    }

    /// Keeps a model that learnt from the first `observations` evaluated molecules; false if there
    /// is none.
    pub(in crate::engine) fn training_ended(
        &mut self,
        place: usize,
        observations: usize,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) -> bool {
        if let Some(Outcome::Trained { metrics, .. }) = answer {
            self.record_metrics(place, metrics, step);
        }
        let super::Stage::Train(stage) = &mut self.stages[place] else {
            return false;
        };
        let Some(Outcome::Trained { model, memory, .. }) = answer else {
            stage.memory = None;
            return false;
        };
        stage.model = Some(model.clone());
        stage.memory = Some((memory.clone(), observations));
        true
    }

    /// Records numbers that describe the task of a stage, for each batch that it contributes to.
    pub(super) fn record_metrics(&self, place: usize, metrics: &Metrics, step: &mut EngineStep) {
        for batch in self.batches_of(place) {
            step.records.push(Record::BatchMetrics {
                batch,
                stage: self.plan.stages[place].name.clone(),
                metrics: metrics.clone(),
            });
        }
    }
}
