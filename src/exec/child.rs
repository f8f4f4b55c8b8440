//! Child process with input, time limit and output limit. One thread polls the child and its pipes,
//! so a process that the child leaves behind, and which keeps a pipe open, cannot block the caller.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::launch::{Countdown, has_ended, wait};

/// Period of the polls of a child without a process descriptor, because none is free.
const WITHOUT_DESCRIPTOR: Duration = Duration::from_millis(10);

/// Failure to run a child process. The child is dead in any case.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The host started no process, or did not let it be observed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It was killed after this time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It was killed because one of its outputs became too long.
    #[error("the child wrote more than {limit} bytes to its {output}")]
    OutputTooLong {
        /// Name of the output.
        output: &'static str,
        /// Most bytes that were allowed.
        limit: u64,
    },
}

impl ChildError {
    /// Returns true if there is no such program.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(e) if e.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ChildError> for io::Error {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Io(error) => error,
            ChildError::TimedOut(_) => Self::new(io::ErrorKind::TimedOut, error.to_string()),
            ChildError::OutputTooLong { .. } => Self::other(error.to_string()),
        }
    }
}

/// Exit status and output of a child process.
#[derive(Clone, Debug)]
pub struct ChildOutput {
    /// Exit status or signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl ChildOutput {
    /// Standard output as text, invalid bytes replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, invalid bytes replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Runs a command until it has ended and its outputs are closed. `stdin` is its input, which it may
/// leave unread. `limit`: time after which it is killed; None waits for as long as it takes.
///
/// # Errors
///
/// `Io` if the host starts no process, `TimedOut` after `limit`.
pub fn run(
    command: Command,
    stdin: &[u8],
    limit: Option<Duration>,
) -> Result<ChildOutput, ChildError> {
    run_child(command, stdin, limit, Child::kill)
}

/// Runs a command like `run`, as the leader of a process group that is killed whole after `limit`.
///
/// # Errors
///
/// As `run`.
pub fn run_group(
    mut command: Command,
    stdin: &[u8],
    limit: Duration,
) -> Result<ChildOutput, ChildError> {
    command.process_group(0);
    run_child(command, stdin, Some(limit), |child| {
        let leader = Pid::from_raw(child.id().cast_signed());
        leader.map_or(Ok(()), |leader| {
            Ok(kill_process_group(leader, Signal::KILL)?)
        })
    })
}

fn run_child(
    mut command: Command,
    stdin: &[u8],
    limit: Option<Duration>,
    kill: impl FnOnce(&mut Child) -> io::Result<()>,
) -> Result<ChildOutput, ChildError> {
    let input = match stdin {
        [] => Stdio::null(),
        _ => Stdio::piped(),
    };
    let mut child = command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let pipes = Pipes::new(&mut child, stdin, &mut stdout, &mut stderr, u64::MAX);
    let polled = pipes.and_then(|mut pipes| pipes.poll_to_end(&child, limit, Until::Closed));
    if polled.is_err() {
        kill(&mut child)?;
    }
    let status = child.wait()?;
    polled?;
    Ok(ChildOutput {
        status,
        stdout,
        stderr,
    })
}

/// Runs a command without input until it ends, its outputs copied into two files. A process that
/// the command leaves behind may keep the outputs open.
///
/// # Errors
///
/// `Io` if the host starts no process or a file cannot be written, `OutputTooLong` if one of the
/// outputs exceeds `limit` bytes; then the command is killed.
pub fn run_into_files(
    mut command: Command,
    mut stdout: File,
    mut stderr: File,
    limit: u64,
) -> Result<ExitStatus, ChildError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipes = Pipes::new(&mut child, &[], &mut stdout, &mut stderr, limit);
    let polled = pipes.and_then(|mut pipes| pipes.poll_to_end(&child, None, Until::Ended));
    if polled.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    polled?;
    Ok(status)
}

/// Waits for a child whose outputs nobody reads; kills it when it still runs after `limit`.
///
/// # Errors
///
/// `TimedOut` if the child was killed, `Io` for what `waitpid` reports.
pub fn wait_within(child: &mut Child, limit: Duration) -> Result<ExitStatus, ChildError> {
    let id = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::Other);
    let in_time = wait(id.map_err(io::Error::from)?, limit);
    if !in_time {
        child.kill()?;
    }
    let status = child.wait()?;
    match in_time {
        true => Ok(status),
        false => Err(ChildError::TimedOut(limit)),
    }
}

/// Moment at which polling stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The child has ended.
    Ended,
    /// The child has ended, and both outputs are closed.
    Closed,
}

/// Pipes of a child: the rest of its input, and its two outputs.
struct Pipes<'p> {
    input: Option<(ChildStdin, &'p [u8])>,
    outputs: [OutputPipe<'p>; 2],
}

/// Pipe of one output, and the file or buffer that it is copied into.
struct OutputPipe<'p> {
    name: &'static str,
    from: Option<File>,
    to: &'p mut dyn Write,
    bytes: u64,
    limit: u64,
}

