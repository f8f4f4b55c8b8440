//! What one event changes in the tables that are derived from the journal.

use std::collections::BTreeMap;

use super::{Attempt, EndState, Failure, Prediction, TaskId, Usage};

/// A proposed molecule.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Canonical SMILES.
    pub smiles: String,
    /// The batch it was proposed in; 0 is the initial draw.
    pub batch: u32,
    /// Its place in the batch; 0 is the best.
    pub rank: u32,
    /// Predicted value of the objective; none for a molecule of the source.
    pub prediction: Option<Prediction>,
}

/// A change to the tables that are derived from the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    TaskCreated {
        task: TaskId,
        stage: String,
        method: String,
        smiles: Option<String>,
        batch: Option<u32>,
    },
    /// The answer of a task that ends now is that of an earlier run.
    Cached {
        task: TaskId,
    },
    AttemptFailed {
        task: TaskId,
        attempt: Attempt,
        failure: Failure,
    },
    /// A failed attempt is followed by another.
    TaskAgain {
        task: TaskId,
        attempt: Attempt,
        failure: Failure,
    },
    TaskEnded {
        task: TaskId,
        state: EndState,
        usage: Usage,
    },
    /// Quantities of a free atom by a method, in atomic units.
    FreeAtom {
        method: String,
        element: String,
        quantities: BTreeMap<String, f64>,
    },
    /// Quantities of a molecule that a task computed, in atomic units.
    Quantities {
        task: TaskId,
        quantities: BTreeMap<String, f64>,
    },
    /// A candidate is known and waits.
    Queued(Candidate),
    Superseded {
        batch: u32,
        rank: u32,
    },
    /// A stage computes a property of a candidate; `task` is the last of its calculations.
    Evaluating {
        batch: u32,
        rank: u32,
        task: TaskId,
    },
    /// A property of a candidate is known.
    Evaluated {
        batch: u32,
        rank: u32,
        property: String,
        /// In the unit of the property.
        value: f64,
        is_objective: bool,
    },
    /// A calculation of a candidate failed for good.
    EvaluationFailed {
        batch: u32,
        rank: u32,
        task: TaskId,
    },
    EvaluationCancelled {
        batch: u32,
        rank: u32,
    },
    /// The generator started a batch, which learns from so many evaluated molecules.
    BatchStarted {
        batch: u32,
        observations: usize,
    },
    BatchTrained {
        batch: u32,
        groups: usize,
        /// In the unit of the objective.
        rmse: f64,
    },
    BatchGenerated {
        batch: u32,
        candidates: usize,
        epsilon: f64,
        mean_reward: f64,
        mean_loss: Option<f64>,
    },
    /// The generator ended a batch with this many new candidates.
    BatchFinished {
        batch: u32,
        new_candidates: usize,
    },
    RunEnded {
        stopped_by: StoppedBy,
    },
    /// A run that had ended continues.
    RunReopened,
}

/// Reason for the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// Every stage of a campaign without loops is complete.
    Completed,
    Evaluations,
    Target,
    WallTime,
    StaleBatches,
    BarrenBatches,
    /// The tasks of the generator failed in as many batches in a row.
    GeneratorFailed,
    FailureShare,
    /// An atomic reference could not be computed.
    References,
    /// Not one molecule could be computed.
    NothingComputed,
}

impl StoppedBy {
    const ALL: [Self; 10] = [
        Self::Completed,
        Self::Evaluations,
        Self::Target,
        Self::WallTime,
        Self::StaleBatches,
        Self::BarrenBatches,
        Self::GeneratorFailed,
        Self::FailureShare,
        Self::References,
        Self::NothingComputed,
    ];

    /// The one of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The word used in the database and in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Evaluations => "evaluations",
            Self::Target => "target",
            Self::WallTime => "wall_time",
            Self::StaleBatches => "stale_batches",
            Self::BarrenBatches => "barren_batches",
            Self::GeneratorFailed => "generator_failed",
            Self::FailureShare => "failure_share",
            Self::References => "references",
            Self::NothingComputed => "nothing_computed",
        }
    }

    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Completed => "all stages are complete",
            Self::Evaluations => "all evaluations asked for are done",
            Self::Target => "the target value was reached",
            Self::WallTime => "the wall time is over",
            Self::StaleBatches => "the last batches brought no better molecule",
            Self::BarrenBatches => "the generator found nothing new in the last batches",
            Self::GeneratorFailed => "the tasks of the generator failed in the last batches",
            Self::FailureShare => "too large a share of the evaluations failed",
            Self::References => "an atomic reference energy could not be computed",
            Self::NothingComputed => "not one molecule could be computed",
        }
    }

    /// Returns true if the campaign was completed, as far as its search space allowed.
    pub fn is_success(self) -> bool {
        !matches!(
            self,
            Self::GeneratorFailed | Self::FailureShare | Self::References | Self::NothingComputed
        )
    }
}
