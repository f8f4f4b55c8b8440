//! Job chain of `moldflow submit`. Each job submits its dependency job when it starts, or all jobs
//! are submitted at once, so that the run continues even after a crash. A job cancels those that
//! follow if the run has ended or makes no progress.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::site::Submit;
use crate::driver::RunEnd;
use crate::host::atomic::{self, Durability};
use crate::scheduler::SchedulerKind;

/// File of a run directory that lists its jobs.
const FILE: &str = "jobs.json";
const LOCK: &str = ".jobs.lock";
/// Batch script of a run directory.
pub const SCRIPT: &str = "job.sh";

/// Jobs of a run in the order of their submission; contents of `jobs.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobChain {
    /// Jobs, the first submitted first.
    pub jobs: Vec<ChainedJob>,
    /// Reason for which no further job was submitted, if the run has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Error of the last attempt to submit the next job from within the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// True if all jobs were submitted at once, and submit none themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub up_front: bool,
}

/// Job of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChainedJob {
    /// Id that the scheduler gave.
    pub id: String,
    /// Name under which it was submitted; empty if the list did not know the job.
    pub name: String,
    /// Number of tasks that had ended when the job started; none before its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<u64>,
    /// True if an earlier job cancelled it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

impl JobChain {
    /// Reads the jobs of a run directory; empty if the run was not submitted.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or is not a list of jobs.
    pub fn load(dir: &Path) -> io::Result<Self> {
        match fs::read(dir.join(FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// Writes the list of jobs into the run directory.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let text = format!("{:#}\n", serde_json::json!(self));
        atomic::write(&dir.join(FILE), text.as_bytes(), Durability::Synced)
    }

    /// Locks the list of jobs until the file is dropped: a job may start before its submission is
    /// written down. Returns none where the file system has no locks.
    pub fn lock(dir: &Path) -> Option<File> {
        let file = File::create(dir.join(LOCK)).ok()?;
        file.lock().ok()?;
        Some(file)
    }

    /// Returns the places of the jobs that follow one, the next first, without those that were
    /// cancelled.
    fn after(&self, place: usize) -> Vec<usize> {
        let places = place + 1..self.jobs.len();
        places
            .filter(|place| !self.jobs[*place].cancelled)
            .collect()
    }

    /// Submits a job of the run in `dir` and returns its place. With `after`, it is a dependency
    /// job of the job of that id.
    ///
    /// # Errors
    ///
    /// Fails if the scheduler refuses the job.
    pub fn submit(
        &mut self,
        dir: &Path,
        system: SchedulerKind,
        after: Option<&str>,
    ) -> Result<usize, crate::exec::submission::SubmissionError> {
        let name = job_name(dir, self.jobs.len() + 1);
        let id = system.submit_job(&dir.join(SCRIPT), &name, after)?;
        self.jobs.push(ChainedJob {
            id,
            name,
            ended_before: None,
            cancelled: false,
        });
        Ok(self.jobs.len() - 1)
    }

    /// Returns the last job, unless it was cancelled.
    pub fn last(&self) -> Option<&ChainedJob> {
        self.jobs.last().filter(|job| !job.cancelled)
    }

    /// Records that a job starts. Returns its place, and true if the job before it made progress.
    fn begin(&mut self, id: &str, ended: u64) -> (usize, bool) {
        let place = self.jobs.iter().rposition(|job| job.id == id);
        let place = place.unwrap_or_else(|| {
            let name = String::new();
            self.jobs.push(ChainedJob {
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

/// Returns the name of the `number`th job of the run in `dir`, in characters that every scheduler
/// accepts.
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

/// Job in which this process runs, and its dependency jobs.
pub struct CurrentJob {
    dir: PathBuf,
    system: SchedulerKind,
    chain: JobChain,
    own: usize,
    /// Places of the dependency jobs, the next first.
    next: Vec<usize>,
    /// True if the dependency job is still to be submitted while this one runs.
    is_due: bool,
    /// Number of tasks that have ended.
    ended: u64,
}

impl CurrentJob {
    /// Records that the job of this process starts, after `ended` tasks have ended, and submits its
    /// dependency job. After a job without progress, that is delayed until this job makes progress.
    ///
    /// # Errors
    ///
    /// Fails if the list of jobs cannot be read.
    pub fn begin(dir: &Path, submit: &Submit, ended: u64) -> io::Result<Self> {
        let system = submit.system;
        let _lock = JobChain::lock(dir);
        let mut chain = JobChain::load(dir)?;
        let id = system.own_job_id().unwrap_or_else(|| "unknown".into());
        let (own, has_progress) = chain.begin(&id, ended);
        let next = match chain.up_front {
            true => chain.after(own),
            false => Vec::new(),
        };
        let mut job = Self {
            dir: dir.to_owned(),
            system,
            own,
            next,
            is_due: !chain.up_front,
            chain,
            ended,
        };
        if !job.is_due {
            tracing::info!("{} dependency jobs are waiting", job.next.len());
        } else if has_progress {
            job.submit(true);
        } else {
            tracing::warn!(
                "the previous job made no progress: the dependency job is submitted once this one \
                 does"
            );
        }
        job.save();
        Ok(job)
    }

    /// Records that `ended` tasks have ended, and submits the dependency job if it is due.
    pub fn record_progress(&mut self, ended: u64) {
        self.ended = ended;
        if self.is_due && self.has_progress() {
            self.submit(true);
            self.save();
        }
    }

    /// Settles the dependency jobs when this process stops working on the run: cancels them, or
    /// submits one that is missing. Returns a sentence for the user on what follows.
    pub fn end(mut self, ending: RunEnd) -> Option<String> {
        let message = match ending {
            RunEnd::Stopped(_) => self.cancel(),
            RunEnd::Interrupted | RunEnd::JobOver | RunEnd::NodesLost if self.has_progress() => {
                // The scheduler lets no job wait for another.
                if self.next.is_empty() && !self.chain.up_front {
                    self.submit(false);
                }
                let next = self.next.first().map(|next| &self.chain.jobs[*next].id);
                match (next, &self.chain.trouble) {
                    (Some(id), _) => Some(format!("job {id} continues the run")),
                    (None, Some(why)) => Some(self.stop(&why.clone())),
                    (None, None) => {
                        Some(self.stop("this was the last of the jobs that were submitted at once"))
                    }
                }
            }
            RunEnd::Interrupted | RunEnd::JobOver | RunEnd::NodesLost => {
                let left = self.cancel();
                let id = self.chain.jobs[self.own].id.clone();
                let stopped = self.stop(&format!(
                    "no task ended in job {id}, therefore no job follows it"
                ));
                Some(left.map_or(stopped.clone(), |left| format!("{left}; {stopped}")))
            }
        };
        self.save();
        message
    }

    fn has_progress(&self) -> bool {
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
        self.is_due = false;
        let own = self.chain.jobs[self.own].id.clone();
        let after = waiting.then_some(own.as_str());
        match self.chain.submit(&self.dir, self.system, after) {
            Ok(next) => {
                tracing::info!(
                    "job {} continues the run after this one",
                    self.chain.jobs[next].id
                );
                self.chain.trouble = None;
                self.next = vec![next];
            }
            Err(e) => {
                let why = format!(
                    "the next job could not be submitted from job {own}: {}",
                    super::error::causes(&e)
                );
                tracing::warn!("{why}");
                self.chain.trouble = Some(why);
            }
        }
    }

    /// Cancels the dependency jobs, the last first: the end of one starts the next. Returns a
    /// sentence on those that could not be cancelled.
    fn cancel(&mut self) -> Option<String> {
        let mut failed = Vec::new();
        for place in std::mem::take(&mut self.next).into_iter().rev() {
            let next = &mut self.chain.jobs[place];
            match self.system.cancel_job(&next.id, &next.name) {
                Ok(()) => next.cancelled = true,
                // The job will find that there is nothing to do.
                Err(e) => {
                    let message = format!("could not cancel job {}: {e}", next.id);
                    tracing::warn!("{message}");
                    failed.push(message);
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

/// Returns the time left of the job in which this process runs: as the scheduler reports it, or
/// else all of `walltime`.
pub fn time_left(submit: &Submit, walltime: Duration) -> Duration {
    let system = submit.system;
    let reported = system.own_job_id().and_then(|id| system.time_left(&id));
    reported.unwrap_or(walltime).min(walltime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(jobs: &[(&str, Option<u64>)]) -> JobChain {
        let jobs = jobs.iter().map(|(id, ended_before)| ChainedJob {
            id: (*id).to_owned(),
            name: String::new(),
            ended_before: *ended_before,
            cancelled: false,
        });
        JobChain {
            jobs: jobs.collect(),
            ..JobChain::default()
        }
    }

    #[test]
    fn a_job_makes_progress_if_tasks_ended_since_the_one_before_began() {
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
    fn the_name_of_a_job_holds_no_letter_that_a_scheduler_refuses() {
        let name = job_name(Path::new("/runs/24Nov26-160000-1a2b3c"), 2);
        assert_eq!(name, "moldflow-24Nov26-160000-1a2b3c.2");
        assert_eq!(job_name(Path::new("/runs/a b;c"), 1), "moldflow-a_b_c.1");
    }
}
