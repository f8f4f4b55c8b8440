//! PBS Pro and OpenPBS: their commands, and what they print. A job carries its token in a variable, because names may be
//! as short as 15 characters; its name is that of its run, by which the jobs of a run are selected.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{AT_ONCE, BatchSystem, Fate, Listed, Messages, State, Submitted};
use crate::exec::Job;
use crate::exec::batch::{BatchError, Terms, pbs_name};
use crate::exec::batched;
use crate::exec::process::TOKEN;
use crate::exec::transport::{Call, Transport, Unreachable};

const SAID: Messages = Messages {
    later: &["would exceed", "Maximum number of jobs already in queue"],
    unreachable: &[
        "cannot connect to server",
        "Communication failure",
        "Connection refused",
        "Connection timed out",
        "Server shutting down",
        "End of File",
    ],
};

/// PBS's commands.
#[derive(Clone, Debug)]
pub struct Pbs {
    terms: Terms,
    /// Jobs that have ended, by their ids: they are not asked for again.
    ended: BTreeMap<String, Listed>,
}

impl Pbs {
    pub fn new(terms: Terms) -> Self {
        let ended = BTreeMap::new();
        Self { terms, ended }
    }
}

impl BatchSystem for Pbs {
    fn name(&self) -> &'static str {
        "PBS"
    }

    fn client(&self) -> &'static str {
        "qsub"
    }

    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError> {
        batched::script_of_job(&self.terms, job, dir, executable)
    }

    fn submit(&mut self, via: &mut dyn Transport, token: &str, script: &Path) -> Submitted {
        let call = Call::new(["qsub"]).arg(script.to_string_lossy());
        match via.run(&call.env(TOKEN, token)) {
            Ok(output) if output.succeeded() => match output.stdout.trim() {
                "" => Submitted::Unknown,
                id => Submitted::As(id.to_owned()),
            },
            Ok(output) => SAID.refusal(output.stderr),
            Err(_) => Submitted::Unknown,
        }
    }

    fn list(&mut self, via: &mut dyn Transport, run: &str) -> Result<Vec<Listed>, Unreachable> {
        let output = via.run(&Call::new(["qselect", "-x", "-N", &pbs_name(run)]))?;
        if !output.succeeded() {
            return Err(Unreachable(output.stderr));
        }
        let ids: Vec<&str> = output.stdout.split_whitespace().collect();
        self.ended.retain(|id, _| ids.contains(&id.as_str()));
        let open = ids.iter().filter(|id| !self.ended.contains_key(**id));
        let open: Vec<&str> = open.copied().collect();
        let mut live = Vec::new();
        for ids in open.chunks(AT_ONCE) {
            for job in qstat(via, ids)? {
                match job.state {
                    State::Ended(_) => drop(self.ended.insert(job.id.clone(), job)),
                    _ => live.push(job),
                }
            }
        }
        live.extend(self.ended.values().cloned());
        Ok(live)
    }

    fn show(&mut self, via: &mut dyn Transport, id: &str) -> Result<Option<Listed>, Unreachable> {
        Ok(qstat(via, &[id])?.pop())
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<(), Unreachable> {
        let Some((run, _)) = tokens.first().and_then(|token| token.split_once('.')) else {
            return Ok(());
        };
        // Ids are fresh from the server, and each is that of a job with one of the tokens.
        let jobs = self.list(via, run)?;
        let ids: Vec<String> = super::ids_to_end(jobs, tokens, waiting);
        super::qdel(via, &ids, &SAID)
    }
}

/// What `qstat` says of jobs; of an id that is not known it says nothing.
fn qstat(via: &mut dyn Transport, ids: &[&str]) -> Result<Vec<Listed>, Unreachable> {
    let call = Call::new(["qstat", "-x", "-f", "-F", "json"]).args(ids.iter().copied());
    let output = via.run(&call)?;
    let unknown = output.stderr.contains("Unknown Job Id");
    match serde_json::from_str::<Report>(&output.stdout) {
        // It fails when any of the ids is unknown, and yet tells of the others.
        Ok(report) if output.succeeded() || unknown => Ok(report.listed()),
        Err(_) if unknown && output.stdout.trim().is_empty() => Ok(Vec::new()),
        Ok(_) => Err(Unreachable(output.stderr)),
        Err(e) => Err(Unreachable(format!("{} {e}", output.stderr))),
    }
}

