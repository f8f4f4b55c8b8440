//! Remote side of the `local` executor of another host: `moldflow remote start`, `list` and `end`
//! manage tasks as processes that outlive the connection.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process_group, setsid};
use serde::{Deserialize, Serialize};

use super::work_dir::WorkDir;
use crate::exec::job_wrapper::{END_FILE, JOB_SCRIPT, SCRIPT_OUTPUT};
use crate::exec::process::{ProcessEnvironment, TOKEN, find_processes, token_of};
use crate::host::name::host_name;
use crate::task::Token;

/// Files in the directory of an attempt: it was started, it was to be ended.
const STARTED: &str = ".started";
const CANCELLED: &str = ".cancelled";

/// State of the processes of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// A process of it runs.
    Running,
    /// It has ended, and its end is recorded.
    Ended,
    /// It was cancelled.
    Cancelled,
    /// It has left nothing: the host was restarted, or somebody killed it.
    Gone,
    /// It was started on a host of this name, and its name of now is another: a second login node.
    Elsewhere(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StartRecord {
    host: String,
    pid: i32,
}

/// Starts an attempt whose directory is there. Called twice it starts it once.
///
/// # Errors
///
/// Fails if `token` is no token, or if the host starts no process or writes no file.
pub fn start(work_dir: &WorkDir, token: &str) -> io::Result<()> {
    let dir = work_dir.attempt(token)?;
    let _lock = lock(work_dir)?;
    let marker = dir.join(STARTED);
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&marker);
    match new {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        new => new?,
    };
    if dir.join(CANCELLED).exists() {
        return Ok(());
    }
    // It fails if this process leads a session already; that has no terminal either.
    let _ = setsid();
    let output = File::create(dir.join(SCRIPT_OUTPUT))?;
    let environment = ProcessEnvironment::inherited();
    let child = Command::new("bash")
        // As the scripts of schedulers: `module` is a function of login shells.
        .args(["-l", JOB_SCRIPT])
        .current_dir(&dir)
        .env_clear()
        .envs(environment.pairs().iter().map(|(k, v)| (k, v)))
        .env(TOKEN, token)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(e) => {
            fs::remove_file(marker)?;
            return Err(e);
        }
    };
    let started = StartRecord {
        host: host_name(),
        pid: child.id().cast_signed(),
    };
    fs::write(marker, serde_json::to_vec(&started)?)
}

/// Returns the states of all attempts that were started, of all runs, by their tokens.
///
/// # Errors
///
/// Fails if a directory or a process cannot be read.
pub fn list(work_dir: &WorkDir) -> io::Result<Vec<(String, ProcessState)>> {
    let _lock = lock(work_dir)?;
    let mut list = Vec::new();
    for entry in fs::read_dir(work_dir.attempts())? {
        let entry = entry?;
        let token = entry.file_name().to_string_lossy().into_owned();
        if token.parse::<Token>().is_ok() && entry.path().join(STARTED).exists() {
            let condition = condition(&entry.path(), &token)?;
            list.push((token, condition));
        }
    }
    Ok(list)
}

/// Returns a list as lines of JSON, which may stand among other output, and its length as the last.
pub fn printed(list: &[(String, ProcessState)]) -> String {
    let lines = list.iter().map(|entry| line(ENTRY, entry));
    lines.chain([line(LENGTH, &list.len())]).collect()
}

/// Reads a list that was printed; None unless it is complete.
pub fn parsed(text: &str) -> Option<Vec<(String, ProcessState)>> {
    let of = |mark| text.lines().filter_map(move |line| line.strip_prefix(mark));
    let entries = of(ENTRY).map(|json| serde_json::from_str(json).ok());
    let entries: Vec<_> = entries.collect::<Option<_>>()?;
    let length: usize = of(LENGTH).next()?.parse().ok()?;
    (entries.len() == length).then_some(entries)
}

const ENTRY: &str = "moldflow-attempt ";
const LENGTH: &str = "moldflow-attempts ";

fn line(mark: &str, value: &impl Serialize) -> String {
    // It fails on maps with odd keys only.
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("{mark}{json}\n")
}

/// Terminates attempts, and keeps those from starting that have not yet.
///
/// # Errors
///
/// Fails if a file cannot be written, or if a process cannot be read.
pub fn end(work_dir: &WorkDir, tokens: &[String]) -> io::Result<()> {
    let _lock = lock(work_dir)?;
    for token in tokens {
        let dir = work_dir.attempt(token)?;
        if !dir.exists() {
            continue;
        }
        File::create(dir.join(CANCELLED))?;
        // A process that is started while its parent is killed is found the next time.
        for _ in 0..100 {
            let processes = find_processes(TOKEN, token)?;
            let mut ours = processes.iter().filter(|p| p.token == *token).peekable();
            if ours.peek().is_none() {
                break;
            }
            for process in ours {
                let _ = kill_process_group(process.group, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Returns true if processes of an attempt run, or may run on another host.
///
/// # Errors
///
/// Fails if a process cannot be read.
pub fn is_alive(dir: &Path, token: &str) -> io::Result<bool> {
    match condition(dir, token)? {
        ProcessState::Running | ProcessState::Elsewhere(_) => Ok(true),
        ProcessState::Ended | ProcessState::Cancelled | ProcessState::Gone => is_found(token),
    }
}

/// Returns true if a process of this host carries the token.
fn is_found(token: &str) -> io::Result<bool> {
    let found = find_processes(TOKEN, token)?;
    Ok(found.iter().any(|process| process.token == token))
}

fn condition(dir: &Path, token: &str) -> io::Result<ProcessState> {
    // Empty where the process that started it was killed at that moment.
    let started = fs::read(dir.join(STARTED)).unwrap_or_default();
    let StartRecord { host: at, pid } = serde_json::from_slice(&started).unwrap_or_default();
    let is_leader = match Pid::from_raw(pid) {
        Some(pid) => token_of(pid, TOKEN)?.is_some_and(|found| found == token),
        None => false,
    };
    Ok(if dir.join(END_FILE).exists() {
        ProcessState::Ended
    } else if !at.is_empty() && at != host_name() {
        ProcessState::Elsewhere(at)
    } else if is_leader || is_found(token)? {
        ProcessState::Running
    } else if dir.join(END_FILE).exists() {
        // Since it was looked for.
        ProcessState::Ended
    } else if dir.join(CANCELLED).exists() {
        ProcessState::Cancelled
    } else {
        ProcessState::Gone
    })
}

/// Locks the attempts while processes are started or listed, so none is missed between its mark and
/// its start.
fn lock(work_dir: &WorkDir) -> io::Result<File> {
    let file = File::create(work_dir.attempts().join(".lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_among_what_a_login_prints_but_only_whole() {
        let list = [
            ("1f.7.1".to_owned(), ProcessState::Running),
            (
                "1f.8.1".to_owned(),
                ProcessState::Elsewhere("login2".into()),
            ),
        ];
        let text = format!("Welcome!\n{}", printed(&list));
        assert_eq!(parsed(&text), Some(list.into()));
        let cut = text.replace("moldflow-attempt [\"1f.8.1\"", "[");
        assert_eq!(parsed(&cut), None);
        assert_eq!(parsed("Welcome!"), None);
    }
}
