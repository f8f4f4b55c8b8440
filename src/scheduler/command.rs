//! Commands of a scheduler, and the host that runs them.

use std::path::PathBuf;

/// A host on which commands of a scheduler run.
pub trait CommandHost {
    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// Returns [`Unreachable`] if it is not known whether the command ran. A missing program is an
    /// [`CommandOutput`] with exit code 127.
    fn run(&mut self, call: &CommandRequest) -> Result<CommandOutput, Unreachable>;

    /// Returns the path of this program on that host.
    ///
    /// # Errors
    ///
    /// Returns [`Unreachable`] if the host does not answer.
    fn executable(&mut self) -> Result<PathBuf, Unreachable>;
}

/// A command to run.
#[derive(Clone, Debug, Default)]
pub struct CommandRequest {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables besides those that every command on that host has.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Vec<u8>,
}

impl CommandRequest {
    /// Returns a request for this program and these arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Appends an argument.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.argv.push(argument.into());
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Appends arguments.
    pub fn args<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }
}

/// Output and exit code of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// `None` if a signal terminated it.
    pub code: Option<i32>,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced, trimmed.
    pub stderr: String,
}

impl CommandOutput {
    /// Returns true if the exit code is zero.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// No answer: it is not known what was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Returns what a command printed.
///
/// # Errors
///
/// Returns [`Unreachable`] with the error output if it failed.
pub fn checked(output: CommandOutput) -> Result<String, Unreachable> {
    match output.succeeded() {
        true => Ok(output.stdout),
        false => Err(Unreachable(output.stderr)),
    }
}
