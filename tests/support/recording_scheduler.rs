//! A scheduler whose commands record their arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{ProgramOutput, run_to_end};

/// A scheduler whose commands record their arguments.
pub struct RecordingScheduler {
    pub dir: TempDir,
}

impl RecordingScheduler {
    /// `name` in site profiles; `prints` is the format of the output of `qsub`.
    pub fn new(name: &str, prints: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("asked");
        fs::create_dir(dir.path().join("bin")).expect("a directory");
        for (command, prints) in [("qsub", prints), ("qdel", ""), ("qstat", "")] {
            let path = dir.path().join("bin").join(command);
            let script = format!(
                "#!/bin/sh\necho {command} \"$@\" >> {}\nprintf '{prints}'\n",
                log.display()
            );
            fs::write(&path, script).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
        }
        // The login shell of a job sets its own PATH.
        let profile = format!("PATH={}:$PATH\n", dir.path().join("bin").display());
        fs::write(dir.path().join(".profile"), profile).expect("a profile of the shell");
        let site = format!(
            "name: one\nnode: {{cores: 2}}\npass_environment: [PASSED_*]\nsubmit:\n  system: {name}\n  queue: debug\n  account: chem\n  \
             walltime: 90m\n  options: [\"-l place=excl\"]\npartitions:\n  \
             qc: {{executor: allocation, tasks_per_node: 2}}\n  ml: {{executor: local, slots: 1}}\n"
        );
        fs::write(dir.path().join("site.yml"), site).expect("a profile");
        Self { dir }
    }

    pub fn run_dir(&self) -> PathBuf {
        self.dir
            .path()
            .canonicalize()
            .expect("it exists")
            .join("run")
    }

    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.dir.path().join("bin");
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.dir.path())
            .env("PASSED_ON", "it's here")
            .env("NOT_PASSED", "secret")
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    pub fn moldflow(&self, arguments: &[&str]) -> ProgramOutput {
        let mut command = self.command(env!("CARGO_BIN_EXE_moldflow"));
        run_to_end(command.args(arguments))
    }

    /// Submits the quickstart campaign with further arguments.
    pub fn submit(&self, more: &[&str]) -> ProgramOutput {
        let (site, run) = (self.dir.path().join("site.yml"), self.run_dir());
        let (site, run) = (site.display().to_string(), run.display().to_string());
        let arguments = ["submit", "campaigns/quickstart.yml", "--site", &site];
        self.moldflow(&[&arguments[..], &["--run-dir", &run], more].concat())
    }

    /// Submits the quickstart campaign with a timeout of three seconds for simulations.
    pub fn submit_short(&self) -> ProgramOutput {
        self.submit(&["--set", "methods.energy.timeout=3s"])
    }

    /// Commands about jobs and their arguments, with the run directory shortened.
    pub fn asked(&self) -> String {
        let text = fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        let text = text.replace("qstat -Q\n", "");
        text.replace(&self.run_dir().display().to_string(), "RUN_DIR")
    }

    pub fn script(&self) -> String {
        let text = fs::read_to_string(self.run_dir().join("job.sh")).expect("a script");
        text.replace(&self.run_dir().display().to_string(), "RUN_DIR")
            .replace(env!("CARGO_BIN_EXE_moldflow"), "moldflow")
            .replace(&self.dir.path().join("bin").display().to_string(), "BIN")
    }

    /// Runs the submitted script as a job of PBS with these nodes, one per line.
    pub fn begin_pbs_job(&self, id: &str, nodes: &str) -> ProgramOutput {
        let file = self.dir.path().join("nodes");
        fs::write(&file, nodes).expect("a node file");
        let file = file.display().to_string();
        self.begin_job(&[("PBS_JOBID", id), ("PBS_NODEFILE", &file)])
    }

    pub fn change_site(&self, change: impl FnOnce(String) -> String) {
        let file = self.dir.path().join("site.yml");
        let profile = fs::read_to_string(&file).expect("a profile");
        fs::write(&file, change(profile)).expect("a profile");
    }

    /// Runs the submitted script as a scheduler does.
    pub fn begin_job(&self, variables: &[(&str, &str)]) -> ProgramOutput {
        let mut command = self.command(self.run_dir().join("job.sh"));
        run_to_end(command.envs(variables.iter().copied()))
    }

    pub fn status(&self) -> String {
        let run = self.run_dir().display().to_string();
        self.moldflow(&["status", &run]).out
    }

    /// Output of the job.
    pub fn job_out(&self) -> String {
        fs::read_to_string(self.run_dir().join("job.out")).unwrap_or_default()
    }
}
