//! Events and commands of the pool of blocks.

use std::time::Duration;

use crate::exec::Termination;
use crate::exec::job_wrapper::AttemptFiles;
use crate::scheduler::{JobStatus, Submission};
use crate::task::Token;

/// Fact about blocks and the steps in them.
#[derive(Clone, Debug)]
pub enum BlockEvent {
    /// Tasks to be run, in this order, and the time that each may take.
    Submitted(Vec<(Token, Duration)>),
    /// Step that an earlier engine started in the block of this name.
    Adopted(Token, String),
    /// Tasks to cancel, waiting or running.
    Cancel(Vec<Token>),
    /// Tasks that have not started must not start.
    DropWaiting,
    /// Outcome of the submission of a block.
    BlockSubmitted(String, Submission),
    /// Slurm's list of jobs, which may lack jobs that live.
    Listed(Vec<JobStatus>),
    /// Slurm's answer for the job id of the block of this name; None if it does not know the id.
    Shown(String, Option<JobStatus>),
    /// The client of a step has ended; what the step has left by now.
    ClientEnded(Token, Termination, AttemptFiles),
    /// Steps that still run although their clients have ended.
    StepsRunning(Vec<Token>),
    /// Time has passed.
    Tick,
}

/// Action on blocks and steps.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockCommand {
    /// Submit a block of this name.
    Submit(String),
    /// Cancel the job that holds a block.
    Release(String),
    /// Ask for blocks by their job ids: name and id.
    Show(Vec<(String, String)>),
    /// Start a task in the block of this name and job id.
    Start {
        /// Name of the attempt.
        token: Token,
        /// Name of the block.
        block: String,
        /// Id of the job that holds it.
        id: String,
    },
    /// Terminate the client of a step, and with it the step.
    Terminate(Token),
    /// Report the end of a task.
    Report(Token, Termination, AttemptFiles),
}
