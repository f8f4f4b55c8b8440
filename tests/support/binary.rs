//! The real binary and its output.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program with these arguments.
pub fn moldflow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moldflow"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Output and exit status of a command.
#[derive(Debug)]
pub struct ProgramOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl ProgramOutput {
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Text for a snapshot: standard output, standard error and exit status.
    #[track_caller]
    pub fn text(&self) -> String {
        let code = self.code.expect("an exit status");
        format!("{}{}exit status {code}", self.out, self.err)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// Runs a command to its end.
pub fn run_to_end(command: &mut Command) -> ProgramOutput {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    ProgramOutput {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// Folder of the package, which holds the shipped campaigns.
pub const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The program in a folder, outside of batch jobs and without the user's site profiles.
pub fn moldflow_in(folder: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = moldflow(arguments);
    command
        .current_dir(folder)
        .env("HOME", "/nonexistent")
        .env_remove("XDG_CONFIG_HOME");
    for job in ["SLURM_JOB_ID", "PBS_JOBID", "COBALT_JOBID"] {
        command.env_remove(job);
    }
    command
}
