//! PBS Pro and OpenPBS: their commands, and what they print. A job carries its token in a variable, because names may be
//! as short as 15 characters; its name is that of its run, by which the jobs of a run are selected.
//!
//! A server forgets a job that has ended, unless it keeps a history, which by default it does not. Without history an id
//! that it does not know is that of a job that has ended, and only the job's own files tell how. `-x`, which asks for the
//! history too, hides jobs that live where there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{Refusal, letters_of, words};
use super::script::run_name;
use super::submission::{one_by_one, submit_by};
use super::{
    Call, ChainCommands, CommandHost, Constraints, Dialect, JobListing, JobOutcome, JobPresence,
    JobState, JobStatus, Messages, NodeSource, OptionRules, Output, ReadyJob, Scheduler,
    SchedulerInfo, ScriptError, ServerCheck, Subject, Submission, SubmissionParams, SubmitHost,
    TOKEN, TaskJob, Unreachable, ids_to_cancel,
};

pub static DIALECT: Dialect = Dialect {
    key: "pbs",
    description: "A job of PBS Pro for each task.",
    info: SchedulerInfo::new("PBS", &["qsub"], "qdel"),
    template: include_str!("../../templates/pbs.sh.hbs"),
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
                "the server keeps no history (job_history_enable): how jobs ended is told by their own files alone"
            }
        },
        unknown: "whether the server keeps a history is not known",
        advice: "nothing need be done: then jobs are taken for ended when the server does not know them, and judged by their own files",
    }),
    scheduler: |params| Box::new(Pbs::new(params)),
};

/// Jobs that one `qstat` gets.
const ASKED_AT_ONCE: usize = 500;
/// What every command that was given `-x` prints where the server keeps no history; it succeeds all the same.
const NO_HISTORY: &str = "not configured to maintain job history";

/// Options of `qsub` (its manual page), which has letters only.
const OPTIONS: &[(char, Subject)] = &[
    ('N', Subject::Name),
    ('v', Subject::Variables),
    ('q', Subject::Queue),
    ('A', Subject::Account),
    ('o', Subject::Files),
    ('e', Subject::Files),
    ('j', Subject::Files),
    ('k', Subject::Files),
    ('J', Subject::Array),
    ('r', Subject::Requeue),
    ('S', Subject::Shell),
    ('C', Subject::Shell),
    ('I', Subject::Interactive),
    ('X', Subject::Interactive),
    ('G', Subject::Interactive),
    ('f', Subject::Interactive),
    ('z', Subject::Interactive),
];
/// Letters without a value.
const FLAGS: &str = "fGhIVXz";
/// Resources that `-l` asks for; beside `select` the server refuses those of a chunk.
const RESOURCES: &[(&str, Subject)] = &[
    ("select", Subject::Nodes),
    ("nodes", Subject::Nodes),
    ("nodect", Subject::Nodes),
    ("ncpus", Subject::Cores),
    ("mpiprocs", Subject::Cores),
    ("ompthreads", Subject::Cores),
    ("procs", Subject::Cores),
    ("mem", Subject::Memory),
    ("pmem", Subject::Memory),
    ("vmem", Subject::Memory),
    ("pvmem", Subject::Memory),
    ("ngpus", Subject::Gpus),
    ("walltime", Subject::Walltime),
    ("min_walltime", Subject::Walltime),
    ("max_walltime", Subject::Walltime),
    ("place", Subject::Place),
];

