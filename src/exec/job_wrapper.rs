//! `moldflow task exec`, the program of a scheduler's job. It starts the task, terminates it at its
//! timeout, and writes how it ended beside the result: that file outlives the scheduler's memory of
//! the job.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use super::launch::{end_group, exit_of, now, read_left, read_result, spawn, wait};
use super::launcher::HOSTS;
use super::process::{CLIENT, TOKEN};
use super::{Job, JobEvent, SCRATCH, Termination};
use crate::host::atomic::{self, Durability};
pub use crate::scheduler::script::JOB_SCRIPT;
use crate::scheduler::script::quoted;
use crate::scheduler::{
    CommandHost, Nodes, NodesError, Scheduler, ScriptError, TaskJob, nodes_of_job,
};
use crate::task::{HostFault, explained};

/// File with the specification of a job, in the directory of its attempt.
pub const JOB_SPEC_FILE: &str = "job.json";
/// File with the exit status of a task, in the directory of its attempt.
pub const END_FILE: &str = "exit.json";
/// Output of the script itself; the task's own output is in `stdout` and `stderr`.
pub const SCRIPT_OUTPUT: &str = "job.out";

/// Command line, environment and timeout of a job's task; contents of `job.json`.
#[derive(Debug, Serialize, Deserialize)]
struct JobSpec {
    token: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    timeout: Duration,
}

/// Exit status and times of a task, as its job saw them; contents of `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// End of the process.
    pub exit: Termination,
    /// Milliseconds since the Unix epoch.
    pub started: i64,
    /// Milliseconds since the Unix epoch.
    pub ended: i64,
}

/// Result and exit status that an attempt left in its directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptFiles {
    /// Content of the result file; None if there is none.
    pub result: Option<Vec<u8>>,
    /// Content of `exit.json`; None if there is none, or if it is unreadable.
    pub ended: Option<AttemptEnd>,
}

impl AttemptFiles {
    /// Reads them; a file that cannot be read counts as the end of the attempt.
    pub fn read(job: &Job) -> Self {
        let read = || {
            let ended = read_left(&job.dir.join(END_FILE))?;
            Ok(Self {
                result: read_result(job)?,
                ended: ended.and_then(|json| serde_json::from_slice(&json).ok()),
            })
        };
        read().unwrap_or_else(|unread| Self::of_start(&unread))
    }

    /// Returns the files of an attempt that could not be started, or whose directory could not be
    /// read.
    pub fn of_start(exit: &Termination) -> Self {
        let at = now();
        let exit = exit.clone();
        Self {
            result: None,
            ended: Some(AttemptEnd {
                exit,
                started: at,
                ended: at,
            }),
        }
    }

    /// Returns the end of their attempt for its report.
    pub fn into_end(self, exit: Termination) -> JobEvent {
        JobEvent::Ended {
            exit,
            result: self.result,
            started: self.ended.as_ref().map(|end| end.started),
            ended: self.ended.map(|end| end.ended),
        }
    }

    /// Returns true if the attempt left neither.
    pub fn is_empty(&self) -> bool {
        self.result.is_none() && self.ended.is_none()
    }
}

/// Makes the directory of a job with its inputs, its specification, and the script that runs it.
///
/// # Errors
///
/// Returns an error if a file cannot be written.
pub fn write(job: &Job, script: &str) -> io::Result<()> {
    super::launch::prepare(job)?;
    fs::write(job.dir.join(JOB_SPEC_FILE), job_spec(job)?)?;
    let path = job.dir.join(JOB_SCRIPT);
    fs::write(&path, script)?;
    // Cobalt runs it as a program.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
}

/// Returns the contents of `job.json`.
///
/// # Errors
///
/// Returns an error if they cannot be written as JSON.
pub fn job_spec(job: &Job) -> io::Result<Vec<u8>> {
    let spec = JobSpec {
        token: job.token.to_string(),
        argv: job.argv.clone(),
        env: job.env.clone(),
        timeout: job.limits.timeout,
    };
    Ok(serde_json::to_vec(&spec)?)
}

