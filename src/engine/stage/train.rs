//! Stages that fit the surrogate to the evaluated molecules.

use super::Turn;
use crate::engine::tasks::Work;
use crate::engine::{Engine, EngineStep};
use crate::task::{FileRef, Outcome, Record};

/// State of a stage that trains.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct TrainStage {
    pub turn: Turn,
    /// Statistics of the first so many evaluated molecules, to which the next training adds; none
    /// until there are, and after a training failed, for which they may be the reason.
    pub statistics: Option<(FileRef, usize)>,
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
        for batch in self.batches_of(place) {
            if let Some(Outcome::Trained { groups, rmse, .. }) = answer {
                let (groups, rmse) = (*groups, *rmse);
                step.records.push(Record::BatchTrained {
                    batch,
                    groups,
                    rmse,
                });
            }
        }
        let super::Stage::Train(stage) = &mut self.stages[place] else {
            return false;
        };
        let Some(Outcome::Trained {
            model, statistics, ..
        }) = answer
        else {
            stage.statistics = None;
            return false;
        };
        stage.model = Some(model.clone());
        stage.statistics = statistics.clone().map(|file| (file, observations));
        true
    }
}
