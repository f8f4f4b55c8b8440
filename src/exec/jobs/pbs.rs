//! PBS Pro and OpenPBS: their commands, and what they print. A job carries its token in a variable, because names may be
//! as short as 15 characters; its name is that of its run, by which the jobs of a run are selected.
//!
//! A server forgets a job that has ended, unless it keeps a history, which by default it does not. Without history an id
//! that it does not know is that of a job that has ended, and only the job's own files tell how. `-x`, which asks for the
//! history too, hides jobs that live where there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{BatchSystem, Fate, Listed, Listing, Messages, Ready, State, Submitted};
use crate::exec::Job;
use crate::exec::batch::{BatchError, System, Terms, pbs_name};
use crate::exec::batched;
use crate::exec::process::TOKEN;
use crate::exec::submission::printed_id;
use crate::exec::transport::{CommandRequest, Output, Transport, Unreachable};

const SAID: Messages = Messages {
    later: &["would exceed", "Maximum number of jobs"],
    unreachable: &[
        "cannot connect to server",
        "Couldn't connect to cluster",
        "Communication failure",
        "Connection refused",
        "Connection timed out",
        "Server shutting down",
        "End of File",
    ],
};

/// Jobs that one command is given.
const AT_ONCE: usize = 500;
/// What every command that was given `-x` prints where the server keeps no history; it succeeds all the same.
const NO_HISTORY: &str = "not configured to maintain job history";

/// PBS's commands.
#[derive(Clone, Debug)]
pub struct Pbs {
    terms: Terms,
    /// Whether the server keeps a history; None before it was asked.
    history: Option<bool>,
    /// Jobs that have ended, by their ids: they are not asked for again.
    ended: BTreeMap<String, Listed>,
}

impl Pbs {
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            history: None,
            ended: BTreeMap::new(),
        }
    }

    /// Runs a command that can ask for the history, with `-x` only where there is one.
    fn ask(
        &mut self,
        via: &mut dyn Transport,
        command: &str,
        arguments: &[&str],
    ) -> Result<Output, Unreachable> {
        let history = match self.history {
            Some(history) => history,
            None => keeps_history(via)?,
        };
        self.history = Some(history);
        let call = |x: Option<&str>| {
            let call = CommandRequest::new([command]).args(x);
            call.args(arguments.iter().copied())
        };
        let output = via.run(&call(history.then_some("-x")))?;
        if history && output.stderr.contains(NO_HISTORY) {
            // It was switched off meanwhile.
            self.history = Some(false);
            return via.run(&call(None));
        }
        Ok(output)
    }

    /// What `qstat` says of jobs: None for an id of which it says that it does not know it or that its job has ended.
    /// Of an id that it does not mention nothing is known.
    fn stat(
        &mut self,
        via: &mut dyn Transport,
        ids: &[&str],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
        let mut said = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE) {
            // `-F json` tells only of the first of several jobs (OpenPBS issue 2672).
            let mut arguments = vec!["-f", "-F", "dsv"];
            arguments.extend(ids);
            let output = self.ask(via, "qstat", &arguments)?;
            let denied = denied(&output.stderr);
            if !output.succeeded() && denied.is_empty() {
                return Err(Unreachable(output.stderr));
            }
            said.extend(denied.into_iter().map(|id| (id, None)));
            let jobs = jobs(&output.stdout).into_iter();
            said.extend(jobs.map(|job| (job.id.clone(), Some(job))));
        }
        Ok(said)
    }
}

