//! The thread of a job executor: it polls the scheduler, hands events to the queue, and performs
//! the commands that the queue returns.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::attempt_dir::{self, JobHost};
use super::cancel_all;
use super::event::{QueueCommand, QueueEvent};
use super::queue::Queue;
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::launch::now;
use crate::exec::transport::Transport;
use crate::exec::{Job, JobEvent, Report, Termination};
use crate::scheduler::{JobOutcome, JobState, JobStatus, Scheduler, Submission, Unreachable};
use crate::task::Token;

/// Time for which further jobs are awaited, such that they are submitted together: the successors
/// of several jobs that ended arrive one by one.
const GATHER: Duration = Duration::from_millis(50);

/// Most polls in the time that a task usually takes: short tasks are polled often, long ones
/// rarely.
const POLLS_PER_TASK: u32 = 20;

/// Request of the driver.
pub enum Request {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
    EndOthers(Vec<Token>),
    DropPending,
}

/// The queue of a partition, its scheduler and its transport.
pub struct QueueRunner {
    scheduler: Box<dyn Scheduler>,
    via: Box<dyn Transport>,
    run: String,
    queue: Queue,
    requests: mpsc::Receiver<Request>,
    reports: UnboundedSender<Report>,
    held: Arc<AtomicUsize>,
    jobs: BTreeMap<Token, Job>,
    commands: VecDeque<QueueCommand>,
    /// Jobs that are submitted when there is nothing else to do.
    ready: Vec<Token>,
    /// Reads that are repeated at the next poll, because the host was unreachable.
    unread: Vec<QueueCommand>,
    /// Attempts to keep, while others of an earlier engine may still run because the scheduler was
    /// unreachable.
    uncancelled: Option<Vec<Token>>,
    /// Moving average of the duration of tasks.
    usual: Duration,
    /// Time from one poll to the next: it grows while nothing changes.
    poll: Duration,
    /// Time of the last poll.
    polled: Instant,
}

