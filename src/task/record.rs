//! Records: changes that events make in the tables that are derived from the journal.

use std::collections::BTreeMap;

use super::{Attempt, EndState, Failure, Metrics, Prediction, TaskId, Usage};

/// A proposed molecule.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Canonical SMILES.
    pub smiles: String,
    /// The batch it was proposed in; 0 is the initial draw.
    pub batch: u32,
    /// Its place in the batch; 0 is the best.
    pub rank: u32,
    /// Predicted values by property, each in its unit; none for a molecule of the source.
    pub predictions: BTreeMap<String, Prediction>,
    /// The `generate` stage that proposed it; none for a molecule of the source.
    pub generator: Option<String>,
    /// Molecules that it was made of, canonical SMILES; none where the generator names none.
    pub parents: Vec<String>,
}

/// A change to the tables that are derived from the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A task was created, and its first attempt submitted.
    TaskCreated {
        /// The task.
        task: TaskId,
        /// Name of its stage.
        stage: String,
        /// Name of the method.
        method: String,
        /// Molecule or free atom; none for a task of the generator loop.
        smiles: Option<String>,
        /// Batch that it belongs to; None for a free atom.
        batch: Option<u32>,
    },
    /// The answer of a task that ends now is that of an earlier run.
    Cached {
        /// The task.
        task: TaskId,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Task of the attempt.
        task: TaskId,
        /// The attempt.
        attempt: Attempt,
        /// Its failure.
        failure: Failure,
        /// Resources that it used.
        usage: Usage,
    },
    /// A failed attempt is followed by another.
    TaskAgain {
        /// Task of the attempt.
        task: TaskId,
        /// The next attempt.
        attempt: Attempt,
        /// Failure of the attempt before.
        failure: Failure,
    },
    /// A task ended.
    TaskEnded {
        /// The task.
        task: TaskId,
        /// State in which it ended.
        state: EndState,
        /// Resources that its last attempt used.
        usage: Usage,
    },
    /// Quantities of a free atom by a method, in atomic units.
    FreeAtom {
        /// Name of the method.
        method: String,
        /// Symbol of the element.
        element: String,
        /// By name.
        quantities: BTreeMap<String, f64>,
    },
    /// Quantities of a molecule that a task computed, in atomic units.
    Quantities {
        /// The task.
        task: TaskId,
        /// By name.
        quantities: BTreeMap<String, f64>,
    },
    /// A candidate is known and waits.
    Queued(Candidate),
    /// A candidate left the queue without an evaluation: it was replaced, or the run ended.
    Superseded {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
    },
    /// A stage computes a property of a candidate; `task` is the last of its calculations.
    Evaluating {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// The task.
        task: TaskId,
    },
    /// The properties that a stage computes of a candidate are known.
    Evaluated {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// By property, each in its unit.
        values: BTreeMap<String, f64>,
        /// Value of the objective, if it is among them and the campaign has no other.
        objective: Option<f64>,
        /// True if it meets the constraints; none if the campaign has none, or the stage does not
        /// compute all objectives.
        feasible: Option<bool>,
    },
    /// A candidate is on the Pareto front.
    FrontJoined {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
    },
    /// A candidate is on the Pareto front no longer: another one dominates it.
    FrontLeft {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
    },
    /// The hypervolume of the Pareto front with the result of a candidate.
    Hypervolume {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// In the product of the units of the objectives.
        value: f64,
    },
    /// A calculation of a candidate failed for good.
    EvaluationFailed {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// The task of that calculation.
        task: TaskId,
    },
    /// The evaluation of a candidate was cancelled.
    EvaluationCancelled {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
    },
    /// The generator started a batch.
    BatchStarted {
        /// Number of the batch.
        batch: u32,
        /// Number of evaluated molecules that it learns from.
        observations: usize,
    },
    /// A stage of the generator loop ended its task for a batch.
    BatchMetrics {
        /// Number of the batch.
        batch: u32,
        /// Name of the stage.
        stage: String,
        /// Numbers that describe what it did, by name.
        metrics: Metrics,
    },
    /// The generator ended a batch.
    BatchFinished {
        /// Number of the batch.
        batch: u32,
        /// Number of candidates that were not known before.
        new_candidates: usize,
    },
    /// The run ended.
    RunEnded {
        /// Reason for its end.
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
    /// All evaluations of `stop.evaluations` have ended.
    Evaluations,
    /// A molecule reached the target value.
    Target,
    /// The wall time of the campaign is over.
    WallTime,
    /// The core-hours of the campaign are used up.
    CoreHours,
    /// The node-hours of the campaign are used up.
    NodeHours,
    /// The stages of the loops have used up their budgets.
    Budgets,
    /// The last batches brought no better molecule.
    StaleBatches,
    /// The last batches brought no new candidate.
    BarrenBatches,
    /// The tasks of the generator failed in as many batches in a row.
    GeneratorFailed,
    /// Too large a share of the evaluations failed.
    FailureShare,
    /// Free atoms failed for good, and no molecule can be computed without them.
    References,
    /// Not one molecule could be computed.
    NothingComputed,
}

impl StoppedBy {
    const ALL: [Self; 13] = [
        Self::Completed,
        Self::Evaluations,
        Self::Target,
        Self::WallTime,
        Self::CoreHours,
        Self::NodeHours,
        Self::Budgets,
        Self::StaleBatches,
        Self::BarrenBatches,
        Self::GeneratorFailed,
        Self::FailureShare,
        Self::References,
        Self::NothingComputed,
    ];

    /// Returns the reason with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// Returns the word used in the database and in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Evaluations => "evaluations",
            Self::Target => "target",
            Self::WallTime => "wall_time",
            Self::CoreHours => "core_hours",
            Self::NodeHours => "node_hours",
            Self::Budgets => "budgets",
            Self::StaleBatches => "stale_batches",
            Self::BarrenBatches => "barren_batches",
            Self::GeneratorFailed => "generator_failed",
            Self::FailureShare => "failure_share",
            Self::References => "references",
            Self::NothingComputed => "nothing_computed",
        }
    }

    /// Returns a sentence for the user.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Completed => "all stages are complete",
            Self::Evaluations => "all evaluations asked for are done",
            Self::Target => "the target value was reached",
            Self::WallTime => "the wall time is over",
            Self::CoreHours => "the core-hours are used up",
            Self::NodeHours => "the node-hours are used up",
            Self::Budgets => "the stages of the loops have used up their budgets",
            Self::StaleBatches => "the last batches brought no better molecule",
            Self::BarrenBatches => "the generator found nothing new in the last batches",
            Self::GeneratorFailed => "the tasks of the generator failed in the last batches",
            Self::FailureShare => "too large a share of the evaluations failed",
            Self::References => "no molecule can be computed without the free atoms that failed",
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
