//! Executor of jobs: one job of a scheduler per task. `queue` decides which job is submitted,
//! polled, cancelled and reported; the commands of the scheduler and the files of attempts are
//! here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::attempt_dir::{self, JobHost};
use super::cancel_all;
use super::event::{QueueCommand, QueueEvent};
use super::queue::Queue;
use crate::exec::actor::{Actor, Backend};
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::transport::Transport;
use crate::exec::{Adoption, Job, JobEvent, Report, Termination};
use crate::scheduler::{JobOutcome, JobState, JobStatus, Scheduler, Submission, Unreachable};
use crate::task::Token;

/// Time for which further jobs are awaited, such that they are submitted together: the successors
/// of several jobs that ended arrive one by one.
const GATHER: Duration = Duration::from_millis(50);

/// Most polls in the time that a task usually takes: short tasks are polled often, long ones
/// rarely.
const POLLS_PER_TASK: u32 = 20;

/// Executor that runs each task as a job of its own.
pub type JobExecutor = Actor<JobBackend>;

impl JobExecutor {
    /// Creates an executor that has at most `max_jobs` jobs of the run `run` in the queue and
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
        Self::start(Queue::new(max_jobs), |_| {
            let now = Instant::now();
            Ok(JobBackend {
                period: scheduler.info().min_poll,
                scheduler,
                via,
                run: run.to_owned(),
                reports,
                jobs: BTreeMap::new(),
                ready: Vec::new(),
                gathered: now,
                unread: Vec::new(),
                uncancelled: None,
                usual: Duration::ZERO,
                polled: now,
            })
        })
    }
}

/// I/O of the job executor: commands of the scheduler, and files of attempts.
pub struct JobBackend {
    scheduler: Box<dyn Scheduler>,
    via: Box<dyn Transport>,
    run: String,
    reports: UnboundedSender<Report>,
    jobs: BTreeMap<Token, Job>,
    /// Jobs that are submitted when no further ones arrive for a while.
    ready: Vec<Token>,
    /// Time of the last addition to `ready`.
    gathered: Instant,
    /// Jobs whose files are read at the next poll, because the host was unreachable.
    unread: Vec<(Token, Option<JobOutcome>)>,
    /// Attempts to keep, while others of an earlier engine may still run because the scheduler was
    /// unreachable.
    uncancelled: Option<Vec<Token>>,
    /// Moving average of the duration of tasks.
    usual: Duration,
    /// Time from one poll to the next: it grows while nothing changes.
    period: Duration,
    /// Time of the last poll.
    polled: Instant,
}

impl Backend for JobBackend {
    type Core = Queue;
    type Signal = Infallible;

    const NAME: &'static str = "jobs";
    /// An unreachable scheduler does not tell which jobs it has.
    const ADOPTS_AT_ONCE: bool = false;

    fn submit(&mut self, jobs: Vec<Job>) -> Vec<QueueEvent> {
        vec![QueueEvent::Submit(self.add(jobs))]
    }

    /// Adopts all jobs. Those that the scheduler turns out not to have are submitted then.
    fn adopt(&mut self, jobs: Vec<Job>) -> (Vec<Adoption>, Vec<QueueEvent>) {
        let found = vec![Adoption::Adopted; jobs.len()];
        let ids: Vec<Option<String>> = jobs.iter().map(attempt_dir::read_id).collect();
        let tokens = self.add(jobs).into_iter();
        (found, vec![QueueEvent::Adopt(tokens.zip(ids).collect())])
    }

    fn cancel(&mut self, tokens: Vec<Token>) -> Vec<QueueEvent> {
        vec![QueueEvent::Cancel(tokens)]
    }

    fn drop_waiting(&mut self) -> Vec<QueueEvent> {
        vec![QueueEvent::DropPending]
    }

    fn end_others(&mut self, _: &Queue, _: &str, keep: &[Token]) -> Vec<QueueEvent> {
        self.cancel_others(keep.to_vec(), false);
        Vec::new()
    }

    fn signal(&mut self, _: &Queue, signal: Infallible) -> Vec<QueueEvent> {
        match signal {}
    }

