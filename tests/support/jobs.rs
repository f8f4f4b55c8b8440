//! Jobs that run shell scripts, and their reports.

// Each test binary uses its own part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use moldflow::exec::transport::LocalTransport;
use moldflow::exec::{Job, JobEvent, Report, Termination};
use moldflow::scheduler::{BatchParams, Resources, SchedulerKind, SubmissionParams};
use moldflow::task::{Limits, TaskId, Token};
use tokio::sync::mpsc::UnboundedReceiver;

/// First part of the tokens.
pub const RUN: &str = "c0ffee";

pub fn number(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("a number above zero")
}

/// Token of the first attempt.
pub fn token(task: u64) -> Token {
    Token {
        run: RUN.into(),
        task: TaskId(task),
        attempt: 1,
    }
}

/// Job in the directory `<tasks>/<task>` whose result is the file `result`; its timeout is 300 s.
pub fn shell_job(tasks: &Path, task: u64, script: &str) -> Job {
    Job {
        token: token(task),
        argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        env: vec![],
        dir: tasks.join(task.to_string()),
        files: vec![],
        links: vec![],
        result: "result",
        limits: Limits::new(Duration::from_secs(300)),
        shape: None,
        worker: None,
    }
}

/// At most four jobs of ten minutes, with one task of `cores_per_task` cores each.
pub fn submission_params(scheduler: &str, cores_per_task: usize) -> SubmissionParams {
    SubmissionParams {
        scheduler: SchedulerKind::named(scheduler).expect("a scheduler"),
        batch: BatchParams {
            queue: None,
            account: None,
            walltime: Duration::from_secs(600),
            nodes_per_task: number(1),
            max_jobs: number(4),
            options: vec![],
        },
        cores_per_task: number(cores_per_task),
        resources: Resources::default(),
        setup: vec![],
    }
}

/// Transport to this host, whose commands use the cluster of a `slurm.conf`.
pub fn slurm_transport(conf: &Path) -> LocalTransport {
    let transport = LocalTransport::new(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    transport.with("SLURM_CONF", conf.to_string_lossy())
}

/// End of a job and its result.
pub type JobEnd = (Termination, Option<String>);

/// Reports of an executor.
pub struct ReportLog {
    reports: UnboundedReceiver<Report>,
    /// Tasks in the order of their starts.
    pub started: Vec<u64>,
    pub ended: BTreeMap<u64, JobEnd>,
}

impl ReportLog {
    pub fn new(reports: UnboundedReceiver<Report>) -> Self {
        Self {
            reports,
            started: Vec::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Adds the reports that have arrived.
    pub fn collect(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.add(report);
        }
    }

    /// Waits for a report and adds it; the task if it has started.
    pub fn next_start(&mut self) -> Option<u64> {
        let report = self.reports.blocking_recv().expect("a report");
        let started = matches!(report.event, JobEvent::Started).then_some(report.token.task.0);
        self.add(report);
        started
    }

    /// Waits for the ends of the first `count` tasks, counted from 0, and returns them in order.
    pub fn into_ends(mut self, count: usize) -> Vec<JobEnd> {
        while self.ended.len() < count {
            self.next_start();
        }
        self.ended.into_values().collect()
    }

    pub fn exit(&self, task: u64) -> &Termination {
        &self.ended[&task].0
    }

    /// Forgets earlier reports, so that tasks can be submitted again.
    pub fn clear(&mut self) {
        self.started.clear();
        self.ended.clear();
    }

    fn add(&mut self, report: Report) {
        let task = report.token.task.0;
        match report.event {
            JobEvent::Started => self.started.push(task),
            JobEvent::Ended {
                exit,
                result,
                started,
                ended,
            } => {
                let is_in_order = |ended| started <= Some(ended) && ended <= report.at;
                assert!(ended.is_none_or(is_in_order), "{started:?} {ended:?}");
                let result = result.map(|text| String::from_utf8(text).expect("text"));
                let earlier = self.ended.insert(task, (exit, result));
                assert_eq!(earlier, None, "task {task} ended twice");
            }
        }
    }
}
