//! The executor of a partition whose tasks are jobs of Slurm, and its reports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use moldflow::exec::jobs::JobExecutor;
use moldflow::exec::{Executor, Job};
use moldflow::scheduler::SubmissionParams;
use tokio::sync::mpsc::unbounded_channel;

use super::cluster::{Cluster, wait_for, wait_long};
use super::jobs::{JobEnd, RUN, ReportLog, number, shell_job, slurm_transport, submission_params};

/// The executor of a partition whose tasks are jobs of Slurm.
pub struct SlurmPartition {
    pub executor: JobExecutor,
    pub log: ReportLog,
    pub dir: PathBuf,
}

impl SlurmPartition {
    pub fn new(cluster: &Cluster, max_jobs: usize) -> Self {
        Self::with(cluster, |terms| terms.batch.max_jobs = number(max_jobs))
    }

    pub fn with(cluster: &Cluster, change: impl FnOnce(&mut SubmissionParams)) -> Self {
        Self::through(cluster, None, change)
    }

    /// `clients`: the folder of Slurm's commands, if they are not those on PATH.
    pub fn through(
        cluster: &Cluster,
        clients: Option<&Path>,
        change: impl FnOnce(&mut SubmissionParams),
    ) -> Self {
        let mut terms = submission_params("slurm", 1);
        terms.batch.queue = Some("short".into());
        terms.batch.max_jobs = number(16);
        terms.batch.options = vec!["--quiet".into()];
        terms.setup = vec!["export SET_UP=yes".into()];
        change(&mut terms);
        let max_jobs = terms.batch.max_jobs.get();
        let scheduler = (terms.scheduler.scheduler)(terms);
        let mut transport = slurm_transport(&cluster.conf())
            // Login shells of jobs do not read the profile of the user who runs the tests.
            .with("HOME", cluster.dir().to_string_lossy());
        if let Some(clients) = clients {
            transport = transport.with("PATH", format!("{}:/usr/bin:/bin", clients.display()));
        }
        let (sender, reports) = unbounded_channel();
        let executor = JobExecutor::new(scheduler, Box::new(transport), max_jobs, RUN, sender);
        Self {
            executor: executor.expect("a thread"),
            log: ReportLog::new(reports),
            dir: cluster.dir().join("tasks"),
        }
    }

    pub fn job(&self, task: u64, script: &str) -> Job {
        Job {
            env: vec![("COLOUR".into(), "blue".into())],
            files: vec![("input".into(), b"four".to_vec())],
            ..shell_job(&self.dir, task, script)
        }
    }

    pub fn submit(&mut self, scripts: &[&str]) {
        let numbered = (1..).zip(scripts);
        let jobs = numbered
            .map(|(task, script)| self.job(task, script))
            .collect();
        self.executor.submit(jobs);
    }

    pub fn wait_for_ends(&mut self, count: usize, limit: Duration) -> &BTreeMap<u64, JobEnd> {
        self.wait_for_some(count, limit);
        assert_eq!(self.executor.busy(), 0);
        &self.log.ended
    }

    /// Other jobs may still run.
    pub fn wait_for_some(&mut self, count: usize, limit: Duration) -> &BTreeMap<u64, JobEnd> {
        wait_long("end of jobs", limit, || {
            self.log.collect();
            self.log.ended.len() >= count
        });
        &self.log.ended
    }

    pub fn wait_for_starts(&mut self, count: usize) {
        wait_for("start of all jobs", || {
            self.log.collect();
            self.log.started.len() >= count
        });
    }
}
