//! Processes of tasks: their environment, and how one is found again by its token.

use std::fs;

use rustix::process::Pid;

/// The variable that carries the token of an attempt.
pub const TOKEN: &str = "MOLDFLOW_TOKEN";

/// Variables that every task inherits. Nothing else of the user's environment reaches a task.
const INHERITED: &[&str] = &[
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XTBPATH",
    "RUST_BACKTRACE",
];

/// The environment of tasks.
#[derive(Clone, Debug)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// The allowed part of this process's environment.
    pub fn inherited() -> Self {
        Self(
            INHERITED
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
                .collect(),
        )
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// A process that carries a token.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: Pid,
    /// Its process group, named by the leader's id.
    pub group: Pid,
    pub token: String,
}

/// Processes in whose environment `variable` holds a token that starts with `prefix`.
pub fn find_processes(variable: &str, prefix: &str) -> Vec<Process> {
    let mark = format!("{variable}={prefix}");
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let found = environ
                .split(|byte| *byte == 0)
                .find(|v| v.starts_with(mark.as_bytes()))?;
            let token = String::from_utf8_lossy(&found[variable.len() + 1..]).into_owned();
            let pid = Pid::from_raw(pid)?;
            Some(Process {
                pid,
                group: rustix::process::getpgid(Some(pid)).ok()?,
                token,
            })
        })
        .collect()
}

/// Whether a process of this program name carries this token: a client that an engine, now dead, had started.
pub fn find_clients(program: &str, token: &str) -> bool {
    find_processes(TOKEN, token).iter().any(|process| {
        let name = fs::read_to_string(format!("/proc/{}/comm", process.pid.as_raw_nonzero()));
        process.token == token && name.is_ok_and(|name| name.trim() == program)
    })
}
