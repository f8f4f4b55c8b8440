//! Processes of a host behind SSH as a batch system: no queue, and a job starts when it is submitted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{BatchSystem, Fate, Listed, Listing, Ready, State, Submitted};
use crate::exec::batch::BatchError;
use crate::exec::ssh::processes::{ProcessState, parsed};
use crate::exec::transport::{CommandRequest, Output, Transport, Unreachable};
use crate::exec::{Job, Termination, batched};
use crate::task::HostFault;

/// The `local` executor of another host.
pub struct Processes {
    pub work_dir: String,
    /// Shell lines before a task.
    pub setup: Vec<String>,
}

impl Processes {
    fn ask(
        &self,
        via: &mut dyn Transport,
        order: &str,
        tokens: &[String],
    ) -> Result<Output, Unreachable> {
        let program = via.executable()?.display().to_string();
        let call = CommandRequest::new([&*program, "remote", order, &self.work_dir]);
        via.run(&call.args(tokens.iter().cloned()))
    }
}

impl BatchSystem for Processes {
    fn name(&self) -> &'static str {
        "the host"
    }

    fn client(&self) -> &'static str {
        "moldflow"
    }

    fn ender(&self) -> &'static str {
        "kill"
    }

    /// Short, as its tasks may be: a look costs a few milliseconds of one processor there.
    fn pace(&self) -> (Duration, Duration) {
        (Duration::from_millis(200), Duration::from_secs(5))
    }

    fn script(&self, _: &Job, _: &Path, executable: &Path) -> Result<String, BatchError> {
        Ok(batched::script(&self.setup, &batched::command(executable)))
    }

    fn submit(&mut self, via: &mut dyn Transport, jobs: &[Ready]) -> Vec<Submitted> {
        super::each(jobs, |token, _| {
            match self.ask(via, "start", &[token.to_owned()]) {
                Ok(output) if output.succeeded() => Submitted::As(token.to_owned()),
                Ok(output) => match output.code.and_then(HostFault::of_exit_code) {
                    Some(fault) => {
                        Submitted::NotStarted(Termination::NotStarted(fault, output.stderr))
                    }
                    None => Submitted::Refused(output.stderr),
                },
                Err(_) => Submitted::Unknown,
            }
        })
    }

    fn list(&mut self, via: &mut dyn Transport, _: &str) -> Result<Listing, Unreachable> {
        let output = self.ask(via, "list", &[])?;
        let list = parsed(&output.stdout).ok_or(Unreachable(output.stderr))?;
        let listed = |(token, condition): (String, _)| Listed {
            id: token.clone(),
            name: token,
            state: state(condition),
            submitted: String::new(),
            reason: String::new(),
            left: None,
        };
        let jobs: Vec<Listed> = list.into_iter().map(listed).collect();
        Ok(jobs.into())
    }

    fn show(
        &mut self,
        via: &mut dyn Transport,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable> {
        let jobs = self.list(via, "")?.jobs;
        let find = |id: &String| jobs.iter().find(|job| job.id == *id).cloned();
        Ok(ids.iter().map(|id| (id.clone(), find(id))).collect())
    }

    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<Vec<String>, Unreachable> {
        // None of them waits.
        if waiting || tokens.is_empty() {
            return Ok(Vec::new());
        }
        match self.ask(via, "end", tokens)? {
            // They have ended when it returns.
            output if output.succeeded() => Ok(Vec::new()),
            output => Err(Unreachable(output.stderr)),
        }
    }
}

fn state(condition: ProcessState) -> State {
    match condition {
        ProcessState::Running => State::Running,
        ProcessState::Ended => State::Ended(Fate::Completed),
        ProcessState::Cancelled => State::Ended(Fate::Cancelled),
        ProcessState::Gone => State::Ended(Fate::NodeLost("gone".into())),
        ProcessState::Elsewhere(host) => State::Unknown(format!("on {host}")),
    }
}
