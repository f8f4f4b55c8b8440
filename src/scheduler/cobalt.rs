//! Cobalt: its commands, and what they print. It forgets a job as soon as that has ended, so that
//! only the job's own files tell how.

use std::collections::BTreeMap;

use super::options::{LongOptions, NamedOptions, unsplit};
use super::submission::one_by_one;
use super::{
    ChainCommands, CommandHost, CommandRequest, Constraints, Dialect, JobListing, JobPresence,
    JobScripts, JobState, JobStatus, Messages, NodeSource, OptionRules, ReadyJob, Scheduler,
    SchedulerInfo, Subject, Submission, SubmissionParams, SubmitHost, Unreachable, ids_to_cancel,
    pbs,
};

/// Its `qsub` has options for neither memory nor GPUs.
const WHOLE_NODES: &str = "remove it: Cobalt gives whole nodes with all that they have; \
                           `constraint` chooses among them";

/// Table of constants of Cobalt.
pub(super) static DIALECT: Dialect = Dialect {
    key: "cobalt",
    description: "A job of Cobalt for each task.",
    info: SchedulerInfo::new("Cobalt", &["qsub"], "qdel"),
    template: include_str!("../../templates/cobalt.sh.hbs"),
    submit: "qsub",
    list_queues: &["qstat", "-Q"],
    test_submission: None,
    messages: Messages {
        queue_full: &["jobs per user", "MaxQueued"],
        unreachable: &[
            "Failed to connect",
            "Failed to contact",
            "Connection refused",
            "timed out",
            "XML-RPC",
        ],
    },
    own_job: "COBALT_JOBID",
    client_variables: &["COBALT_CONFIG_FILES"],
    variable_prefixes: &["COBALT_", "ALPS_"],
    nodes: &[
        NodeSource::File("COBALT_NODEFILE"),
        // As `aprun -L` takes them.
        NodeSource::Numbers("COBALT_PARTNAME"),
        NodeSource::Count("COBALT_JOBSIZE"),
    ],
    parse_id: |line| {
        let is_number = !line.is_empty() && line.chars().all(|c| c.is_ascii_digit());
        is_number.then(|| line.to_owned())
    },
    chain: ChainCommands {
        submit: &["qsub"],
        script_options: &[],
        name: &["--jobname", "{name}"],
        after: &["--dependencies", "{id}"],
        cancel: &["qdel", "{id}"],
        confirm_cancel: false,
        // It fails for a job that it has forgotten.
        presence: JobPresence::Succeeds(&["qstat", "{id}"]),
        time_left: None,
        enclosing: None,
    },
    options: OptionRules {
        subjects: |option| OPTIONS.subjects(option),
        always_refused: &[],
        split: unsplit,
    },
    constraints: Constraints {
        characters: "._-:@+/,=",
        hint: "it looks like `mcdram=cache:numa=quad`",
        check: |_| None,
    },
    no_memory: Some(WHOLE_NODES),
    no_gpus: Some(WHOLE_NODES),
    holds_blocks: false,
    server_check: None,
    scheduler: |params| Box::new(Cobalt { params }),
};

/// Options of `qsub` (its manual page), which it reads as Python's optparse does.
const OPTIONS: NamedOptions = NamedOptions {
    long: LONG,
    short: SHORT,
    flags: "hI",
};
const LONG: LongOptions = &[
    ("jobname", Subject::Name),
    ("nodecount", Subject::Nodes),
    ("proccount", Subject::Cores),
    ("attrs", Subject::Constraint),
    ("time", Subject::Walltime),
    ("queue", Subject::Queue),
    ("project", Subject::Account),
    ("output", Subject::Files),
    ("outputprefix", Subject::Files),
    ("error", Subject::Files),
    ("debuglog", Subject::Files),
    ("cwd", Subject::Files),
    ("dependencies", Subject::Order),
    ("interactive", Subject::Interactive),
];
const SHORT: &[(char, &str)] = &[
    ('n', "nodecount"),
    ('t', "time"),
    ('q', "queue"),
    ('A', "project"),
    ('o', "output"),
    ('O', "outputprefix"),
    ('e', "error"),
    ('I', "interactive"),
];

/// Cobalt's commands.
#[derive(Clone, Debug)]
struct Cobalt {
    params: SubmissionParams,
}

impl Scheduler for Cobalt {
    fn scripts(&self) -> &dyn JobScripts {
        &self.params
    }

    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission> {
        one_by_one(jobs, |job| pbs::qsub(host, job, &DIALECT))
    }

