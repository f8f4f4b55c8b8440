//! Executors: they run the jobs of a partition as processes, and report how these end.

mod actor;
pub(crate) mod allocation;
mod child;
pub mod cores;
pub mod gpus;
mod interpreter;
mod job;
mod job_wrapper;
pub mod jobs;
mod launch;
mod launcher;
mod local;
pub(crate) mod probe;
mod process;
mod program;
mod scratch;
mod secrets;
pub mod slurm;
pub mod ssh;
pub(crate) mod submission;
pub mod transport;
mod user_command;
mod verdict;

pub(crate) use interpreter::{Interpreter, InterpreterError};
pub use job::{Adoption, Job, JobEvent, Report, Termination};
pub(crate) use job_wrapper::{discard, own_nodes, run_job};
pub(crate) use launch::now;
pub(crate) use launcher::{HOSTS, placed_by};
pub use launcher::{LauncherError, render};
pub use local::LocalExecutor;
use process::CLIENT;
pub(crate) use process::{ProcessEnvironment, find_clients, peak_memory_kib, redirect_stderr};
pub(crate) use program::{PROGRAM_ERR, on_path, version};
pub use program::{ProgramError, ProgramOutput, run};
pub use scratch::Scratch;
pub(crate) use scratch::{SCRATCH, ScratchError, ScratchFolder, scratch_path};
pub(crate) use secrets::{HIDDEN, Secrets, looks_secret};
pub(crate) use user_command::run_user_command;

use crate::task::Token;

/// Runs the jobs of a partition. Reports go to the channel that the executor was made with.
///
/// An implementation guarantees for each submitted job, unless it is cancelled or dropped while it
/// waits: at most one `JobEvent::Started`, then exactly one `JobEvent::Ended`. It does not
/// guarantee that `Started` is reported (a job may end before it is seen to run), nor that reports
/// of different jobs arrive in the order in which the jobs were submitted.
///
/// A job is identified by its token. The executor must find it again by that token after this
/// process was killed at any moment, and must never run the same token twice at a time.
///
/// Methods return soon: what asks a scheduler or another host is done elsewhere, and failures are
/// reported as the end of the job or logged, never returned.
pub trait Executor: Send {
    /// Starts jobs, in this order, as slots become free. Their tokens were never submitted before,
    /// or `find` returned `NotStarted` for them.
    fn submit(&mut self, jobs: Vec<Job>);
    /// Looks for jobs that an earlier engine may have started, and takes them over; returns where
    /// each stands, in the same order. Called once, before any `submit`.
    ///
    /// `NotStarted` is returned only if the job certainly never started; the caller submits it
    /// then. `Adopted` jobs are reported like submitted ones. An executor that cannot tell yet
    /// returns `Adopted`, and starts the job itself once it turns out never to have started.
    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption>;
    /// Terminates jobs of `run` whose tokens are not in `keep`: an engine may have died while it
    /// cancelled them. Called after `find` with the tokens of all attempts that are under way. They
    /// are not reported. It is not guaranteed that they have ended when this returns.
    fn end_others(&mut self, run: &str, keep: &[Token]);
    /// Cancels jobs. Those that wait are forgotten and not reported. Those that run are terminated
    /// and still reported, as `Cancelled` unless they ended by themselves first. Unknown tokens are
    /// ignored.
    fn cancel(&mut self, tokens: &[Token]);
    /// Forgets the jobs that have not started; they are not reported.
    fn drop_waiting(&mut self);
    /// Number of jobs that can run at once. It may decrease when nodes are lost.
    fn slots(&self) -> usize;
    /// Number of jobs that have begun and whose ends are not in the channel of reports yet.
    ///
    /// It must not drop before the end has been sent through the channel: whoever reads zero finds
    /// every end among the reports. It is never less than the number of jobs that run. It may
    /// exceed `slots`, because a job counts until its end is reported, which is after its slot was
    /// given to the next.
    fn busy(&self) -> usize;
    /// Terminates what runs and discards what waits, as dropping the executor does. Returns a
    /// sentence for the user about each thing that may still run, with the command that ends it.
    /// May block while a scheduler is asked. Ends of the terminated jobs need not be reported.
    fn end(self: Box<Self>) -> Vec<String> {
        Vec::new()
    }
}
