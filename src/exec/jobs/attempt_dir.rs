//! Directories of attempts: their files before the submission, the id of the job, its output.

use std::fs;
use std::path::Path;

use crate::exec::job_wrapper::{SCRIPT_OUTPUT, script_of_job};
use crate::exec::transport::{PutError, Transport};
use crate::exec::{Job, Termination};
use crate::host::atomic::{self, Durability};
use crate::scheduler::{
    CommandHost, CommandOutput, CommandRequest, ReadyJob, Scheduler, Submission, SubmitHost,
    Unreachable,
};
use crate::task::HostFault;

/// The file in an attempt's directory on this host that holds the id of its job.
const ID_FILE: &str = "job.id";
/// Bytes of a script's output that a failure quotes.
const QUOTED_BYTES: usize = 1000;

/// Puts the files of a job into its directory.
///
/// # Errors
///
/// Returns the result of the submission if that fails.
pub fn put<'j>(
    scheduler: &dyn Scheduler,
    via: &mut dyn Transport,
    job: &'j Job,
) -> Result<ReadyJob<'j>, Submission> {
    let unreachable = |Unreachable(why)| {
        let name = scheduler.info().name;
        tracing::warn!("{name} is unreachable; job states are left unchanged: {why}");
        Submission::Unknown
    };
    // Before the directory, whose place on another host may be known only then.
    let executable = via.executable().map_err(unreachable)?;
    let dir = via.directory(job);
    let script = script_of_job(scheduler, job, &dir, &executable);
    let script = script.map_err(|e| Submission::Rejected(e.to_string()))?;
    // That of an earlier submission, which the scheduler does not have.
    let _ = fs::remove_file(job.dir.join(ID_FILE));
    match via.put(job, &script) {
        Ok(()) => Ok(ReadyJob {
            token: &job.token,
            dir,
            script,
        }),
        Err(PutError::Unreachable(why)) => Err(unreachable(why)),
        Err(e @ PutError::Files(_)) => Err(match HostFault::of(&e) {
            Some(fault) => Submission::HostFault(fault, e.to_string()),
            None => Submission::Rejected(e.to_string()),
        }),
    }
}

/// Writes the id of a job into its directory. An engine that comes later and finds no id asks for
/// the job by its token.
pub fn write_id(job: &Job, id: &str) {
    let dir = &job.dir;
    let written = fs::create_dir_all(dir)
        .and_then(|()| atomic::write(&dir.join(ID_FILE), id.as_bytes(), Durability::Unsynced));
    if let Err(e) = written {
        tracing::warn!("could not note the id of job {}: {e}", job.token);
    }
}

/// Returns the id that an earlier engine wrote into the directory of a job.
pub fn read_id(job: &Job) -> Option<String> {
    let id = fs::read_to_string(job.dir.join(ID_FILE)).ok()?;
    (!id.is_empty()).then_some(id)
}

/// Adds the output of the script to an end that nothing else explains.
pub fn with_output(exit: Termination, dir: &Path) -> Termination {
    let Termination::FinalState(state) = exit else {
        return exit;
    };
    let output = fs::read(dir.join(SCRIPT_OUTPUT)).unwrap_or_default();
    let tail = &output[output.len().saturating_sub(QUOTED_BYTES)..];
    let tail = String::from_utf8_lossy(tail).trim().to_owned();
    Termination::FinalState(match tail.is_empty() {
        true => state,
        false => format!("{state}: {tail}"),
    })
}

/// A transport, and the jobs whose directories it makes.
pub struct JobHost<'a> {
    /// Access to the host of the scheduler.
    pub via: &'a mut dyn Transport,
    /// Jobs to submit.
    pub jobs: Vec<&'a Job>,
}

impl CommandHost for JobHost<'_> {
    fn run(&mut self, call: &CommandRequest) -> Result<CommandOutput, Unreachable> {
        self.via.run(call)
    }

    fn executable(&mut self) -> Result<std::path::PathBuf, Unreachable> {
        self.via.executable()
    }
}

impl SubmitHost for JobHost<'_> {
    fn add_file(&mut self, ready: &ReadyJob, name: &str, text: String) -> Result<(), Submission> {
        let mut jobs = self.jobs.iter();
        let Some(job) = jobs.find(|job| job.token == *ready.token) else {
            return Err(Submission::Rejected("the job is not known".into()));
        };
        let mut job = (*job).clone();
        job.files.push((name.to_owned(), text.into_bytes()));
        match self.via.put(&job, &ready.script) {
            Ok(()) => Ok(()),
            Err(PutError::Unreachable(_)) => Err(Submission::Unknown),
            Err(e @ PutError::Files(_)) => Err(Submission::Rejected(e.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_printed_explains_a_state_and_leaves_other_ends_as_they_are() {
        let dir = tempfile::tempdir().expect("a folder");
        let failed = || Termination::FinalState("FAILED".to_owned());
        assert_eq!(with_output(failed(), dir.path()), failed());
        let output = "slurmstepd: error: Detected 1 oom-kill event(s)\n";
        fs::write(dir.path().join(SCRIPT_OUTPUT), output).expect("written");
        assert_eq!(
            with_output(failed(), dir.path()),
            Termination::FinalState(format!("FAILED: {}", output.trim()))
        );
        for exit in [Termination::OutOfMemory, Termination::Unseen] {
            assert_eq!(with_output(exit.clone(), dir.path()), exit);
        }
    }
}