impl QueueRunner {
    /// Returns a runner that serves `requests` and counts unreported jobs in `held`.
    pub fn new(
        queue: Queue,
        scheduler: Box<dyn Scheduler>,
        via: Box<dyn Transport>,
        run: &str,
        requests: mpsc::Receiver<Request>,
        reports: UnboundedSender<Report>,
        held: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            queue,
            poll: scheduler.info().min_poll,
            scheduler,
            via,
            run: run.to_owned(),
            requests,
            reports,
            held,
            jobs: BTreeMap::new(),
            commands: VecDeque::new(),
            ready: Vec::new(),
            unread: Vec::new(),
            uncancelled: None,
            usual: Duration::ZERO,
            polled: Instant::now(),
        }
    }

    /// Serves requests until the executor is dropped. Returns sentences about jobs that may remain.
    pub fn serve(mut self) -> Vec<String> {
        loop {
            let due = self.polled + self.poll;
            let left = due.saturating_duration_since(Instant::now());
            let waits = !self.queue.is_idle() || self.uncancelled.is_some();
            let busy = !self.commands.is_empty() || !self.ready.is_empty();
            let request = if busy || waits && left.is_zero() {
                self.requests
                    .try_recv()
                    .map_err(|e| e == TryRecvError::Disconnected)
            } else if waits {
                let received = self.requests.recv_timeout(left);
                received.map_err(|e| e == RecvTimeoutError::Disconnected)
            } else {
                self.requests.recv().map_err(|_| true)
            };
            match request {
                Ok(request) => self.request(request),
                Err(true) => break,
                Err(false) if waits && Instant::now() >= due => self.poll(),
                Err(false) => match self.commands.pop_front() {
                    Some(command) => {
                        self.perform(command);
                        self.count();
                    }
                    None => self.submit(),
                },
            }
        }
        self.leave()
    }

    /// Cancels the jobs that are left and fetches their files, which may hold results. Returns
    /// sentences about jobs that may still run.
    fn leave(mut self) -> Vec<String> {
        let Self {
            scheduler,
            via,
            queue,
            jobs,
            run,
            ..
        } = &mut self;
        let left: Vec<Token> = queue.tokens().cloned().collect();
        let names: Vec<String> = left.iter().map(Token::to_string).collect();
        let mut sentences = Vec::new();
        if !names.is_empty() {
            let cancel = || scheduler.cancel(&mut **via, &names, false);
            if let Err(rest) = cancel_all(queue.has_doubtful_job(), cancel) {
                sentences.push(rest.sentence("jobs", scheduler.info().cancel, queue.ids()));
            }
        }
        let mut bring = || {
            for job in left.iter().filter_map(|token| jobs.get(token)) {
                via.get(job)?;
                via.forget(&job.token);
            }
            via.sweep(run, &left)
        };
        if let Err(Unreachable(why)) = bring() {
            tracing::warn!("files of jobs may be left: {why}");
        }
        sentences
    }

    fn request(&mut self, request: Request) {
        let keep = |jobs: Vec<Job>, kept: &mut BTreeMap<Token, Job>| {
            let tokens: Vec<Token> = jobs.iter().map(|job| job.token.clone()).collect();
            kept.extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
            tokens
        };
        let event = match request {
            Request::Submit(jobs) => QueueEvent::Submit(keep(jobs, &mut self.jobs)),
            Request::Find(jobs) => {
                let tokens = keep(jobs, &mut self.jobs).into_iter();
                let noted = tokens.map(|token| {
                    let id = self.jobs.get(&token).and_then(attempt_dir::read_id);
                    (token, id)
                });
                QueueEvent::Adopt(noted.collect())
            }
            Request::Cancel(tokens) => QueueEvent::Cancel(tokens),
            Request::DropPending => QueueEvent::DropPending,
            Request::EndOthers(keep) => {
                self.end_others(keep, false);
                return;
            }
        };
        self.handle(event);
    }

    /// Cancels attempts other than `keep`; `later`: this engine may have submitted some itself by
    /// now.
    fn end_others(&mut self, keep: Vec<Token>, later: bool) {
        self.uncancelled = None;
        if let Err(Unreachable(why)) = self.cancel_others_now(&keep, later) {
            tracing::warn!("jobs that an earlier engine cancelled may still be there: {why}");
            self.uncancelled = Some(keep);
        }
    }

    fn cancel_others_now(&mut self, keep: &[Token], later: bool) -> Result<(), Unreachable> {
        let Self {
            scheduler,
            via,
            run,
            ..
        } = self;
        let newest = later.then(|| keep.iter().map(|token| token.task).max());
        let is_old = |token: &Token| newest.is_none_or(|newest| Some(token.task) < newest);
        let keep: Vec<Token> = keep.iter().chain(self.jobs.keys()).cloned().collect();
        let listing = scheduler.list(&mut **via, run)?;
        let others = others(&listing.jobs, run, &keep).filter(is_old);
        let others: Vec<String> = others.map(|token| token.to_string()).collect();
        if !others.is_empty() {
            scheduler.cancel(&mut **via, &others, false)?;
            let names = others.join(", ");
            return Err(Unreachable(format!(
                "looking again whether these ended: {names}"
            )));
        }
        if !listing.complete {
            return Err(Unreachable("not all jobs were listed".into()));
        }
        via.sweep(run, &keep)
    }

    fn handle(&mut self, event: QueueEvent) {
        let commands = self.queue.handle(event);
        if !commands.is_empty() {
            let info = self.scheduler.info();
            self.poll = (self.usual / POLLS_PER_TASK).clamp(info.min_poll, info.max_poll);
        }
        self.commands.extend(commands);
        self.count();
    }

    /// Counts ends that are not reported yet as well: when the count is zero every end is among the
    /// reports.
    fn count(&self) {
        let ends = self.commands.iter();
        let ends = ends.filter(|command| matches!(command, QueueCommand::Ended(..)));
        let held = self.queue.active() + ends.count();
        self.held.store(held, Ordering::SeqCst);
    }

    /// Polls all jobs at once.
    fn poll(&mut self) {
        self.poll = (self.poll * 3 / 2).min(self.scheduler.info().max_poll);
        self.commands.extend(self.unread.drain(..));
        if let Some(keep) = self.uncancelled.take() {
            self.end_others(keep, true);
        }
        match self.scheduler.list(&mut *self.via, &self.run) {
            Ok(listing) => {
                if !listing.complete {
                    let name = self.scheduler.info().name;
                    tracing::warn!(
                        "{name} left jobs out of its answer; their states are left unchanged"
                    );
                }
                self.handle(QueueEvent::Listed(listing));
            }
            Err(why) => self.no_answer(&why),
        }
        self.polled = Instant::now();
    }

    fn perform(&mut self, command: QueueCommand) {
        match command {
            QueueCommand::Submit(tokens) => self.ready.extend(tokens),
            QueueCommand::Show(jobs) => self.request_status(jobs),
            QueueCommand::Note(token, id) => {
                if let Some(job) = self.jobs.get(&token) {
                    attempt_dir::write_id(job, &id);
                }
            }
            QueueCommand::ReadFiles(token, outcome) => {
                match self.read_files(&token, outcome.clone()) {
                    Ok(event) => self.handle(event),
                    Err(why) => {
                        self.no_answer(&why);
                        self.unread.push(QueueCommand::ReadFiles(token, outcome));
                    }
                }
            }
            QueueCommand::Cancel(tokens) => self.cancel(&tokens, false),
            QueueCommand::CancelPending(tokens) => self.cancel(&tokens, true),
            QueueCommand::Started(token) => self.report(token, JobEvent::Started),
            QueueCommand::Ended(token, exit, files) => self.report_end(token, exit, files),
        }
    }

    fn report_end(&mut self, token: Token, exit: Termination, files: AttemptFiles) {
        let exit = match self.jobs.remove(&token) {
            Some(job) => attempt_dir::with_output(exit, &job.dir),
            None => exit,
        };
        self.via.forget(&token);
        if let Some(end) = &files.ended {
            let took = end.ended.saturating_sub(end.started);
            let took = Duration::from_millis(took.max(0).cast_unsigned());
            self.usual = (self.usual * 3 + took) / 4;
        }
        let event = JobEvent::Ended {
            exit,
            result: files.result,
            started: files.ended.map(|end| end.started),
        };
        self.report(token, event);
    }

    fn request_status(&mut self, jobs: Vec<(Token, String)>) {
        let ids: Vec<String> = jobs.iter().map(|(_, id)| id.clone()).collect();
        match self.scheduler.status(&mut *self.via, &ids) {
            Ok(mut statuses) => {
                for (token, id) in jobs {
                    if let Some(status) = statuses.remove(&id) {
                        self.handle(QueueEvent::Shown(token, status));
                    }
                }
            }
            Err(why) => self.no_answer(&why),
        }
    }

    /// Submits as many of the ready jobs as the scheduler takes at once.
    fn submit(&mut self) {
        if self.ready.len() < self.scheduler.max_submissions() {
            match self.requests.recv_timeout(GATHER) {
                Ok(request) => return self.request(request),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let (wanted, unwanted): (Vec<Token>, Vec<Token>) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|token| self.queue.is_wanted(token));
        self.ready = wanted;
        for token in unwanted {
            // It is as if there had been no room for it.
            self.handle(QueueEvent::Submitted(token, Submission::QueueFull));
        }
        let count = self.ready.len().min(self.scheduler.max_submissions());
        let tokens: Vec<Token> = self.ready.drain(..count).collect();
        let mut answers = self.submitted(&tokens);
        if answers
            .iter()
            .any(|(_, answer)| *answer == Submission::QueueFull)
        {
            let rest = self.ready.drain(..);
            answers.extend(rest.map(|token| (token, Submission::QueueFull)));
        }
        for (token, answer) in answers {
            tracing::info!("job {token}: {answer:?}");
            if let (Submission::Accepted(id), Some(job)) = (&answer, self.jobs.get(&token)) {
                attempt_dir::write_id(job, id);
            }
            self.handle(QueueEvent::Submitted(token, answer));
        }
    }

    /// Puts the files of jobs into their directories and submits the jobs. Returns the result of
    /// each.
    fn submitted(&mut self, tokens: &[Token]) -> Vec<(Token, Submission)> {
        let mut answers = Vec::new();
        let mut ready = Vec::new();
        for token in tokens {
            let unknown = || Submission::Rejected("the job is not known".into());
            let job = self.jobs.get(token).ok_or_else(unknown);
            match job.and_then(|job| attempt_dir::put(&*self.scheduler, &mut *self.via, job)) {
                Ok(job) => ready.push(job),
                Err(answer) => answers.push((token.clone(), answer)),
            }
        }
        if ready.is_empty() {
            return answers;
        }
        let jobs = ready.iter().filter_map(|job| self.jobs.get(job.token));
        let mut host = JobHost {
            jobs: jobs.collect(),
            via: &mut *self.via,
        };
        let results = self.scheduler.submit(&mut host, &ready);
        let tokens = ready.iter().map(|job| job.token.clone());
        answers.extend(tokens.zip(results));
        answers
    }

    /// Reads the files of a job that the scheduler has finished.
    fn read_files(
        &mut self,
        token: &Token,
        outcome: Option<JobOutcome>,
    ) -> Result<QueueEvent, Unreachable> {
        let files = match self.jobs.get(token) {
            Some(job) => {
                self.via.get(job)?;
                AttemptFiles::read(job)
            }
            None => AttemptFiles::default(),
        };
        if files.is_empty() {
            let text = token.to_string();
            for client in self.scheduler.info().clients {
                if self.via.submission_in_progress(client, &text)? {
                    return Ok(QueueEvent::SubmissionInProgress(token.clone()));
                }
            }
        }
        Ok(QueueEvent::FilesRead {
            token: token.clone(),
            outcome,
            files,
        })
    }

    fn no_answer(&self, why: &Unreachable) {
        let name = self.scheduler.info().name;
        tracing::warn!("{name} is unreachable; job states are left unchanged: {why}");
    }

    fn cancel(&mut self, tokens: &[Token], waiting: bool) {
        let names: Vec<String> = tokens.iter().map(Token::to_string).collect();
        // Commanded again at the next look, if they are still there.
        if let Err(Unreachable(why)) = self.scheduler.cancel(&mut *self.via, &names, waiting) {
            tracing::warn!("could not cancel {} jobs: {why}", names.len());
        }
    }

    fn report(&self, token: Token, event: JobEvent) {
        let at = now();
        let _ = self.reports.send(Report { token, event, at });
    }
}

/// Returns the live attempts of a run that are none of `keep`.
fn others<'l>(
    list: &'l [JobStatus],
    run: &'l str,
    keep: &'l [Token],
) -> impl Iterator<Item = Token> + 'l {
    let live = list
        .iter()
        .filter(|job| !matches!(job.state, JobState::Ended(_) | JobState::Completing));
    let tokens = live.filter_map(|job| job.name.parse().ok());
    tokens.filter(move |token: &Token| token.run == run && !keep.contains(token))
}
