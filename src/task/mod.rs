//! What a task is: its identity, its inputs and outcomes, and the one function that moves it from state to state.

mod failure;
mod state;

pub use failure::{Failure, FailureKind};
pub use state::{IllegalEvent, TaskEvent, TaskState};

use serde::{Deserialize, Serialize};

/// The number of a task within its run, counted from 1 in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// The number of a try at a task, counted from 1.
pub type Attempt = u32;

/// A file named by its content: what moves between tasks without passing through the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Lower-case hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}
