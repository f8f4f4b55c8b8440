//! Transports: where the commands of a scheduler run and the directories of attempts lie, on this
//! host or on one behind SSH.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Job;
use super::child;
use super::job_wrapper;
use super::process::{ProcessEnvironment, find_clients};
use crate::scheduler::{CommandHost, CommandOutput, CommandRequest, SCHEDULERS, Unreachable};
use crate::task::Token;

/// Variable of Kerberos that commands of schedulers and shared file systems need.
const KERBEROS: &str = "KRB5CCNAME";

/// Access to the host on which a scheduler's commands run and the directories of attempts lie.
///
/// `Unreachable` means that no answer came, and that nobody knows whether the request was carried
/// out; callers draw no conclusion from it and repeat the request. Every method may therefore be
/// called again with the same arguments, and must then have no further effect. Methods may block
/// for minutes.
pub trait Transport: CommandHost + Send {
    /// Path of a job's directory on that host.
    fn directory(&self, job: &Job) -> PathBuf;
    /// Writes the files of a job into its directory on that host: its inputs, `job.json` and its
    /// script. The directory is there whole or not at all.
    ///
    /// # Errors
    ///
    /// `PutError::Files` if the files cannot be read or written, a fault of the job or the host.
    fn put(&mut self, job: &Job, script: &str) -> Result<(), PutError>;
    /// Copies the files that the attempt left into `job.dir`, whole or not at all. An attempt that
    /// has left nothing is no error.
    ///
    /// # Errors
    ///
    /// `Unreachable`, also where the files cannot be written here.
    fn get(&mut self, job: &Job) -> Result<(), Unreachable>;
    /// Returns true if a submit command named `program`, which a previous engine process started
    /// for this token, is still running. False is certain.
    ///
    /// # Errors
    ///
    /// `Unreachable` if the processes of that host cannot be read.
    fn submission_in_progress(&mut self, program: &str, token: &str) -> Result<bool, Unreachable>;
    /// Marks the directory of an attempt for removal: it has ended, and `get` brought its files.
    /// When it is removed is not guaranteed.
    fn forget(&mut self, token: &Token);
    /// Removes the marked directories, and those of attempts of `run` other than `keep` that a
    /// previous engine left and whose processes have ended.
    ///
    /// # Errors
    ///
    /// `Unreachable`: some may be left, and are removed by a later sweep.
    fn sweep(&mut self, run: &str, keep: &[Token]) -> Result<(), Unreachable>;
}

/// Failure to write the files of a job.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The host did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A file could not be read or written.
    #[error("could not write the job's files: {0}")]
    Files(#[from] io::Error),
}

/// Transport for this host, or for a scheduler whose nodes share its file system.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    executable: PathBuf,
    env: Vec<(String, String)>,
}

impl LocalTransport {
    /// Creates a transport whose commands get the allowed part of this process's environment.
    /// Submitted jobs inherit it, so it has no variables of a job in which this program itself may
    /// run.
    pub fn new(executable: &Path) -> Self {
        let mut env = ProcessEnvironment::inherited().pairs().to_vec();
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

    /// Sets a variable of the commands.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Returns the environment of the commands.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }
}

impl CommandHost for LocalTransport {
    fn run(&mut self, call: &CommandRequest) -> Result<CommandOutput, Unreachable> {
        let program = call.argv.first().map_or("", String::as_str);
        let mut command = Command::new(program);
        command
            .args(call.argv.iter().skip(1))
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .envs(call.env.iter().map(|(k, v)| (k, v)));
        match child::run(command, &call.stdin, None) {
            Ok(output) => Ok(CommandOutput {
                code: output.status.code(),
                stdout: output.stdout_text(),
                stderr: output.stderr_text().trim().to_owned(),
            }),
            // As a shell reports it: it is known that the command did not run.
            Err(e) if e.is_not_found() => Ok(CommandOutput {
                code: Some(127),
                stderr: format!("could not start `{program}`: {e}"),
                ..CommandOutput::default()
            }),
            Err(e) => Err(Unreachable(format!("could not run `{program}`: {e}"))),
        }
    }

    fn executable(&mut self) -> Result<PathBuf, Unreachable> {
        Ok(self.executable.clone())
    }
}

impl Transport for LocalTransport {
    fn directory(&self, job: &Job) -> PathBuf {
        job.dir.clone()
    }

    fn put(&mut self, job: &Job, script: &str) -> Result<(), PutError> {
        Ok(job_wrapper::write(job, script)?)
    }

    fn get(&mut self, job: &Job) -> Result<(), Unreachable> {
        // A folder of another host's that is opened is asked for again, not taken from what was
        // seen of it before.
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
