//! Flux (flux-core 0.71 or newer). A job is the script of a `flux batch`, such that MPI programs of
//! its task start in a Flux instance of their own; its name is the token.
//!
//! Messages and JSON keys are those of flux-core 0.88: `src/cmd/flux-jobs.py`, `flux-cancel.py`,
//! `bindings/python/flux/job/{info,list,directives}.py`, and its manual pages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::options::{NamedOptions, unsplit};
use super::submission::{one_by_one, submit_by};
use super::{
    ChainCommands, CommandHost, CommandRequest, Constraints, Dialect, JobListing, JobOutcome,
    JobPresence, JobScripts, JobState, JobStatus, Messages, NodeSource, OptionRules, ReadyJob,
    Scheduler, SchedulerInfo, Subject, Submission, SubmissionParams, SubmitHost, TOKEN, TimeLeft,
    Unreachable, checked, ids_to_cancel,
};

/// Variable with the id of the job whose instance a process is in.
const ENCLOSING_JOB: &str = "FLUX_ENCLOSING_ID";
/// Digits of an id in its form F58 (RFC 19), which begins with `ƒ`, or `f` in ASCII.
const F58_DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Jobs that one command gets.
const AT_ONCE: usize = 500;

/// Table of constants of Flux.
pub(super) static DIALECT: Dialect = Dialect {
    key: "flux",
    description: "A job of Flux for each task.",
    // The client is a script of Python.
    info: SchedulerInfo::new("Flux", &["flux", "python3", "python"], "flux cancel"),
    template: include_str!("../../templates/flux.sh.hbs"),
    submit: "flux batch",
    list_queues: &["flux", "queue", "list", "--no-header", "--format={queue}"],
    test_submission: None,
    messages: Messages {
        // The second is of flux-accounting.
        queue_full: &["is disabled", "max number of jobs", "max active jobs"],
        unreachable: &[
            "Unable to connect",
            "No service matching",
            "Function not implemented",
            "No route to host",
            "Connection refused",
            "Connection reset",
            "Connection timed out",
        ],
    },
    own_job: ENCLOSING_JOB,
    client_variables: &["FLUX_URI"],
    variable_prefixes: &["FLUX_"],
    nodes: &[NodeSource::Command {
        variable: ENCLOSING_JOB,
        argv: &["flux", "getattr", "hostlist"],
    }],
    parse_id,
    chain: ChainCommands {
        submit: &["flux", "batch"],
        script_options: &[],
        name: &["--job-name={name}"],
        after: &["--dependency=afterany:{id}"],
        cancel: &["flux", "cancel", "{id}"],
        confirm_cancel: false,
        presence: JobPresence::Listed(&[
            "flux",
            "jobs",
            "--no-header",
            "--name={name}",
            "--format={id.f58}",
        ]),
        time_left: Some(TimeLeft {
            command: &["flux", "job", "timeleft", "{id}"],
            parse: |line| line.parse().ok().map(Duration::from_secs),
        }),
        enclosing: Some("--parent"),
    },
    options: OptionRules {
        subjects: |option| OPTIONS.subjects(option),
        always_refused: &[],
        split: unsplit,
    },
    constraints: Constraints {
        characters: "._-:,|&^+/[]()",
        hint: "it looks like `ssd`, `a100|h100` or `hosts:node[1-4]` (RFC 35)",
        check: |_| None,
    },
    no_memory: Some("remove it: Flux divides nodes by cores and GPUs, not by memory"),
    no_gpus: None,
    holds_blocks: false,
    server_check: None,
    scheduler: |params| Box::new(Flux { params }),
};

/// Options of `flux batch` (its manual page).
const OPTIONS: NamedOptions = NamedOptions {
    long: &[
        ("job-name", Subject::Name),
        ("nodes", Subject::Nodes),
        ("nslots", Subject::Cores),
        ("cores-per-slot", Subject::Cores),
        ("gpus-per-slot", Subject::Gpus),
        ("requires", Subject::Constraint),
        ("time-limit", Subject::Walltime),
        ("queue", Subject::Queue),
        ("bank", Subject::Account),
        ("input", Subject::Files),
        ("output", Subject::Files),
        ("error", Subject::Files),
        ("cwd", Subject::Files),
        ("dependency", Subject::Order),
        ("wrap", Subject::Shell),
        ("dry-run", Subject::Interactive),
        ("quiet", Subject::Interactive),
        ("help", Subject::Interactive),
        ("list-plugins", Subject::Interactive),
    ],
    short: &[
        ('N', "nodes"),
        ('n', "nslots"),
        ('c', "cores-per-slot"),
        ('g', "gpus-per-slot"),
        ('t', "time-limit"),
        ('q', "queue"),
        ('B', "bank"),
        ('h', "help"),
    ],
    flags: "hluvx",
};

/// Flux's commands.
#[derive(Clone, Debug)]
struct Flux {
    params: SubmissionParams,
}