/// Returns the subjects of an entry of `options`.
fn subjects(option: &str) -> Vec<Subject> {
    let words = words(option);
    let mut subjects = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Some(letters) = word.strip_prefix('-') else {
            continue;
        };
        for (letter, rest) in letters_of(letters, FLAGS) {
            let next = words.get(index + 1).map_or("", String::as_str);
            let value = if rest.is_empty() { next } else { rest };
            let names = value
                .split(',')
                .map(|part| part.split('=').next().unwrap_or_default());
            match letter {
                'l' => subjects.extend(value.split(',').filter_map(resource)),
                'W' if names.clone().any(|name| name == "depend") => subjects.push(Subject::Order),
                'W' if names.clone().any(|name| name == "block") => {
                    subjects.push(Subject::Interactive);
                }
                _ => {
                    let found = OPTIONS.iter().filter(|(known, _)| *known == letter);
                    subjects.extend(found.map(|(_, subject)| *subject));
                }
            }
        }
    }
    subjects
}

fn resource(part: &str) -> Option<Subject> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let (_, subject) = RESOURCES.iter().find(|(known, _)| *known == name.trim())?;
    (name.trim() != "place" || added_to_place(value).is_none()).then_some(*subject)
}

/// Returns what a value of `place` adds to moldflow's own `scatter`; `None` if it contradicts it.
fn added_to_place(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split(':').filter(|part| *part != "scatter").collect();
    let contradicts = |part: &&str| ["pack", "free", "vscatter"].contains(part);
    (!parts.iter().any(contradicts)).then(|| parts.join(":"))
}

/// Returns the value of `place` in a script: moldflow's own, and what is added to it by entries of
/// `options` that are nothing else; and the other entries.
fn place(options: &[String]) -> (String, Vec<&String>) {
    let mut place = "scatter".to_owned();
    let mut others = Vec::new();
    for option in options {
        let words = words(option);
        let value = match words.as_slice() {
            [l, value] if l == "-l" => value.strip_prefix("place="),
            [word] => word.strip_prefix("-lplace="),
            _ => None,
        };
        match value
            .filter(|value| !value.contains(','))
            .and_then(added_to_place)
        {
            Some(added) if added.is_empty() => {}
            Some(added) => place = format!("{place}:{added}"),
            None => others.push(option),
        }
    }
    (place, others)
}

/// Returns why a constraint is no list of resources of a chunk that moldflow does not ask for.
fn chunk_resources(constraint: &str) -> Option<Refusal> {
    let mut parts = constraint.split(':').map(|part| part.split_once('='));
    let known = |name: &str| RESOURCES.iter().find(|(known, _)| *known == name);
    parts.find_map(|part| match part {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            known(name).map(|(_, subject)| subject.refusal())
        }
        _ => Some(DIALECT.constraints.refusal()),
    })
}

/// Returns the id that a line is: `id.server`.
fn parse_id(line: &str) -> Option<String> {
    let is_name = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
    };
    let (id, server) = line.split_once('.').unwrap_or((line, "server"));
    let id = id.strip_suffix("[]").unwrap_or(id);
    let is_number = !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    let has_letters = server.contains(|c: char| c.is_ascii_alphabetic());
    (is_number && is_name(server) && has_letters).then(|| line.to_owned())
}

/// Submits a job by the `qsub` of PBS or Cobalt.
pub(super) fn qsub(
    host: &mut dyn SubmitHost,
    job: &ReadyJob,
    dialect: &'static Dialect,
) -> Submission {
    let call = Call::new(["qsub"]).arg(job.script_path().to_string_lossy());
    submit_by(host, &call.env(TOKEN, job.token.to_string()), dialect)
}

/// Jobs that one `qdel` gets.
const CANCELLED_AT_ONCE: usize = 100;