impl BatchSystem for Pbs {
    fn name(&self) -> &'static str {
        "PBS"
    }

    fn client(&self) -> &'static str {
        "qsub"
    }

    fn ender(&self) -> &'static str {
        "qdel"
    }

    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError> {
        batched::script_of_job(&self.terms, job, dir, executable)
    }

    fn submit(&mut self, via: &mut dyn Transport, jobs: &[Ready]) -> Vec<Submitted> {
        super::each(jobs, |token, script| {
            let call = CommandRequest::new(["qsub"]).arg(script.to_string_lossy());
            match via.run(&call.env(TOKEN, token)) {
                Ok(output) if output.succeeded() => printed_id(System::Pbs, &output.stdout)
                    .map_or(Submitted::Unknown, Submitted::As),
                Ok(output) => SAID.refusal(output.stderr),
                Err(_) => Submitted::Unknown,
            }
        })
    }

    fn list(&mut self, via: &mut dyn Transport, run: &str) -> Result<Listing, Unreachable> {
        let output = self.ask(via, "qselect", &["-N", &pbs_name(run)])?;
        if !output.succeeded() {
            return Err(Unreachable(output.stderr));
        }
        let lines = output.stdout.lines();
        let ids: BTreeSet<String> = lines
            .filter_map(|line| printed_id(System::Pbs, line))
            .collect();
        self.ended.retain(|id, _| ids.contains(id));
        let open = ids.iter().filter(|id| !self.ended.contains_key(*id));
        let open: Vec<&str> = open.map(String::as_str).collect();
        let said = self.stat(via, &open)?;
        let complete = open.iter().all(|id| said.contains_key(*id));
        let mut jobs = Vec::new();
        for job in said.into_values().flatten() {
            match job.state {
                State::Ended(_) => drop(self.ended.insert(job.id.clone(), job)),
                _ => jobs.push(job),
            }
        }
        jobs.extend(self.ended.values().cloned());
        Ok(Listing { jobs, complete })
    }

    fn show(
        &mut self,
        via: &mut dyn Transport,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.stat(via, &ids)
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<Vec<String>, Unreachable> {
        let Some((run, _)) = tokens.first().and_then(|token| token.split_once('.')) else {
            return Ok(Vec::new());
        };
        // Ids are fresh from the server, and each is that of a job with one of the tokens.
        let listing = self.list(via, run)?;
        let ids = super::ids_to_end(&listing.jobs, tokens, waiting);
        super::qdel(via, &ids, &SAID)?;
        match listing.complete {
            true => Ok(ids),
            false => Err(Unreachable("qstat left jobs out of its answer".into())),
        }
    }
}

/// Whether the server keeps a history of jobs that have ended. Every user may read that; where it was never set,
/// nothing is printed, and there is none.
pub fn keeps_history(via: &mut dyn Transport) -> Result<bool, Unreachable> {
    let output = via.run(&CommandRequest::new(["qstat", "-B", "-f"]))?;
    match output.succeeded() {
        true => Ok(says_history(&output.stdout)),
        false => Err(Unreachable(output.stderr)),
    }
}

