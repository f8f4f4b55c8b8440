//! The executor of jobs: a thread of its own runs the commands of a scheduler.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use super::queue::Queue;
use super::runner::{QueueRunner, Request};
use crate::exec::transport::Transport;
use crate::exec::{Adoption, Executor, Job, Report};
use crate::scheduler::Scheduler;
use crate::task::Token;

/// Runs each task as a job of its own.
pub struct JobExecutor {
    requests: Option<mpsc::Sender<Request>>,
    held: Arc<AtomicUsize>,
    slots: usize,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl JobExecutor {
    /// Returns an executor that has at most `max_jobs` jobs of the run `run` in the queue and
    /// reports to `reports`. It runs no command yet.
    ///
    /// # Errors
    ///
    /// Returns an error if its thread cannot be started.
    pub fn new(
        scheduler: Box<dyn Scheduler>,
        via: Box<dyn Transport>,
        max_jobs: usize,
        run: &str,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let (sender, requests) = mpsc::channel();
        let held = Arc::new(AtomicUsize::new(0));
        let queue = Queue::new(max_jobs);
        let runner = QueueRunner::new(queue, scheduler, via, run, requests, reports, held.clone());
        let builder = std::thread::Builder::new().name("jobs".into());
        Ok(Self {
            requests: Some(sender),
            held,
            slots: max_jobs,
            thread: Some(builder.spawn(move || runner.serve())?),
        })
    }

    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }
}

impl Executor for JobExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        self.request(Request::Submit(jobs));
    }

    /// Returns `Adopted` for each: whether the scheduler has it is known only once it answers. Jobs
    /// that it does not have are submitted then.
    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption> {
        self.held.fetch_add(jobs.len(), Ordering::SeqCst);
        self.request(Request::Find(jobs.to_vec()));
        vec![Adoption::Adopted; jobs.len()]
    }

    fn end_others(&mut self, _: &str, keep: &[Token]) {
        self.request(Request::EndOthers(keep.to_vec()));
    }

    fn cancel(&mut self, tokens: &[Token]) {
        self.request(Request::Cancel(tokens.to_vec()));
    }

    fn drop_waiting(&mut self) {
        self.request(Request::DropPending);
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn busy(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    fn end(mut self: Box<Self>) -> Vec<String> {
        self.close()
    }
}

impl JobExecutor {
    /// Cancels the jobs that the scheduler still has. Returns sentences about those that may
    /// remain.
    fn close(&mut self) -> Vec<String> {
        self.requests = None;
        let thread = self.thread.take();
        thread.map_or_else(Vec::new, |thread| thread.join().unwrap_or_default())
    }
}

impl Drop for JobExecutor {
    fn drop(&mut self) {
        for what in self.close() {
            tracing::error!("{what}");
        }
    }
}
