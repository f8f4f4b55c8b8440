//! Programs of simulation engines: search on PATH, version, and execution inside a task.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::{self, ChildError};
use super::process::CLIENT;

/// Bytes that a program may write to each of its two outputs.
pub const LONGEST_OUTPUT: u64 = 64 << 20;

/// File with the standard output of a program, in the directory in which it runs.
pub const PROGRAM_OUT: &str = "program.out";

/// File with the standard error of a program, in the directory in which it runs.
pub const PROGRAM_ERR: &str = "program.err";

/// Error of a program that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The host started no process, or its files could not be written.
    #[error("could not run `{program}`")]
    Run {
        /// Name or path of the program.
        program: String,
        /// Error of the host.
        #[source]
        source: io::Error,
    },
    /// It was killed because one of its outputs became too long.
    #[error("`{program}` wrote more than {} MiB to its {output}, and was ended", LONGEST_OUTPUT >> 20)]
    Endless {
        /// Name or path of the program.
        program: String,
        /// Name of the output.
        output: &'static str,
    },
}

/// Exit status and output of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramOutput {
    /// None if a signal terminated it.
    pub exit_code: Option<i32>,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

/// Runs a program in `dir`, its output in files `program.out` and `program.err` there. It stays in
/// the process group of the task, so that it ends with it. `files`: names and contents of input
/// files that are written before.
///
/// # Errors
///
/// Returns [`ProgramError`] if the program does not start, a file cannot be written, or an output
/// is longer than 64 MiB.
pub fn run(
    argv: &[String],
    env: &[(String, String)],
    files: &[(String, String)],
    dir: &Path,
) -> Result<ProgramOutput, ProgramError> {
    let program = argv.first().cloned().unwrap_or_default();
    let run = || -> Result<ProgramOutput, ChildError> {
        for (name, content) in files {
            fs::write(dir.join(name), content)?;
        }
        let mut command = Command::new(&program);
        command
            .args(&argv[1.min(argv.len())..])
            .envs(env.iter().map(|(k, v)| (k, v)))
            .env_remove(CLIENT)
            .current_dir(dir);
        let (out, err) = (dir.join(PROGRAM_OUT), dir.join(PROGRAM_ERR));
        let (stdout, stderr) = (File::create(&out)?, File::create(&err)?);
        let status = child::run_into_files(command, stdout, stderr, LONGEST_OUTPUT)?;
        let text =
            |path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        Ok(ProgramOutput {
            exit_code: status.code(),
            stdout: text(out)?,
            stderr: text(err)?,
        })
    };
    run().map_err(|error| match error {
        ChildError::OutputTooLong { output, .. } => ProgramError::Endless { program, output },
        error => ProgramError::Run {
            program,
            source: error.into(),
        },
    })
}

/// Returns the first line with the word `version` and a digit that a program prints; empty if there
/// is none.
///
/// # Errors
///
/// Returns [`ProgramError::Run`] if the program does not start.
pub fn version(program: &str, arguments: &[&str]) -> Result<String, ProgramError> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = child::run(command, &[], None).map_err(|error| ProgramError::Run {
        program: program.to_owned(),
        source: error.into(),
    })?;
    let text = output.stdout_text() + &output.stderr_text();
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

/// Returns the path of a program on PATH; None if there is no such executable file.
pub fn on_path(program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
    files.find(|file| {
        file.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}
