//! Commands of Slurm, and their output.

mod arrays;
mod options;
mod parse;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use self::arrays::is_among;
pub use self::parse::{parse_shown, parse_status};
pub(crate) use self::steps::{cancel_steps, steps};

use self::options::OPTIONS;
use self::parse::{max_array_size, parse_answers, parse_duration};
use super::options::unsplit;
use super::submission::submit_by;
use super::{
    ChainCommands, CommandHost, CommandOutput, CommandRequest, Constraints, Dialect, JobListing,
    JobPresence, JobScripts, JobStatus, Messages, NodeSource, OptionRules, ReadyJob, SUBMITS,
    Scheduler, SchedulerInfo, Submission, SubmissionParams, SubmitHost, TOKEN, TimeLeft,
    Unreachable, checked, ids_to_cancel,
};

/// Table of constants of Slurm.
pub(crate) static DIALECT: Dialect = Dialect {
    key: "slurm",
    description: "Jobs of Slurm, one a task, or steps in `blocks`. The run directory must be on a file system that the nodes share.",
    info: SchedulerInfo::new("Slurm", &["sbatch"], CANCEL),
    template: include_str!("../../../templates/slurm.sh.hbs"),
    submit: "sbatch",
    list_queues: &["sinfo", "--noheader", "--format=%R"],
    test_submission: Some(&["sbatch", "--test-only"]),
    own_job: "SLURM_JOB_ID",
    client_variables: &[
        "SLURM_CONF",
        "SLURM_CLUSTERS",
        "SBATCH_ACCOUNT",
        "SBATCH_QOS",
    ],
    variable_prefixes: &["SLURM_"],
    nodes: &[NodeSource::HostList("SLURM_JOB_NODELIST")],
    messages: Messages {
        queue_full: &[
            "submission limit",
            "SubmitJob",
            "temporarily unable to accept job",
            "Resource temporarily unavailable",
        ],
        unreachable: &[
            "Unable to contact slurm controller",
            "Socket timed out",
            "Zero Bytes were transmitted",
            "Connection refused",
            "Connection reset",
            "Transport endpoint",
            "in standby mode",
            "Unable to establish",
        ],
    },
    parse_id: parse::parse_id,
    chain: ChainCommands {
        submit: &["sbatch", "--parsable"],
        // The job outlives a lost node; the tasks there are tried again on the others.
        script_options: &["--no-kill"],
        name: &["--job-name", "{name}"],
        after: &["--dependency=afterany:{id}"],
        // The name too: a controller that lost its state issues numbers again.
        cancel: &["scancel", "--name", "{name}", "{id}"],
        confirm_cancel: true,
        presence: JobPresence::Listed(&["squeue", "--noheader", "--name", "{name}", "--format=%A"]),
        time_left: Some(TimeLeft {
            command: &["squeue", "--noheader", "--jobs", "{id}", "--format=%L"],
            parse: parse_duration,
        }),
        enclosing: None,
    },
    options: OptionRules {
        subjects: |option| OPTIONS.subjects(option),
        always_refused: &[],
        split: unsplit,
    },
    constraints: Constraints {
        characters: "._-:@+/,=&|*()[]",
        hint: "it looks like `cpu`, `a100&80gb` or `[rack1|rack2]`",
        check: |_| None,
    },
    no_memory: None,
    no_gpus: None,
    holds_blocks: true,
    server_check: None,
    scheduler: |params| Box::new(Slurm::new(params)),
};

/// Jobs that one `sbatch` submits, and one `scancel` ends, at the most.
const AT_ONCE: usize = 1000;
/// Jobs that one `scontrol` is asked for: where the controller does not answer, each takes ten
/// seconds.
const SHOWN_AT_ONCE: usize = 50;
/// The file in the directory of the first job of an array that holds its script.
const ARRAY_SCRIPT: &str = "array.sh";
/// The command that cancels jobs by their ids.
pub(crate) const CANCEL: &str = "scancel";

/// Slurm's commands.
#[derive(Clone, Debug)]
struct Slurm {
    params: SubmissionParams,
    /// Indices of an array are below this: 0 where there are no arrays, `None` before Slurm was
    /// asked.
    array_size: Option<u64>,
}

impl Slurm {
    fn new(params: SubmissionParams) -> Self {
        Self {
            params,
            array_size: None,
        }
    }

    /// Slurm's `MaxArraySize`.
    fn array_size(&mut self, host: &mut dyn CommandHost) -> u64 {
        if self.array_size.is_none() {
            let config = host.run(&CommandRequest::new(["scontrol", "show", "config"]));
            let config = config.ok().filter(CommandOutput::succeeded);
            self.array_size = config.map(|config| max_array_size(&config.stdout));
        }
        self.array_size.unwrap_or(0)
    }

