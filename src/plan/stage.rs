//! A stage of the plan, with the other stages that it depends on.

use serde::Serialize;

use super::objective::Direction;
use super::target::TrainingTarget;
use crate::config::campaign::{Budget, Loop};

/// A stage. Other stages are given by their places in [`Plan::stages`](super::Plan::stages).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStage {
    /// Its name in the campaign.
    pub name: String,
    /// Stages that must be complete first; within a loop: in the same round.
    pub after: Vec<usize>,
    /// The loop that repeats it; none if it runs once.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub in_loop: Option<Loop>,
    /// Its budget; none if only the conditions of the run end it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Its function.
    #[serde(flatten)]
    pub kind: StageKind,
}

impl PlannedStage {
    /// Returns the place of the stage among whose molecules it chooses.
    pub fn chosen_from(&self) -> Option<usize> {
        let StageKind::Compute { molecules, .. } = &self.kind else {
            return None;
        };
        match molecules {
            MoleculeSource::Best { of, .. } | MoleculeSource::Share { of, .. } => Some(*of),
            MoleculeSource::All | MoleculeSource::Random(_) | MoleculeSource::Queue(_) => None,
        }
    }
}

/// Function of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageKind {
    /// Computes properties of molecules.
    Compute {
        /// Names of the properties: those that the stage names, then those that it needs besides.
        properties: Vec<String>,
        /// Properties by which its molecules are ranked; none if no stage may choose among them.
        #[serde(skip)]
        ranking: Vec<RankedProperty>,
        /// Origin of the molecules.
        molecules: MoleculeSource,
        /// Molecules that are kept submitted at once; none for no limit of its own.
        parallel: Option<usize>,
    },
    /// Fits the surrogate to the evaluated molecules.
    Train {
        /// Name of the method.
        method: String,
        /// The properties that it learns: objectives, properties of constraints, cheaper levels.
        targets: Vec<TrainingTarget>,
    },
    /// Proposes molecules.
    Generate {
        /// Name of the method.
        method: String,
        /// The `train` stage whose model it explores.
        model: usize,
        /// First share of the molecules in a batch; none if the best of all generators make it.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<f64>,
    },
    /// Predicts proposed molecules and queues the best.
    Screen {
        /// Name of the method.
        method: String,
        /// The `train` stage whose model it uses.
        model: usize,
        /// The `generate` stages whose molecules it ranks.
        generators: Vec<usize>,
        /// Candidates in a batch.
        select: usize,
    },
}

/// A property by which the molecules of a stage are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankedProperty {
    /// Its place among the properties of the stage.
    pub property: usize,
    /// Which values are better.
    pub direction: Direction,
}

/// Origin of the molecules of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoleculeSource {
    /// All of the source, in its order.
    All,
    /// So many of the source, drawn without replacement.
    Random(usize),
    /// The queue of a `screen` stage.
    Queue(usize),
    /// The best of a stage once it is complete.
    Best {
        /// Number of molecules.
        count: usize,
        /// The stage.
        of: usize,
    },
    /// The molecules that are among the best share of a stage's results when they are computed.
    Share {
        /// The share, of (0, 1].
        share: f64,
        /// The stage.
        of: usize,
    },
}

impl StageKind {
    /// The method of a stage of the generator loop.
    pub fn method(&self) -> Option<&String> {
        match self {
            Self::Compute { .. } => None,
            Self::Train { method, .. }
            | Self::Generate { method, .. }
            | Self::Screen { method, .. } => Some(method),
        }
    }

    /// Returns true if it predicts proposed molecules and queues the best.
    pub fn is_screen(&self) -> bool {
        matches!(self, Self::Screen { .. })
    }

    /// Returns true if it screens with the model or the molecules of the stage at `place`.
    pub fn uses(&self, place: usize) -> bool {
        match self {
            Self::Screen {
                model, generators, ..
            } => *model == place || generators.contains(&place),
            Self::Compute { .. } | Self::Train { .. } | Self::Generate { .. } => false,
        }
    }

    /// Its word: `compute`, `train`, `generate`, `screen`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Compute { .. } => "compute",
            Self::Train { .. } => "train",
            Self::Generate { .. } => "generate",
            Self::Screen { .. } => "screen",
        }
    }
}
