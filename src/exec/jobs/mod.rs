//! A job a task, through any batch system that is reached by any transport.

mod cobalt;
mod executor;
mod pbs;
mod processes;
mod queue;
#[cfg(test)]
mod queue_laws;
mod state;

use std::path::Path;
use std::time::Duration;

pub use self::cobalt::Cobalt;
pub use self::executor::JobExecutor;
pub use self::pbs::Pbs;
pub use self::processes::Processes;
pub use self::state::{Fate, Listed, State, verdict};

use super::batch::BatchError;
use super::transport::{Call, Transport, Unreachable};
use super::{Exit, Job};

/// The commands of a batch system. A job is submitted under the token of its attempt, looked for by it and cancelled by
/// it: never by an id alone, which may be issued again.
pub trait BatchSystem: Send {
    /// Its name, for messages.
    fn name(&self) -> &'static str;
    /// The command that submits.
    fn client(&self) -> &'static str;
    /// The shortest and the longest time from one look at its jobs to the next.
    fn pace(&self) -> (Duration, Duration) {
        (Duration::from_secs(1), Duration::from_secs(30))
    }
    /// The script of a job in `dir`, which runs `executable`; both as the host of the batch system sees them.
    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError>;
    /// Submits the script that lies in the directory of a job.
    fn submit(&mut self, via: &mut dyn Transport, token: &str, script: &Path) -> Submitted;
    /// The jobs of a run that it still knows, and perhaps others of this user.
    fn list(&mut self, via: &mut dyn Transport, run: &str) -> Result<Vec<Listed>, Unreachable>;
    /// One job by its id; None when it does not know the id.
    fn show(&mut self, via: &mut dyn Transport, id: &str) -> Result<Option<Listed>, Unreachable>;
    /// Ends the jobs of these tokens; with `waiting` only those that have not started.
    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<(), Unreachable>;
}

/// What a submission came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    As(String),
    /// It never will be: what the batch system says.
    Refused(String),
    /// This host kept its files from being written: how the attempt ends.
    NotStarted(Exit),
    /// The queue takes no more for now.
    Full,
    /// Nobody knows whether the job is in the queue.
    Unknown,
}

/// Parts of a batch system's messages by which they are understood.
pub struct Messages {
    /// Not now.
    pub later: &'static [&'static str],
    /// Nobody answered, and whether a request was taken in is open.
    pub unreachable: &'static [&'static str],
}

impl Messages {
    /// What a submission came to that says this.
    pub fn refusal(&self, said: String) -> Submitted {
        if self.later.iter().any(|part| said.contains(part)) {
            Submitted::Full
        } else if self.is_unreachable(&said) {
            Submitted::Unknown
        } else {
            Submitted::Refused(said)
        }
    }

    pub fn is_unreachable(&self, said: &str) -> bool {
        self.unreachable.iter().any(|part| said.contains(part))
    }
}

/// Jobs that one command of PBS or Cobalt is given.
const AT_ONCE: usize = 100;

/// Ends jobs by their ids, which have to be fresh; one that has ended meanwhile is none the worse for it.
fn qdel(via: &mut dyn Transport, ids: &[String], messages: &Messages) -> Result<(), Unreachable> {
    for ids in ids.chunks(AT_ONCE) {
        let output = via.run(&Call::new(["qdel"]).args(ids))?;
        if messages.is_unreachable(&output.stderr) {
            return Err(Unreachable(output.stderr));
        }
    }
    Ok(())
}

/// Ids of the jobs that live and have one of these tokens; with `waiting` only of those that have not started.
fn ids_to_end(jobs: Vec<Listed>, tokens: &[String], waiting: bool) -> Vec<String> {
    let live = jobs.into_iter().filter(|job| match job.state {
        State::Ended(_) => false,
        State::Waiting => true,
        State::Running | State::Completing | State::Unknown(_) => !waiting,
    });
    let ours = live.filter(|job| tokens.contains(&job.name));
    ours.map(|job| job.id).collect()
}
