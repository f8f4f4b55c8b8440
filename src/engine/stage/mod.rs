//! The stages of a plan: one file for each kind, with its state and its decision about what comes
//! next.

mod compute;
mod generate;
mod results;
mod screen;
mod shares;
mod train;

pub(super) use compute::ComputeStage;
pub(super) use generate::GenerateStage;
pub(super) use screen::ScreenStage;
pub(super) use train::TrainStage;

use crate::plan::{Plan, StageKind};
use crate::task::FileRef;

/// State of a stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    Compute(ComputeStage),
    Train(TrainStage),
    Generate(GenerateStage),
    Screen(ScreenStage),
}

/// Turn of a stage in the present round of the generator loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for stages before it.
    Waiting,
    /// Its task runs.
    Running,
    /// Its task has ended.
    #[default]
    Done,
    /// Its task failed for good, or a stage that it needs did.
    Failed,
}

impl Turn {
    /// Turn of a task that has ended.
    pub fn of(succeeded: bool) -> Self {
        if succeeded { Self::Done } else { Self::Failed }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl Stage {
    /// The stage at `place` of the plan.
    pub fn new(plan: &Plan, place: usize) -> Self {
        match &plan.stages[place].kind {
            StageKind::Compute {
                properties,
                ranking,
                ..
            } => {
                let are_taken =
                    (plan.stages.iter()).any(|other| other.chosen_from() == Some(place));
                Self::Compute(ComputeStage::new(plan, properties, ranking, are_taken))
            }
            StageKind::Train { .. } => Self::Train(TrainStage::default()),
            StageKind::Generate { .. } => Self::Generate(GenerateStage::default()),
            StageKind::Screen {
                generators, select, ..
            } => Self::Screen(ScreenStage::new(plan, generators, *select)),
        }
    }

    pub fn compute(&self) -> Option<&ComputeStage> {
        match self {
            Self::Compute(stage) => Some(stage),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    pub fn compute_mut(&mut self) -> Option<&mut ComputeStage> {
        match self {
            Self::Compute(stage) => Some(stage),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    pub fn train(&self) -> Option<&TrainStage> {
        match self {
            Self::Train(stage) => Some(stage),
            Self::Compute(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    pub fn generate(&self) -> Option<&GenerateStage> {
        match self {
            Self::Generate(stage) => Some(stage),
            Self::Compute(_) | Self::Train(_) | Self::Screen(_) => None,
        }
    }

    pub fn generate_mut(&mut self) -> Option<&mut GenerateStage> {
        match self {
            Self::Generate(stage) => Some(stage),
            Self::Compute(_) | Self::Train(_) | Self::Screen(_) => None,
        }
    }

    pub fn screen(&self) -> Option<&ScreenStage> {
        match self {
            Self::Screen(stage) => Some(stage),
            Self::Compute(_) | Self::Train(_) | Self::Generate(_) => None,
        }
    }

    pub fn screen_mut(&mut self) -> Option<&mut ScreenStage> {
        match self {
            Self::Screen(stage) => Some(stage),
            Self::Compute(_) | Self::Train(_) | Self::Generate(_) => None,
        }
    }

    /// Turn of a stage of the generator loop.
    pub fn turn(&self) -> Option<Turn> {
        match self {
            Self::Compute(_) => None,
            Self::Train(stage) => Some(stage.turn),
            Self::Generate(stage) => Some(stage.turn),
            Self::Screen(stage) => Some(stage.turn),
        }
    }

    pub fn set_turn(&mut self, turn: Turn) {
        match self {
            Self::Compute(_) => {}
            Self::Train(stage) => stage.turn = turn,
            Self::Generate(stage) => stage.turn = turn,
            Self::Screen(stage) => stage.turn = turn,
        }
    }

    /// A number that grows when the stage advances without a new task.
    pub fn advancement(&self) -> usize {
        match self {
            Self::Compute(stage) => stage.advancement(),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => {
                usize::from(self.turn().is_some_and(Turn::is_over))
            }
        }
    }

    /// Forgets saved files that are damaged: the next round begins without them.
    pub fn forget_saved(&mut self) {
        match self {
            Self::Train(stage) => stage.memory = None,
            Self::Generate(stage) => stage.state = None,
            Self::Compute(_) | Self::Screen(_) => {}
        }
    }

    /// Forgets what belongs to the present round.
    pub fn forget_round(&mut self) {
        match self {
            Self::Train(stage) => stage.model = None,
            Self::Generate(stage) => stage.forget_round(),
            Self::Compute(_) | Self::Screen(_) => {}
        }
    }

    /// Files that tasks are reading, and those that later ones will read.
    pub fn files(&self) -> Vec<&FileRef> {
        match self {
            Self::Compute(_) | Self::Screen(_) => Vec::new(),
            Self::Train(stage) => {
                let memory = stage.memory.iter().map(|(file, _)| file);
                stage.model.iter().chain(memory).collect()
            }
            Self::Generate(stage) => stage.candidates.iter().chain(&stage.state).collect(),
        }
    }
}