/// Cancels jobs of PBS or Cobalt by their ids, which have to be fresh. It is no failure if a job has
/// ended meanwhile.
pub(super) fn qdel(
    host: &mut dyn CommandHost,
    ids: &[String],
    messages: &Messages,
) -> Result<(), Unreachable> {
    for ids in ids.chunks(CANCELLED_AT_ONCE) {
        let output = host.run(&Call::new(["qdel"]).args(ids))?;
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
    /// Whether the server keeps a history; `None` before it was asked.
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
    ) -> Result<Output, Unreachable> {
        let history = match self.history {
            Some(history) => history,
            None => keeps_history(host)?,
        };
        self.history = Some(history);
        let call = |x: Option<&str>| {
            let call = Call::new([command]).args(x);
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

    /// What `qstat` says of jobs: None for an id of which it says that it does not know it or that its job has ended.
    /// Of an id that it does not mention nothing is known.
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
    fn info(&self) -> &'static SchedulerInfo {
        &DIALECT.info
    }

    fn script(&self, job: &TaskJob) -> Result<String, ScriptError> {
        self.params.script(job).render()
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

/// Whether the server keeps a history of jobs that have ended. Every user may read that; where it was never set,
/// nothing is printed, and there is none.
fn keeps_history(host: &mut dyn CommandHost) -> Result<bool, Unreachable> {
    let output = host.run(&Call::new(["qstat", "-B", "-f"]))?;
    match output.succeeded() {
        true => Ok(has_history(&output.stdout)),
        false => Err(Unreachable(output.stderr)),
    }
}

/// The same from what `qstat -B -f` prints.
fn has_history(server: &str) -> bool {
    let attributes = server.lines().filter_map(|line| line.split_once('='));
    let mut settings = attributes.filter(|(name, _)| name.trim() == "job_history_enable");
    settings.any(|(_, value)| value.trim() == "True")
}

/// Ids of which `qstat` says that it does not know them, or that their jobs have ended.
fn denied(stderr: &str) -> BTreeSet<String> {
    let said = stderr.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("qstat: ")?;
        match line.strip_prefix("Unknown Job Id ") {
            Some(id) => Some(id.trim()),
            None => Some(line.split_once(" Job has finished")?.0.trim()),
        }
    });
    said.map(str::to_owned).collect()
}

/// Reads `qstat -f -F dsv`: a job a line, `name=value` between bars.
fn parse_jobs(text: &str) -> Vec<JobStatus> {
    // What was cut off in the middle tells nothing.
    let lines = text.split_inclusive('\n');
    let whole = lines.filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(parse_job).collect()
}

fn parse_job(line: &str) -> Option<JobStatus> {
    let mut fields = split(line, '|').into_iter();
    let id = fields.next()?.strip_prefix("Job Id: ")?.trim().to_owned();
    let fields: Vec<(String, String)> = fields
        .filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect();
    let field = |name: &str| {
        let mut named = fields.iter().filter(|(other, _)| other == name);
        named.next().map(|(_, value)| value.as_str())
    };
    let variables = field("Variable_List").map_or_else(Vec::new, |list| split(list, ','));
    let mut tokens = variables.iter().filter_map(|variable| {
        let (name, value) = variable.split_once('=')?;
        (name == TOKEN).then(|| value.to_owned())
    });
    let number = |name: &str| field(name)?.parse::<i64>().ok();
    let attributes = Attributes {
        job_state: field("job_state")?,
        substate: number("substate"),
        exit_status: number("Exit_status"),
        asked: field("Resource_List.walltime"),
        used: field("resources_used.walltime"),
    };
    Some(JobStatus {
        state: attributes.state(),
        // A job without a token is none of ours.
        name: tokens.next().unwrap_or_default(),
        submitted: field("ctime").and_then(sortable_time).unwrap_or_default(),
        reason: field("comment").unwrap_or_default().to_owned(),
        left: None,
        id,
    })
}

/// Splits a text at a character that no backslash stands before; a backslash before one is dropped.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        let part = parts.last_mut().expect("there is one from the beginning");
        if escaped {
            if c != at {
                part.push('\\');
            }
            part.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == at {
            parts.push(String::new());
        } else {
            part.push(c);
        }
    }
    parts
}

/// Attributes of a job that tell where it stands.
struct Attributes<'a> {
    job_state: &'a str,
    substate: Option<i64>,
    exit_status: Option<i64>,
    /// Walltime asked for, `HH:MM:SS`.
    asked: Option<&'a str>,
    /// Walltime used.
    used: Option<&'a str>,
}

