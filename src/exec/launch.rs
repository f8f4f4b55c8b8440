//! The directory of a job and the process in it: made, started, waited for, ended.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{Exit, Job};

/// How long a process group may take to end after SIGTERM.
pub const GRACE: Duration = Duration::from_secs(2);

/// Makes the directory of a job with the files that it starts from.
pub fn prepare(job: &Job) -> io::Result<()> {
    fs::create_dir_all(&job.dir)?;
    for (name, content) in &job.files {
        fs::write(job.dir.join(name), content)?;
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
        Err(_) => fs::copy(from, to).map(drop).map_err(|e| {
            io::Error::new(
                e.kind(),
                format!("could not link `{}`: {e}", from.display()),
            )
        }),
        Ok(()) => Ok(()),
    }
}

/// Starts `argv` in `dir` as the leader of a process group, its output in the files `stdout` and `stderr` there.
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
        .map_err(|e| io::Error::new(e.kind(), format!("could not start `{program}`: {e}")))
}

/// A file that several processes may write to, as a step and the client that waits for it do.
fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Waits for a child; false when it still runs after `limit`.
pub fn wait(child: Pid, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match pidfd_open(child, PidfdFlags::empty()) {
            Ok(fd) => return wait_fd(&fd, deadline.saturating_duration_since(Instant::now())),
            Err(Errno::SRCH) => return true,
            Err(_) if Instant::now() >= deadline => return false,
            // No descriptor is free at the moment.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

pub fn wait_fd(fd: &OwnedFd, limit: Duration) -> bool {
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

/// SIGTERM to the group, and SIGKILL to what does not heed it.
pub fn end_group(leader: Pid) {
    let _ = kill_process_group(leader, Signal::TERM);
    if !wait(leader, GRACE) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

pub fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unseen,
    }
}

/// Whether an error says that there is no room on the disk.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Milliseconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}