impl<'p> Pipes<'p> {
    fn new(
        child: &mut Child,
        stdin: &'p [u8],
        stdout: &'p mut dyn Write,
        stderr: &'p mut dyn Write,
        limit: u64,
    ) -> Result<Self, ChildError> {
        let input = child.stdin.take().map(|pipe| (pipe, stdin));
        if let Some((pipe, _)) = &input {
            fcntl_setfl(pipe, OFlags::NONBLOCK).map_err(io::Error::from)?;
        }
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (out, err) = (out.map(OwnedFd::from), err.map(OwnedFd::from));
        Ok(Self {
            input,
            outputs: [
                OutputPipe::new("standard output", out, stdout, limit)?,
                OutputPipe::new("standard error", err, stderr, limit)?,
            ],
        })
    }

    fn poll_to_end(
        &mut self,
        child: &Child,
        limit: Option<Duration>,
        until: Until,
    ) -> Result<(), ChildError> {
        let pid = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::Other);
        let pid = pid.map_err(io::Error::from)?;
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok();
        let mut countdown = Countdown::new(limit);
        let mut buffer = vec![0; 64 << 10];
        let mut ended = false;
        loop {
            let period = match (&descriptor, ended) {
                (None, false) => countdown.period().min(WITHOUT_DESCRIPTOR),
                _ => countdown.period(),
            };
            let began = Instant::now();
            let is_ready = self.wait(descriptor.as_ref().filter(|_| !ended), period)?;
            let expired = countdown.spend(began.elapsed(), period, is_ready);
            ended |= has_ended(pid);
            self.write();
            for output in &mut self.outputs {
                output.copy(&mut buffer)?;
            }
            let closed = self.outputs.iter().all(|output| output.from.is_none());
            match (ended, until) {
                (true, Until::Ended) => return Ok(()),
                (true, Until::Closed) if closed => return Ok(()),
                _ if expired => return Err(ChildError::TimedOut(limit.unwrap_or_default())),
                _ => {}
            }
        }
    }

    /// Waits until the child has ended or a pipe is ready; false after `period`.
    fn wait(&self, child: Option<&OwnedFd>, period: Duration) -> Result<bool, ChildError> {
        let mut fds: Vec<PollFd> = Vec::new();
        fds.extend(child.map(|child| PollFd::new(child, PollFlags::IN)));
        let input = self.input.as_ref();
        fds.extend(input.map(|(pipe, _)| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::OUT)));
        let open = self
            .outputs
            .iter()
            .filter_map(|output| output.from.as_ref());
        fds.extend(open.map(|from| PollFd::new(from, PollFlags::IN)));
        let timeout = Timespec {
            tv_sec: period.as_secs().cast_signed(),
            tv_nsec: period.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(e) => Err(io::Error::from(e).into()),
        }
    }

    /// Writes what the input pipe takes now. A child that has closed its input gets no more of it.
    fn write(&mut self) {
        while let Some((pipe, rest)) = &mut self.input {
            match pipe.write(rest) {
                Ok(count) if count > 0 && count < rest.len() => *rest = &rest[count..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => self.input = None,
            }
        }
    }
}

impl<'p> OutputPipe<'p> {
    fn new(
        name: &'static str,
        from: Option<OwnedFd>,
        to: &'p mut dyn Write,
        limit: u64,
    ) -> Result<Self, ChildError> {
        if let Some(from) = &from {
            fcntl_setfl(from, OFlags::NONBLOCK).map_err(io::Error::from)?;
        }
        Ok(Self {
            name,
            from: from.map(File::from),
            to,
            bytes: 0,
            limit,
        })
    }

    /// Copies what the pipe holds now.
    fn copy(&mut self, buffer: &mut [u8]) -> Result<(), ChildError> {
        while let Some(from) = &mut self.from {
            match from.read(buffer) {
                Ok(0) => self.from = None,
                Ok(count) => {
                    self.to.write_all(&buffer[..count])?;
                    self.bytes += count as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
            if self.bytes > self.limit {
                let (output, limit) = (self.name, self.limit);
                return Err(ChildError::OutputTooLong { output, limit });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn long_input_and_output_pass_through_both_pipes_at_once() {
        let input = vec![b'x'; 1 << 20];
        let output = run(shell("tee /dev/stderr"), &input, None).unwrap();
        assert!(output.stdout == input && output.stderr == input);
        let unread = run(shell("exit 3"), &input, None).unwrap();
        assert_eq!(unread.status.code(), Some(3));
    }

    #[test]
    fn a_child_is_killed_at_its_limit_and_what_it_left_does_not_block() {
        let limit = Duration::from_millis(100);
        let hung = run(shell("sleep 5 & sleep 5"), b"", Some(limit));
        assert!(matches!(hung, Err(ChildError::TimedOut(_))));
        let left = run_group(shell("sleep 5 & exit 0"), b"", limit);
        assert!(matches!(left, Err(ChildError::TimedOut(_))));
    }
}
