//! Facts of the journal: replayed in order they give the live state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attempt, Failure, FileRef, Metrics, Prediction, TaskId};

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
        /// File of all molecules of the source, canonical SMILES, one a line, if a generator
        /// proposes these.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pool: Option<FileRef>,
        /// Further attempts at a free atom, whatever the failure.
        #[serde(default, skip_serializing_if = "is_zero")]
        atom_retries: u32,
    },
    /// An earlier run had results: those that are complete for the objective are known from the
    /// beginning. Comes before [`Fact::Began`].
    Inherited {
        /// Random name of the earlier run.
        run: String,
        /// Molecules whose objective needs no new calculation, canonical SMILES.
        molecules: Vec<String>,
        /// Molecules that failed there for good, and are not computed.
        quarantined: Vec<String>,
    },
    /// Free atoms that failed for good are computed again, and what was not computed without them.
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
        /// Budgets of the stages that have one, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        budgets: BTreeMap<String, serde_json::Value>,
    },
    /// The saved state of a generator is damaged or missing: the next round starts with a new one.
    StateLost,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Resources that an attempt used, where known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When its process started, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<i64>,
    /// When it ended, if that was known only later than it happened; else it ended at the time of
    /// the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
    /// The most memory that it held at once, KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
    /// Name of the host that it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Usage {
    /// Returns when its process ended, in an event at `at`; milliseconds since the Unix epoch.
    pub fn end(&self, at: i64) -> i64 {
        self.ended.unwrap_or(at)
    }

    /// Returns how long its process ran, in an event at `at`, milliseconds; None if its start is
    /// not known.
    pub fn took(&self, at: i64) -> Option<u64> {
        let took = self.end(at).saturating_sub(self.started?);
        Some(took.max(0).cast_unsigned())
    }
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
        /// All that the next training needs of the molecules that the model was fitted to.
        memory: FileRef,
        /// Number of molecules that it was fitted to.
        molecules: usize,
        /// Numbers that describe the fit, by name.
        metrics: Metrics,
    },
    /// The generator proposed candidates.
    Generated {
        /// State of the generator, from which the next round continues.
        state: FileRef,
        /// The candidates, one SMILES per line.
        candidates: FileRef,
        /// Number of candidates.
        count: usize,
        /// Numbers that describe the round, by name.
        metrics: Metrics,
    },
    /// The surrogate ranked candidates.
    Screened {
        /// The candidates with their predictions, best first.
        ranked: Vec<RankedCandidate>,
    },
    /// The attempt failed.
    Failed(Failure),
}

/// A proposed molecule with its predicted cost: the value of the objective, its
/// negative where that is maximised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedCandidate {
    /// Canonical SMILES.
    pub smiles: String,
    /// Mean and standard deviation of the predicted cost of the first target, an objective, in its
    /// unit.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The same of the further targets of the surrogate: objectives, properties of constraints, and
    /// cheaper levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Prediction>,
    /// Place, among the generators of the `screen` stage, of the one that proposed it.
    #[serde(default, skip_serializing_if = "is_first")]
    pub generator: usize,
    /// Molecules that it was made of, canonical SMILES; none where the generator names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
}

fn is_first(place: &usize) -> bool {
    *place == 0
}