    fn list(&mut self, host: &mut dyn CommandHost, _: &str) -> Result<JobListing, Unreachable> {
        let output = host.run(&CommandRequest::new(["qstat", "-f", "-l"]))?;
        match output.succeeded() {
            true => Ok(parse_jobs(&output.stdout).into()),
            false => Err(Unreachable(output.stderr)),
        }
    }

    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        let mut statuses = BTreeMap::new();
        // One by one: of several ids it does not say which are unknown.
        for id in ids {
            let output = host.run(&CommandRequest::new(["qstat", "-f", "-l", id]))?;
            match output.code {
                Some(0) => {
                    let mut jobs = parse_jobs(&output.stdout).into_iter();
                    let job = jobs.find(|job| job.id == *id);
                    statuses.extend(job.map(|job| (id.clone(), Some(job))));
                }
                // No such job; that it could not ask makes it exit with 2.
                Some(1) if output.stderr.is_empty() => drop(statuses.insert(id.clone(), None)),
                _ => return Err(Unreachable(output.stderr)),
            }
        }
        Ok(statuses)
    }

    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable> {
        // Ids are fresh from the queue manager, and each is that of a job with one of the tokens.
        let listing = self.list(host, "")?;
        let ids = ids_to_cancel(&listing.jobs, tokens, pending_only);
        pbs::qdel(host, &ids, &DIALECT.messages)?;
        Ok(ids)
    }
}

/// Reads `qstat -f -l`: a field a line, a job beginning with its id.
fn parse_jobs(text: &str) -> Vec<JobStatus> {
    let mut jobs: Vec<BTreeMap<String, &str>> = Vec::new();
    for (field, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let field = field.trim().to_ascii_lowercase();
        if field == "jobid" {
            jobs.push(BTreeMap::new());
        }
        if let Some(job) = jobs.last_mut() {
            job.insert(field, value.trim());
        }
    }
    let read = |job: BTreeMap<String, &str>| {
        let field = |name: &str| job.get(name).map(|value| (*value).to_owned());
        Some(JobStatus {
            id: field("jobid")?,
            name: field("jobname").unwrap_or_default(),
            state: state(job.get("state")?),
            // As it is written it does not sort; a job that has ended is not listed, so that no two
            // have one name.
            submitted: String::new(),
            reason: String::new(),
            left: None,
        })
    };
    jobs.into_iter().filter_map(read).collect()
}

fn state(word: &str) -> JobState {
    match word.to_ascii_lowercase().as_str() {
        "queued" | "user_hold" | "admin_hold" | "user_admin_hold" | "dep_hold" | "maxrun_hold"
        | "hold" => JobState::Pending,
        "starting" | "running" | "preempting" | "preempted" => JobState::Running,
        "exiting" | "killing" | "ending" | "kill_retry" | "done" => JobState::Completing,
        _ => JobState::Unknown(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Its origin is stated beside it.
    const LISTING: &str = include_str!("../../tests/goldens/cobalt/long.txt");

    #[test]
    fn jobs_are_known_by_their_names_and_states_and_a_word_that_is_not_known_is_kept() {
        let jobs = parse_jobs(LISTING);
        let seen: Vec<_> = jobs
            .iter()
            .map(|j| (j.id.as_str(), j.name.as_str(), &j.state))
            .collect();
        let odd = JobState::Unknown("dep_fail".into());
        assert_eq!(
            seen,
            [
                ("512034", "0123456789abcdef.12.1", &JobState::Running),
                ("512035", "0123456789abcdef.13.1", &JobState::Pending),
                ("512036", "-", &odd),
            ]
        );
        assert_eq!(parse_jobs(""), []);
    }

    #[test]
    fn only_waiting_jobs_of_the_given_tokens_are_ended_when_asked_so() {
        let tokens = ["12.1", "13.1"].map(|token| format!("0123456789abcdef.{token}"));
        assert_eq!(
            ids_to_cancel(&parse_jobs(LISTING), &tokens, true),
            ["512035"]
        );
        let all = ids_to_cancel(&parse_jobs(LISTING), &tokens, false);
        assert_eq!(all, ["512034", "512035"]);
    }

    #[test]
    fn a_submission_is_refused_only_when_cobalt_says_so() {
        let answer = |message: &str| DIALECT.messages.submission(message.to_owned());
        assert_eq!(
            DIALECT
                .messages
                .submission("Failed to connect to queue manager".into()),
            Submission::Unknown
        );
        let full = "The limit of 20 jobs per user in the 'default' queue has been reached";
        assert_eq!(answer(full), Submission::QueueFull);
        let wrong = "'no-such' does not exist.";
        assert_eq!(answer(wrong), Submission::Rejected(wrong.into()));
    }
}
