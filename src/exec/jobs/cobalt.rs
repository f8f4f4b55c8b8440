//! Cobalt: its commands, and what they print. It forgets a job as soon as that has ended, so that only the job's own
//! files tell how.

use std::collections::BTreeMap;
use std::path::Path;

use super::{BatchSystem, Listed, Listing, Messages, Ready, State, Submitted};
use crate::exec::Job;
use crate::exec::batch::{BatchError, System, Terms};
use crate::exec::batched;
use crate::exec::process::TOKEN;
use crate::exec::submission::printed_id;
use crate::exec::transport::{CommandRequest, Transport, Unreachable};

const SAID: Messages = Messages {
    later: &["jobs per user", "MaxQueued"],
    unreachable: &[
        "Failed to connect",
        "Failed to contact",
        "Connection refused",
        "timed out",
        "XML-RPC",
    ],
};

/// Cobalt's commands.
#[derive(Clone, Debug)]
pub struct Cobalt {
    terms: Terms,
}

impl Cobalt {
    pub fn new(terms: Terms) -> Self {
        Self { terms }
    }
}

impl BatchSystem for Cobalt {
    fn name(&self) -> &'static str {
        "Cobalt"
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
                Ok(output) if output.succeeded() => printed_id(System::Cobalt, &output.stdout)
                    .map_or(Submitted::Unknown, Submitted::As),
                Ok(output) => SAID.refusal(output.stderr),
                Err(_) => Submitted::Unknown,
            }
        })
    }

    fn list(&mut self, via: &mut dyn Transport, _: &str) -> Result<Listing, Unreachable> {
        let output = via.run(&CommandRequest::new(["qstat", "-f", "-l"]))?;
        match output.succeeded() {
            true => Ok(listed(&output.stdout).into()),
            false => Err(Unreachable(output.stderr)),
        }
    }

    fn show(
        &mut self,
        via: &mut dyn Transport,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
        let mut said = BTreeMap::new();
        // One by one: of several ids it does not say which are unknown.
        for id in ids {
            let output = via.run(&CommandRequest::new(["qstat", "-f", "-l", id]))?;
            match output.code {
                Some(0) => {
                    let mut jobs = listed(&output.stdout).into_iter();
                    let job = jobs.find(|job| job.id == *id);
                    said.extend(job.map(|job| (id.clone(), Some(job))));
                }
                // No such job; that it could not ask makes it exit with 2.
                Some(1) if output.stderr.is_empty() => drop(said.insert(id.clone(), None)),
                _ => return Err(Unreachable(output.stderr)),
            }
        }
        Ok(said)
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<Vec<String>, Unreachable> {
        // Ids are fresh from the queue manager, and each is that of a job with one of the tokens.
        let listing = self.list(via, "")?;
        let ids = super::ids_to_end(&listing.jobs, tokens, waiting);
        super::qdel(via, &ids, &SAID)?;
        Ok(ids)
    }
}

/// Reads `qstat -f -l`: a field a line, a job beginning with its id.
fn listed(text: &str) -> Vec<Listed> {
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
        Some(Listed {
            id: field("jobid")?,
            name: field("jobname").unwrap_or_default(),
            state: state(job.get("state")?),
            // As it is written it does not sort; a job that has ended is not listed, so that no two have one name.
            submitted: String::new(),
            reason: String::new(),
            left: None,
        })
    };
    jobs.into_iter().filter_map(read).collect()
}

fn state(word: &str) -> State {
    match word.to_ascii_lowercase().as_str() {
        "queued" | "user_hold" | "admin_hold" | "user_admin_hold" | "dep_hold" | "maxrun_hold"
        | "hold" => State::Waiting,
        "starting" | "running" | "preempting" | "preempted" => State::Running,
        "exiting" | "killing" | "ending" | "kill_retry" | "done" => State::Completing,
        _ => State::Unknown(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Its origin is told beside it.
    const LONG: &str = include_str!("../../../tests/goldens/cobalt/long.txt");

    #[test]
    fn jobs_are_known_by_their_names_and_states_and_a_word_that_is_not_known_is_kept() {
        let jobs = listed(LONG);
        let seen: Vec<_> = jobs
            .iter()
            .map(|j| (j.id.as_str(), j.name.as_str(), &j.state))
            .collect();
        let odd = State::Unknown("dep_fail".into());
        assert_eq!(
            seen,
            [
                ("512034", "0123456789abcdef.12.1", &State::Running),
                ("512035", "0123456789abcdef.13.1", &State::Waiting),
                ("512036", "-", &odd),
            ]
        );
        assert_eq!(listed(""), []);
    }

    #[test]
    fn only_waiting_jobs_of_the_given_tokens_are_ended_when_asked_so() {
        let tokens = ["12.1", "13.1"].map(|token| format!("0123456789abcdef.{token}"));
        assert_eq!(
            crate::exec::jobs::ids_to_end(&listed(LONG), &tokens, true),
            ["512035"]
        );
        let all = crate::exec::jobs::ids_to_end(&listed(LONG), &tokens, false);
        assert_eq!(all, ["512034", "512035"]);
    }

    #[test]
    fn a_submission_is_refused_only_when_cobalt_says_so() {
        assert_eq!(
            SAID.refusal("Failed to connect to queue manager".into()),
            Submitted::Unknown
        );
        let full = "The limit of 20 jobs per user in the 'default' queue has been reached";
        assert_eq!(SAID.refusal(full.into()), Submitted::Full);
        let wrong = "'no-such' does not exist.";
        assert_eq!(SAID.refusal(wrong.into()), Submitted::Refused(wrong.into()));
    }
}