    /// Submits jobs that may be elements of one array, in the order of their tasks, each with its
    /// place.
    fn submit_array(
        &mut self,
        host: &mut dyn SubmitHost,
        jobs: &[(usize, &ReadyJob)],
        answers: &mut [Submission],
    ) {
        let alone = |host: &mut dyn SubmitHost, ready: &ReadyJob| {
            let token = ready.token.to_string();
            let call =
                CommandRequest::new(["sbatch", "--parsable", "--job-name", &token, "--comment"])
                    .arg(format!("moldflow {token}"))
                    .arg(ready.script_path().to_string_lossy());
            sbatch(host, call.env(TOKEN, token))
        };
        let [(place, first), others @ ..] = jobs else {
            return;
        };
        let array = match others {
            [] => None,
            _ => {
                let jobs: Vec<&ReadyJob> = jobs.iter().map(|(_, job)| *job).collect();
                Some(sbatch_array(host, &jobs))
            }
        };
        match array {
            None => answers[*place] = alone(host, first),
            Some(Submission::Accepted(id)) => {
                for (place, ready) in jobs {
                    let index = ready.token.task.0 - first.token.task.0;
                    answers[*place] = Submission::Accepted(format!("{id}_{index}"));
                }
            }
            Some(answer @ (Submission::Unknown | Submission::HostFault(..))) => {
                for (place, _) in jobs {
                    answers[*place] = answer.clone();
                }
            }
            // Some of them may find room.
            Some(Submission::QueueFull) => {
                let (half, rest) = jobs.split_at(jobs.len() / 2);
                self.submit_array(host, half, answers);
                let is_full =
                    |(place, _): &(usize, &ReadyJob)| answers[*place] == Submission::QueueFull;
                if half.iter().any(is_full) {
                    rest.iter()
                        .for_each(|(place, _)| answers[*place] = Submission::QueueFull);
                } else {
                    self.submit_array(host, rest, answers);
                }
            }
            // Because it is an array, or because no job like these is taken.
            Some(Submission::Rejected(_)) => {
                answers[*place] = alone(host, first);
                if let Submission::Rejected(_) = &answers[*place] {
                    let refused = answers[*place].clone();
                    others
                        .iter()
                        .for_each(|(place, _)| answers[*place] = refused.clone());
                } else {
                    self.array_size = Some(0);
                    for (place, ready) in others {
                        answers[*place] = alone(host, ready);
                    }
                }
            }
        }
    }
}

impl Scheduler for Slurm {
    fn scripts(&self) -> &dyn JobScripts {
        &self.params
    }

    fn max_submissions(&self) -> usize {
        AT_ONCE
    }

    fn submit(&mut self, host: &mut dyn SubmitHost, jobs: &[ReadyJob]) -> Vec<Submission> {
        let size = match jobs.len() {
            0 | 1 => 0,
            _ => self.array_size(host),
        };
        let mut answers = vec![Submission::QueueFull; jobs.len()];
        for group in groups(jobs, size) {
            let group: Vec<(usize, &ReadyJob)> = group.into_iter().map(|i| (i, &jobs[i])).collect();
            self.submit_array(host, &group, &mut answers);
            if group
                .iter()
                .any(|(place, _)| answers[*place] == Submission::QueueFull)
            {
                break;
            }
        }
        answers
    }

    fn list(&mut self, host: &mut dyn CommandHost, _: &str) -> Result<JobListing, Unreachable> {
        Ok(list(host)?.into())
    }

    fn status(
        &mut self,
        host: &mut dyn CommandHost,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
        show(host, ids)
    }

    fn cancel(
        &mut self,
        host: &mut dyn CommandHost,
        tokens: &[String],
        pending_only: bool,
    ) -> Result<Vec<String>, Unreachable> {
        cancel(host, tokens, pending_only)
    }
}

