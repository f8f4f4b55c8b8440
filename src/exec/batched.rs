//! `moldflow task exec`: what a job of a batch system runs. It starts the task, ends it at its
//! timeout, and leaves how it ended beside the result, so that the end of a task outlives the batch
//! system's memory of it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::allocation::{Nodes, nodes_of_job};
use super::batch::{BatchError, Terms, quoted};
use super::launch::{end_group, exit_of, now, read_left, read_result, spawn, wait};
use super::launcher::HOSTS;
use super::process::{CLIENT, TOKEN};
use super::{Exit, Job, SCRATCH};
use crate::host::atomic::{self, Durability};
use crate::task::{HostFault, explained};

/// Names of the files in the directory of an attempt.
pub const ORDER: &str = "job.json";
pub const ENDED: &str = "exit.json";
pub const SCRIPT: &str = "job.sh";
/// What the script itself prints; the task's own output is in `stdout` and `stderr`.
pub const SCRIPT_OUTPUT: &str = "job.out";

/// What is to be run.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    token: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    timeout: Duration,
}

/// How a task ended, as its job saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub exit: Exit,
    /// Milliseconds since the Unix epoch.
    pub started: i64,
    pub ended: i64,
}

/// What the directory of an attempt tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    pub result: Option<Vec<u8>>,
    pub ended: Option<Ended>,
}

impl Traces {
    pub fn read(job: &Job) -> Self {
        let read = || {
            let ended = read_left(&job.dir.join(ENDED))?;
            Ok(Self {
                result: read_result(job)?,
                ended: ended.and_then(|json| serde_json::from_slice(&json).ok()),
            })
        };
        read().unwrap_or_else(|unread| Self::of_start(&unread))
    }

    /// Of an attempt that could not be started, or not be looked at.
    pub fn of_start(exit: &Exit) -> Self {
        let at = now();
        let exit = exit.clone();
        Self {
            result: None,
            ended: Some(Ended {
                exit,
                started: at,
                ended: at,
            }),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.result.is_none() && self.ended.is_none()
    }
}

/// Makes the directory of a job with what it starts from, its order, and the script that carries it
/// out.
pub fn write(job: &Job, script: &str) -> io::Result<()> {
    super::launch::prepare(job)?;
    fs::write(job.dir.join(ORDER), order(job)?)?;
    let path = job.dir.join(SCRIPT);
    fs::write(&path, script)?;
    // Cobalt runs it as a program.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
}

/// What the script of a job carries out, the content of `job.json`.
pub fn order(job: &Job) -> io::Result<Vec<u8>> {
    let order = Order {
        token: job.token.to_string(),
        argv: job.argv.clone(),
        env: job.env.clone(),
        timeout: job.limits.timeout,
    };
    Ok(serde_json::to_vec(&order)?)
}

/// The command that carries out the order in its working directory.
pub fn command(executable: &Path) -> Vec<String> {
    let executable = executable.to_string_lossy().into_owned();
    vec![executable, "task".into(), "exec".into(), ORDER.into()]
}

/// Path of the script of an attempt in `dir`.
pub fn script_of(dir: &Path) -> std::path::PathBuf {
    dir.join(SCRIPT)
}

/// The script of a job of a batch system in `dir`, which carries out its order by `executable`.
pub fn script_of_job(
    terms: &Terms,
    job: &Job,
    dir: &Path,
    executable: &Path,
) -> Result<String, BatchError> {
    let (name, argv) = (job.token.to_string(), command(executable));
    let (shape, dir) = (job.shape.as_ref(), dir.to_owned());
    // The scratch folder is the attempt's own: `job.json` tells it, and `plan` cannot.
    let env = job.env.iter().filter(|(name, _)| name != SCRATCH);
    let env: Vec<_> = env.cloned().collect();
    let script = terms.script(&name, shape, job.limits, &env, dir, &argv);
    script.render()
}

/// The script of a step, which runs `argv` after the lines of `setup`; that of a job asks for nodes
/// as well.
pub fn script(setup: &[String], argv: &[String]) -> String {
    let quoted: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    let setup: String = setup.iter().map(|line| format!("{line}\n")).collect();
    format!("#!/bin/sh\n{setup}exec {}\n", quoted.join(" "))
}

/// Carries out the order in the file `order`; how it ended is on disk afterwards. When the batch
/// system sends SIGTERM the task is ended and nothing is written: then the batch system's word
/// tells why.
pub async fn carry_out(order: &Path) -> io::Result<Exit> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let dir = order.parent().filter(|dir| *dir != Path::new(""));
    let dir = dir.unwrap_or(Path::new(".")).to_owned();
    let started = now();
    let order: Order = match read(order).and_then(|order| name_hosts(&dir).map(|()| order)) {
        Err(e) if HostFault::of(&e).is_some() => {
            let exit = Exit::of_start(&e);
            leave(&dir, &exit, started)?;
            return Ok(exit);
        }
        order => order?,
    };
    let child = spawn(&order.argv, &dir, |command| {
        command.envs(order.env.iter().map(|(k, v)| (k, v)));
        command.env(TOKEN, &order.token).env_remove(CLIENT);
    });
    let exit = match child {
        Err(e) => Exit::of_start(&e),
        Ok(mut child) => {
            let leader = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::Other)?;
            let (sender, waited) = tokio::sync::oneshot::channel();
            let wait_for_it = move || {
                let in_time = wait(leader, order.timeout);
                if !in_time {
                    end_group(leader);
                }
                // What the leader left behind; it is not reaped yet, so that its id cannot name
                // another group.
                let _ = kill_process_group(leader, Signal::KILL);
                let _ = sender.send((in_time, child.wait()));
            };
            if let Err(e) = std::thread::Builder::new().spawn(wait_for_it) {
                end_group(leader);
                return Err(explained(
                    "could not start a thread that waits for the task",
                    e,
                ));
            }
            tokio::select! {
                // A job that is cancelled ends by the same signal as its task, which need not be
                // noticed first.
                biased;
                _ = terminate.recv() => {
                    end_group(leader);
                    super::scratch::remove(&order.env, &dir);
                    return Ok(Exit::Signal(Signal::TERM.as_raw()));
                }
                waited = waited => match waited.map_err(io::Error::other)? {
                    (false, _) => Exit::TimedOut,
                    (true, status) => exit_of(status?),
                },
            }
        }
    };
    super::scratch::remove(&order.env, &dir);
    leave(&dir, &exit, started)?;
    Ok(exit)
}

