//! How work is started: an executor runs jobs of a partition as processes and reports what became of them.

pub mod allocation;
pub mod cores;
pub mod doctor;
pub mod gpus;
mod job_wrapper;
pub mod jobs;
mod launch;
mod launcher;
mod local;
mod process;
mod program;
mod scratch;
mod secrets;
pub mod slurm;
pub mod ssh;
pub mod submission;
pub mod transport;

pub use job_wrapper::{discard, run_job};
pub use launch::now;
pub use launcher::{HOSTS, LauncherError, render};
pub use local::LocalExecutor;
pub use process::{Environment, find_clients, peak_memory_kib};
pub use program::{PROGRAM_ERR, ProgramError, Run, run, version};
pub use scratch::{Folder, SCRATCH, Scratch, ScratchError};
pub use secrets::Secrets;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::task::{HostFault, Limits, Shape, Token};

/// One attempt at a task, ready to be started.
#[derive(Clone, Debug)]
pub struct Job {
    pub token: Token,
    pub argv: Vec<String>,
    /// Environment of the process besides the allow-list.
    pub env: Vec<(String, String)>,
    /// Directory of the attempt; made by the executor just before the start.
    pub dir: PathBuf,
    /// Files written into `dir`: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Files linked into `dir`: where they are and their name.
    pub links: Vec<(PathBuf, String)>,
    /// Name of the file in `dir` that holds the result.
    pub result: &'static str,
    /// Time limits of the attempt.
    pub limits: Limits,
    /// Of the MPI program that it starts, if it does; None for one process.
    pub shape: Option<Shape>,
}

/// News of a job.
#[derive(Clone, Debug)]
pub struct Report {
    pub token: Token,
    pub news: News,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
}

#[derive(Clone, Debug)]
pub enum News {
    Started,
    Ended {
        exit: Exit,
        /// Content of the result file, if there is one.
        result: Option<Vec<u8>>,
        started: Option<i64>,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
    Cancelled,
    LaunchFailed(String),
    /// The host kept it from starting.
    NotStarted(HostFault, String),
    /// The host keeps what it left, or whether it runs, from being read.
    Unread(HostFault, String),
    /// The batch system ended it at its walltime.
    Walltime,
    /// The batch system took its node away or lost it: its word.
    NodeLost(String),
    /// Somebody else had the batch system end it.
    CancelledByHand,
    /// The batch system says that it ended, in this word, and the job itself left no trace.
    Word(String),
    /// It is gone and nobody saw it end.
    Unseen,
}

impl Exit {
    /// Of an attempt whose start failed.
    pub fn of_start(error: &io::Error) -> Self {
        match HostFault::of(error) {
            Some(fault) => Self::NotStarted(fault, error.to_string()),
            None => Self::LaunchFailed(error.to_string()),
        }
    }
}

/// Where an attempt stands whose token was journalled by an engine that is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It never started.
    Nothing,
    /// It runs, or ran: its end is reported like any other.
    Adopted,
}

/// A way to run jobs. Reports come through the channel that the executor was made with.
pub trait Executor: Send {
    /// Starts jobs, in this order, as slots become free.
    fn submit(&mut self, jobs: Vec<Job>);
    /// Looks for jobs that an earlier engine may have started, and takes them over.
    fn find(&mut self, jobs: &[Job]) -> Vec<Found>;
    /// Ends processes of a run that belong to none of `keep`: those that an engine left which died while it cancelled.
    fn end_others(&mut self, run: &str, keep: &[Token]);
    /// Ends jobs, running or waiting. Those that run are still reported.
    fn cancel(&mut self, tokens: &[Token]);
    /// Forgets the jobs that have not started.
    fn drop_waiting(&mut self);
    fn slots(&self) -> usize;
    /// Jobs that were begun and whose ends are not among the reports yet. So it is zero only when every end has been
    /// reported, and it is no less than the number of jobs that run. It may be more than `slots`: a job counts until its
    /// end is reported, which is after its place has been given to the next.
    fn busy(&self) -> usize;
    /// Ends what runs and waits, as dropping it does; a sentence for the user about each thing that may still run.
    fn end(self: Box<Self>) -> Vec<String> {
        Vec::new()
    }
}
