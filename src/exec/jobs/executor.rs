//! The executor of jobs: a thread runs the commands of a batch system and looks at the jobs; what is to be done is
//! decided in `queue`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::queue::{Command, Event, Queue};
use super::{BatchSystem, Fate, Listed, State, Submitted};
use crate::exec::batched::{self, Traces};
use crate::exec::launch::now;
use crate::exec::transport::{PutError, Transport, Unreachable};
use crate::exec::{Executor, Exit, Found, Job, News, Report};
use crate::task::{HostFault, Token};

/// Bytes of what a script printed that a failure quotes.
const QUOTED: usize = 1000;

/// Runs each task as a job of its own.
pub struct JobExecutor {
    requests: Option<mpsc::Sender<Request>>,
    held: Arc<AtomicUsize>,
    slots: usize,
    thread: Option<JoinHandle<()>>,
}

enum Request {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
    EndOthers(Vec<Token>),
    DropWaiting,
}

impl JobExecutor {
    /// An executor that has at most `max_jobs` jobs of the run `run` in the batch system and reports to `reports`.
    /// Nothing is asked yet.
    pub fn new(
        system: Box<dyn BatchSystem>,
        via: Box<dyn Transport>,
        max_jobs: usize,
        run: &str,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let (sender, requests) = mpsc::channel();
        let held = Arc::new(AtomicUsize::new(0));
        let pace = system.pace();
        let thread = Thread {
            queue: Queue::new(max_jobs),
            system,
            via,
            run: run.to_owned(),
            requests,
            reports,
            held: held.clone(),
            jobs: BTreeMap::new(),
            commands: VecDeque::new(),
            untraced: Vec::new(),
            unended: None,
            poll: pace.0,
            pace,
            polled: Instant::now(),
        };
        let builder = std::thread::Builder::new().name("jobs".into());
        Ok(Self {
            requests: Some(sender),
            held,
            slots: max_jobs,
            thread: Some(builder.spawn(move || thread.serve())?),
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

    /// Says `Adopted` of each: whether the batch system has it can only be told once it answers, and what it turns out
    /// not to have is submitted then.
    fn find(&mut self, jobs: &[Job]) -> Vec<Found> {
        self.held.fetch_add(jobs.len(), Ordering::SeqCst);
        self.request(Request::Find(jobs.to_vec()));
        vec![Found::Adopted; jobs.len()]
    }

    fn end_others(&mut self, _: &str, keep: &[Token]) {
        self.request(Request::EndOthers(keep.to_vec()));
    }

    fn cancel(&mut self, tokens: &[Token]) {
        self.request(Request::Cancel(tokens.to_vec()));
    }

    fn drop_waiting(&mut self) {
        self.request(Request::DropWaiting);
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn busy(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

impl Drop for JobExecutor {
    /// Cancels what the batch system still has.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Thread {
    system: Box<dyn BatchSystem>,
    via: Box<dyn Transport>,
    run: String,
    queue: Queue,
    requests: mpsc::Receiver<Request>,
    reports: UnboundedSender<Report>,
    held: Arc<AtomicUsize>,
    jobs: BTreeMap<Token, Job>,
    commands: VecDeque<Command>,
    /// What is to be read again, because it could not be reached.
    untraced: Vec<Command>,
    /// Attempts to be kept, while others of an earlier engine may run on that could not be reached.
    unended: Option<Vec<Token>>,
    /// The shortest and the longest time from one look to the next, and that of now: it grows while nothing changes.
    pace: (Duration, Duration),
    poll: Duration,
    polled: Instant,
}

impl Thread {
    fn serve(mut self) {
        loop {
            let due = self.polled + self.poll;
            let left = due.saturating_duration_since(Instant::now());
            let waits = self.queue.held() > 0 || self.unended.is_some();
            let request = if !self.commands.is_empty() || waits && left.is_zero() {
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
                Err(false) if waits && Instant::now() >= due => self.look(),
                Err(false) => {
                    if let Some(command) = self.commands.pop_front() {
                        self.perform(command);
                        self.count();
                    }
                }
            }
        }
        if let Err(Unreachable(why)) = self.leave() {
            tracing::warn!("jobs, or files of theirs, may be left: {why}");
        }
    }

    /// Cancels what is left, and brings back what it has done: a result may be among it.
    fn leave(&mut self) -> Result<(), Unreachable> {
        let Self { system, via, .. } = self;
        let left: Vec<Token> = self.queue.tokens().cloned().collect();
        let names: Vec<String> = left.iter().map(Token::to_string).collect();
        system.cancel(&mut **via, &names, false)?;
        for job in left.iter().filter_map(|token| self.jobs.get(token)) {
            via.get(job)?;
            via.forget(&job.token);
        }
        via.sweep(&self.run, &left)
    }

    fn request(&mut self, request: Request) {
        let keep = |jobs: Vec<Job>, kept: &mut BTreeMap<Token, Job>| {
            let tokens: Vec<Token> = jobs.iter().map(|job| job.token.clone()).collect();
            kept.extend(jobs.into_iter().map(|job| (job.token.clone(), job)));
            tokens
        };
        let event = match request {
            Request::Submit(jobs) => Event::Wanted(keep(jobs, &mut self.jobs)),
            Request::Find(jobs) => Event::Perhaps(keep(jobs, &mut self.jobs)),
            Request::Cancel(tokens) => Event::Cancel(tokens),
            Request::DropWaiting => Event::DropWaiting,
            Request::EndOthers(keep) => {
                self.end_others(keep, false);
                return;
            }
        };
        self.handle(event);
    }

    /// Ends attempts other than `keep`; `later`: this engine may have submitted some itself by now.
    fn end_others(&mut self, mut keep: Vec<Token>, later: bool) {
        let Self {
            system, via, run, ..
        } = self;
        let ended = system.list(&mut **via, run).and_then(|list| {
            let newest = later.then(|| keep.iter().map(|token| token.task).max());
            let is_old = |token: &Token| newest.is_none_or(|newest| Some(token.task) < newest);
            keep.extend(self.jobs.keys().cloned());
            let others = others(&list, run, &keep).filter(is_old);
            let others: Vec<String> = others.map(|token| token.to_string()).collect();
            system.cancel(&mut **via, &others, false)?;
            via.sweep(run, &keep)
        });
        self.unended = None;
        if let Err(Unreachable(why)) = ended {
            tracing::warn!("jobs that an earlier engine cancelled may still be there: {why}");
            self.unended = Some(keep);
        }
    }

    fn handle(&mut self, event: Event) {
        let commands = self.queue.handle(event);
        if !commands.is_empty() {
            self.poll = self.pace.0;
        }
        self.commands.extend(commands);
        self.count();
    }

    /// Who sees nothing held must find every end among the reports: those that are still to be told count.
    fn count(&self) {
        let ends = self.commands.iter();
        let ends = ends.filter(|command| matches!(command, Command::Ended(..)));
        let held = self.queue.held() + ends.count();
        self.held.store(held, Ordering::SeqCst);
    }

    /// Looks at all jobs at once.
    fn look(&mut self) {
        self.poll = (self.poll * 3 / 2).min(self.pace.1);
        self.commands.extend(self.untraced.drain(..));
        if let Some(keep) = self.unended.take() {
            self.end_others(keep, true);
        }
        match self.system.list(&mut *self.via, &self.run) {
            Ok(list) => self.handle(Event::Listed(list)),
            Err(why) => self.no_answer(&why),
        }
        self.polled = Instant::now();
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Submit(token) => {
                let answer = self.submit(&token);
                tracing::info!("job {token}: {answer:?}");
                self.handle(Event::Submitted(token, answer));
            }
            Command::Show(token, id) => match self.system.show(&mut *self.via, &id) {
                Ok(listed) => self.handle(Event::Shown(token, listed)),
                Err(why) => self.no_answer(&why),
            },
            Command::Trace(token, fate) => match self.trace(&token, fate.clone()) {
                Ok(event) => self.handle(event),
                Err(why) => {
                    self.no_answer(&why);
                    self.untraced.push(Command::Trace(token, fate));
                }
            },
            Command::Cancel(tokens) => self.cancel(&tokens, false),
            Command::CancelWaiting(tokens) => self.cancel(&tokens, true),
            Command::Started(token) => self.report(token, News::Started),
            Command::Ended(token, exit, traces) => {
                let exit = match self.jobs.remove(&token) {
                    Some(job) => with_output(exit, &job),
                    None => exit,
                };
                self.via.forget(&token);
                let news = News::Ended {
                    exit,
                    result: traces.result,
                    started: traces.ended.map(|ended| ended.started),
                };
                self.report(token, news);
            }
        }
    }

    fn submit(&mut self, token: &Token) -> Submitted {
        let Self { system, via, .. } = self;
        let Some(job) = self.jobs.get(token) else {
            return Submitted::Refused("the job is not known".into());
        };
        let dir = via.directory(job);
        let put = via.executable().map_err(PutError::from).map(|executable| {
            let script = system.script(job, &dir, &executable);
            script.map(|script| via.put(job, &script))
        });
        match put {
            Ok(Ok(Ok(()))) => {
                system.submit(&mut **via, &token.to_string(), &batched::script_of(&dir))
            }
            Ok(Err(refused)) => Submitted::Refused(refused.to_string()),
            Err(PutError::Unreachable(why)) | Ok(Ok(Err(PutError::Unreachable(why)))) => {
                self.no_answer(&why);
                Submitted::Unknown
            }
            Err(e) | Ok(Ok(Err(e))) => match HostFault::of(&e) {
                Some(fault) => Submitted::NotStarted(Exit::NotStarted(fault, e.to_string())),
                None => Submitted::Refused(e.to_string()),
            },
        }
    }

    /// What a job left that the batch system is done with.
    fn trace(&mut self, token: &Token, fate: Option<Fate>) -> Result<Event, Unreachable> {
        let traces = match self.jobs.get(token) {
            Some(job) => {
                self.via.get(job)?;
                Traces::read(job)
            }
            None => Traces::default(),
        };
        let client = self.system.client();
        let token = token.clone();
        if traces.is_empty() && self.via.is_at_it(client, &token.to_string())? {
            return Ok(Event::StillComing(token));
        }
        Ok(Event::Traced {
            token,
            fate,
            traces,
        })
    }

    fn no_answer(&self, why: &Unreachable) {
        let name = self.system.name();
        tracing::warn!("{name} does not answer, nothing is concluded from that: {why}");
    }

    fn cancel(&mut self, tokens: &[Token], waiting: bool) {
        let names: Vec<String> = tokens.iter().map(Token::to_string).collect();
        // Commanded again at the next look, if they are still there.
        if let Err(Unreachable(why)) = self.system.cancel(&mut *self.via, &names, waiting) {
            tracing::warn!("could not cancel {} jobs: {why}", names.len());
        }
    }

    fn report(&self, token: Token, news: News) {
        let at = now();
        let _ = self.reports.send(Report { token, news, at });
    }
}

/// Attempts of a run that live and are none of `keep`.
fn others<'l>(
    list: &'l [Listed],
    run: &'l str,
    keep: &'l [Token],
) -> impl Iterator<Item = Token> + 'l {
    let live = list
        .iter()
        .filter(|job| !matches!(job.state, State::Ended(_)));
    let tokens = live.filter_map(|job| job.name.parse().ok());
    tokens.filter(move |token: &Token| token.run == run && !keep.contains(token))
}

/// Adds what the script printed to an end that has nothing else to explain it.
fn with_output(exit: Exit, job: &Job) -> Exit {
    let Exit::Word(word) = exit else {
        return exit;
    };
    let output = std::fs::read(job.dir.join(batched::SCRIPT_OUTPUT)).unwrap_or_default();
    let tail = &output[output.len().saturating_sub(QUOTED)..];
    let tail = String::from_utf8_lossy(tail).trim().to_owned();
    Exit::Word(match tail.is_empty() {
        true => word,
        false => format!("{word}: {tail}"),
    })
}
