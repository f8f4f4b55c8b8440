//! EngineStep of the engine: its records for the store and effects for the driver after one event.

use crate::task::{Attempt, Record, TaskId};

/// Consequences of one event. All records are committed before any effect is performed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStep {
    /// Changes of the derived tables, in order.
    pub records: Vec<Record>,
    /// Actions that are requested, in order.
    pub effects: Vec<Effect>,
}

/// An action that the driver performs outside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Submit an attempt.
    Submit {
        /// Task of the attempt.
        task: TaskId,
        /// Number of the attempt, from 1.
        attempt: Attempt,
    },
    /// Submit an attempt once its backoff is over.
    SubmitLater {
        /// Task of the attempt.
        task: TaskId,
        /// Number of the attempt, from 1.
        attempt: Attempt,
        /// End of the backoff, milliseconds since the Unix epoch.
        not_before: i64,
    },
    /// Cancel an attempt; no report on it is awaited any more.
    Cancel {
        /// Task of the attempt.
        task: TaskId,
        /// Number of the attempt, from 1.
        attempt: Attempt,
    },
    /// The run has ended.
    End,
}
