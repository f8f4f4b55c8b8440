//! Schedulers: their commands, options, messages and batch scripts, one file each.
//!
//! Nothing here starts a process: commands run through the caller's [`CommandHost`]. Profiles are
//! checked against the same tables from which scripts and commands are made.

mod cobalt;
mod command;
mod dialect;
mod flux;
mod kind;
mod nodes;
pub mod options;
mod pbs;
pub(crate) mod script;
pub mod slurm;
mod status;
mod subject;
mod submission;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use self::command::checked;
pub use self::command::{CommandHost, CommandOutput, CommandRequest, Unreachable};
pub use self::dialect::SchedulerInfo;
pub(crate) use self::dialect::{
    ChainCommands, Constraints, Dialect, JobPresence, NodeSource, OptionRules, ServerCheck,
    TimeLeft,
};
pub use self::kind::SchedulerKind;
pub(crate) use self::nodes::{Nodes, NodesError, nodes_of_job};
pub use self::script::{BatchParams, Resources, Script, ScriptError, SubmissionParams};
pub use self::status::{JobListing, JobOutcome, JobState, JobStatus};
pub(crate) use self::subject::Subject;
pub(crate) use self::submission::{Messages, one_by_one};
pub use self::submission::{ReadyJob, Submission, SubmitHost};
use crate::task::{Limits, Shape};

/// Every scheduler. A new one is a file of this folder, a template in `templates/`, and an entry
/// here (with its `mod`).
pub(crate) static SCHEDULERS: [&Dialect; 4] = [
    &slurm::DIALECT,
    &pbs::DIALECT,
    &cobalt::DIALECT,
    &flux::DIALECT,
];

/// Environment variable with the token of the attempt that a job or process belongs to.
pub(crate) const TOKEN: &str = "MOLDFLOW_TOKEN";
/// Environment variable of a submitting client: the jobs that it submits together.
pub(crate) const SUBMITS: &str = "MOLDFLOW_SUBMITS";

/// Name of a scheduler, and the scripts of its jobs.
pub trait JobScripts {
    /// Returns the name and commands for messages, and the polling intervals.
    fn info(&self) -> &'static SchedulerInfo;

    /// Returns the text of a job's script.
    ///
    /// # Errors
    ///
    /// Returns an error if a value cannot stand in a script.
    fn script(&self, job: &TaskJob) -> Result<String, ScriptError>;
}

/// The commands of a scheduler.
///
/// A job is submitted under the token of its attempt, found by that token, and cancelled by an id
/// whose token was compared just before: ids alone may be issued again.
///
/// # Guarantees
///
/// An implementation never guesses: where a command fails or its output is incomplete the answer
/// is [`Unreachable`], [`Submission::Unknown`] or an incomplete [`JobListing`], never a job that is
/// reported as absent.
pub trait Scheduler: Send {
    /// Returns the source of scripts: the parameters of the jobs.
    fn scripts(&self) -> &dyn JobScripts;

    /// Returns the name and commands for messages, and the polling intervals.
    fn info(&self) -> &'static SchedulerInfo {
        self.scripts().info()
    }

    /// Returns the most jobs that [`submit`](Self::submit) takes at once.
    fn max_submissions(&self) -> usize {
        1
    }

    /// Returns the text of a job's script.
    ///
    /// # Errors
    ///
    /// Returns an error if a value cannot stand in a script.
    fn script(&self, job: &TaskJob) -> Result<String, ScriptError> {
        self.scripts().script(job)
    }

    /// Submits jobs whose files are in their directories. Returns one answer per job, in order.
    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission>;

    /// Lists the jobs of a run that the scheduler still knows, and perhaps others of this user.
    ///
    /// # Errors
    ///
    /// Returns [`Unreachable`] if the scheduler does not answer.
    fn list(&mut self, host: &mut dyn CommandHost, run: &str) -> Result<JobListing, Unreachable>;

    /// Asks for jobs by their ids. `None` is an id that the scheduler says it does not know;
    /// nothing is known of an id that is missing from the answer.
    ///
    /// # Errors
    ///
    /// Returns [`Unreachable`] if the scheduler does not answer.
    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable>;

    /// Cancels the live jobs of these tokens, with `pending_only` only those that have not started.
    /// Returns the ids that were cancelled: an empty list means that none is left.
    ///
    /// # Errors
    ///
    /// Returns [`Unreachable`] if the scheduler does not answer, or not completely.
    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable>;
}

/// The job of one attempt at a task, as its script is made from it.
#[derive(Clone, Debug)]
pub struct TaskJob<'a> {
    /// Name of the attempt.
    pub token: &'a str,
    /// Shape of the MPI program that the task starts; `None` for one process.
    pub shape: Option<&'a Shape>,
    /// Timeout of the task, from which the walltime of the job follows.
    pub limits: Limits,
    /// Environment variables that the script exports.
    pub environment: &'a [(String, String)],
    /// Directory of the attempt, as the host of the scheduler sees it.
    pub dir: PathBuf,
    /// Program and arguments that the script executes.
    pub argv: &'a [String],
}

/// Returns the ids of live jobs with one of these tokens; with `pending_only` only of jobs that
/// have not started.
pub(crate) fn ids_to_cancel(
    jobs: &[JobStatus],
    tokens: &[String],
    pending_only: bool,
) -> Vec<String> {
    let live = jobs.iter().filter(|job| match job.state {
        JobState::Ended(_) | JobState::Completing => false,
        JobState::Pending => true,
        JobState::Running | JobState::Unknown(_) => !pending_only,
    });
    let ours = live.filter(|job| tokens.contains(&job.name));
    ours.map(|job| job.id.clone()).collect()
}
