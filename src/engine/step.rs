//! Answer of the engine to one event: records for the store, effects for the driver.

use crate::task::{Attempt, Record, TaskId};

/// The answer to one event. The records are committed before any of the effects is performed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStep {
    pub records: Vec<Record>,
    pub effects: Vec<Effect>,
}

/// An action that the driver performs outside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start this attempt.
    Submit { task: TaskId, attempt: Attempt },
    /// Start this attempt, but not before this time, milliseconds since the Unix epoch.
    SubmitLater {
        task: TaskId,
        attempt: Attempt,
        not_before: i64,
    },
    /// End this attempt; no report on it is awaited any more.
    Cancel { task: TaskId, attempt: Attempt },
    /// Nothing is left to do.
    End,
}
