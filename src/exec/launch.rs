//! Directory of a job, and the process in it: preparation, start, wait and termination.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::{Job, Termination};
use crate::task::{HostFault, explained};

/// Time that a process group has to end after SIGTERM.
pub const GRACE: Duration = Duration::from_secs(2);

/// Makes the directory of a job with its input files and links.
///
/// # Errors
///
/// Fails if a file cannot be written or linked.
pub fn prepare(job: &Job) -> io::Result<()> {
    fs::create_dir_all(&job.dir)?;
    // Were there a result it would be of another attempt of this number, which a damaged journal
    // has forgotten.
    match fs::remove_file(job.dir.join(job.result)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    for (name, content) in &job.files {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        // A run directory of somebody else may have links in it.
        options.custom_flags(libc::O_NOFOLLOW);
        options.open(job.dir.join(name))?.write_all(content)?;
    }
    for (from, name) in &job.links {
        link(from, &job.dir.join(name))?;
    }
    Ok(())
}

/// A hard link; a copy where the file system has none.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::copy(from, to)
            .map(drop)
            .map_err(|e| explained(format!("could not link `{}`", from.display()), e)),
        Ok(()) => Ok(()),
    }
}

/// Starts `argv` in `dir` as the leader of a process group, its output in the files `stdout` and
/// `stderr` there.
///
/// # Errors
///
/// Fails if the program is missing, or if the host starts no process or opens no file.
pub fn spawn(
    argv: &[String],
    dir: &Path,
    with_env: impl FnOnce(&mut Command),
) -> io::Result<Child> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir);
    with_env(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(appended(&dir.join("stdout"))?)
        .stderr(appended(&dir.join("stderr"))?)
        .process_group(0)
        .spawn()
        .map_err(|e| explained(format!("could not start `{program}`"), e))
}

/// Opens a file that several processes may write to, as a step and the client that waits for it
/// do.
///
/// # Errors
///
/// It cannot be opened, or is a link.
pub fn appended(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Waits for a child; false when it still runs after `limit`.
pub fn wait(child: Pid, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match pidfd_open(child, PidfdFlags::empty()) {
            Ok(fd) => return wait_fd(&fd, deadline.saturating_duration_since(Instant::now())),
            Err(Errno::SRCH) => return true,
            // No descriptor is free.
            Err(_) if has_ended(child) => return true,
            Err(_) if Instant::now() >= deadline => return false,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Returns true if a child has ended and is still to be reaped.
pub fn has_ended(child: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(child), options), Ok(Some(_)))
}

/// Longest time for which a wait does not look whether this process was stopped meanwhile.
const LOOK: Duration = Duration::from_secs(30);
/// Delay of a wait that does not mean that this process was stopped.
const LATE: Duration = Duration::from_secs(1);

/// Time that is left of a limit. Time in which this process was stopped (SIGSTOP, a machine that
/// was suspended) does not count: what it waits for was stopped as well, or could not be looked
/// after.
#[derive(Clone, Copy, Debug)]
pub struct Countdown {
    left: Option<Duration>,
}

impl Countdown {
    /// Countdown of `limit`; None never expires.
    pub fn new(limit: Option<Duration>) -> Self {
        Self { left: limit }
    }

    /// Longest time to wait before `spend`.
    pub fn period(&self) -> Duration {
        self.left.map_or(LOOK, |left| left.min(LOOK))
    }

    /// Takes off a wait of `period` that took `elapsed`. `in_time`: it was over before `period`.
    /// Returns true when nothing is left.
    pub fn spend(&mut self, elapsed: Duration, period: Duration, in_time: bool) -> bool {
        let Some(left) = &mut self.left else {
            return false;
        };
        if in_time || elapsed <= period + LATE {
            *left = left.saturating_sub(elapsed.min(period));
        }
        left.is_zero()
    }
}

/// Waits for a descriptor; false when it is not ready after `limit` (see `Countdown`).
pub fn wait_fd(fd: &OwnedFd, limit: Duration) -> bool {
    let mut countdown = Countdown::new(Some(limit));
    loop {
        let (period, began) = (countdown.period(), Instant::now());
        if is_ready(fd, period) {
            return true;
        }
        if countdown.spend(began.elapsed(), period, false) {
            return false;
        }
    }
}

fn is_ready(fd: &OwnedFd, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// Bytes of a result that are read; a longer one is none.
const LONGEST_RESULT: u64 = 256 << 20;

/// Returns the result file of an attempt, None unless it is a file: a task may have left anything
/// in its place.
///
/// # Errors
///
/// Returns `Termination::Unread` if a fault of the host keeps it from being read.
pub fn read_result(job: &Job) -> Result<Option<Vec<u8>>, Termination> {
    read_left(&job.dir.join(job.result))
}

/// Returns the content of a file that an attempt left, None if it is missing, a link or a pipe.
///
/// # Errors
///
/// Returns `Termination::Unread` if a fault of the host keeps it from being read.
pub fn read_left(path: &Path) -> Result<Option<Vec<u8>>, Termination> {
    let read = || {
        let mut options = OpenOptions::new();
        options.read(true);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        file.take(LONGEST_RESULT).read_to_end(&mut content)?;
        Ok(Some(content))
    };
    read().or_else(|e: io::Error| match HostFault::of(&e) {
        // A socket in its place.
        _ if e.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Some(fault) => {
            let why = format!("could not read `{}`: {e}", path.display());
            Err(Termination::Unread(fault, why))
        }
        None => Ok(None),
    })
}

/// Sends SIGTERM to a process group, and SIGKILL if its leader still runs after `GRACE`.
pub fn end_group(leader: Pid) {
    let _ = kill_process_group(leader, Signal::TERM);
    if !wait(leader, GRACE) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Returns the termination that an exit status means.
pub fn exit_of(status: ExitStatus) -> Termination {
    match (status.code(), status.signal()) {
        (Some(code), _) => Termination::Code(code),
        (None, Some(signal)) => Termination::Signal(signal),
        (None, None) => Termination::Unseen,
    }
}

/// Returns the time in milliseconds since the Unix epoch: the wall clock as this process first saw
/// it plus the time since then. A clock that is set changes no duration; sleep is counted.
pub fn now() -> i64 {
    static FIRST: OnceLock<(i64, Duration)> = OnceLock::new();
    let (wall, boot) = FIRST.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        (wall.map_or(0, |d| d.as_millis() as i64), since_boot())
    });
    wall + since_boot().saturating_sub(*boot).as_millis() as i64
}

/// Returns the time since the machine was started, sleep included.
pub fn since_boot() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes nothing but what it is given, and this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
