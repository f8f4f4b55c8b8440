//! Failures of attempts: the kind of a failure decides if the task is retried.

use serde::{Deserialize, Serialize};

/// Failure of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind, which decides about a retry.
    pub kind: FailureKind,
    /// Message for the user.
    pub message: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The process could not be started.
    Launch,
    /// The process ended with a status other than zero, or by a signal, and left no result.
    Exit,
    /// The program was given too little memory.
    Memory,
    /// The program could not write its temporary files.
    Scratch,
    /// The process ran past the method's timeout and was ended.
    Timeout,
    /// The scheduler ended the job at its walltime.
    Walltime,
    /// A node of the job was lost.
    NodeLost,
    /// The process is gone and left no result, with no engine there to see it end.
    Lost,
    /// The calculation did not converge.
    NotConverged,
    /// The program computed NaN, or a number that no energy of the molecule can be.
    NotANumber,
    /// The relaxed geometry has other bonds than the molecule: it is another one.
    Rearranged,
    /// No 3D structure could be made of the molecule.
    NoGeometry,
    /// The method cannot treat this molecule: charge, spin or element.
    Unsupported,
    /// The output exists but cannot be understood.
    Unreadable,
    /// Ended on request.
    Cancelled,
}

impl FailureKind {
    /// Returns the word used in the database, in exports and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Exit => "exit",
            Self::Memory => "memory",
            Self::Scratch => "scratch",
            Self::Timeout => "timeout",
            Self::Walltime => "walltime",
            Self::NodeLost => "node_lost",
            Self::Lost => "lost",
            Self::NotConverged => "not_converged",
            Self::NotANumber => "not_a_number",
            Self::Rearranged => "rearranged",
            Self::NoGeometry => "no_geometry",
            Self::Unsupported => "unsupported",
            Self::Unreadable => "unreadable",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns true if another attempt may succeed.
    pub fn may_pass_next_time(self) -> bool {
        match self {
            Self::Launch
            | Self::Exit
            | Self::Memory
            | Self::Scratch
            | Self::Timeout
            | Self::Walltime
            | Self::NodeLost
            | Self::NotANumber
            | Self::Lost => true,
            Self::NotConverged
            | Self::Rearranged
            | Self::NoGeometry
            | Self::Unsupported
            | Self::Unreadable
            | Self::Cancelled => false,
        }
    }

    /// Returns true if the attempt counts against the method's retries: what the machine did to it
    /// does not.
    pub fn counts_against_retries(self) -> bool {
        !matches!(self, Self::Walltime | Self::NodeLost | Self::Lost)
    }
}
