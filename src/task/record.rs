//! Records: changes that events make in the tables that are derived from the journal.

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
    /// Predicted value of the objective, hartree; none for the initial draw.
    pub prediction: Option<Prediction>,
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
        /// SMILES of its molecule, `[X]` of a free atom; None for tasks of the generator.
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
    /// Energy of a free atom, hartree.
    Reference {
        /// Symbol of the element.
        element: String,
        /// Total energy of the atom, hartree.
        total_energy_hartree: f64,
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
    /// A task works on a candidate; at a two-step level there are two, one after the other.
    Evaluating {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// The task.
        task: TaskId,
    },
    /// A candidate was evaluated.
    Evaluated {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
        /// Its energies.
        evaluation: Evaluation,
    },
    /// The evaluation of a candidate failed for good.
    EvaluationFailed {
        /// Batch of the candidate.
        batch: u32,
        /// Its place in the batch.
        rank: u32,
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
    /// The surrogate of a batch was fitted.
    BatchTrained {
        /// Number of the batch.
        batch: u32,
        /// Number of groups that the features of the model count.
        groups: usize,
        /// Root-mean-square error on the training data, hartree.
        rmse_hartree: f64,
    },
    /// The generator of a batch proposed candidates.
    BatchGenerated {
        /// Number of the batch.
        batch: u32,
        /// Number of candidates.
        candidates: usize,
        /// Exploration rate at the end, 0 to 1.
        epsilon: f64,
        /// Mean reward a step, in standard deviations of the evaluated molecules' objective.
        mean_reward: f64,
        /// Mean loss of the training steps; None if there was none.
        mean_loss: Option<f64>,
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

/// Energies of an evaluated molecule, hartree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Total energy at the level of theory of the campaign.
    pub total_energy_hartree: f64,
    /// E(molecule) - sum of E(atoms).
    pub atomization_energy_hartree: f64,
    /// Number of atoms, hydrogen included.
    pub atoms: u32,
    /// Value of the objective: the atomization energy, per atom where the campaign says so.
    pub value: f64,
}

/// Reason for the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// As many evaluations as the campaign asks for are done.
    Evaluations,
    /// A molecule reached the target value.
    Target,
    /// The wall time of the campaign is over.
    WallTime,
    /// The last batches brought no better molecule.
    StaleBatches,
    /// The last batches brought no new candidate.
    BarrenBatches,
    /// The tasks of the generator failed in as many batches in a row.
    GeneratorFailed,
    /// Too large a share of the evaluations failed.
    FailureShare,
    /// An atomic reference could not be computed.
    References,
    /// Not one molecule could be computed.
    NothingComputed,
}

impl StoppedBy {
    const ALL: [Self; 9] = [
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

    /// Returns the reason with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// Returns the word used in the database and in `--json`.
    pub fn word(self) -> &'static str {
        match self {
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

    /// Returns a sentence for the user.
    pub fn sentence(self) -> &'static str {
        match self {
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
