//! Running the program of a simulation engine inside a task, and asking programs for their version.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Bytes that a program may write to each of its two outputs.
const LONGEST_OUTPUT: u64 = 64 << 20;

use super::process::CLIENT;

/// What a program writes to standard error, in the directory it runs in.
pub const PROGRAM_ERR: &str = "program.err";

/// A program that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("could not run `{program}`")]
    Run {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` wrote more than {} MiB to its {output}, and was ended", LONGEST_OUTPUT >> 20)]
    Endless {
        program: String,
        output: &'static str,
    },
}

/// What a program came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// None when a signal ended it.
    pub exit_code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program in `dir`, its output in files `program.out` and `program.err` there. It stays in the process group
/// of the task, so that it ends with it.
pub fn run(
    argv: &[String],
    env: &[(String, String)],
    files: &[(String, String)],
    dir: &Path,
) -> Result<Run, ProgramError> {
    let program = argv.first().cloned().unwrap_or_default();
    let run = || -> io::Result<Result<Run, &'static str>> {
        for (name, content) in files {
            fs::write(dir.join(name), content)?;
        }
        let mut child = Command::new(&program)
            .args(&argv[1.min(argv.len())..])
            .envs(env.iter().map(|(k, v)| (k, v)))
            .env_remove(CLIENT)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (out, err) = (dir.join("program.out"), dir.join(PROGRAM_ERR));
        let mut streams = Vec::new();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            streams.push(Stream::new("standard output", stdout.into(), &out)?);
            streams.push(Stream::new("standard error", stderr.into(), &err)?);
        }
        let copied = copy(&child, &mut streams);
        if !matches!(copied, Ok(None)) {
            child.kill()?;
        }
        let status = child.wait()?;
        if let Some(endless) = copied? {
            return Ok(Err(endless));
        }
        let text =
            |path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        Ok(Ok(Run {
            exit_code: status.code(),
            stdout: text(out)?,
            stderr: text(err)?,
        }))
    };
    match run() {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(output)) => Err(ProgramError::Endless { program, output }),
        Err(source) => Err(ProgramError::Run { program, source }),
    }
}

/// An output of a program on its way into a file.
struct Stream {
    name: &'static str,
    from: Option<File>,
    to: File,
    bytes: u64,
}

impl Stream {
    fn new(name: &'static str, from: OwnedFd, to: &Path) -> io::Result<Self> {
        fcntl_setfl(&from, OFlags::NONBLOCK)?;
        Ok(Self {
            name,
            from: Some(from.into()),
            to: File::create(to)?,
            bytes: 0,
        })
    }

    /// Copies what is there now.
    fn copy(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        while let Some(from) = &mut self.from {
            match from.read(buffer) {
                Ok(0) => self.from = None,
                Ok(n) => {
                    self.to.write_all(&buffer[..n])?;
                    self.bytes += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if self.bytes > LONGEST_OUTPUT {
                break;
            }
        }
        Ok(())
    }
}

/// Copies the outputs of a program until it ends: what it left behind may keep them open. The one that grew too long.
fn copy(child: &Child, streams: &mut [Stream]) -> io::Result<Option<&'static str>> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::Other)?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut fds = vec![PollFd::new(&ended, PollFlags::IN)];
        let open = streams.iter().filter_map(|stream| stream.from.as_ref());
        fds.extend(open.map(|from| PollFd::new(from, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        let has_ended = !fds[0].revents().is_empty();
        for stream in &mut *streams {
            stream.copy(&mut buffer)?;
            if stream.bytes > LONGEST_OUTPUT {
                return Ok(Some(stream.name));
            }
        }
        if has_ended {
            return Ok(None);
        }
    }
}

/// First line with a digit that a program prints of its version; an error when it cannot be started.
pub fn version(program: &str, arguments: &[&str]) -> Result<String, ProgramError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ProgramError::Run {
            program: program.to_owned(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains("version") && line.contains(|c: char| c.is_ascii_digit()));
    Ok(line
        .unwrap_or_default()
        .trim()
        .trim_matches('*')
        .trim()
        .to_owned())
}
