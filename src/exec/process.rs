//! Processes of tasks: their environment, and how one is found again by its token.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use super::launch::{appended, since_boot};
use crate::scheduler::slurm::is_among;
pub(crate) use crate::scheduler::{SUBMITS, TOKEN};
use crate::task::HostFault;

/// The variable that carries the token of a client on this host, whose task runs elsewhere and has
/// that of every task.
pub const CLIENT: &str = "MOLDFLOW_STEP";

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
    "NWCHEM_BASIS_LIBRARY",
    // Configuration of QCEngine.
    "DQM_CONFIG_PATH",
    "RUST_BACKTRACE",
];

/// Environment that every task inherits.
#[derive(Clone, Debug)]
pub struct ProcessEnvironment(Vec<(String, String)>);

impl ProcessEnvironment {
    /// Returns the allowed part of this process's environment.
    pub fn inherited() -> Self {
        Self(
            INHERITED
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
                .collect(),
        )
    }

    /// Returns the names and values.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// A process that carries a token.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub pid: Pid,
    /// Its process group, named by the leader's id.
    pub group: Pid,
    /// Value of the variable, usually a token.
    pub token: String,
}

/// Returns the processes in whose environment `variable` holds a token that starts with `prefix`.
///
/// # Errors
///
/// A fault of the host keeps a process from being read: an answer without it would be wrong.
pub fn find_processes(variable: &str, prefix: &str) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            continue;
        };
        let Some(token) = token_of(pid, variable)?.filter(|token| token.starts_with(prefix)) else {
            continue;
        };
        // One that has ended meanwhile has no group.
        if let Ok(group) = rustix::process::getpgid(Some(pid)) {
            found.push(Process { pid, group, token });
        }
    }
    Ok(found)
}

/// Returns the age of a process, time that the machine slept included; None if it has ended.
pub fn age(pid: Pid) -> Option<Duration> {
    /// Ticks of `/proc` a second, on every architecture that Rust supports.
    const TICKS: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may hold blanks; the start is the 22nd field, the 20th after it.
    let ticks: u64 = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let started = Duration::from_millis(ticks * 1000 / TICKS);
    Some(since_boot().saturating_sub(started))
}

/// Returns the value of a variable in the environment of a process, usually a token; None if the
/// variable is not set or the process has ended.
///
/// # Errors
///
/// A fault of the host keeps the process from being read.
pub fn token_of(pid: Pid, variable: &str) -> io::Result<Option<String>> {
    let environ = environ(pid)?.unwrap_or_default();
    let mut variables = environ.split(|byte| *byte == 0);
    let token = variables.find_map(|v| v.strip_prefix(variable.as_bytes())?.strip_prefix(b"="));
    Ok(token.map(|token| String::from_utf8_lossy(token).into_owned()))
}

/// Returns the environment of a process; None if it has ended or belongs to another user. During
/// exec a process shows no environment: that is waited for, because a process that was overlooked
/// would be started a second time.
fn environ(pid: Pid) -> io::Result<Option<Vec<u8>>> {
    let dir = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let read = || match fs::read(dir.join("environ")) {
        Err(e) if HostFault::of(&e).is_some() => Err(e),
        read => Ok(read.ok()),
    };
    for _ in 0..1000 {
        let Some(environ) = read()? else {
            return Ok(None);
        };
        if !environ.is_empty() {
            return Ok(Some(environ));
        }
        // Arguments show that the exec is over: perhaps only since the environment was read.
        if fs::read(dir.join("cmdline")).is_ok_and(|arguments| !arguments.is_empty()) {
            return read();
        }
        // Kernel threads and processes that have ended show neither, but they have no executable.
        if fs::read_link(dir.join("exe")).is_err() {
            return Ok(Some(environ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(None)
}

/// Returns true if this is the program, or a version of it: `python3.11` is `python3`.
fn is_program(name: &str, program: &str) -> bool {
    let rest = name.strip_prefix(program);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns true if a process of this program name carries this token: a client that an earlier
/// engine started.
///
/// # Errors
///
/// A fault of the host keeps a process from being read.
pub fn find_clients(program: &str, token: &str) -> io::Result<bool> {
    let is_client = |process: &Process| {
        let name = fs::read_to_string(format!("/proc/{}/comm", process.pid.as_raw_nonzero()));
        name.is_ok_and(|name| is_program(name.trim(), program))
    };
    let alone = find_processes(TOKEN, token)?.into_iter();
    let alone = alone.filter(|process| process.token == token);
    let together = find_processes(SUBMITS, "")?.into_iter();
    let together = together.filter(|process| is_among(&process.token, token));
    Ok(alone.chain(together).any(|process| is_client(&process)))
}

/// Returns the peak memory in KiB of this process, or of the largest of the programs that it waited
/// for.
pub fn peak_memory_kib() -> Option<u64> {
    own_peak_kib().max(childrens_peak_kib())
}

/// Reads `/proc`: `getrusage` counts the engine that started this process as well.
fn own_peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn childrens_peak_kib() -> Option<u64> {
    // SAFETY: all zeros is a valid `rusage`, and the call writes nothing but what it is given.
    let (told, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage), usage)
    };
    (told == 0 && usage.ru_maxrss > 0).then(|| usage.ru_maxrss.cast_unsigned())
}

/// Lets this process write its standard error to the file `stderr` in `dir`, as the process of an
/// attempt does.
///
/// # Errors
///
/// The file cannot be opened.
pub fn redirect_stderr(dir: &Path) -> io::Result<()> {
    let file = appended(&dir.join("stderr"))?;
    // SAFETY: the call changes nothing but the descriptor 2, which no value of Rust owns.
    match unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