/// Leaves in `dir` how its task ended.
fn leave(dir: &Path, exit: &Exit, started: i64) -> io::Result<()> {
    let ended = Ended {
        exit: exit.clone(),
        started,
        ended: now(),
    };
    // Not synced: after a power cut it may be empty, and is then ignored (decision 0022).
    atomic::write(
        &dir.join(ENDED),
        &serde_json::to_vec(&ended)?,
        Durability::Unsynced,
    )
}

/// Names the nodes of the job that this process is in, for the launcher of an MPI program, unless
/// somebody else did.
fn name_hosts(dir: &Path) -> io::Result<()> {
    let variable = |name: &str| {
        // A step may have fewer nodes than its job.
        let step = (name == "SLURM_JOB_NODELIST").then(|| std::env::var("SLURM_STEP_NODELIST"));
        step.and_then(Result::ok)
            .or_else(|| std::env::var(name).ok())
    };
    match nodes_of_job(variable, |path| fs::read_to_string(path)) {
        Ok(Nodes::Named(hosts)) if !dir.join(HOSTS).exists() => {
            let text = hosts.join("\n") + "\n";
            atomic::write(&dir.join(HOSTS), text.as_bytes(), Durability::Unsynced)
        }
        // What cannot be told is missed only by a launcher that asks for it.
        _ => Ok(()),
    }
}

/// Removes what an attempt left, so that it counts as not begun. First its end: where the rest
/// cannot be removed, the attempt counts as lost.
pub fn discard(dir: &Path, result: &str) {
    for name in [result, ENDED] {
        let _ = fs::remove_file(dir.join(name));
    }
    let _ = fs::remove_dir_all(dir);
}

/// Deletes the scratch folder of an attempt that was killed together with its job.
pub fn clear_scratch(dir: &Path) {
    if let Ok(order) = read::<Order>(&dir.join(ORDER)) {
        super::scratch::remove(&order.env, dir);
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