    fn perform(&mut self, command: QueueCommand) -> Vec<QueueEvent> {
        let info = self.scheduler.info();
        self.period = (self.usual / POLLS_PER_TASK).clamp(info.min_poll, info.max_poll);
        match command {
            QueueCommand::Submit(tokens) => {
                self.ready.extend(tokens);
                self.gathered = Instant::now();
            }
            QueueCommand::Show(jobs) => return self.request_status(jobs),
            QueueCommand::Note(token, id) => {
                if let Some(job) = self.jobs.get(&token) {
                    attempt_dir::write_id(job, &id);
                }
            }
            QueueCommand::ReadFiles(token, outcome) => {
                return self.read_files(token, outcome).into_iter().collect();
            }
            QueueCommand::Cancel(tokens) => self.cancel_jobs(&tokens, false),
            QueueCommand::CancelPending(tokens) => self.cancel_jobs(&tokens, true),
            QueueCommand::Started(token) => self.report(token, JobEvent::Started),
            QueueCommand::Ended(token, exit, files) => self.report_end(token, exit, files),
        }
        Vec::new()
    }

    /// Moment of the next listing or the next submission.
    fn next_poll(&self, queue: &Queue) -> Option<Instant> {
        let gather = match self.ready.len() < self.scheduler.max_submissions() {
            true => GATHER,
            false => Duration::ZERO,
        };
        let submission = (!self.ready.is_empty()).then(|| self.gathered + gather);
        self.next_listing(queue).into_iter().chain(submission).min()
    }

    fn poll(&mut self, queue: &Queue) -> Vec<QueueEvent> {
        match self.next_listing(queue) {
            Some(moment) if moment <= Instant::now() => self.list(),
            _ => self.submit_ready(queue),
        }
    }

    /// Cancels the jobs that are left and fetches their files, which may hold results.
    fn shut_down(
        mut self,
        queue: Queue,
        _: &mut dyn FnMut(Duration) -> Option<Infallible>,
    ) -> Vec<String> {
        let left: Vec<Token> = queue.tokens().cloned().collect();
        let names: Vec<String> = left.iter().map(Token::to_string).collect();
        let (scheduler, via) = (&mut self.scheduler, &mut self.via);
        let mut sentences = Vec::new();
        if !names.is_empty() {
            let cancel = || scheduler.cancel(&mut **via, &names, false);
            if let Err(rest) = cancel_all(queue.has_doubtful_job(), cancel) {
                sentences.push(rest.sentence("jobs", scheduler.info().cancel, queue.ids()));
            }
        }
        let mut bring = || {
            for job in left.iter().filter_map(|token| self.jobs.get(token)) {
                via.get(job)?;
                via.forget(&job.token);
            }
            via.sweep(&self.run, &left)
        };
        if let Err(Unreachable(why)) = bring() {
            tracing::warn!("files of jobs may be left: {why}");
        }
        sentences
    }
}

impl JobBackend {
    /// Adds jobs to those that are known; returns their tokens, in order.
    fn add(&mut self, jobs: Vec<Job>) -> Vec<Token> {
        let tokens = jobs.iter().map(|job| job.token.clone()).collect();
        self.jobs
            .extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
        tokens
    }

    /// Moment of the next listing; None while there is nothing to ask the scheduler for.
    fn next_listing(&self, queue: &Queue) -> Option<Instant> {
        let waits = !queue.is_idle() || self.uncancelled.is_some();
        waits.then(|| self.polled + self.period)
    }

