//! An attempt on disk: its directory, the program that it runs, and the files that it leaves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::exec::{PROGRAM_ERR, Termination};
use crate::host::atomic::{self, Durability};
use crate::host::hash::{self, sha256_of_file};
use crate::simulate::without_backtrace;
use crate::task::{Attempt, Failure, FailureKind, FileRef, HostFault, Outcome, TaskId, explained};

use crate::engine::{TaskResult, file};

/// Bytes of standard error that a failure's message quotes.
const QUOTED: u64 = 2000;

/// Program that runs a task.
pub trait TaskProgram {
    /// Returns the command line, which is run in the directory of the attempt.
    fn argv(&self) -> Vec<String>;
    /// Returns the command line of a worker for tasks of methods that are to be kept warm; None if
    /// there is none.
    fn worker(&self) -> Option<Vec<String>> {
        None
    }
    /// Returns the result of an attempt: the one in `result`, the bytes of `result.json`, or else
    /// the failure that `exit` stands for.
    fn read(&self, exit: &Termination, result: Option<&[u8]>) -> TaskResult;
}

/// `moldflow task run`: the program of every task of a campaign.
pub struct TaskRun {
    /// Path of this program.
    pub executable: PathBuf,
}

impl TaskProgram for TaskRun {
    fn argv(&self) -> Vec<String> {
        let executable = self.executable.to_string_lossy().into_owned();
        vec![executable, "task".into(), "run".into(), file::INPUT.into()]
    }

    fn worker(&self) -> Option<Vec<String>> {
        let executable = self.executable.to_string_lossy().into_owned();
        Some(vec![executable, "task".into(), "serve".into()])
    }

    fn read(&self, exit: &Termination, result: Option<&[u8]>) -> TaskResult {
        let failed = |kind, message| TaskResult::bare(Outcome::Failed(Failure { kind, message }));
        match result.map(serde_json::from_slice::<TaskResult>) {
            // Left for an earlier engine: the host may be well now, so the task is started again.
            Some(Ok(TaskResult {
                host_fault: Some(_),
                ..
            })) if *exit == Termination::Unseen => {}
            Some(Ok(result)) => return result,
            // A machine that went down may have kept half of it.
            Some(Err(_)) if matches!(exit, Termination::Unseen | Termination::NodeLost(_)) => {}
            Some(Err(e)) => {
                let message = format!("the result cannot be read: {e}");
                return failed(FailureKind::Unreadable, message);
            }
            None => {}
        }
        let (kind, message) = match exit {
            Termination::NotStarted(fault, why) | Termination::Unread(fault, why) => {
                return TaskResult::of_host(*fault, why.clone());
            }
            Termination::Code(code) if let Some(fault) = HostFault::of_exit_code(*code) => {
                return TaskResult::of_host(fault, fault.to_string());
            }
            Termination::Code(code) => (
                FailureKind::Exit,
                format!("exit status {code} and no result"),
            ),
            Termination::Signal(signal) => (
                FailureKind::Exit,
                format!("ended by signal {signal}{}", guess(*signal)),
            ),
            Termination::TimedOut => (FailureKind::Timeout, "ran past its timeout".to_owned()),
            Termination::Cancelled => (FailureKind::Cancelled, "cancelled".to_owned()),
            Termination::LaunchFailed(why) => (FailureKind::Launch, why.clone()),
            Termination::Walltime => (
                FailureKind::Walltime,
                "ended by the scheduler at its walltime".to_owned(),
            ),
            Termination::NodeLost(which) => (
                FailureKind::NodeLost,
                format!("its node was lost or taken away (`{which}`)"),
            ),
            // Not counted: a controller that lost its state cancels jobs with the same state.
            Termination::CancelledByHand => (
                FailureKind::Lost,
                "cancelled in the scheduler, not by this program".to_owned(),
            ),
            Termination::OutOfMemory => (
                FailureKind::Memory,
                "ended by the scheduler for its use of memory".to_owned(),
            ),
            Termination::FinalState(state) => (
                FailureKind::Exit,
                format!("the scheduler reports `{state}`, and there is no result"),
            ),
            Termination::Unseen => (
                FailureKind::Lost,
                "gone without a result; its end was not observed".to_owned(),
            ),
        };
        failed(kind, message)
    }
}

fn guess(signal: i32) -> &'static str {
    match signal {
        9 => " (SIGKILL: out of memory?)",
        11 => " (SIGSEGV)",
        6 => " (SIGABRT)",
        _ => "",
    }
}

/// Directory of an attempt: `tasks/<task>/<attempt>` in the run directory.
pub fn directory(run_dir: &Path, task: TaskId, attempt: Attempt) -> PathBuf {
    run_dir
        .join("tasks")
        .join(task.to_string())
        .join(attempt.to_string())
}

/// Reason for which the files of a result could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The task left other files than its result names.
    #[error("a file of the result cannot be taken in: {0}")]
    Result(String),
    /// The host could not read or link a file.
    #[error("a file of the result could not be taken in")]
    Host(#[source] io::Error),
}

impl AdoptError {
    fn host(path: &Path, error: io::Error) -> Self {
        Self::Host(explained(path.display().to_string(), error))
    }
}

/// Files of a run that outlive their tasks: `state/<SHA-256>` in the run directory.
pub struct StateFiles {
    dir: PathBuf,
}

impl StateFiles {
    /// Creates the folder `state` in a run directory, unless it is there.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be created.
    pub fn open(run_dir: &Path) -> io::Result<Self> {
        let dir = run_dir.join("state");
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Returns the path of a file.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        self.dir.join(&file.sha256)
    }

