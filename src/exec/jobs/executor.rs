//! The executor of jobs: a thread runs the commands of a batch system and looks at the jobs; what
//! is to be done is decided in `queue`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::queue::{Command, Event, Queue};
use super::{BatchSystem, Fate, Listed, Ready, State, Submitted, end_all};
use crate::exec::batched::{self, Traces};
use crate::exec::launch::now;
use crate::exec::transport::{PutError, Transport, Unreachable};
use crate::exec::{Executor, Exit, Found, Job, News, Report};
use crate::host::atomic::{self, Durability};
use crate::task::{HostFault, Token};

/// Bytes of what a script printed that a failure quotes.
const QUOTED: usize = 1000;
/// The file in an attempt's directory on this host that holds the id of its job.
const ID: &str = "job.id";
/// How long further jobs are waited for, so that they are submitted together: those that take the
/// places of several that ended come one by one.
const GATHER: Duration = Duration::from_millis(50);

/// Runs each task as a job of its own.
pub struct JobExecutor {
    requests: Option<mpsc::Sender<Request>>,
    held: Arc<AtomicUsize>,
    slots: usize,
    thread: Option<JoinHandle<Vec<String>>>,
}

enum Request {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
    EndOthers(Vec<Token>),
    DropWaiting,
}

impl JobExecutor {
    /// An executor that has at most `max_jobs` jobs of the run `run` in the batch system and
    /// reports to `reports`. Nothing is asked yet.
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
            ready: Vec::new(),
            untraced: Vec::new(),
            unended: None,
            poll: pace.0,
            usual: Duration::ZERO,
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

    /// Says `Adopted` of each: whether the batch system has it can only be told once it answers,
    /// and what it turns out not to have is submitted then.
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

    fn end(mut self: Box<Self>) -> Vec<String> {
        self.close()
    }
}

impl JobExecutor {
    /// Cancels what the batch system still has, and says what may be left of it.
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
    /// Jobs to be submitted when nothing else is to be done.
    ready: Vec<Token>,
    /// What is to be read again, because it could not be reached.
    untraced: Vec<Command>,
    /// Attempts to be kept, while others of an earlier engine may run on that could not be reached.
    unended: Option<Vec<Token>>,
    /// The shortest and the longest time from one look to the next, and that of now: it grows while
    /// nothing changes.
    pace: (Duration, Duration),
    /// How long tasks take, those of late more than those before.
    usual: Duration,
    poll: Duration,
    polled: Instant,
}

/// Looks in the time that a task usually takes, at the most: short tasks are looked at often, long
/// ones are not.
const LOOKS_A_TASK: u32 = 20;

