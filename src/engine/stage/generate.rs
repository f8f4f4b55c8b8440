//! Stages that propose molecules.

use super::{TrainStage, Turn};
use crate::engine::tasks::Work;
use crate::engine::{Engine, EngineStep};
use crate::task::{FileRef, Outcome};

/// Start molecules handed to the generator once it found little that is new.
const FRESH_STARTS: usize = 8;

/// State of a stage that generates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct GenerateStage {
    pub turn: Turn,
    /// The generator as it was saved last.
    pub state: Option<FileRef>,
    /// The molecules that it proposed in the present round.
    pub candidates: Option<FileRef>,
    /// Molecules of the source to begin at in the present round.
    starts: Vec<String>,
    /// True if it proposed as many new molecules in the present round as a batch takes.
    is_productive: bool,
    /// Rounds in a row in which it did not.
    pub scarce_rounds: usize,
}

impl GenerateStage {
    /// Learns how many new molecules a `screen` stage found among its proposals, and how many the
    /// batch could hold.
    pub fn count_new(&mut self, new: usize, room: usize) {
        self.is_productive |= new >= room;
    }

    /// Forgets what belongs to the present round, and counts it if it was scarce.
    pub fn forget_round(&mut self) {
        self.candidates = None;
        self.scarce_rounds = match std::mem::take(&mut self.is_productive) {
            true => 0,
            false => self.scarce_rounds + 1,
        };
    }
}

impl Engine {
    /// Lets the generator propose molecules with the model of the stage `model`; false if there is none.
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
        // One may have failed since the round began.
        let starts = stage.starts.iter();
        let starts = starts.filter(|smiles| !self.quarantined.contains(*smiles));
        let work = Work::Generate {
            stage: place,
            model,
            starts: starts.cloned().collect(),
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

    /// Keeps the generator and the molecules that it proposed; false if there are none.
    pub(in crate::engine) fn generation_ended(
        &mut self,
        place: usize,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) -> bool {
        let Some(Outcome::Generated {
            state,
            candidates,
            count,
            metrics,
        }) = answer
        else {
            return false;
        };
        let mut metrics = metrics.clone();
        metrics.insert("candidates".to_owned(), *count as f64);
        let scarce_rounds = self.stages[place]
            .generate()
            .map_or(0, |stage| stage.scarce_rounds);
        metrics.insert("scarce_rounds".to_owned(), scarce_rounds as f64);
        self.record_metrics(place, &metrics, step);
        if let super::Stage::Generate(stage) = &mut self.stages[place] {
            stage.state = Some(state.clone());
            stage.candidates = Some(candidates.clone());
        }
        true
    }

    /// Draws fresh molecules to begin at after a round in which the generator found little new: the
    /// answer comes before a batch is wholly barren.
    pub(in crate::engine) fn widen(&mut self, place: usize) {
        let Some(stage) = self.stages[place].generate() else {
            return;
        };
        let wanted = match stage.scarce_rounds {
            0 => 0,
            _ => FRESH_STARTS,
        };
        let mut starts: Vec<String> = std::iter::from_fn(|| self.draw()).take(wanted).collect();
        starts.reverse();
        if let super::Stage::Generate(stage) = &mut self.stages[place] {
            stage.starts = starts;
        }
    }
}
