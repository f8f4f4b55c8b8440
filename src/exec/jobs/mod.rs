//! A job a task, through any batch system that is reached by any transport.

mod cobalt;
mod executor;
mod pbs;
mod processes;
mod queue;
#[cfg(test)]
mod queue_laws;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use self::cobalt::Cobalt;
pub use self::executor::JobExecutor;
pub use self::pbs::{Pbs, says_history};
pub use self::processes::Processes;
pub use self::state::{Fate, Listed, Listing, State};

use super::batch::BatchError;
use super::transport::{CommandRequest, Transport, Unreachable};
use super::{Job, Termination};

/// The commands of a batch system. A job is submitted under the token of its attempt, looked for by it and cancelled by
/// it: never by an id alone, which may be issued again.
pub trait BatchSystem: Send {
    /// Its name, for messages.
    fn name(&self) -> &'static str;
    /// The command that submits.
    fn client(&self) -> &'static str;
    /// The command that ends jobs by their ids, for messages.
    fn ender(&self) -> &'static str;
    /// The shortest and the longest time from one look at its jobs to the next.
    fn pace(&self) -> (Duration, Duration) {
        (Duration::from_secs(1), Duration::from_secs(30))
    }
    /// Jobs that `submit` is given at once, at the most.
    fn at_once(&self) -> usize {
        1
    }
    /// The script of a job in `dir`, which runs `executable`; both as the host of the batch system sees them.
    fn script(&self, job: &Job, dir: &Path, executable: &Path) -> Result<String, BatchError>;
    /// Submits jobs whose files lie in their directories; what came of each.
    fn submit(&mut self, via: &mut dyn Transport, jobs: &[Ready]) -> Vec<Submitted>;
    /// The jobs of a run that it still knows, and perhaps others of this user.
    fn list(&mut self, via: &mut dyn Transport, run: &str) -> Result<Listing, Unreachable>;
    /// Jobs by their ids: None for an id that it says it does not know. Of an id that is not in the answer nothing is
    /// known.
    fn show(
        &mut self,
        via: &mut dyn Transport,
        ids: &[String],
    ) -> Result<BTreeMap<String, Option<Listed>>, Unreachable>;
    /// Ends the jobs of these tokens that live, with `waiting` only those that have not started. Returns the ids of
    /// those that it was asked to end: none is left when it returns none.
    fn cancel(
        &mut self,
        via: &mut dyn Transport,
        tokens: &[String],
        waiting: bool,
    ) -> Result<Vec<String>, Unreachable>;
}

/// A job whose files lie in its directory.
pub struct Ready<'a> {
    pub job: &'a Job,
    /// Its directory as the host of the batch system sees it.
    pub dir: PathBuf,
    /// The text of its script, which lies there.
    pub script: String,
}

/// What a submission came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    As(String),
    /// It never will be: what the batch system says.
    Refused(String),
    /// This host kept its files from being written: how the attempt ends.
    NotStarted(Termination),
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

/// Submits jobs one by one, by their tokens and the paths of their scripts; none more once the queue is full.
fn each(jobs: &[Ready], mut submit: impl FnMut(&str, &Path) -> Submitted) -> Vec<Submitted> {
    let mut full = false;
    let answers = jobs.iter().map(|ready| {
        if full {
            return Submitted::Full;
        }
        let script = super::batched::script_of(&ready.dir);
        let answer = submit(&ready.job.token.to_string(), &script);
        full = answer == Submitted::Full;
        answer
    });
    answers.collect()
}

/// Jobs that one command of PBS or Cobalt is given.
const AT_ONCE: usize = 100;

/// Ends jobs by their ids, which have to be fresh; one that has ended meanwhile is none the worse for it.
fn qdel(via: &mut dyn Transport, ids: &[String], messages: &Messages) -> Result<(), Unreachable> {
    for ids in ids.chunks(AT_ONCE) {
        let output = via.run(&CommandRequest::new(["qdel"]).args(ids))?;
        if messages.is_unreachable(&output.stderr) {
            return Err(Unreachable(output.stderr));
        }
    }
    Ok(())
}

/// Ids of the jobs that live and have one of these tokens; with `waiting` only of those that have not started.
pub(super) fn ids_to_end(jobs: &[Listed], tokens: &[String], waiting: bool) -> Vec<String> {
    let live = jobs.iter().filter(|job| match job.state {
        State::Ended(_) | State::Completing => false,
        State::Waiting => true,
        State::Running | State::Unknown(_) => !waiting,
    });
    let ours = live.filter(|job| tokens.contains(&job.name));
    ours.map(|job| job.id.clone()).collect()
}

/// How long the end of jobs is waited for, and the time from one look to the next.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_millis(500));
/// Looks in a row that must find nothing to end: a job may come into the queue after its client gave up.
const CLEAN_LOOKS: u32 = 2;

/// Ends jobs by `cancel`, which returns the ids of those that it was asked to end, again and again until none is left.
/// `doubtful`: whether one may be on its way of which nothing is known. Returns what there is to say of those that may
/// still run.
pub(super) fn end_all(
    doubtful: bool,
    mut cancel: impl FnMut() -> Result<Vec<String>, Unreachable>,
) -> Result<(), Left> {
    let (begin, mut clean) = (Instant::now(), 0);
    loop {
        let asked = cancel();
        match &asked {
            Ok(ids) if ids.is_empty() => clean += 1,
            _ => clean = 0,
        }
        if clean >= if doubtful { CLEAN_LOOKS } else { 1 } {
            return Ok(());
        }
        if begin.elapsed() >= PATIENCE.0 {
            return match asked {
                Ok(ids) if ids.is_empty() => Ok(()),
                Ok(ids) => Err(Left { ids, why: None }),
                Err(Unreachable(why)) => Err(Left {
                    ids: Vec::new(),
                    why: Some(why),
                }),
            };
        }
        std::thread::sleep(PATIENCE.1);
    }
}

/// Jobs that may still run although they were to end.
pub(super) struct Left {
    /// Empty where the batch system does not tell.
    pub ids: Vec<String>,
    pub why: Option<String>,
}

impl Left {
    /// A sentence for the user: `what` they are, and the command `ender` that ends them. `known`: ids to name where the
    /// batch system does not tell which are left.
    pub fn sentence(self, what: &str, ender: &str, known: Vec<String>) -> String {
        let why = self
            .why
            .map_or_else(String::new, |why| format!(" ({})", why.trim()));
        let ids = if self.ids.is_empty() { known } else { self.ids };
        let count = ids.len();
        match ids.is_empty() {
            true => format!("{what} may still run{why}: look for them and end them by `{ender}`"),
            false => {
                let ids = ids.join(" ");
                format!("{count} {what} may still run{why}: `{ender} {ids}` ends them")
            }
        }
    }
}
