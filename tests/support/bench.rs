//! A local executor and its jobs.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use moldflow::exec::{Executor, Job, JobEvent, LocalExecutor, Report, Termination};
use moldflow::task::{Limits, TaskId, Token};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{processes, wait_for};

/// An executor with its own directory.
pub struct Bench {
    pub dir: TempDir,
    pub run: String,
    pub executor: LocalExecutor,
    pub reports: UnboundedReceiver<Report>,
}

/// Task, exit and result of a job that has ended.
pub type TaskEnd = (u64, Termination, Option<String>);

impl Bench {
    pub fn new(slots: usize) -> Self {
        let dir = TempDir::new().expect("a directory");
        let run = format!(
            "test{}{}",
            std::process::id(),
            dir.path().file_name().expect("a name").display()
        );
        let (sender, reports) = unbounded_channel();
        let executor = LocalExecutor::new(slots, sender).expect("threads");
        Self {
            dir,
            run: run.replace('.', ""),
            executor,
            reports,
        }
    }

    pub fn job(&self, task: u64, argv: &[&str]) -> Job {
        Job {
            token: Token {
                run: self.run.clone(),
                task: TaskId(task),
                attempt: 1,
            },
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            env: vec![],
            dir: self.attempt(task),
            files: vec![],
            links: vec![],
            result: "result.json",
            limits: Limits::new(Duration::from_secs(1000)),
            shape: None,
            worker: None,
        }
    }

    pub fn shell(&self, task: u64, script: &str) -> Job {
        self.job(task, &["sh", "-c", script])
    }

    pub fn submit(&mut self, jobs: impl IntoIterator<Item = Job>) {
        self.executor.submit(jobs.into_iter().collect());
    }

    pub fn attempt(&self, task: u64) -> PathBuf {
        self.dir.path().join(task.to_string())
    }

    pub fn report(&mut self) -> Report {
        wait_for("a report", || self.reports.try_recv().ok())
    }

    pub fn end(&mut self) -> TaskEnd {
        loop {
            let Report { token, event, .. } = self.report();
            if let JobEvent::Ended { exit, result, .. } = event {
                return (
                    token.task.0,
                    exit,
                    result.map(|r| String::from_utf8_lossy(&r).into_owned()),
                );
            }
        }
    }

    pub fn exit_of(&mut self, job: Job) -> Termination {
        self.submit([job]);
        self.end().1
    }

    /// Requires that the next report is of a job that is submitted only now.
    pub fn assert_nothing_more_is_reported(&mut self) {
        let last = self.job(999, &["true"]);
        self.submit([last]);
        assert_eq!(self.end(), (999, Termination::Code(0), None));
    }

    pub fn living(&self) -> Vec<i32> {
        processes(&format!("{}.", self.run))
    }

    /// A process as an earlier executor has started it.
    pub fn started_before(&self, task: u64, script: &str) -> Child {
        let dir = self.attempt(task);
        fs::create_dir_all(&dir).expect("a directory");
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .current_dir(dir)
            .env("MOLDFLOW_TOKEN", format!("{}.{task}.1", self.run));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh")
    }
}

impl Drop for Bench {
    /// Terminates the processes of a test that fails.
    fn drop(&mut self) {
        self.executor.end_others(&self.run, &[]);
    }
}

/// A script that waits for the file `name` beside the directories of the attempts.
pub fn until(name: &str) -> String {
    format!("while ! test -e ../{name}; do sleep 0.01; done")
}

pub fn touch(dir: &Path, name: &str) {
    fs::write(dir.join(name), "").expect("a file");
}
