//! Probe: a short command with a time limit, on this host or over SSH.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use super::child::{self, ChildError};
use super::ssh::{NO_QUESTION, shell};

/// Longest time that any probe may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Host of a probe.
#[derive(Clone, Copy, Debug)]
pub enum ProbeHost<'a> {
    /// This host.
    Local,
    /// Host behind SSH, by its name in the user's ssh configuration or as `user@host`.
    Remote(&'a str),
}

/// Outcome of a command.
#[derive(Clone, Debug)]
pub enum ProbeOutcome {
    /// The command ended.
    Ended {
        /// True if its exit status was zero.
        success: bool,
        /// Standard output.
        stdout: String,
        /// Standard error.
        stderr: String,
    },
    /// There is no such program.
    Missing,
    /// The command was killed at the time limit.
    TookTooLong,
    /// The host started no process: its error.
    NotStarted(String),
}

impl ProbeHost<'_> {
    /// Returns ` on HOST`, or nothing for this host.
    pub fn suffix(self) -> String {
        match self {
            Self::Local => String::new(),
            Self::Remote(host) => format!(" on `{host}`"),
        }
    }

    /// Runs a command with a text as its input.
    pub fn ask(self, argv: &[&str], input: &str) -> ProbeOutcome {
        self.run(argv, &[], &BTreeMap::new(), input)
    }

    /// Runs a command after the lines of `setup`, in an environment of its own, as a task is run.
    pub fn run(
        self,
        argv: &[&str],
        setup: &[String],
        environment: &BTreeMap<String, String>,
        input: &str,
    ) -> ProbeOutcome {
        let owned: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let argv = match setup {
            [] => owned,
            setup => {
                let script = format!("{}\nexec \"$@\"", setup.join("\n"));
                let shell = ["bash", "-lc", &script, "bash"].map(str::to_owned);
                shell.into_iter().chain(owned).collect()
            }
        };
        match self {
            Self::Local => run(&argv, environment, input.as_bytes()),
            Self::Remote(host) => {
                let input = shell::input("exec \"$@\"", &argv, input.as_bytes());
                let mut argv: Vec<String> = [
                    "ssh",
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "ConnectTimeout=10",
                    "--",
                ]
                .map(str::to_owned)
                .into();
                argv.extend([host, shell::LINE].map(str::to_owned));
                run(&argv, environment, &input).after_mark()
            }
        }
    }
}

impl ProbeOutcome {
    /// Drops from both outputs what the login shell of another host printed. If the command did not
    /// begin, it counts as failed, and its outputs are kept.
    fn after_mark(self) -> Self {
        let Self::Ended {
            success,
            stdout,
            stderr,
        } = self
        else {
            return self;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match shell::said(stdout.as_bytes()) {
            Some(said) => Self::Ended {
                success,
                stdout: text(said),
                stderr: shell::said(stderr.as_bytes()).map_or(stderr.clone(), text),
            },
            None => Self::Ended {
                success: false,
                stdout,
                stderr,
            },
        }
    }

    /// Standard output of a command that succeeded.
    pub fn success(&self) -> Option<&str> {
        match self {
            Self::Ended {
                success: true,
                stdout,
                ..
            } => Some(stdout),
            _ => None,
        }
    }

    /// Reason of the failure, in one line.
    pub fn failure(&self) -> String {
        match self {
            Self::Ended { stdout, stderr, .. } => {
                let mut lines = stderr.lines().chain(stdout.lines()).map(str::trim);
                let said = lines.find(|line| line.chars().any(char::is_alphanumeric));
                said.unwrap_or("the command failed without any output")
                    .to_owned()
            }
            Self::Missing => "there is no such program".to_owned(),
            Self::TookTooLong => format!("it did not end within {} s", LIMIT.as_secs()),
            Self::NotStarted(why) => why.clone(),
        }
    }
}

fn run(argv: &[String], environment: &BTreeMap<String, String>, input: &[u8]) -> ProbeOutcome {
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        // The messages are read.
        .env("LC_ALL", "C")
        .envs(NO_QUESTION)
        .envs(environment);
    match child::run_group(command, input, LIMIT) {
        // The exit status of a shell, local or remote, that finds no such program.
        Ok(output) if output.status.code() == Some(127) => ProbeOutcome::Missing,
        Ok(output) => {
            let mut stderr = output.stderr_text();
            if let Some(signal) = output.status.signal() {
                stderr.push_str(&format!("it was ended by signal {signal}\n"));
            }
            ProbeOutcome::Ended {
                success: output.status.success(),
                stdout: output.stdout_text(),
                stderr,
            }
        }
        Err(error) if error.is_not_found() => ProbeOutcome::Missing,
        Err(ChildError::TimedOut(_)) => ProbeOutcome::TookTooLong,
        Err(error) => ProbeOutcome::NotStarted(error.to_string()),
    }
}