impl Scheduler for Flux {
    fn scripts(&self) -> &dyn JobScripts {
        &self.params
    }

    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission> {
        one_by_one(jobs, |job| {
            let call =
                CommandRequest::new(["flux", "batch"]).arg(job.script_path().to_string_lossy());
            submit_by(host, &call.env(TOKEN, job.token.to_string()), &DIALECT)
        })
    }

    /// Lists live jobs, and those that ended in the last hour: a job whose id was noted is asked
    /// for by that.
    fn list(&mut self, host: &mut dyn CommandHost, _: &str) -> Result<JobListing, Unreachable> {
        let call =
            CommandRequest::new(["flux", "jobs", "--json", "-a", "--count=0", "--since=-1h"]);
        let text = checked(host.run(&call)?)?;
        let jobs = parse_jobs(&text);
        jobs.map(Into::into)
            .ok_or_else(|| Unreachable("`flux jobs` printed no list of jobs".into()))
    }

    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        let mut statuses = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let call = CommandRequest::new(["flux", "jobs", "--json"]).args(ids);
            let output = host.run(&call)?;
            let unknown = unknown_ids(&output.stderr);
            // It fails where it knows none of several ids.
            if !output.succeeded() && unknown.is_empty() {
                return Err(Unreachable(output.stderr));
            }
            statuses.extend(unknown.into_iter().map(|id| (id, None)));
            let jobs = parse_jobs(&output.stdout).unwrap_or_default();
            statuses.extend(jobs.into_iter().map(|job| (job.id.clone(), Some(job))));
        }
        Ok(statuses)
    }

    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable> {
        // Ids are fresh from the job manager, and each is that of a job with one of the tokens.
        let listing = self.list(host, "")?;
        let ids = ids_to_cancel(&listing.jobs, tokens, pending_only);
        for ids in ids.chunks(AT_ONCE) {
            // It also fails if a job has ended meanwhile: `job is inactive`.
            let output = host.run(&CommandRequest::new(["flux", "cancel"]).args(ids))?;
            if DIALECT.messages.is_unreachable(&output.stderr) {
                return Err(Unreachable(output.stderr));
            }
        }
        Ok(ids)
    }
}

/// Returns the id that a line is, with its prefix in ASCII.
fn parse_id(line: &str) -> Option<String> {
    let digits = line.strip_prefix('ƒ').or_else(|| line.strip_prefix('f'))?;
    let is_f58 =
        (1..=12).contains(&digits.len()) && digits.bytes().all(|b| F58_DIGITS.contains(&b));
    is_f58.then(|| format!("f{digits}"))
}

/// Returns an id in the form in which Flux prints it.
fn f58(mut id: u64) -> String {
    let mut digits = Vec::new();
    while digits.is_empty() || id > 0 {
        digits.push(char::from(F58_DIGITS[(id % 58) as usize]));
        id /= 58;
    }
    digits.push('f');
    digits.into_iter().rev().collect()
}

/// Returns the ids of which `flux jobs` says `JobID f5Xc unknown`.
fn unknown_ids(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter_map(|line| {
        let id = line
            .trim()
            .strip_prefix("JobID ")?
            .strip_suffix(" unknown")?;
        parse_id(id)
    });
    lines.collect()
}

/// Reads `flux jobs --json`: an object with an array of jobs, or one job if one id was asked for.
fn parse_jobs(text: &str) -> Option<Vec<JobStatus>> {
    let value: Value = serde_json::from_str(text).ok()?;
    match &value["jobs"] {
        Value::Array(jobs) => Some(jobs.iter().filter_map(parse_job).collect()),
        _ => parse_job(&value).map(|job| vec![job]),
    }
}