/// Returns the command that runs the job specified in its working directory.
pub fn command(executable: &Path) -> Vec<String> {
    let executable = executable.to_string_lossy().into_owned();
    vec![
        executable,
        "task".into(),
        "exec".into(),
        JOB_SPEC_FILE.into(),
    ]
}

/// Returns the path of the script of an attempt in `dir`.
pub fn script_of(dir: &Path) -> std::path::PathBuf {
    dir.join(JOB_SCRIPT)
}

/// Returns the script of a job in `dir`, which runs its task by `executable`; both as the host of
/// the scheduler sees them.
///
/// # Errors
///
/// Returns an error if a value cannot stand in a script.
pub fn script_of_job(
    scheduler: &dyn Scheduler,
    job: &Job,
    dir: &Path,
    executable: &Path,
) -> Result<String, ScriptError> {
    // The scratch folder is the attempt's own: it is in `job.json`, and `plan` cannot know it.
    let env = job.env.iter().filter(|(name, _)| name != SCRATCH);
    let env: Vec<_> = env.cloned().collect();
    scheduler.script(&TaskJob {
        token: &job.token.to_string(),
        shape: job.shape.as_ref(),
        limits: job.limits,
        environment: &env,
        dir: dir.to_owned(),
        argv: &command(executable),
    })
}

/// Returns the script of a step, which runs `argv` after the lines of `setup`; that of a job asks
/// for nodes as well.
pub fn script(setup: &[String], argv: &[String]) -> String {
    let quoted: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    let setup: String = setup.iter().map(|line| format!("{line}\n")).collect();
    format!("#!/bin/sh\n{setup}exec {}\n", quoted.join(" "))
}

/// Runs the job specified in the file `spec` and writes its end to `exit.json`. When the scheduler
/// sends SIGTERM or SIGHUP the task is terminated and nothing is written: then the state that the
/// scheduler reports tells why.
///
/// # Errors
///
/// Returns an error if the file cannot be read, or the end cannot be written.
pub async fn run_job(spec: &Path) -> io::Result<Termination> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    // Flux sends it to the script of a job that is cancelled.
    let mut hangup = signal(SignalKind::hangup())?;
    let stopped = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = hangup.recv() => {} }
    };
    let dir = spec.parent().filter(|dir| *dir != Path::new(""));
    let dir = dir.unwrap_or(Path::new(".")).to_owned();
    let started = now();
    let spec: JobSpec = match read(spec).and_then(|spec| name_hosts(&dir).map(|()| spec)) {
        Err(e) if HostFault::of(&e).is_some() => {
            let exit = Termination::of_start(&e);
            leave(&dir, &exit, started)?;
            return Ok(exit);
        }
        spec => spec?,
    };
    let child = spawn(&spec.argv, &dir, |command| {
        command.envs(spec.env.iter().map(|(k, v)| (k, v)));
        command.env(TOKEN, &spec.token).env_remove(CLIENT);
    });
    let exit = match child {
        Err(e) => Termination::of_start(&e),
        Ok(child) => {
            let leader = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::Other)?;
            let ended = wait_in_thread(child, leader, spec.timeout)?;
            tokio::select! {
                // The signal that cancels a job may reach its task as well, and must be noticed
                // first.
                biased;
                () = stopped => {
                    end_group(leader);
                    super::scratch::remove(&spec.env, &dir);
                    return Ok(Termination::Signal(Signal::TERM.as_raw()));
                }
                ended = ended => ended.map_err(io::Error::other)??,
            }
        }
    };
    super::scratch::remove(&spec.env, &dir);
    leave(&dir, &exit, started)?;
    Ok(exit)
}

