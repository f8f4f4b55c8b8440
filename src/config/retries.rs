//! Retries of the tasks of a method, as a campaign writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// Retries of a task: one number, or a number for each kind of failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RetriesConfig {
    /// Retries after failures of all kinds together.
    Same(#[schemars(range(max = 100))] u32),
    /// Retries for each kind of failure.
    ByKind(RetriesByKind),
}

impl Default for RetriesConfig {
    fn default() -> Self {
        Self::Same(0)
    }
}

/// Further attempts after a failure of each kind; a kind that is not named shares `others`.
///
/// Not named, `walltime`, `node_lost` and `lost` have 19 of their own, `not_a_number` has 4, and
/// `not_converged`, `no_geometry` and `unreadable` have none. Free atoms are tried again in any
/// case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetriesByKind {
    /// The process, or the program that it needs, could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub launch: Option<u32>,
    /// The task ended with a status other than zero, or by a signal, and left no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub exit: Option<u32>,
    /// The program was given too little memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub memory: Option<u32>,
    /// The program could not write its temporary files.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub scratch: Option<u32>,
    /// The task exceeded the method's timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub timeout: Option<u32>,
    /// The scheduler ended the job at its walltime.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub walltime: Option<u32>,
    /// The node failed or was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub node_lost: Option<u32>,
    /// The task disappeared without a result, and its end was not observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub lost: Option<u32>,
    /// The calculation did not converge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub not_converged: Option<u32>,
    /// The program computed NaN, or a number that cannot be an energy of the molecule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub not_a_number: Option<u32>,
    /// No 3D structure of the molecule could be generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub no_geometry: Option<u32>,
    /// The output exists but cannot be parsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub unreadable: Option<u32>,
    /// Retries after failures of all other kinds together.
    #[schemars(range(max = 100))]
    pub others: u32,
    /// Wait before the second attempt, doubled before each further one, up to an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Duration>,
}
