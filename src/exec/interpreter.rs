//! Interpreter that is kept alive: it answers a line with a line, over a socket that is its
//! standard input. What it prints can therefore not be taken for an answer.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};

use super::launch::{Countdown, exit_of};
use super::program::{LONGEST_OUTPUT, PROGRAM_ERR, PROGRAM_OUT};
use super::{CLIENT, Termination};

/// Time between two looks at the memory and the outputs of an interpreter that is at work.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes of an answer.
const LONGEST_ANSWER: usize = 64 << 20;
/// Longest time for which it may leave a request unread.
const LONGEST_WRITE: Duration = Duration::from_secs(60);
/// Time that an interpreter which has closed its socket has to end.
const GRACE: Duration = Duration::from_secs(2);

/// A running interpreter, which ends when this is dropped.
pub struct Interpreter {
    child: Child,
    pid: Pid,
    descriptor: OwnedFd,
    socket: UnixStream,
    /// Bytes after the last answer.
    received: Vec<u8>,
    memory_limit: u64,
    has_answered: bool,
}

/// Reason for which there is no answer. The interpreter is of no use afterwards.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// It ended.
    #[error("ended with {}", ending(.0))]
    Ended(Termination),
    /// It had answered before, and ended without having read this request.
    #[error("ended before it was called")]
    NotBegun,
    /// It holds more memory than it may.
    #[error("holds more than {} MiB", .0 >> 20)]
    Memory(u64),
    /// It printed too much.
    #[error("printed more than {} MiB", LONGEST_OUTPUT >> 20)]
    OutputTooLong,
    /// Its answer is too long.
    #[error("answered with more than {} MiB", LONGEST_ANSWER >> 20)]
    AnswerTooLong,
    /// It did not answer in time.
    #[error("did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The host did not let it be observed.
    #[error("could not be observed: {0}")]
    Io(#[from] io::Error),
}

fn ending(termination: &Termination) -> String {
    match termination {
        Termination::Code(code) => format!("exit status {code}"),
        Termination::Signal(signal) => format!("signal {signal}"),
        other => format!("{other:?}"),
    }
}