/// Waits in a thread for a task, which is terminated at its timeout; its end is sent through the
/// channel.
fn wait_in_thread(
    mut child: Child,
    leader: Pid,
    timeout: Duration,
) -> io::Result<oneshot::Receiver<io::Result<Termination>>> {
    let (sender, ended) = oneshot::channel();
    let wait_for_it = move || {
        let in_time = wait(leader, timeout);
        if !in_time {
            end_group(leader);
        }
        // Processes that the leader left behind; it is not reaped yet, so its id cannot name
        // another group.
        let _ = kill_process_group(leader, Signal::KILL);
        let status = child.wait();
        let _ = sender.send(match in_time {
            true => status.map(exit_of),
            false => Ok(Termination::TimedOut),
        });
    };
    let started = std::thread::Builder::new().spawn(wait_for_it);
    started.map(|_| ended).map_err(|e| {
        end_group(leader);
        explained("could not start a thread that waits for the task", e)
    })
}

/// Writes the end of the task of `dir`.
fn leave(dir: &Path, exit: &Termination, started: i64) -> io::Result<()> {
    let ended = AttemptEnd {
        exit: exit.clone(),
        started,
        ended: now(),
    };
    // Not synced: after a power cut it may be empty, and is then ignored (decision 0022).
    atomic::write(
        &dir.join(END_FILE),
        &serde_json::to_vec(&ended)?,
        Durability::Unsynced,
    )
}

/// Returns the nodes of the job with these environment variables, from files and commands of this
/// host.
///
/// # Errors
///
/// Returns an error outside a job, and where its nodes cannot be read.
fn nodes_here(variable: impl Fn(&str) -> Option<String>) -> Result<Nodes, NodesError> {
    let run = |argv: &[&str]| {
        let mut here = super::transport::LocalTransport::new(Path::new(""));
        let output = here.run(&crate::scheduler::CommandRequest::new(argv.iter().copied()));
        let text = output.and_then(crate::scheduler::checked);
        text.map_err(io::Error::other)
    };
    nodes_of_job(variable, |path| fs::read_to_string(path), run)
}

/// Returns the nodes of the job that this process is in.
///
/// # Errors
///
/// Returns an error outside a job, and where its nodes cannot be read.
pub fn own_nodes() -> Result<Nodes, NodesError> {
    nodes_here(|name| std::env::var(name).ok())
}

/// Writes the nodes of the job that this process is in, for the launcher of an MPI program, unless
/// the executor did.
fn name_hosts(dir: &Path) -> io::Result<()> {
    if dir.join(HOSTS).exists() {
        return Ok(());
    }
    let variable = |name: &str| {
        // A step may have fewer nodes than its job.
        let step = (name == "SLURM_JOB_NODELIST").then(|| std::env::var("SLURM_STEP_NODELIST"));
        step.and_then(Result::ok)
            .or_else(|| std::env::var(name).ok())
    };
    match nodes_here(variable) {
        Ok(Nodes::Named(hosts)) => {
            let text = hosts.join("\n") + "\n";
            atomic::write(&dir.join(HOSTS), text.as_bytes(), Durability::Unsynced)
        }
        // Unknown nodes are missed only by a launcher that asks for them.
        _ => Ok(()),
    }
}

/// Removes the files of an attempt, such that it counts as not begun. First its end: where the rest
/// cannot be removed, the attempt counts as lost.
pub fn discard(dir: &Path, result: &str) {
    for name in [result, END_FILE] {
        let _ = fs::remove_file(dir.join(name));
    }
    let _ = fs::remove_dir_all(dir);
}

/// Deletes the scratch folder of an attempt that was killed together with its job.
pub fn clear_scratch(dir: &Path) {
    if let Ok(spec) = read::<JobSpec>(&dir.join(JOB_SPEC_FILE)) {
        super::scratch::remove(&spec.env, dir);
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_runs_the_words_it_was_given() {
        let argv = ["printf", "%s|", "it's", "a b", "$HOME", "`x`"].map(str::to_owned);
        let script = script(&["set -e".into()], &argv);
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output();
        let printed = String::from_utf8(output.expect("a shell").stdout).expect("text");
        assert_eq!(printed, "it's|a b|$HOME|`x`|");
    }
}