/// The same from what `qstat -B -f` prints.
pub fn says_history(server: &str) -> bool {
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
fn jobs(text: &str) -> Vec<Listed> {
    // What was cut off in the middle tells nothing.
    let lines = text.split_inclusive('\n');
    let whole = lines.filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(job).collect()
}

fn job(line: &str) -> Option<Listed> {
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
    Some(Listed {
        state: attributes.state(),
        // A job without a token is none of ours.
        name: tokens.next().unwrap_or_default(),
        submitted: field("ctime").and_then(moment).unwrap_or_default(),
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
    fn state(&self) -> State {
        match self.job_state {
            "Q" | "H" | "W" | "T" => State::Waiting,
            "R" | "S" | "U" | "B" => State::Running,
            "E" => State::Completing,
            "F" | "X" => State::Ended(self.fate()),
            // `M`, moved to another server, is one of them.
            word => State::Unknown(word.to_owned()),
        }
    }

    /// How a finished job ended: its state does not tell. Negative codes are PBS's own, 128 and above a signal's.
    fn fate(&self) -> Fate {
        /// Substate of a job that was deleted.
        const TERMINATED: i64 = 91;
        match self.exit_status {
            _ if self.is_past_walltime() => Fate::Walltime,
            Some(-29) => Fate::Walltime,
            _ if self.substate == Some(TERMINATED) => Fate::Cancelled,
            Some(0) => Fate::Completed,
            Some(-27 | -26) => Fate::OutOfMemory,
            // The node's daemon was restarted, and found the job.
            Some(code @ (-6..=-4)) => Fate::NodeLost(format!("Exit_status {code}")),
            Some(code) => Fate::Failed(format!("Exit_status {code}")),
            None => Fate::Failed("F without Exit_status".into()),
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
fn moment(ctime: &str) -> Option<String> {
    let time = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", ctime).ok()?;
    Some(time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Their origin is told beside them.
    const RUNNING: &str = include_str!("../../../tests/goldens/pbs/running.dsv");
    const FINISHED: &str = include_str!("../../../tests/goldens/pbs/finished.dsv");

    fn listed(dsv: &str) -> Listed {
        jobs(dsv).pop().unwrap()
    }

    #[test]
    fn a_job_is_known_by_its_token_and_its_state() {
        let job = listed(RUNNING);
        assert_eq!(job.id, "12860476.pbs01.example.org");
        assert_eq!(job.name, "0123456789abcdef.12.1");
        assert_eq!(job.state, State::Running);
        assert_eq!(job.submitted, "2022-10-04T21:23:20");
        let job = listed(FINISHED);
        assert_eq!(job.name, "0123456789abcdef.13.2");
        assert_eq!(job.state, State::Ended(Fate::Completed));
    }

    #[test]
    fn several_jobs_are_read_and_none_that_was_cut_off() {
        let both = format!("a greeting\n{RUNNING}{FINISHED}");
        assert_eq!(jobs(&both), [listed(RUNNING), listed(FINISHED)]);
        let cut = both.trim_end();
        assert_eq!(jobs(cut), [listed(RUNNING)]);
        assert_eq!(jobs(""), []);
    }

    #[test]
    fn a_bar_or_a_comma_in_a_value_ends_nothing() {
        let line = "Job Id: 7.s|Job_Name=m1|comment=a\\|job_state=F|job_state=Q|\
                    Variable_List=A=x\\,MOLDFLOW_TOKEN=no,MOLDFLOW_TOKEN=1f.2.1,B=\\\\\n";
        let job = listed(line);
        assert_eq!((job.name.as_str(), &job.state), ("1f.2.1", &State::Waiting));
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
        assert!(says_history(server));
        assert!(!says_history(&server.replace("True", "False")));
        // As long as nobody has set it.
        assert!(!says_history("Server: pbs01\n    server_state = Active\n"));
    }

    #[test]
    fn how_a_finished_job_ended_is_in_its_exit_status() {
        let fate = |from: &str, to: &str| {
            assert!(FINISHED.contains(from));
            match listed(&FINISHED.replace(from, to)).state {
                State::Ended(fate) => fate,
                state => panic!("{state:?}"),
            }
        };
        let exit = |code: &str| fate("Exit_status=0", &format!("Exit_status={code}"));
        assert_eq!(exit("-29"), Fate::Walltime);
        assert_eq!(exit("-27"), Fate::OutOfMemory);
        assert_eq!(exit("-4"), Fate::NodeLost("Exit_status -4".into()));
        assert_eq!(exit("3"), Fate::Failed("Exit_status 3".into()));
        assert_eq!(exit("271"), Fate::Failed("Exit_status 271".into()));
        let over = FINISHED
            .replace("24:05:32", "48:00:13")
            .replace("Exit_status=0", "Exit_status=271");
        assert_eq!(listed(&over).state, State::Ended(Fate::Walltime));
        assert_eq!(fate("substate=92", "substate=91"), Fate::Cancelled);
        // As OpenPBS 23.06 has it.
        let walltime = FINISHED
            .replace("Exit_status=0", "Exit_status=-29")
            .replace("substate=92", "substate=93");
        assert_eq!(listed(&walltime).state, State::Ended(Fate::Walltime));
    }

    #[test]
    fn a_state_that_is_not_known_is_kept() {
        let moved = RUNNING.replace("job_state=R", "job_state=M");
        assert_eq!(listed(&moved).state, State::Unknown("M".into()));
    }

    #[test]
    fn a_submission_is_refused_only_when_pbs_says_so() {
        let lost = "Connection refused\nqsub: cannot connect to server pbs01 (errno=111)";
        assert_eq!(SAID.refusal(lost.into()), Submitted::Unknown);
        let full = "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state";
        assert_eq!(SAID.refusal(full.into()), Submitted::Full);
        let full = "qsub: Maximum number of jobs for user me already in queue workq";
        assert_eq!(SAID.refusal(full.into()), Submitted::Full);
        let wrong = "qsub: Unknown queue";
        assert_eq!(SAID.refusal(wrong.into()), Submitted::Refused(wrong.into()));
    }

    #[test]
    fn the_jobs_of_a_run_have_one_short_name_that_begins_with_a_letter() {
        assert_eq!(pbs_name("0123456789abcdef.12.1"), "m0123456789abcd");
        assert_eq!(pbs_name("0123456789abcdef"), "m0123456789abcd");
    }
}