    /// Cancels attempts other than `keep`; `later`: this engine may have submitted some itself by
    /// now.
    fn cancel_others(&mut self, keep: Vec<Token>, later: bool) {
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

    /// Polls all jobs at once.
    fn list(&mut self) -> Vec<QueueEvent> {
        self.period = (self.period * 3 / 2).min(self.scheduler.info().max_poll);
        let unread = std::mem::take(&mut self.unread).into_iter();
        let read = unread.filter_map(|(token, outcome)| self.read_files(token, outcome));
        let mut events: Vec<QueueEvent> = read.collect();
        if let Some(keep) = self.uncancelled.take() {
            self.cancel_others(keep, true);
        }
        match self.scheduler.list(&mut *self.via, &self.run) {
            Ok(listing) => {
                if !listing.complete {
                    let name = self.scheduler.info().name;
                    tracing::warn!(
                        "{name} left jobs out of its answer; their states are left unchanged"
                    );
                }
                events.push(QueueEvent::Listed(listing));
            }
            Err(why) => self.no_answer(&why),
        }
        self.polled = Instant::now();
        events
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
        self.report(token, files.into_end(exit));
    }

    fn request_status(&mut self, jobs: Vec<(Token, String)>) -> Vec<QueueEvent> {
        let ids: Vec<String> = jobs.iter().map(|(_, id)| id.clone()).collect();
        match self.scheduler.status(&mut *self.via, &ids) {
            Ok(mut statuses) => {
                let event = |(token, id)| Some(QueueEvent::Shown(token, statuses.remove(&id)?));
                jobs.into_iter().filter_map(event).collect()
            }
            Err(why) => {
                self.no_answer(&why);
                Vec::new()
            }
        }
    }

    /// Submits as many of the ready jobs as the scheduler takes at once.
    fn submit_ready(&mut self, queue: &Queue) -> Vec<QueueEvent> {
        let (wanted, unwanted): (Vec<Token>, Vec<Token>) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|token| queue.is_wanted(token));
        self.ready = wanted;
        let count = self.ready.len().min(self.scheduler.max_submissions());
        let tokens: Vec<Token> = self.ready.drain(..count).collect();
        let mut answers = self.submitted(&tokens);
        let is_full = |(_, answer): &(Token, Submission)| *answer == Submission::QueueFull;
        if answers.iter().any(is_full) {
            let rest = self.ready.drain(..);
            answers.extend(rest.map(|token| (token, Submission::QueueFull)));
        }
        for (token, answer) in &answers {
            tracing::info!("job {token}: {answer:?}");
            if let (Submission::Accepted(id), Some(job)) = (answer, self.jobs.get(token)) {
                attempt_dir::write_id(job, id);
            }
        }
        // It is as if there had been no room for a job that need not start any more.
        let unwanted = unwanted.into_iter();
        let unwanted = unwanted.map(|token| (token, Submission::QueueFull));
        let event = |(token, answer)| QueueEvent::Submitted(token, answer);
        unwanted.chain(answers).map(event).collect()
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

    /// Reads the files of a job that the scheduler has finished; None if its host is unreachable:
    /// then they are read at the next poll.
    fn read_files(&mut self, token: Token, outcome: Option<JobOutcome>) -> Option<QueueEvent> {
        match self.fetched(&token) {
            Ok(Some(files)) => Some(QueueEvent::FilesRead {
                token,
                outcome,
                files,
            }),
            Ok(None) => Some(QueueEvent::SubmissionInProgress(token)),
            Err(why) => {
                self.no_answer(&why);
                self.unread.push((token, outcome));
                None
            }
        }
    }

    /// Returns the files that an attempt left; None if a submit command for it still runs.
    fn fetched(&mut self, token: &Token) -> Result<Option<AttemptFiles>, Unreachable> {
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
                    return Ok(None);
                }
            }
        }
        Ok(Some(files))
    }

    fn no_answer(&self, why: &Unreachable) {
        let name = self.scheduler.info().name;
        tracing::warn!("{name} is unreachable; job states are left unchanged: {why}");
    }

    fn cancel_jobs(&mut self, tokens: &[Token], pending_only: bool) {
        let names: Vec<String> = tokens.iter().map(Token::to_string).collect();
        // Commanded again at the next look, if they are still there.
        if let Err(Unreachable(why)) = self.scheduler.cancel(&mut *self.via, &names, pending_only) {
            tracing::warn!("could not cancel {} jobs: {why}", names.len());
        }
    }

    fn report(&self, token: Token, event: JobEvent) {
        let _ = self.reports.send(Report::now(token, event));
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