/// Returns the places of jobs that may be elements of one array whose indices are below `size`, in
/// the order of their tasks.
fn groups(jobs: &[ReadyJob], size: u64) -> Vec<Vec<usize>> {
    let mut alike: Vec<(String, Vec<usize>)> = Vec::new();
    for (place, ready) in jobs.iter().enumerate() {
        let attempt = ready.token.attempt;
        let key = format!("{attempt}\n{}", arrays::directives(&ready.script));
        match alike.iter_mut().find(|(other, _)| *other == key) {
            Some((_, places)) => places.push(place),
            None => alike.push((key, vec![place])),
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (_, mut places) in alike {
        let task = |place: usize| jobs[place].token.task.0;
        places.sort_by_key(|place| task(*place));
        let mut begin = None;
        for place in places {
            match (groups.last_mut(), begin) {
                (Some(group), Some(base)) if task(place) - base < size => group.push(place),
                _ => {
                    begin = Some(task(place));
                    groups.push(vec![place]);
                }
            }
        }
    }
    groups
}

/// Submits an array.
fn sbatch_array(host: &mut dyn SubmitHost, jobs: &[&ReadyJob]) -> Submission {
    let Some(first) = jobs.first() else {
        return Submission::QueueFull;
    };
    let base = first.token;
    if let Err(answer) = host.add_file(first, ARRAY_SCRIPT, arrays::script(base, jobs)) {
        return answer;
    }
    let tasks = jobs.iter().map(|ready| ready.token.task.0);
    let indices: Vec<u64> = tasks.map(|task| task - base.task.0).collect();
    let (name, ranges) = (arrays::name(base), arrays::ranges(&indices));
    let call = CommandRequest::new(["sbatch", "--parsable", "--job-name", &name, "--comment"])
        .arg(format!("moldflow {name}"))
        .arg(format!("--array={ranges}"))
        .arg(first.dir.join(ARRAY_SCRIPT).to_string_lossy());
    sbatch(host, call.env(SUBMITS, arrays::mark(&name, &ranges)))
}

/// Submits the job of a block under this name. A block is no task: it has no token, such that it is
/// not found as a task of an earlier engine.
pub(crate) fn submit_block(
    host: &mut dyn CommandHost,
    name: &str,
    options: &[String],
) -> Submission {
    let call = CommandRequest::new(["sbatch", "--parsable", "--no-requeue", "--chdir=/"])
        .args(["--job-name", name, "--comment"])
        .arg(format!("moldflow {name}"));
    sbatch(host, call.args(options))
}

/// Lists all jobs of this user that Slurm still knows.
///
/// # Errors
///
/// Returns [`Unreachable`] if Slurm does not answer.
pub(crate) fn list(host: &mut dyn CommandHost) -> Result<Vec<JobStatus>, Unreachable> {
    let call = CommandRequest::new(["squeue", "--noheader", "--array", "--states=all", "--me"])
        .args(["--format", "%i|%j|%T|%V|%r|%L"]);
    let text = checked(host.run(&call)?)?;
    Ok(text.lines().filter_map(parse_status).collect())
}

/// Asks for jobs by their ids: `None` for an id that Slurm says it does not know.
///
/// # Errors
///
/// Returns [`Unreachable`] if Slurm does not answer.
pub(crate) fn show(
    host: &mut dyn CommandHost,
    ids: &[String],
) -> Result<BTreeMap<String, Option<JobStatus>>, Unreachable> {
    let mut statuses = BTreeMap::new();
    for ids in ids.chunks(SHOWN_AT_ONCE) {
        let mut call = CommandRequest::new(["scontrol", "--oneliner"]);
        // Commands on its input, so that it is started once.
        let requests = ids.iter().map(|id| format!("show job {id}\n"));
        call.stdin = requests.collect::<String>().into_bytes();
        statuses.extend(parse_answers(ids, &host.run(&call)?)?);
    }
    Ok(statuses)
}

/// Cancels the live jobs of these names, with `pending_only` only those that have not started.
/// Returns the ids of those that were cancelled.
///
/// # Errors
///
/// Returns [`Unreachable`] if Slurm does not answer.
pub(crate) fn cancel(
    host: &mut dyn CommandHost,
    names: &[String],
    pending_only: bool,
) -> Result<Vec<String>, Unreachable> {
    // By ids that are fresh from the controller, each of a job with one of the names: `scancel
    // --name` takes one name only, and silently matches nothing when it gets several.
    let ids = ids_to_cancel(&list(host)?, names, pending_only);
    for ids in ids.chunks(AT_ONCE) {
        let call = CommandRequest::new([CANCEL])
            .args(pending_only.then_some("--state=PENDING"))
            .args(ids.iter().cloned());
        let output = host.run(&call)?;
        // It is no failure if a job has ended meanwhile.
        if !output.succeeded() && !output.stderr.contains("Invalid job") {
            checked(output)?;
        }
    }
    Ok(ids)
}

fn sbatch(host: &mut dyn CommandHost, call: CommandRequest) -> Submission {
    submit_by(host, &call, &DIALECT)
}

/// Returns a time as `--time` of Slurm takes it: in whole minutes, rounded up.
pub(crate) fn minutes(time: Duration) -> String {
    time.as_secs().div_ceil(60).max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_refused_only_when_slurm_says_so() {
        let answer = |message: &str| DIALECT.messages.submission(message.to_owned());
        let lost = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)";
        assert_eq!(answer(lost), Submission::Unknown);
        let full = "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates \
                    accounting/QOS policy (job submit limit, user's size and/or time limits)";
        assert_eq!(answer(full), Submission::QueueFull);
        let wrong = "sbatch: error: invalid partition specified: nosuch";
        assert_eq!(answer(wrong), Submission::Rejected(wrong.into()));
    }

    #[test]
    fn a_started_minute_is_asked_for_whole() {
        assert_eq!(minutes(Duration::from_secs(1)), "1");
        assert_eq!(minutes(Duration::from_secs(61)), "2");
    }
}
