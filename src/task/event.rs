//! The facts that the journal holds: replayed in order they give the live state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Failure, FileRef, Prediction, TaskId};

/// A fact and when it became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
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
        task: TaskId,
        attempt: Attempt,
        #[serde(default)]
        usage: Usage,
        outcome: Outcome,
    },
    /// An earlier run had the answer of a task: no attempt is made.
    Cached { task: TaskId, outcome: Outcome },
    /// Another engine took the run over; what lies before is no time that the run was at work.
    Resumed,
    /// The wall time of the campaign is over.
    TimeIsUp,
    /// The user changed settings of the run in its directory: what changed, for people, and when it
    /// stops from now on.
    SettingsChanged {
        changes: Vec<String>,
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
        quantities: BTreeMap<String, f64>,
        /// Number of atoms of each element, hydrogen included.
        atoms: BTreeMap<String, u32>,
        /// The geometry in the XYZ format, angstrom, where other methods begin with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        xyz: Option<String>,
    },
    Trained {
        model: FileRef,
        /// Statistics of all that the model was fitted to, to which the next training adds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        statistics: Option<FileRef>,
        molecules: usize,
        groups: usize,
        /// Root mean square error on the training set, in the unit of the objective.
        rmse: f64,
    },
    Generated {
        agent: FileRef,
        candidates: FileRef,
        count: usize,
        epsilon: f64,
        /// Mean reward a step, in standard deviations of the evaluated molecules' objective.
        mean_reward: f64,
        mean_loss: Option<f64>,
    },
    /// Predictions, best first.
    Screened {
        ranked: Vec<RankedCandidate>,
    },
    Failed(Failure),
}

/// A molecule that the agent visited, with its predicted cost: the value of the objective, its
/// negative where that is maximised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedCandidate {
    /// Canonical SMILES.
    pub smiles: String,
    #[serde(flatten)]
    pub prediction: Prediction,
}