impl Attributes<'_> {
    fn state(&self) -> JobState {
        match self.job_state {
            "Q" | "H" | "W" | "T" => JobState::Pending,
            "R" | "S" | "U" | "B" => JobState::Running,
            "E" => JobState::Completing,
            "F" | "X" => JobState::Ended(self.outcome()),
            // `M`, moved to another server, is one of them.
            word => JobState::Unknown(word.to_owned()),
        }
    }

    /// How a finished job ended: its state does not tell. Negative codes are PBS's own, 128 and above a signal's.
    fn outcome(&self) -> JobOutcome {
        /// Substate of a job that was deleted.
        const TERMINATED: i64 = 91;
        match self.exit_status {
            _ if self.is_past_walltime() => JobOutcome::Walltime,
            Some(-29) => JobOutcome::Walltime,
            _ if self.substate == Some(TERMINATED) => JobOutcome::Cancelled,
            Some(0) => JobOutcome::Completed,
            Some(-27 | -26) => JobOutcome::OutOfMemory,
            // The node's daemon was restarted, and found the job.
            Some(code @ (-6..=-4)) => JobOutcome::NodeLost(format!("Exit_status {code}")),
            Some(code) => JobOutcome::Failed(format!("Exit_status {code}")),
            None => JobOutcome::Failed("F without Exit_status".into()),
        }
    }

    /// Whether it was killed by SIGTERM or SIGKILL when its time was used up: as some versions put it.
    fn is_past_walltime(&self) -> bool {
        let times = (self.used.and_then(seconds), self.asked.and_then(seconds));
        matches!(self.exit_status, Some(265 | 271 | 137 | 143))
            && matches!(times, (Some(used), Some(asked)) if used >= asked)
    }
}

/// Seconds of `HH:MM:SS`.
fn seconds(time: &str) -> Option<u64> {
    let parts = time.split(':').map(|part| part.parse::<u64>().ok());
    parts
        .into_iter()
        .try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part?))
}

