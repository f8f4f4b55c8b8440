//! Worker of a slot: a process that runs one job after another, so that what it loads is loaded
//! once. It is used for one slot, and ends with the slot's thread.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::exec::Termination;
use crate::exec::interpreter::end_with_parent;
use crate::exec::launch::{Countdown, exit_of, has_ended};

/// Bytes of an answer, which is an exit status and the end of the line.
const LONGEST_ANSWER: usize = 16;

/// A running worker.
pub(super) struct WorkerProcess {
    child: Child,
    /// Leader of its process group.
    pub(super) leader: Pid,
    /// Value of the variable of tokens in its environment, which no other process has.
    pub(super) token: String,
    /// Its standard input and output.
    socket: UnixStream,
    terms: WorkerTerms,
    has_answered: bool,
}

/// Terms on which a worker is started: a job that needs other terms needs another worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkerTerms {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment but for its token.
    pub env: Vec<(String, String)>,
}

/// End of a job in a worker.
pub(super) enum WorkerEnd {
    /// The job ended with this exit status; the worker waits for the next one.
    Answered(i32),
    /// The worker ended, or wrote what is no exit status.
    Gone,
    /// A worker that had answered before ended without having read of this job.
    NotBegun,
    /// The job ran past its limit.
    TimedOut,
}

impl WorkerProcess {
    /// Starts a worker for jobs of `run`; `variable` carries its token.
    pub(super) fn start(terms: WorkerTerms, variable: &str, run: &str) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // No token of an attempt looks like this.
        let token = format!("{run}.worker.{}-{count}", std::process::id());
        let (program, arguments) = terms
            .argv
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let (socket, other_end) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(terms.env.iter().map(|(name, value)| (name, value)))
            .env(variable, &token)
            .stdin(OwnedFd::from(other_end.try_clone()?))
            .stdout(OwnedFd::from(other_end))
            .stderr(Stdio::null())
            .process_group(0);
        end_with_parent(&mut command);
        let mut child = command.spawn()?;
        match Pid::from_raw(child.id().cast_signed()) {
            Some(leader) => Ok(Self {
                child,
                leader,
                token,
                socket,
                terms,
                has_answered: false,
            }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    /// Returns true if it runs and was started with these terms.
    pub(super) fn serves(&self, terms: &WorkerTerms) -> bool {
        self.terms == *terms && !has_ended(self.leader)
    }

    /// Runs the job in the directory `dir`.
    pub(super) fn run(&mut self, dir: &Path, limit: Duration) -> WorkerEnd {
        let line = serde_json::to_vec(dir).map(|mut line| {
            line.push(b'\n');
            line
        });
        let is_sent = line.is_ok_and(|line| self.socket.write_all(&line).is_ok());
        if !is_sent {
            return self.end_before_reading();
        }
        let mut answer = Vec::new();
        let mut countdown = Countdown::new(Some(limit));
        loop {
            let (period, began) = (countdown.period(), Instant::now());
            let is_ready = self.is_ready(period);
            if countdown.spend(began.elapsed(), period, is_ready) && !is_ready {
                return WorkerEnd::TimedOut;
            }
            if !is_ready {
                continue;
            }
            let mut buffer = [0; LONGEST_ANSWER];
            match self.socket.read(&mut buffer) {
                Ok(0) => return WorkerEnd::Gone,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A socket that is closed with something unread in it resets its connection.
                Err(_) => return self.end_before_reading(),
            }
            if let Some(line) = answer.strip_suffix(b"\n") {
                self.has_answered = true;
                let code = str::from_utf8(line).ok().and_then(|line| line.parse().ok());
                return code.map_or(WorkerEnd::Gone, WorkerEnd::Answered);
            }
            if answer.len() > LONGEST_ANSWER {
                return WorkerEnd::Gone;
            }
        }
    }

    fn end_before_reading(&self) -> WorkerEnd {
        match self.has_answered {
            true => WorkerEnd::NotBegun,
            false => WorkerEnd::Gone,
        }
    }

    /// Ends its process group at once, and returns how it ended.
    pub(super) fn end(mut self) -> Termination {
        // One that has ended by itself is not reaped yet, so its id names no other group.
        if !has_ended(self.leader) {
            // It wrote something that is no answer.
            let _ = self.child.kill();
        }
        let _ = kill_process_group(self.leader, Signal::KILL);
        match self.child.wait() {
            Ok(status) => exit_of(status),
            Err(error) => Termination::LaunchFailed(error.to_string()),
        }
    }

    fn is_ready(&self, period: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: period.as_secs().cast_signed(),
            tv_nsec: period.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&timeout)), Ok(1..))
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let reaped = self.child.try_wait();
        if matches!(reaped, Ok(None)) {
            let _ = kill_process_group(self.leader, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
