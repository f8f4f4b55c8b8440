//! Running the program of a simulation engine inside a task, and asking programs for their version.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::process::CLIENT;

/// What a program writes to standard error, in the directory it runs in.
pub const PROGRAM_ERR: &str = "program.err";

/// A program that could not be run.
#[derive(Debug, thiserror::Error)]
#[error("could not run `{program}`")]
pub struct ProgramError {
    pub program: String,
    #[source]
    pub source: io::Error,
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
    let run = || -> io::Result<Run> {
        for (name, content) in files {
            fs::write(dir.join(name), content)?;
        }
        let (out, err) = (dir.join("program.out"), dir.join(PROGRAM_ERR));
        let status = Command::new(&program)
            .args(&argv[1.min(argv.len())..])
            .envs(env.iter().map(|(k, v)| (k, v)))
            .env_remove(CLIENT)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .status()?;
        let text =
            |path| Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(path)?).into_owned());
        Ok(Run {
            exit_code: status.code(),
            stdout: text(out)?,
            stderr: text(err)?,
        })
    };
    run().map_err(|source| ProgramError {
        program: program.clone(),
        source,
    })
}

/// First line with a digit that a program prints of its version; an error when it cannot be started.
pub fn version(program: &str, arguments: &[&str]) -> Result<String, ProgramError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ProgramError {
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
