//! How work is started: an executor runs jobs of a partition as processes and reports what became of them.

pub mod actor;
pub mod allocation;
pub mod batch;
mod batched;
mod child;
pub mod cores;
pub mod doctor;
pub mod gpus;
mod job;
pub mod jobs;
mod launch;
mod launcher;
mod local;
mod node_list;
mod process;
mod program;
mod scratch;
mod secrets;
pub mod slurm;
pub mod ssh;
pub mod submission;
pub mod transport;
mod verdict;

pub use batched::{carry_out, discard};
pub use job::{Adoption, Job, JobEvent, Report, Termination};
pub use launch::now;
pub use launcher::{HOSTS, LauncherError, render};
pub use local::LocalExecutor;
pub use node_list::{Nodes, NodesError, nodes_of_job, own_nodes};
pub use process::{Environment, find_clients, peak_memory_kib};
pub use program::{PROGRAM_ERR, ProgramError, ProgramOutput, run, version};
pub use scratch::{SCRATCH, Scratch, ScratchError, ScratchFolder};
pub use secrets::Secrets;

use crate::task::Token;

/// A way to run jobs. Reports come through the channel that the executor was made with.
pub trait Executor: Send {
    /// Starts jobs, in this order, as slots become free.
    fn submit(&mut self, jobs: Vec<Job>);
    /// Looks for jobs that an earlier engine may have started, and takes them over.
    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption>;
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
