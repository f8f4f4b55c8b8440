//! PBS Pro and OpenPBS: their commands, and what they print. A job carries its token in a variable,
//! because names may be as short as 15 characters; its name is that of its run, by which the jobs
//! of a run are selected.
//!
//! A server forgets a job that has ended, unless it keeps a history, which by default it does not.
//! Without history an id that it does not know is that of a job that has ended, and only the job's
//! own files tell how. `-x`, which asks for the history too, hides jobs that live where there is
//! none.

mod options;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

use self::options::{chunk_resources, place, subjects};
use self::parse::{denied, has_history, parse_id, parse_jobs};
use super::script::run_name;
use super::submission::{one_by_one, submit_by};
use super::{
    ChainCommands, CommandHost, CommandOutput, CommandRequest, Constraints, Dialect, JobListing,
    JobPresence, JobScripts, JobState, JobStatus, Messages, NodeSource, OptionRules, ReadyJob,
    Scheduler, SchedulerInfo, ServerCheck, Subject, Submission, SubmissionParams, SubmitHost,
    TOKEN, Unreachable, ids_to_cancel,
};

/// Table of constants of PBS Pro and OpenPBS.
pub(super) static DIALECT: Dialect = Dialect {
    key: "pbs",
    description: "A job of PBS Pro for each task.",
    info: SchedulerInfo::new("PBS", &["qsub"], "qdel"),
    template: include_str!("../../../templates/pbs.sh.hbs"),
    submit: "qsub",
    list_queues: &["qstat", "-Q"],
    test_submission: None,
    messages: Messages {
        queue_full: &["would exceed", "Maximum number of jobs"],
        unreachable: &[
            "cannot connect to server",
            "Couldn't connect to cluster",
            "Communication failure",
            "Connection refused",
            "Connection timed out",
            "Server shutting down",
            "End of File",
        ],
    },
    own_job: "PBS_JOBID",
    client_variables: &["PBS_CONF_FILE", "PBS_DEFAULT", "PBS_SERVER"],
    variable_prefixes: &["PBS_", "BATCH_", "PALS_"],
    nodes: &[NodeSource::File("PBS_NODEFILE")],
    parse_id,
    chain: ChainCommands {
        submit: &["qsub"],
        script_options: &[],
        name: &["-N", "{name}"],
        after: &["-W", "depend=afterany:{id}"],
        cancel: &["qdel", "{id}"],
        confirm_cancel: false,
        // It fails for a job that it has forgotten.
        presence: JobPresence::Succeeds(&["qstat", "{id}"]),
        time_left: None,
        enclosing: None,
    },
    options: OptionRules {
        subjects,
        // PBS refuses what belongs into a chunk, whether or not it is in ours.
        always_refused: &[Subject::Memory, Subject::Gpus],
        split: place,
    },
    constraints: Constraints {
        characters: "._-:@/=",
        hint: "it looks like `gpu_model=a100` or `gpu_model=a100:cpu_type=rome`: \
               resources of a chunk",
        check: chunk_resources,
    },
    no_memory: None,
    no_gpus: None,
    holds_blocks: false,
    server_check: Some(ServerCheck {
        command: &["qstat", "-B", "-f"],
        describe: |server| match has_history(server) {
            true => "the server keeps a history (job_history_enable): it tells how jobs ended",
            false => {
                "the server keeps no history (job_history_enable): the end of a job is known from its own files only"
            }
        },
        unknown: "whether the server keeps a history is not known",
        advice: "nothing need be done: then jobs are taken for ended when the server does not know them, and judged by their own files",
    }),
    scheduler: |params| Box::new(Pbs::new(params)),
};

/// Jobs that one `qstat` gets.
const ASKED_AT_ONCE: usize = 500;
/// Message of every command that was given `-x` where the server keeps no history; the command
/// succeeds all the same.
const NO_HISTORY: &str = "not configured to maintain job history";

/// Submits a job by the `qsub` of PBS or Cobalt.
pub(super) fn qsub(
    host: &mut dyn SubmitHost,
    job: &ReadyJob,
    dialect: &'static Dialect,
) -> Submission {
    let call = CommandRequest::new(["qsub"]).arg(job.script_path().to_string_lossy());
    submit_by(host, &call.env(TOKEN, job.token.to_string()), dialect)
}

/// Jobs that one `qdel` gets.
const CANCELLED_AT_ONCE: usize = 100;

/// Cancels jobs of PBS or Cobalt by their ids, which have to be fresh. It is no failure if a job
/// has ended meanwhile.
pub(super) fn qdel(
    host: &mut dyn CommandHost,
    ids: &[String],
    messages: &Messages,
) -> Result<(), Unreachable> {
    for ids in ids.chunks(CANCELLED_AT_ONCE) {
        let output = host.run(&CommandRequest::new(["qdel"]).args(ids))?;
        if messages.is_unreachable(&output.stderr) {
            return Err(Unreachable(output.stderr));
        }
    }
    Ok(())
}

/// PBS's commands.
#[derive(Clone, Debug)]
struct Pbs {
    params: SubmissionParams,
    /// True if the server keeps a history; `None` before it was asked.
    history: Option<bool>,
    /// Jobs that have ended, by their ids: they are not asked for again.
    ended: BTreeMap<String, JobStatus>,
}

