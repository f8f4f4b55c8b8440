//! Facts of the journal: replayed in order they give the live state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Failure, FileRef, Prediction, TaskId};

/// A fact and when it became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// The fact itself.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Information for the engine from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The run began with these molecules, drawn from the source of the search space.
    Began {
        /// Molecules of the stages that take them from the source, by stage; canonical SMILES.
        #[serde(default)]
        molecules: BTreeMap<String, Vec<String>>,
        /// Further ones, for when all molecules of a draw fail and the generator needs fresh starts.
        reserve: Vec<String>,
        /// Further attempts at a free atom, whatever the failure.
        #[serde(default, skip_serializing_if = "is_zero")]
        atom_retries: u32,
    },
    /// The run had ended because an atomic reference was missing: the missing ones are computed
    /// again.
    ReferencesAgain,
    /// An attempt ended.
    Ended {
        /// Task of the attempt.
        task: TaskId,
        /// The attempt that ended.
        attempt: Attempt,
        /// Resources that it used.
        #[serde(default)]
        usage: Usage,
        /// Its result, or its failure.
        outcome: Outcome,
    },
    /// An earlier run had the answer of a task: no attempt is made.
    Cached {
        /// The task, which ends without an attempt.
        task: TaskId,
        /// Its result in the earlier run.
        outcome: Outcome,
    },
    /// Another engine took the run over; what lies before is no time that the run was at work.
    Resumed,
    /// The wall time of the campaign is over.
    TimeIsUp,
    /// The user changed settings of the run in its directory.
    SettingsChanged {
        /// Sentences for the user, one per changed setting.
        changes: Vec<String>,
        /// New stop conditions, the block `stop` of the campaign.
        stop: serde_json::Value,
    },
    /// The saved state of the generator is damaged or missing: the next batch starts with a new
    /// agent.
    StateLost,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Resources that an attempt used, where known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When its process started, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// The most memory that it held at once, KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
}

/// Outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A calculation of a molecule or a free atom.
    Simulated {
        /// Quantities by their names, in atomic units.
        #[serde(default)]
        quantities: BTreeMap<String, f64>,
        /// Number of atoms of each element, hydrogen included.
        atoms: BTreeMap<String, u32>,
        /// The geometry in the XYZ format, angstrom, where other methods begin with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        xyz: Option<String>,
    },
    /// The surrogate was fitted.
    Trained {
        /// The fitted model.
        model: FileRef,
        /// Statistics of all that the model was fitted to, to which the next training adds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statistics: Option<FileRef>,
        /// Number of molecules that it was fitted to.
        molecules: usize,
        /// Number of groups that its features count.
        groups: usize,
        /// Root mean square error on the training set, in the unit of the objective.
        #[serde(alias = "rmse_hartree")]
        rmse: f64,
    },
    /// The generator proposed candidates.
    Generated {
        /// State of the agent, from which the next batch continues.
        agent: FileRef,
        /// The candidates, one SMILES per line.
        candidates: FileRef,
        /// Number of candidates.
        count: usize,
        /// Exploration rate at the end, 0 to 1.
        epsilon: f64,
        /// Mean reward a step, in standard deviations of the evaluated molecules' objective.
        mean_reward: f64,
        /// Mean loss of the training steps; None if there was none.
        mean_loss: Option<f64>,
    },
    /// The surrogate ranked candidates.
    Screened {
        /// The candidates with their predictions, best first.
        ranked: Vec<RankedCandidate>,
    },
    /// The attempt failed.
    Failed(Failure),
}

/// A molecule that the agent visited, with its predicted cost: the value of the objective, its
/// negative where that is maximised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedCandidate {
    /// Canonical SMILES.
    pub smiles: String,
    /// Mean and standard deviation of the predicted cost of the first objective, in its unit.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The same of the further objectives, then of the other properties of constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Prediction>,
}