    /// Returns those of `files` that are missing or do not match their SHA-256.
    ///
    /// # Errors
    ///
    /// Fails if a fault of the host keeps a file from being read.
    pub fn damaged<'f>(
        &self,
        files: impl IntoIterator<Item = &'f FileRef>,
    ) -> io::Result<Vec<&'f FileRef>> {
        let mut damaged = Vec::new();
        for file in files {
            match sha256_of_file(&self.path(file)) {
                Ok(sha256) if sha256 == file.sha256 => {}
                Err(e) if HostFault::of(&e).is_some() => {
                    let path = self.path(file);
                    return Err(explained(format!("could not read `{}`", path.display()), e));
                }
                _ => damaged.push(file),
            }
        }
        Ok(damaged)
    }

    /// Links the files that an attempt left in the directory `from`; afterwards they survive a
    /// power cut. They also stay in `from`, for an engine that finds the attempt again before its
    /// end is committed.
    pub(super) fn adopt(&self, from: &Path, outcome: &Outcome) -> Result<(), AdoptError> {
        let files = outcome.new_files();
        for (name, file) in &files {
            if !is_hash(&file.sha256) {
                let name = file.sha256.escape_default();
                return Err(AdoptError::Result(format!("`{name}` is no SHA-256")));
            }
            let (from, to) = (from.join(name), self.path(file));
            let result = |what| AdoptError::Result(format!("{} is {what}", from.display()));
            match fs::symlink_metadata(&from) {
                Err(e) if e.kind() == io::ErrorKind::NotFound && to.exists() => continue,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(result("missing")),
                Err(e) => return Err(AdoptError::host(&from, e)),
                Ok(metadata) if !metadata.is_file() => return Err(result("no file")),
                Ok(_) => {}
            }
            match fs::hard_link(&from, &to) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                // A file system without hard links.
                Err(e) if HostFault::of(&e).is_none() => {
                    fs::rename(&from, &to).map_err(|e| AdoptError::host(&from, e))?;
                }
                linked => linked.map_err(|e| AdoptError::host(&from, e))?,
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|e| AdoptError::host(&self.dir, e))
    }

    /// Writes a file, which survives a power cut.
    pub(super) fn keep(&self, content: &[u8]) -> io::Result<FileRef> {
        let file = FileRef {
            sha256: hash::sha256(content),
            bytes: content.len() as u64,
        };
        atomic::write(&self.path(&file), content, Durability::Synced)?;
        Ok(file)
    }

    /// Deletes all files except `keep`.
    pub(super) fn keep_only(&self, keep: &std::collections::BTreeSet<FileRef>) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !keep.iter().any(|file| *file.sha256 == *name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Returns true if `name` is a SHA-256. It comes from a result, and must not lead to another
/// folder.
fn is_hash(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

/// Last bytes that an attempt, or else the program of its engine, wrote to standard error.
pub fn stderr_tail(dir: &Path) -> String {
    let read = |name: &str| -> io::Result<String> {
        let mut options = OpenOptions::new();
        options.read(true);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let mut file = options.open(dir.join(name))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(QUOTED)))?;
        let mut tail = Vec::new();
        file.take(QUOTED).read_to_end(&mut tail)?;
        Ok(without_backtrace(&String::from_utf8_lossy(&tail)))
    };
    let tails = ["stderr", PROGRAM_ERR].map(|name| read(name).unwrap_or_default());
    tails
        .into_iter()
        .find(|tail| !tail.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_refused_is_told_by_the_task_or_its_exit_status_and_forgotten_by_the_next_engine()
     {
        let program = TaskRun {
            executable: "moldflow".into(),
        };
        let left = TaskResult::of_host(HostFault::NoMemory, "no memory".into());
        let left = serde_json::to_vec(&left).expect("JSON");
        let fault = |exit, result| program.read(&exit, result).host_fault;
        assert_eq!(
            fault(Termination::Code(1), Some(&left[..])),
            Some(HostFault::NoMemory)
        );
        assert_eq!(fault(Termination::Unseen, Some(&left[..])), None);
        let code = HostFault::InputOutput.exit_code().into();
        assert_eq!(
            fault(Termination::Code(code), None),
            Some(HostFault::InputOutput)
        );
        let not_started = Termination::NotStarted(HostFault::NoProcesses, "fork".into());
        assert_eq!(fault(not_started, None), Some(HostFault::NoProcesses));
        assert_eq!(fault(Termination::Code(1), None), None);
        assert_eq!(
            fault(Termination::LaunchFailed("no such program".into()), None),
            None
        );
    }

    #[test]
    fn a_result_with_the_old_key_of_its_level_of_theory_is_read() {
        let program = TaskRun {
            executable: "moldflow".into(),
        };
        let result = include_bytes!("../../fuzz/corpus/result_json/xtb.json");
        let read = program.read(&Termination::Code(0), Some(result));
        let simulation = read.simulation.expect("a simulation");
        assert_eq!(simulation.level_of_theory, "GFN2-xTB");
    }

    #[test]
    fn half_a_result_is_lost_if_the_machine_went_down_and_unreadable_if_its_task_ended() {
        let program = TaskRun {
            executable: "moldflow".into(),
        };
        let kind = |exit: Termination| match program.read(&exit, Some(b"{\"outcome\":")).outcome {
            Outcome::Failed(failure) => failure.kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(Termination::Unseen), FailureKind::Lost);
        assert_eq!(
            kind(Termination::NodeLost("NODE_FAIL".into())),
            FailureKind::NodeLost
        );
        assert_eq!(kind(Termination::Code(0)), FailureKind::Unreadable);
    }
}