/// `qstat -f -F json`; without any job `Jobs` is missing.
#[derive(Deserialize)]
struct Report {
    #[serde(default, rename = "Jobs")]
    jobs: BTreeMap<String, Attributes>,
}

/// Attributes of a job that matter here.
#[derive(Deserialize)]
struct Attributes {
    job_state: String,
    #[serde(default)]
    substate: i64,
    #[serde(default, rename = "Exit_status")]
    exit_status: Option<i64>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    ctime: String,
    #[serde(default, rename = "Variable_List")]
    variables: BTreeMap<String, serde_json::Value>,
    #[serde(default, rename = "Resource_List")]
    asked: Resources,
    #[serde(default, rename = "resources_used")]
    used: Resources,
}

#[derive(Default, Deserialize)]
struct Resources {
    #[serde(default)]
    walltime: Option<String>,
}

impl Report {
    fn listed(self) -> Vec<Listed> {
        let jobs = self.jobs.into_iter();
        jobs.map(|(id, job)| Listed {
            // A job without a token is none of ours.
            name: match job.variables.get(TOKEN) {
                Some(serde_json::Value::String(token)) => token.clone(),
                _ => String::new(),
            },
            state: job.state(),
            submitted: moment(&job.ctime).unwrap_or_default(),
            reason: job.comment.unwrap_or_default(),
            left: None,
            id,
        })
        .collect()
    }
}

impl Attributes {
    fn state(&self) -> State {
        match self.job_state.as_str() {
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
            _ if self.substate == TERMINATED => Fate::Cancelled,
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
        let times = (walltime(&self.used), walltime(&self.asked));
        matches!(self.exit_status, Some(265 | 271 | 137 | 143))
            && matches!(times, (Some(used), Some(asked)) if used >= asked)
    }
}

/// Seconds of `HH:MM:SS`.
fn walltime(resources: &Resources) -> Option<u64> {
    let parts = resources.walltime.as_deref()?.split(':');
    parts
        .map(|part| part.parse::<u64>().ok())
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
    const RUNNING: &str = include_str!("../../../tests/goldens/pbs/running.json");
    const FINISHED: &str = include_str!("../../../tests/goldens/pbs/finished.json");

    fn listed(json: &str) -> Listed {
        let report: Report = serde_json::from_str(json).unwrap();
        report.listed().pop().unwrap()
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
    fn no_jobs_are_no_fault() {
        let empty = r#"{"timestamp":1788909619,"pbs_version":"2024.1.2","pbs_server":"pbs01"}"#;
        let report: Report = serde_json::from_str(empty).unwrap();
        assert_eq!(report.listed(), []);
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
        let exit = |code: &str| fate("\"Exit_status\":0", &format!("\"Exit_status\":{code}"));
        assert_eq!(exit("-29"), Fate::Walltime);
        assert_eq!(exit("-27"), Fate::OutOfMemory);
        assert_eq!(exit("-4"), Fate::NodeLost("Exit_status -4".into()));
        assert_eq!(exit("3"), Fate::Failed("Exit_status 3".into()));
        assert_eq!(exit("271"), Fate::Failed("Exit_status 271".into()));
        let over = FINISHED
            .replace("24:05:32", "48:00:13")
            .replace("\"Exit_status\":0", "\"Exit_status\":271");
        assert_eq!(listed(&over).state, State::Ended(Fate::Walltime));
        assert_eq!(fate("\"substate\":92", "\"substate\":91"), Fate::Cancelled);
    }

    #[test]
    fn a_state_that_is_not_known_is_kept() {
        let moved = RUNNING.replace("\"job_state\":\"R\"", "\"job_state\":\"M\"");
        assert_eq!(listed(&moved).state, State::Unknown("M".into()));
    }

    #[test]
    fn a_submission_is_refused_only_when_pbs_says_so() {
        let lost = "Connection refused\nqsub: cannot connect to server pbs01 (errno=111)";
        assert_eq!(SAID.refusal(lost.into()), Submitted::Unknown);
        let full = "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state";
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