/// `Tue Oct  4 21:23:20 2022` as words that sort by time.
fn sortable_time(ctime: &str) -> Option<String> {
    let time = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", ctime).ok()?;
    Some(time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Their origin is told beside them.
    const RUNNING: &str = include_str!("../../tests/goldens/pbs/running.dsv");
    const FINISHED: &str = include_str!("../../tests/goldens/pbs/finished.dsv");

    fn listed(dsv: &str) -> JobStatus {
        parse_jobs(dsv).pop().unwrap()
    }

    #[test]
    fn a_job_is_known_by_its_token_and_its_state() {
        let job = listed(RUNNING);
        assert_eq!(job.id, "12860476.pbs01.example.org");
        assert_eq!(job.name, "0123456789abcdef.12.1");
        assert_eq!(job.state, JobState::Running);
        assert_eq!(job.submitted, "2022-10-04T21:23:20");
        let job = listed(FINISHED);
        assert_eq!(job.name, "0123456789abcdef.13.2");
        assert_eq!(job.state, JobState::Ended(JobOutcome::Completed));
    }

    #[test]
    fn several_jobs_are_read_and_none_that_was_cut_off() {
        let both = format!("a greeting\n{RUNNING}{FINISHED}");
        assert_eq!(parse_jobs(&both), [listed(RUNNING), listed(FINISHED)]);
        let cut = both.trim_end();
        assert_eq!(parse_jobs(cut), [listed(RUNNING)]);
        assert_eq!(parse_jobs(""), []);
    }

    #[test]
    fn a_bar_or_a_comma_in_a_value_ends_nothing() {
        let line = "Job Id: 7.s|Job_Name=m1|comment=a\\|job_state=F|job_state=Q|\
                    Variable_List=A=x\\,MOLDFLOW_TOKEN=no,MOLDFLOW_TOKEN=1f.2.1,B=\\\\\n";
        let job = listed(line);
        assert_eq!(
            (job.name.as_str(), &job.state),
            ("1f.2.1", &JobState::Pending)
        );
        assert_eq!(job.reason, "a|job_state=F");
    }

    #[test]
    fn an_id_is_denied_only_by_name() {
        let said = "qstat: Unknown Job Id 1.pbs01\nqstat: 3.pbs01 Job has finished, use -x or -H to obtain historical \
                    job information\nqstat: PBS is not configured to maintain job history";
        assert_eq!(
            denied(said),
            ["1.pbs01", "3.pbs01"].map(str::to_owned).into()
        );
        assert_eq!(denied("qstat: Unknown queue"), BTreeSet::new());
    }

    #[test]
    fn there_is_a_history_only_where_the_server_says_so() {
        let server = "Server: pbs01\n    server_state = Active\n    job_history_enable = True\n    pbs_version = 23.06.06\n";
        assert!(has_history(server));
        assert!(!has_history(&server.replace("True", "False")));
        // As long as nobody has set it.
        assert!(!has_history("Server: pbs01\n    server_state = Active\n"));
    }

    #[test]
    fn how_a_finished_job_ended_is_in_its_exit_status() {
        let outcome = |from: &str, to: &str| {
            assert!(FINISHED.contains(from));
            match listed(&FINISHED.replace(from, to)).state {
                JobState::Ended(outcome) => outcome,
                state => panic!("{state:?}"),
            }
        };
        let exit = |code: &str| outcome("Exit_status=0", &format!("Exit_status={code}"));
        assert_eq!(exit("-29"), JobOutcome::Walltime);
        assert_eq!(exit("-27"), JobOutcome::OutOfMemory);
        assert_eq!(exit("-4"), JobOutcome::NodeLost("Exit_status -4".into()));
        assert_eq!(exit("3"), JobOutcome::Failed("Exit_status 3".into()));
        assert_eq!(exit("271"), JobOutcome::Failed("Exit_status 271".into()));
        let over = FINISHED
            .replace("24:05:32", "48:00:13")
            .replace("Exit_status=0", "Exit_status=271");
        assert_eq!(listed(&over).state, JobState::Ended(JobOutcome::Walltime));
        assert_eq!(outcome("substate=92", "substate=91"), JobOutcome::Cancelled);
        // As OpenPBS 23.06 has it.
        let walltime = FINISHED
            .replace("Exit_status=0", "Exit_status=-29")
            .replace("substate=92", "substate=93");
        assert_eq!(
            listed(&walltime).state,
            JobState::Ended(JobOutcome::Walltime)
        );
    }

    #[test]
    fn a_state_that_is_not_known_is_kept() {
        let moved = RUNNING.replace("job_state=R", "job_state=M");
        assert_eq!(listed(&moved).state, JobState::Unknown("M".into()));
    }

    #[test]
    fn a_submission_is_refused_only_when_pbs_says_so() {
        let lost = "Connection refused\nqsub: cannot connect to server pbs01 (errno=111)";
        assert_eq!(
            DIALECT.messages.submission(lost.into()),
            Submission::Unknown
        );
        let full = "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state";
        assert_eq!(
            DIALECT.messages.submission(full.into()),
            Submission::QueueFull
        );
        let full = "qsub: Maximum number of jobs for user me already in queue workq";
        assert_eq!(
            DIALECT.messages.submission(full.into()),
            Submission::QueueFull
        );
        let wrong = "qsub: Unknown queue";
        assert_eq!(
            DIALECT.messages.submission(wrong.into()),
            Submission::Rejected(wrong.into())
        );
    }

    #[test]
    fn the_jobs_of_a_run_have_one_short_name_that_begins_with_a_letter() {
        assert_eq!(run_name("0123456789abcdef.12.1"), "m0123456789abcd");
        assert_eq!(run_name("0123456789abcdef"), "m0123456789abcd");
    }
}