/// Keys without a value are left out by Flux.
fn parse_job(job: &Value) -> Option<JobStatus> {
    let seconds = job["t_remaining"].as_f64();
    let note = job["exception"]["note"].as_str();
    Some(JobStatus {
        id: f58(job["id"].as_u64()?),
        name: job["name"].as_str().unwrap_or_default().to_owned(),
        state: parse_state(job)?,
        // Seconds since the Unix epoch, with a width that sorts.
        submitted: format!("{:018.6}", job["t_submit"].as_f64().unwrap_or_default()),
        reason: note.unwrap_or_default().to_owned(),
        left: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}

/// Returns the state, after whose end the result counts.
fn parse_state(job: &Value) -> Option<JobState> {
    Some(match job["state"].as_str()? {
        "NEW" | "DEPEND" | "PRIORITY" | "SCHED" => JobState::Pending,
        "RUN" => JobState::Running,
        "CLEANUP" => JobState::Completing,
        "INACTIVE" => match job["result"].as_str().unwrap_or_default() {
            "COMPLETED" => JobState::Ended(JobOutcome::Completed),
            "FAILED" => JobState::Ended(failure(job)),
            "CANCELED" => JobState::Ended(JobOutcome::Cancelled),
            "TIMEOUT" => JobState::Ended(JobOutcome::Walltime),
            result => JobState::Unknown(format!("INACTIVE {result}")),
        },
        word => JobState::Unknown(word.to_owned()),
    })
}

/// Returns the outcome of a failed job: its exception if one was raised, else its exit code.
fn failure(job: &Value) -> JobOutcome {
    let exception = &job["exception"];
    let word = match exception["type"].as_str() {
        Some(kind) => match exception["note"].as_str() {
            Some(note) if !note.is_empty() => format!("{kind}: {note}"),
            _ => kind.to_owned(),
        },
        None => match job["returncode"].as_i64() {
            Some(code) => format!("returncode {code}"),
            None => "FAILED".to_owned(),
        },
    };
    match exception["type"].as_str() {
        Some("node-failure") => JobOutcome::NodeLost(word),
        _ => JobOutcome::Failed(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Its origin is stated beside it.
    const JOBS: &str = include_str!("../../tests/goldens/flux/jobs.json");

    #[test]
    fn an_id_is_the_one_that_flux_prints() {
        // From `src/common/libutil/test/fluid.c`.
        for (id, text) in [
            (0, "f1"),
            (1234, "fNH"),
            (3364, "f211"),
            (6_731_191_091_817_518, "fuZZybuNNy"),
            (u64::MAX, "fjpXCZedGfVQ"),
        ] {
            assert_eq!(f58(id), text);
            assert_eq!(parse_id(text).as_deref(), Some(text));
            let printed = text.replacen('f', "ƒ", 1);
            assert_eq!(parse_id(&printed).as_deref(), Some(text));
        }
        let greeting = "Welcome to tuolumne\n\nƒM7Zq9AKHno\n2 jobs in the queue\n";
        assert_eq!(DIALECT.printed_id(greeting).as_deref(), Some("fM7Zq9AKHno"));
        for none in ["", "f", "f0", "flux-batch: ERROR", "12", "follows me"] {
            assert_eq!(parse_id(none), None, "{none}");
        }
    }

    #[test]
    fn jobs_are_known_by_their_names_and_a_word_that_is_not_known_is_kept() {
        let jobs = parse_jobs(JOBS).unwrap();
        let seen: Vec<_> = jobs.iter().map(|job| (&*job.name, &job.state)).collect();
        let ended = JobState::Ended;
        let states = [
            JobState::Pending,
            JobState::Running,
            JobState::Completing,
            ended(JobOutcome::Completed),
            ended(JobOutcome::Failed("returncode 3".into())),
            ended(JobOutcome::Cancelled),
            ended(JobOutcome::Walltime),
            ended(JobOutcome::NodeLost(
                "node-failure: lost contact with job shell".into(),
            )),
            JobState::Unknown("HELD".into()),
        ];
        let names = (12..21).map(|task| format!("0123456789abcdef.{task}.1"));
        let names: Vec<String> = names.collect();
        let expected: Vec<_> = names.iter().map(|name| &**name).zip(&states).collect();
        assert_eq!(seen, expected);
        assert_eq!(jobs[0].id, "f5Xc3hwg4");
        assert!(jobs.is_sorted_by_key(|job| &job.submitted));
        assert_eq!(jobs[1].left, Some(Duration::from_millis(282_500)));
    }

    #[test]
    fn one_job_is_an_object_and_no_job_is_no_list() {
        let all: Value = serde_json::from_str(JOBS).unwrap();
        let one = parse_jobs(&all["jobs"][3].to_string()).unwrap();
        assert_eq!(one, parse_jobs(JOBS).unwrap()[3..4]);
        assert_eq!(parse_jobs(r#"{"jobs": []}"#), Some(vec![]));
        for none in ["", "{}", "null", "{\"jobs\": ["] {
            assert_eq!(parse_jobs(none), None, "{none}");
        }
    }

    #[test]
    fn an_id_is_unknown_only_by_name() {
        let said = "JobID f5Xc3hwg4 unknown\nrpc: Function not implemented\nJobID ƒ211 unknown";
        assert_eq!(unknown_ids(said), ["f5Xc3hwg4", "f211"]);
    }

    #[test]
    fn a_submission_is_refused_only_when_flux_says_so() {
        let answer = |message: &str| DIALECT.messages.submission(message.to_owned());
        let lost = "flux-batch: ERROR: Unable to connect to Flux: broker socket /run/flux/local was not found";
        assert_eq!(answer(lost), Submission::Unknown);
        let full = "flux-batch: ERROR: job submission to batch is disabled: maintenance";
        assert_eq!(answer(full), Submission::QueueFull);
        let full = "flux-batch: ERROR: user has max number of jobs submitted";
        assert_eq!(answer(full), Submission::QueueFull);
        let wrong = "flux-batch: ERROR: Invalid queue 'nosuch' specified";
        assert_eq!(answer(wrong), Submission::Rejected(wrong.into()));
    }
}
