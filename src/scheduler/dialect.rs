//! The table of constants by which a scheduler differs from the others.

use std::time::Duration;

use super::options::Refusal;
use super::{Messages, Scheduler, Subject, SubmissionParams};

/// Constants of a scheduler: its key in profiles, commands, variables, options and template.
pub struct Dialect {
    /// Word for it in profiles: `executor: slurm`.
    pub key: &'static str,
    /// Description of the executor of this name, for the schema of profiles.
    pub description: &'static str,
    /// Name and commands for messages, and polling intervals.
    pub info: SchedulerInfo,
    /// Template of its batch script.
    pub template: &'static str,
    /// Command that submits a script, as profiles and `moldflow plan` name it: `flux batch`.
    pub submit: &'static str,
    /// Command that lists its queues, one per line: it also tells whether the scheduler answers.
    pub list_queues: &'static [&'static str],
    /// Command that reads a script and tells whether a job would be accepted, if there is one.
    pub test_submission: Option<&'static [&'static str]>,
    /// Variable with the id of the job that a process is in.
    pub own_job: &'static str,
    /// Variables that its commands need besides those of every task.
    pub client_variables: &'static [&'static str],
    /// Prefixes of variables that launchers need inside a job.
    pub variable_prefixes: &'static [&'static str],
    /// Sources of the nodes of a job; the first that is set is used.
    pub nodes: &'static [NodeSource],
    /// Messages by which the result of a command is known.
    pub messages: Messages,
    /// Returns the job id that a line of output is, if it is one.
    pub parse_id: fn(&str) -> Option<String>,
    /// Commands for the jobs of `moldflow submit`.
    pub chain: ChainCommands,
    /// Rules for `options` in a profile.
    pub options: OptionRules,
    /// Rules for `constraint` in a profile.
    pub constraints: Constraints,
    /// Reason for which a profile cannot request memory, if it cannot.
    pub no_memory: Option<&'static str>,
    /// Reason for which a profile cannot request GPUs, if it cannot.
    pub no_gpus: Option<&'static str>,
    /// True if its allocations can be held as `blocks`.
    pub holds_blocks: bool,
    /// A setting of the server that `moldflow sites check` reports.
    pub server_check: Option<ServerCheck>,
    /// Makes the scheduler for jobs with these parameters.
    pub scheduler: fn(SubmissionParams) -> Box<dyn Scheduler>,
}

impl Dialect {
    /// Returns the job id that a submission printed. Sites wrap submit commands in scripts that
    /// greet, check and comment: the last line that is an id counts.
    pub fn printed_id(&self, text: &str) -> Option<String> {
        let mut lines = text.lines().rev();
        lines.find_map(|line| (self.parse_id)(line.trim()))
    }

    /// Returns the program that submits.
    pub fn program(&self) -> &'static str {
        self.submit.split(' ').next().unwrap_or_default()
    }
}

/// Names for messages, and polling intervals.
#[derive(Debug)]
pub struct SchedulerInfo {
    /// Name in messages: `Slurm`.
    pub name: &'static str,
    /// Names of the processes that submit a job.
    pub clients: &'static [&'static str],
    /// Command that cancels jobs by their ids.
    pub cancel: &'static str,
    /// Shortest time from one poll to the next.
    pub min_poll: Duration,
    /// Longest time from one poll to the next.
    pub max_poll: Duration,
}

impl SchedulerInfo {
    /// Returns the info of a scheduler, which is polled every 1 to 30 seconds.
    pub const fn new(
        name: &'static str,
        clients: &'static [&'static str],
        cancel: &'static str,
    ) -> Self {
        Self {
            name,
            clients,
            cancel,
            min_poll: Duration::from_secs(1),
            max_poll: Duration::from_secs(30),
        }
    }
}

/// Source of the names of the nodes of a job.
#[derive(Clone, Copy, Debug)]
pub enum NodeSource {
    /// Variable with a list such as `n[1-4,07-09],m2`.
    HostList(&'static str),
    /// Variable with the path of a file, one node per line.
    File(&'static str),
    /// Variable with numbers of nodes: `3-8,10`.
    Numbers(&'static str),
    /// Variable with the number of nodes.
    Count(&'static str),
    /// Command that prints a list such as `n[1-4]`, inside a job: where `variable` is set.
    Command {
        /// Variable that is set inside a job.
        variable: &'static str,
        /// Program and arguments.
        argv: &'static [&'static str],
    },
}

impl NodeSource {
    /// Returns the variable that is set if this source exists.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::HostList(name) | Self::File(name) | Self::Numbers(name) | Self::Count(name) => {
                name
            }
            Self::Command { variable, .. } => variable,
        }
    }
}

/// Commands for the chain of jobs in which a campaign runs. `{id}` and `{name}` stand for those of
/// a job.
pub struct ChainCommands {
    /// Submits; options and the script follow.
    pub submit: &'static [&'static str],
    /// Options of a job that runs a campaign, in its script.
    pub script_options: &'static [&'static str],
    /// Names the job.
    pub name: &'static [&'static str],
    /// Makes it start when the job `{id}` has ended, in whatever way.
    pub after: &'static [&'static str],
    /// Cancels a job.
    pub cancel: &'static [&'static str],
    /// True if `cancel` may succeed without cancelling, such that the job is polled afterwards.
    pub confirm_cancel: bool,
    /// Shows if a job is pending or running.
    pub presence: JobPresence,
    /// Prints the walltime that is left; None if no command does.
    pub time_left: Option<TimeLeft>,
    /// Option, after the program's name, that addresses the scheduler of the enclosing job from
    /// inside it, where a job has a scheduler of its own.
    pub enclosing: Option<&'static str>,
}

/// Meaning of the output of a command that shows if a job is pending or running.
pub enum JobPresence {
    /// It prints the ids of live jobs.
    Listed(&'static [&'static str]),
    /// It succeeds for live jobs and fails for others.
    Succeeds(&'static [&'static str]),
}

/// A command that prints what is left of the walltime of a job, and how to read a line of it.
pub struct TimeLeft {
    /// Program and arguments.
    pub command: &'static [&'static str],
    /// Reads a line of the output; None if it holds no time.
    pub parse: fn(&str) -> Option<Duration>,
}

/// Rules for the entries of `options` in a profile.
pub struct OptionRules {
    /// Returns the subjects of moldflow's own directives that an entry would override.
    pub subjects: fn(&str) -> Vec<Subject>,
    /// Subjects that are refused even where moldflow asks for nothing.
    pub always_refused: &'static [Subject],
    /// Splits the entries into the value of the template's `place` and further directives.
    pub split: fn(&[String]) -> (String, Vec<&String>),
}

/// Rules for `constraint` in a profile.
pub struct Constraints {
    /// Characters besides letters and digits.
    pub characters: &'static str,
    /// Example of a valid constraint.
    pub hint: &'static str,
    /// A further check.
    pub check: fn(&str) -> Option<Refusal>,
}

/// A setting of the server that the user should know.
pub struct ServerCheck {
    /// Command that prints the settings.
    pub command: &'static [&'static str],
    /// Describes the setting, from what the command printed.
    pub describe: fn(&str) -> &'static str,
    /// Information that is missing if the command fails.
    pub unknown: &'static str,
    /// Advice for the user if the command fails.
    pub advice: &'static str,
}
