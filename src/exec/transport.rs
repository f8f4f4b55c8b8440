//! Where the commands of a batch system run and the directories of attempts lie: on this host, or on one behind SSH.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Job;
use super::job_wrapper;
use super::process::{Environment, find_clients};
use crate::scheduler::{Call, CommandHost, Output, SCHEDULERS, Unreachable};
use crate::task::Token;

/// Variable of Kerberos that commands of schedulers and shared file systems need.
const KERBEROS: &str = "KRB5CCNAME";

/// Access to the host of a scheduler: its commands, and the directories of attempts there.
pub trait Transport: CommandHost + Send {
    /// The directory of a job there.
    fn directory(&self, job: &Job) -> PathBuf;
    /// Puts the files of a job into its directory there: what it starts from, its order and its script. Once or again.
    fn put(&mut self, job: &Job, script: &str) -> Result<(), PutError>;
    /// Brings what the attempt left into `job.dir`, whole or not at all.
    fn get(&mut self, job: &Job) -> Result<(), Unreachable>;
    /// Returns true if a submit command of this name, started by a previous engine process for this
    /// attempt, is still running.
    fn submission_in_progress(&mut self, program: &str, token: &str) -> Result<bool, Unreachable>;
    /// Has the directory of an attempt removed there by and by: it is over, and what it left was brought back.
    fn forget(&mut self, token: &Token);
    /// Removes what was to be forgotten, and what an engine left there that died: of `run` all but `keep`.
    fn sweep(&mut self, run: &str, keep: &[Token]) -> Result<(), Unreachable>;
}

/// Why the files of a job are not where they should be.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("could not write the job's files: {0}")]
    Files(#[from] io::Error),
}

/// This host, or a batch system whose nodes see its file system.
#[derive(Clone, Debug)]
pub struct Here {
    executable: PathBuf,
    env: Vec<(String, String)>,
}

impl Here {
    /// Commands get the allowed part of this process's environment. What is submitted inherits it, so nothing of a job
    /// in which this program itself may run is in it.
    pub fn new(executable: &Path) -> Self {
        let mut env = Environment::inherited().pairs().to_vec();
        let ours = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
        let of_clients = SCHEDULERS
            .iter()
            .flat_map(|dialect| dialect.client_variables);
        env.extend(of_clients.chain([&KERBEROS]).filter_map(|name| ours(name)));
        env.retain(|(name, _)| name != "LC_ALL");
        env.push(("LC_ALL".into(), "C".into()));
        Self {
            executable: executable.to_owned(),
            env,
        }
    }

    /// The same with a variable set.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Environment of the commands.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }
}

impl CommandHost for Here {
    fn run(&mut self, call: &Call) -> Result<Output, Unreachable> {
        let program = call.argv.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command
            .args(call.argv.iter().skip(1))
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .envs(call.env.iter().map(|(k, v)| (k, v)));
        match collect(command, &call.stdin) {
            Ok(output) => Ok(output),
            // As a shell has it: that it did not run is known.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Output {
                code: Some(127),
                stderr: format!("could not start `{program}`: {e}"),
                ..Output::default()
            }),
            Err(e) => Err(Unreachable(format!("could not run `{program}`: {e}"))),
        }
    }

    fn executable(&mut self) -> Result<PathBuf, Unreachable> {
        Ok(self.executable.clone())
    }
}

impl Transport for Here {
    fn directory(&self, job: &Job) -> PathBuf {
        job.dir.clone()
    }

    fn put(&mut self, job: &Job, script: &str) -> Result<(), PutError> {
        Ok(job_wrapper::write(job, script)?)
    }

    fn get(&mut self, job: &Job) -> Result<(), Unreachable> {
        // A folder of another host's that is opened is asked for again, not taken from what was seen of it before.
        let _ = fs::read_dir(&job.dir);
        Ok(())
    }

    fn submission_in_progress(&mut self, program: &str, token: &str) -> Result<bool, Unreachable> {
        find_clients(program, token)
            .map_err(|e| Unreachable(format!("could not look for clients: {e}")))
    }

    /// The engine removes them.
    fn forget(&mut self, _: &Token) {}

    fn sweep(&mut self, _: &str, _: &[Token]) -> Result<(), Unreachable> {
        Ok(())
    }
}

/// Runs a command that reads `stdin`.
fn collect(mut command: Command, stdin: &[u8]) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A command that leaves its input unread is none the worse for it.
        let write = move || pipe.map(|mut pipe| pipe.write_all(stdin));
        let writer = std::thread::Builder::new().spawn_scoped(scope, write);
        if writer.is_err() {
            let _ = child.kill();
        }
        let output = child.wait_with_output();
        writer.and(output)
    })?;
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