impl Thread {
    /// Serves requests until there are no more to come; returns what may be left of the jobs.
    fn serve(mut self) -> Vec<String> {
        loop {
            let due = self.polled + self.poll;
            let left = due.saturating_duration_since(Instant::now());
            let waits = !self.queue.is_idle() || self.unended.is_some();
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
                Err(false) if waits && Instant::now() >= due => self.look(),
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

    /// Cancels what is left, and brings back what it has done: a result may be among it. Returns
    /// what there is to say of jobs that may still run.
    fn leave(mut self) -> Vec<String> {
        let Self {
            system,
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
            let cancel = || system.cancel(&mut **via, &names, false);
            if let Err(rest) = end_all(queue.is_in_doubt(), cancel) {
                sentences.push(rest.sentence("jobs", system.ender(), queue.ids()));
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
            Request::Submit(jobs) => Event::Wanted(keep(jobs, &mut self.jobs)),
            Request::Find(jobs) => {
                let tokens = keep(jobs, &mut self.jobs).into_iter();
                let noted = tokens.map(|token| {
                    let id = self.jobs.get(&token).and_then(noted_id);
                    (token, id)
                });
                Event::Perhaps(noted.collect())
            }
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
    fn end_others(&mut self, keep: Vec<Token>, later: bool) {
        self.unended = None;
        if let Err(Unreachable(why)) = self.ended_others(&keep, later) {
            tracing::warn!("jobs that an earlier engine cancelled may still be there: {why}");
            self.unended = Some(keep);
        }
    }

    fn ended_others(&mut self, keep: &[Token], later: bool) -> Result<(), Unreachable> {
        let Self {
            system, via, run, ..
        } = self;
        let newest = later.then(|| keep.iter().map(|token| token.task).max());
        let is_old = |token: &Token| newest.is_none_or(|newest| Some(token.task) < newest);
        let keep: Vec<Token> = keep.iter().chain(self.jobs.keys()).cloned().collect();
        let listing = system.list(&mut **via, run)?;
        let others = others(&listing.jobs, run, &keep).filter(is_old);
        let others: Vec<String> = others.map(|token| token.to_string()).collect();
        if !others.is_empty() {
            system.cancel(&mut **via, &others, false)?;
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

    fn handle(&mut self, event: Event) {
        let commands = self.queue.handle(event);
        if !commands.is_empty() {
            self.poll = (self.usual / LOOKS_A_TASK).clamp(self.pace.0, self.pace.1);
        }
        self.commands.extend(commands);
        self.count();
    }

    /// Who sees nothing held must find every end among the reports: those that are still to be told
    /// count.
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
            Ok(listing) => {
                if !listing.complete {
                    let name = self.system.name();
                    tracing::warn!(
                        "{name} left jobs out of its answer: nothing is concluded of them"
                    );
                }
                self.handle(Event::Listed(listing));
            }
            Err(why) => self.no_answer(&why),
        }
        self.polled = Instant::now();
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Submit(tokens) => self.ready.extend(tokens),
            Command::Show(jobs) => self.show(jobs),
            Command::Note(token, id) => self.note(&token, &id),
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
                if let Some(ended) = &traces.ended {
                    let took = ended.ended.saturating_sub(ended.started);
                    let took = Duration::from_millis(took.max(0).cast_unsigned());
                    self.usual = (self.usual * 3 + took) / 4;
                }
                let news = News::Ended {
                    exit,
                    result: traces.result,
                    started: traces.ended.map(|ended| ended.started),
                };
                self.report(token, news);
            }
        }
    }

    fn show(&mut self, jobs: Vec<(Token, String)>) {
        let ids: Vec<String> = jobs.iter().map(|(_, id)| id.clone()).collect();
        match self.system.show(&mut *self.via, &ids) {
            Ok(mut shown) => {
                for (token, id) in jobs {
                    if let Some(listed) = shown.remove(&id) {
                        self.handle(Event::Shown(token, listed));
                    }
                }
            }
            Err(why) => self.no_answer(&why),
        }
    }

    /// Submits as many of the jobs that are ready as the batch system takes at once.
    fn submit(&mut self) {
        if self.ready.len() < self.system.at_once() {
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
            self.handle(Event::Submitted(token, Submitted::Full));
        }
        let count = self.ready.len().min(self.system.at_once());
        let tokens: Vec<Token> = self.ready.drain(..count).collect();
        let mut answers = self.submitted(&tokens);
        if answers.iter().any(|(_, answer)| *answer == Submitted::Full) {
            let rest = self.ready.drain(..);
            answers.extend(rest.map(|token| (token, Submitted::Full)));
        }
        for (token, answer) in answers {
            tracing::info!("job {token}: {answer:?}");
            if let Submitted::As(id) = &answer {
                self.note(&token, id);
            }
            self.handle(Event::Submitted(token, answer));
        }
    }

    /// Puts the files of jobs into their directories, submits the jobs, and says what came of each.
    fn submitted(&mut self, tokens: &[Token]) -> Vec<(Token, Submitted)> {
        let mut answers = Vec::new();
        let mut ready = Vec::new();
        for token in tokens {
            match put(&*self.system, &mut *self.via, self.jobs.get(token)) {
                Ok(job) => ready.push(job),
                Err(answer) => answers.push((token.clone(), answer)),
            }
        }
        if ready.is_empty() {
            return answers;
        }
        let came = self.system.submit(&mut *self.via, &ready);
        let tokens = ready.iter().map(|ready| ready.job.token.clone());
        answers.extend(tokens.zip(came));
        answers
    }

    /// Notes the id of a job beside it. An engine that comes later and finds no note asks for the
    /// job by its token.
    fn note(&self, token: &Token, id: &str) {
        if let Some(job) = self.jobs.get(token)
            && let Err(e) = fs::create_dir_all(&job.dir).and_then(|()| {
                atomic::write(&job.dir.join(ID), id.as_bytes(), Durability::Unsynced)
            })
        {
            tracing::warn!("could not note the id of job {token}: {e}");
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

/// Puts the files of a job into its directory; if that fails, the outcome of its submission.
fn put<'j>(
    system: &dyn BatchSystem,
    via: &mut dyn Transport,
    job: Option<&'j Job>,
) -> Result<Ready<'j>, Submitted> {
    let refused = |why: String| Submitted::Refused(why);
    let unreachable = |Unreachable(why)| {
        let name = system.name();
        tracing::warn!("{name} does not answer, nothing is concluded from that: {why}");
        Submitted::Unknown
    };
    let job = job.ok_or_else(|| refused("the job is not known".into()))?;
    // Before the directory, whose place on another host may be known only then.
    let executable = via.executable().map_err(unreachable)?;
    let dir = via.directory(job);
    let script = system.script(job, &dir, &executable);
    let script = script.map_err(|e| refused(e.to_string()))?;
    // That of an earlier submission, which the batch system does not have.
    let _ = fs::remove_file(job.dir.join(ID));
    match via.put(job, &script) {
        Ok(()) => Ok(Ready { job, dir, script }),
        Err(PutError::Unreachable(why)) => Err(unreachable(why)),
        Err(e @ PutError::Files(_)) => Err(match HostFault::of(&e) {
            Some(fault) => Submitted::NotStarted(Exit::NotStarted(fault, e.to_string())),
            None => refused(e.to_string()),
        }),
    }
}

/// The id that an earlier engine noted beside a job.
fn noted_id(job: &Job) -> Option<String> {
    let id = fs::read_to_string(job.dir.join(ID)).ok()?;
    (!id.is_empty()).then_some(id)
}

/// Attempts of a run that live and are none of `keep`.
fn others<'l>(
    list: &'l [Listed],
    run: &'l str,
    keep: &'l [Token],
) -> impl Iterator<Item = Token> + 'l {
    let live = list
        .iter()
        .filter(|job| !matches!(job.state, State::Ended(_) | State::Completing));
    let tokens = live.filter_map(|job| job.name.parse().ok());
    tokens.filter(move |token: &Token| token.run == run && !keep.contains(token))
}

/// Adds what the script printed to an end that has nothing else to explain it.
fn with_output(exit: Exit, job: &Job) -> Exit {
    let Exit::Word(word) = exit else {
        return exit;
    };
    let output = fs::read(job.dir.join(batched::SCRIPT_OUTPUT)).unwrap_or_default();
    let tail = &output[output.len().saturating_sub(QUOTED)..];
    let tail = String::from_utf8_lossy(tail).trim().to_owned();
    Exit::Word(match tail.is_empty() {
        true => word,
        false => format!("{word}: {tail}"),
    })
}
