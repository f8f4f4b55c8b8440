//! The jobs of `moldflow submit`: each has the next one submitted at its start, or all were submitted at once, so that even
//! after a crash the run continues. A job cancels those that follow when the run has ended or makes no progress.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run_dir;
use crate::config::site::Submit;
use crate::driver::Ending;
use crate::scheduler::SchedulerKind;

/// The file of a run directory that lists its jobs.
const FILE: &str = "jobs.json";
const LOCK: &str = ".jobs.lock";
/// The batch script of a run directory.
pub const SCRIPT: &str = "job.sh";

/// The jobs of a run, in the order of their submission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    pub jobs: Vec<Link>,
    /// Why no further job was submitted, if the run has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Why the next job could not be submitted from within the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Whether the jobs were submitted at once, and submit none themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub up_front: bool,
}

/// A job of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub id: String,
    pub name: String,
    /// Tasks that had ended when it began; None before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

impl Chain {
    /// The jobs of a run directory; none where there was no `moldflow submit`.
    pub fn load(dir: &Path) -> io::Result<Self> {
        match fs::read(dir.join(FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let text = format!("{:#}\n", serde_json::json!(self));
        run_dir::replace(dir, FILE, &text)
    }

    /// Keeps other processes from changing the list of jobs meanwhile: a job may begin before its submission is noted.
    pub fn lock(dir: &Path) -> Option<File> {
        let file = File::create(dir.join(LOCK)).ok()?;
        // A file system without locks has to do without.
        file.lock().ok()?;
        Some(file)
    }

    /// The jobs that follow one, the next first, but for those that were cancelled.
    fn after(&self, place: usize) -> Vec<usize> {
        let places = place + 1..self.jobs.len();
        places
            .filter(|place| !self.jobs[*place].cancelled)
            .collect()
    }

    /// Submits a job of the run in `dir`, after that of this id if there is one, and returns its place.
    pub fn submit(
        &mut self,
        dir: &Path,
        system: SchedulerKind,
        after: Option<&str>,
    ) -> Result<usize, crate::exec::submission::SubmissionError> {
        let name = job_name(dir, self.jobs.len() + 1);
        let id = system.submit_job(&dir.join(SCRIPT), &name, after)?;
        self.jobs.push(Link {
            id,
            name,
            ended_before: None,
            cancelled: false,
        });
        Ok(self.jobs.len() - 1)
    }

    /// The last job, unless it was cancelled.
    pub fn last(&self) -> Option<&Link> {
        self.jobs.last().filter(|job| !job.cancelled)
    }

    /// Notes that a job begins; its place, and whether the job before it got on.
    fn begin(&mut self, id: &str, ended: u64) -> (usize, bool) {
        let place = self.jobs.iter().rposition(|job| job.id == id);
        let place = place.unwrap_or_else(|| {
            let name = String::new();
            self.jobs.push(Link {
                id: id.to_owned(),
                name,
                ended_before: None,
                cancelled: false,
            });
            self.jobs.len() - 1
        });
        let before = self.jobs[..place]
            .iter()
            .rev()
            .find_map(|job| job.ended_before);
        self.jobs[place].ended_before = Some(ended);
        self.stopped = None;
        self.trouble = None;
        (place, before.is_none_or(|before| ended > before))
    }
}

/// Name of the `number`th job of the run in `dir`, of letters that every batch system takes.
pub fn job_name(dir: &Path, number: usize) -> String {
    let base = dir.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!(
        "moldflow-{}.{number}",
        base.chars().map(plain).collect::<String>()
    )
}

/// The job that an engine is in, and the one that goes on after it.
pub struct Continuation {
    dir: PathBuf,
    system: SchedulerKind,
    chain: Chain,
    own: usize,
    /// The jobs that follow, the next first.
    next: Vec<usize>,
    /// Whether the next job is still to be submitted while this one runs.
    due: bool,
    ended: u64,
}

impl Continuation {
    /// The job of this process begins when `ended` tasks have ended. After a job that did not get on, the next one is
    /// submitted only once this one has.
    pub fn begin(dir: &Path, submit: &Submit, ended: u64) -> io::Result<Self> {
        let system = submit.system;
        let _lock = Chain::lock(dir);
        let mut chain = Chain::load(dir)?;
        let id = system.own_job_id().unwrap_or_else(|| "unknown".into());
        let (own, gets_on) = chain.begin(&id, ended);
        let next = match chain.up_front {
            true => chain.after(own),
            false => Vec::new(),
        };
        let mut continuation = Self {
            dir: dir.to_owned(),
            system,
            own,
            next,
            due: !chain.up_front,
            chain,
            ended,
        };
        if !continuation.due {
            tracing::info!("{} jobs wait to go on", continuation.next.len());
        } else if gets_on {
            continuation.submit(true);
        } else {
            tracing::warn!("the job before did nothing: the next is submitted once this one did");
        }
        continuation.save();
        Ok(continuation)
    }

    /// So many tasks have ended by now.
    pub fn told(&mut self, ended: u64) {
        self.ended = ended;
        if self.due && self.gets_on() {
            self.submit(true);
            self.save();
        }
    }

    /// The engine leaves. Returns what there is to say of what comes next.
    pub fn end(mut self, ending: Ending) -> Option<String> {
        let said = match ending {
            Ending::Ended(_) => self.cancel(),
            Ending::Interrupted | Ending::JobOver | Ending::NodesLost if self.gets_on() => {
                // Where no job may wait for another.
                if self.next.is_empty() && !self.chain.up_front {
                    self.submit(false);
                }
                let next = self.next.first().map(|next| &self.chain.jobs[*next].id);
                match (next, &self.chain.trouble) {
                    (Some(id), _) => Some(format!("job {id} goes on")),
                    (None, Some(why)) => Some(self.stop(&why.clone())),
                    (None, None) => {
                        Some(self.stop("this was the last of the jobs that were submitted at once"))
                    }
                }
            }
            Ending::Interrupted | Ending::JobOver | Ending::NodesLost => {
                let left = self.cancel();
                let id = self.chain.jobs[self.own].id.clone();
                let stopped = self.stop(&format!(
                    "no task ended in job {id}, so that none follows it"
                ));
                Some(left.map_or(stopped.clone(), |left| format!("{left}; {stopped}")))
            }
        };
        self.save();
        said
    }

    fn gets_on(&self) -> bool {
        self.chain.jobs[self.own]
            .ended_before
            .is_some_and(|before| self.ended > before)
    }

    fn stop(&mut self, why: &str) -> String {
        tracing::warn!("{why}");
        self.chain.stopped = Some(why.to_owned());
        let dir = self.dir.display();
        format!("{why}; `moldflow submit {dir}` tries again")
    }

    fn submit(&mut self, waiting: bool) {
        self.due = false;
        let own = self.chain.jobs[self.own].id.clone();
        let after = waiting.then_some(own.as_str());
        match self.chain.submit(&self.dir, self.system, after) {
            Ok(next) => {
                tracing::info!("job {} goes on after this one", self.chain.jobs[next].id);
                self.chain.trouble = None;
                self.next = vec![next];
            }
            Err(e) => {
                let why = format!(
                    "the next job could not be submitted from job {own}: {}",
                    super::failure::causes(&e)
                );
                tracing::warn!("{why}");
                self.chain.trouble = Some(why);
            }
        }
    }

    /// Cancels the jobs that follow, the last first: the end of one begins the next. Returns what to report of those that
    /// could not be cancelled.
    fn cancel(&mut self) -> Option<String> {
        let mut failed = Vec::new();
        for place in std::mem::take(&mut self.next).into_iter().rev() {
            let next = &mut self.chain.jobs[place];
            match self.system.cancel_job(&next.id, &next.name) {
                Ok(()) => next.cancelled = true,
                // It will find that there is nothing to do.
                Err(e) => {
                    let said = format!("could not cancel job {}: {e}", next.id);
                    tracing::warn!("{said}");
                    failed.push(said);
                }
            }
        }
        (!failed.is_empty()).then(|| failed.join("; "))
    }

    fn save(&self) {
        if let Err(e) = self.chain.save(&self.dir) {
            tracing::warn!("could not write the list of jobs: {e}");
        }
    }
}

/// What is left of a job of this walltime, as its batch system or else the clock of this process has it.
pub fn time_left(submit: &Submit, walltime: Duration) -> Duration {
    let system = submit.system;
    let told = system.own_job_id().and_then(|id| system.time_left(&id));
    told.unwrap_or(walltime).min(walltime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(jobs: &[(&str, Option<u64>)]) -> Chain {
        let jobs = jobs.iter().map(|(id, ended_before)| Link {
            id: (*id).to_owned(),
            name: String::new(),
            ended_before: *ended_before,
            cancelled: false,
        });
        Chain {
            jobs: jobs.collect(),
            ..Chain::default()
        }
    }

    #[test]
    fn a_job_gets_on_if_tasks_ended_since_the_one_before_began() {
        assert_eq!(chain(&[("1", None)]).begin("1", 0), (0, true));
        assert_eq!(
            chain(&[("1", Some(0)), ("2", None)]).begin("2", 3),
            (1, true)
        );
        assert_eq!(
            chain(&[("1", Some(3)), ("2", None)]).begin("2", 3),
            (1, false)
        );
        // A job that the list does not know yet, and one that never began.
        let mut jobs = chain(&[("1", Some(3)), ("2", None)]);
        assert_eq!(jobs.begin("3", 4), (2, true));
        assert_eq!(jobs.jobs[2].ended_before, Some(4));
    }

    #[test]
    fn the_name_of_a_job_holds_no_letter_that_a_batch_system_refuses() {
        let name = job_name(Path::new("/runs/24Nov26-160000-1a2b3c"), 2);
        assert_eq!(name, "moldflow-24Nov26-160000-1a2b3c.2");
        assert_eq!(job_name(Path::new("/runs/a b;c"), 1), "moldflow-a_b_c.1");
    }
}