impl Interpreter {
    /// Starts `argv`, which may hold `memory_limit` bytes. Its environment is `env`, or that of
    /// this process. It ends with this process at the latest.
    ///
    /// # Errors
    ///
    /// The program is missing, or the host starts no process.
    pub fn start(
        argv: &[String],
        env: Option<&[(String, String)]>,
        memory_limit: u64,
    ) -> io::Result<Self> {
        let (program, arguments) = argv.split_first().ok_or(ErrorKind::InvalidInput)?;
        let (socket, other_end) = UnixStream::pair()?;
        socket.set_write_timeout(Some(LONGEST_WRITE))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_remove(CLIENT)
            .stdin(Stdio::from(OwnedFd::from(other_end)))
            .stdout(Stdio::null());
        if let Some(env) = env {
            let pairs = env.iter().map(|(name, value)| (name, value));
            command.env_clear().envs(pairs);
        }
        end_with_parent(&mut command);
        let mut child = command.spawn()?;
        let watched = || -> io::Result<(Pid, OwnedFd)> {
            let pid = Pid::from_raw(child.id().cast_signed()).ok_or(ErrorKind::Other)?;
            Ok((pid, pidfd_open(pid, PidfdFlags::empty())?))
        };
        match watched() {
            Ok((pid, descriptor)) => Ok(Self {
                child,
                pid,
                descriptor,
                socket,
                received: Vec::new(),
                memory_limit,
                has_answered: false,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Sends a line that is not answered.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn tell(&mut self, line: &[u8]) -> Result<(), InterpreterError> {
        self.socket
            .write_all(line)
            .map_err(|_| self.ended_before_reading())
    }

    /// Sends a line and returns the line that answers it, without its end. `dir` has the files
    /// that it prints to. `limit`: time after which it is given up; None waits for as long as it
    /// takes.
    ///
    /// # Errors
    ///
    /// It ends, holds too much memory, prints too much, or does not answer in time.
    pub fn ask(
        &mut self,
        line: &[u8],
        dir: &Path,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, InterpreterError> {
        self.reset_peak();
        self.tell(line)?;
        let mut countdown = Countdown::new(limit);
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(end + 1);
                let mut answer = std::mem::replace(&mut self.received, rest);
                answer.pop();
                self.has_answered = true;
                return Ok(answer);
            }
            if self.received.len() > LONGEST_ANSWER {
                return Err(InterpreterError::AnswerTooLong);
            }
            let period = countdown.period().min(LOOK);
            let began = Instant::now();
            let is_ready = self.wait(period)?;
            if countdown.spend(began.elapsed(), period, is_ready) {
                return Err(InterpreterError::TimedOut(limit.unwrap_or_default()));
            }
            if !is_ready {
                self.require_limits(dir)?;
                continue;
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(self.ended()),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // A socket that is closed with something unread in it resets its connection.
                Err(_) => return Err(self.ended_before_reading()),
            }
        }
    }

    /// Returns true if it runs and holds no more memory than it may.
    pub fn is_usable(&self) -> bool {
        !matches!(poll_readable(&self.descriptor, Duration::ZERO), Ok(true))
            && self.received.is_empty()
            && self.memory() <= self.memory_limit
    }

    /// Most memory that it held since the last request, KiB.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    /// A number of KiB in its status; None if it has ended.
    fn status(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// The kernel counts the peak from here on.
    fn reset_peak(&self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// Bytes of memory that it holds; none if it has ended.
    fn memory(&self) -> u64 {
        self.status("VmRSS:").unwrap_or_default() << 10
    }

    fn require_limits(&self, dir: &Path) -> Result<(), InterpreterError> {
        if self.memory() > self.memory_limit {
            return Err(InterpreterError::Memory(self.memory_limit));
        }
        let length = |name: &str| fs::metadata(dir.join(name)).map_or(0, |file| file.len());
        match [PROGRAM_OUT, PROGRAM_ERR]
            .into_iter()
            .any(|name| length(name) > LONGEST_OUTPUT)
        {
            true => Err(InterpreterError::OutputTooLong),
            false => Ok(()),
        }
    }

    /// Waits until it has written or ended; false after `period`. A process that it left behind
    /// may keep the socket open.
    fn wait(&self, period: Duration) -> Result<bool, InterpreterError> {
        let mut fds = [
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::new(&self.descriptor, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(period))) {
            Ok(0) => Ok(false),
            Ok(_) if fds[0].revents().is_empty() => Err(InterpreterError::Ended(self.end_of_it())),
            Ok(_) => Ok(true),
            Err(Errno::INTR) => Ok(false),
            Err(e) => Err(io::Error::from(e).into()),
        }
    }

    fn ended_before_reading(&self) -> InterpreterError {
        match self.has_answered {
            true => InterpreterError::NotBegun,
            false => self.ended(),
        }
    }

    /// The end of an interpreter that has closed its socket.
    fn ended(&self) -> InterpreterError {
        let _ = poll_readable(&self.descriptor, GRACE);
        InterpreterError::Ended(self.end_of_it())
    }

    /// Returns the end of the process, without reaping it.
    fn end_of_it(&self) -> Termination {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Termination::Code(code),
                (None, Some(signal)) => Termination::Signal(signal),
                (None, None) => Termination::Unseen,
            },
            _ => Termination::Unseen,
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        if let Ok(status) = self.child.wait() {
            tracing::debug!("an interpreter ended: {:?}", exit_of(status));
        }
    }
}

/// Makes the process of a command end with the thread that starts it.
pub(super) fn end_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec it makes one system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
}

fn poll_readable(descriptor: &OwnedFd, limit: Duration) -> rustix::io::Result<bool> {
    let mut fds = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut fds, Some(&timespec(limit))).map(|ready| ready > 0)
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().cast_signed(),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