impl Pbs {
    fn new(params: SubmissionParams) -> Self {
        Self {
            params,
            history: None,
            ended: BTreeMap::new(),
        }
    }

    /// Runs a command that can ask for the history, with `-x` only where there is one.
    fn ask(
        &mut self,
        host: &mut dyn CommandHost,
        command: &str,
        arguments: &[&str],
    ) -> Result<CommandOutput, Unreachable> {
        let history = match self.history {
            Some(history) => history,
            None => keeps_history(host)?,
        };
        self.history = Some(history);
        let call = |x: Option<&str>| {
            let call = CommandRequest::new([command]).args(x);
            call.args(arguments.iter().copied())
        };
        let output = host.run(&call(history.then_some("-x")))?;
        if history && output.stderr.contains(NO_HISTORY) {
            // It was switched off meanwhile.
            self.history = Some(false);
            return host.run(&call(None));
        }
        Ok(output)
    }

    /// Asks `qstat` for jobs by their ids: None for an id that it does not know, or whose job has
    /// ended. Nothing is known of an id that is missing from the answer.
    fn stat(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[&str],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        let mut statuses = BTreeMap::new();
        for ids in ids.chunks(ASKED_AT_ONCE) {
            // `-F json` tells only of the first of several jobs (OpenPBS issue 2672).
            let mut arguments = vec!["-f", "-F", "dsv"];
            arguments.extend(ids);
            let output = self.ask(host, "qstat", &arguments)?;
            let denied = denied(&output.stderr);
            if !output.succeeded() && denied.is_empty() {
                return Err(Unreachable(output.stderr));
            }
            statuses.extend(denied.into_iter().map(|id| (id, None)));
            let jobs = parse_jobs(&output.stdout).into_iter();
            statuses.extend(jobs.map(|job| (job.id.clone(), Some(job))));
        }
        Ok(statuses)
    }
}

impl Scheduler for Pbs {
    fn scripts(&self) -> &dyn JobScripts {
        &self.params
    }

    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission> {
        one_by_one(jobs, |job| qsub(host, job, &DIALECT))
    }

    fn list(&mut self, host: &mut dyn CommandHost, run: &str) -> Result<JobListing, Unreachable> {
        let output = self.ask(host, "qselect", &["-N", &run_name(run)])?;
        if !output.succeeded() {
            return Err(Unreachable(output.stderr));
        }
        let lines = output.stdout.lines();
        let ids: BTreeSet<String> = lines.filter_map(|line| parse_id(line.trim())).collect();
        self.ended.retain(|id, _| ids.contains(id));
        let open = ids.iter().filter(|id| !self.ended.contains_key(*id));
        let open: Vec<&str> = open.map(String::as_str).collect();
        let statuses = self.stat(host, &open)?;
        let complete = open.iter().all(|id| statuses.contains_key(*id));
        let mut jobs = Vec::new();
        for job in statuses.into_values().flatten() {
            match job.state {
                JobState::Ended(_) => drop(self.ended.insert(job.id.clone(), job)),
                _ => jobs.push(job),
            }
        }
        jobs.extend(self.ended.values().cloned());
        Ok(JobListing { jobs, complete })
    }

    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.stat(host, &ids)
    }

    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable> {
        let Some((run, _)) = tokens.first().and_then(|token| token.split_once('.')) else {
            return Ok(Vec::new());
        };
        // Ids are fresh from the server, and each is that of a job with one of the tokens.
        let listing = self.list(host, run)?;
        let ids = ids_to_cancel(&listing.jobs, tokens, pending_only);
        qdel(host, &ids, &DIALECT.messages)?;
        match listing.complete {
            true => Ok(ids),
            false => Err(Unreachable("qstat left jobs out of its answer".into())),
        }
    }
}

/// Returns true if the server keeps a history of jobs that have ended. Every user may read that
/// setting; where it was never set, nothing is printed, and there is no history.
fn keeps_history(host: &mut dyn CommandHost) -> Result<bool, Unreachable> {
    let output = host.run(&CommandRequest::new(["qstat", "-B", "-f"]))?;
    match output.succeeded() {
        true => Ok(has_history(&output.stdout)),
        false => Err(Unreachable(output.stderr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_refused_only_when_pbs_says_so() {
        let answer = |message: &str| DIALECT.messages.submission(message.to_owned());
        let lost = "Connection refused\nqsub: cannot connect to server pbs01 (errno=111)";
        assert_eq!(answer(lost), Submission::Unknown);
        let full = "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state";
        assert_eq!(answer(full), Submission::QueueFull);
        let full = "qsub: Maximum number of jobs for user me already in queue workq";
        assert_eq!(answer(full), Submission::QueueFull);
        let wrong = "qsub: Unknown queue";
        assert_eq!(answer(wrong), Submission::Rejected(wrong.into()));
    }

    #[test]
    fn the_jobs_of_a_run_have_one_short_name_that_begins_with_a_letter() {
        assert_eq!(run_name("0123456789abcdef.12.1"), "m0123456789abcd");
        assert_eq!(run_name("0123456789abcdef"), "m0123456789abcd");
    }
}
