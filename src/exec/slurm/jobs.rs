//! The `slurm` executor, a job a task: a thread runs Slurm's commands and looks at the jobs; what is to be done is
//! decided in `queue`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::Settings;
use super::commands::{Submitted, Unreachable};
use super::queue::{Command, Event, Queue};
use super::state::{Listed, State};
use crate::exec::batched::{self, Traces};
use crate::exec::launch::now;
use crate::exec::process::find_clients;
use crate::exec::{Executor, Exit, Found, Job, News, Report};
use crate::task::Token;

/// The shortest and the longest time from one look at the jobs to the next. It grows while nothing changes.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// What a job gets beyond the timeout of its task, so that the task is ended by its timeout and not by Slurm.
const MARGIN: Duration = Duration::from_secs(60);
/// Bytes of what a script printed that a failure quotes.
const QUOTED: usize = 1000;

/// The `slurm` executor without blocks.
pub struct SlurmExecutor {
    requests: Option<mpsc::Sender<Request>>,
    held: Arc<AtomicUsize>,
    slots: usize,
    thread: Option<JoinHandle<()>>,
}

enum Request {
    Submit(Vec<Job>),
    Find(Vec<Job>),
    Cancel(Vec<Token>),
    EndOthers(String, Vec<Token>),
    DropWaiting,
}

impl SlurmExecutor {
    /// An executor that reports to `reports`. Nothing is asked of Slurm yet.
    pub fn new(settings: Settings, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let (sender, requests) = mpsc::channel();
        let held = Arc::new(AtomicUsize::new(0));
        let slots = settings.max_jobs;
        let thread = Thread {
            queue: Queue::new(settings.max_jobs),
            settings,
            requests,
            reports,
            held: held.clone(),
            jobs: BTreeMap::new(),
            commands: VecDeque::new(),
            poll: POLL.0,
            polled: Instant::now(),
        };
        let builder = std::thread::Builder::new().name("slurm".into());
        Ok(Self {
            requests: Some(sender),
            held,
            slots,
            thread: Some(builder.spawn(move || thread.serve())?),
        })
    }

    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }
}

impl Executor for SlurmExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        self.request(Request::Submit(jobs));
    }

    /// Says `Adopted` of each: whether Slurm has it can only be told once the controller answers, and what it turns out
    /// not to have is submitted then.
    fn find(&mut self, jobs: &[Job]) -> Vec<Found> {
        self.held.fetch_add(jobs.len(), Ordering::SeqCst);
        self.request(Request::Find(jobs.to_vec()));
        vec![Found::Adopted; jobs.len()]
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        self.request(Request::EndOthers(run.to_owned(), keep.to_vec()));
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

impl Drop for SlurmExecutor {
    /// Cancels what Slurm still has.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Thread {
    settings: Settings,
    queue: Queue,
    requests: mpsc::Receiver<Request>,
    reports: UnboundedSender<Report>,
    held: Arc<AtomicUsize>,
    jobs: BTreeMap<Token, Job>,
    commands: VecDeque<Command>,
    poll: Duration,
    polled: Instant,
}

impl Thread {
    fn serve(mut self) {
        loop {
            let due = self.polled + self.poll;
            let left = due.saturating_duration_since(Instant::now());
            let request = if !self.commands.is_empty() || self.queue.held() > 0 && left.is_zero() {
                self.requests
                    .try_recv()
                    .map_err(|e| e == TryRecvError::Disconnected)
            } else if self.queue.held() > 0 {
                let received = self.requests.recv_timeout(left);
                received.map_err(|e| e == RecvTimeoutError::Disconnected)
            } else {
                self.requests.recv().map_err(|_| true)
            };
            match request {
                Ok(request) => self.request(request),
                Err(true) => break,
                Err(false) if self.queue.held() > 0 && Instant::now() >= due => self.look(),
                Err(false) => {
                    if let Some(command) = self.commands.pop_front() {
                        self.perform(command);
                    }
                }
            }
        }
        let left: Vec<String> = self.queue.tokens().map(Token::to_string).collect();
        if let Err(Unreachable(why)) = self.settings.slurm.cancel(&left, false) {
            tracing::warn!("could not cancel {} jobs: {why}", left.len());
        }
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
            Request::EndOthers(run, keep) => return self.end_others(&run, &keep),
        };
        self.handle(event);
    }

    fn end_others(&self, run: &str, keep: &[Token]) {
        let slurm = &self.settings.slurm;
        let ended = slurm.list().and_then(|list| {
            let others: Vec<String> = others(&list, run, keep).map(str::to_owned).collect();
            slurm.cancel(&others, false)
        });
        if let Err(Unreachable(why)) = ended {
            tracing::warn!("jobs that an earlier engine cancelled may still be there: {why}");
        }
    }

    fn handle(&mut self, event: Event) {
        let commands = self.queue.handle(event);
        if !commands.is_empty() {
            self.poll = POLL.0;
        }
        self.commands.extend(commands);
        self.held.store(self.queue.held(), Ordering::SeqCst);
    }

    /// Looks at all jobs at once.
    fn look(&mut self) {
        self.poll = (self.poll * 3 / 2).min(POLL.1);
        match self.settings.slurm.list() {
            Ok(list) => self.handle(Event::Listed(list)),
            Err(Unreachable(why)) => {
                tracing::warn!("Slurm does not answer, nothing is concluded from that: {why}")
            }
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
            Command::Show(token, id) => match self.settings.slurm.show(&id) {
                Ok(listed) => self.handle(Event::Shown(token, listed)),
                Err(Unreachable(why)) => tracing::warn!("Slurm does not answer: {why}"),
            },
            Command::Trace(token, fate) => {
                let Some(job) = self.jobs.get(&token) else {
                    return;
                };
                let traces = Traces::read(job);
                let coming = traces.is_empty() && find_clients("sbatch", &token.to_string());
                self.handle(match coming {
                    true => Event::StillComing(token),
                    false => Event::Traced {
                        token,
                        fate,
                        traces,
                    },
                });
            }
            Command::Cancel(tokens) => self.cancel(&tokens, false),
            Command::CancelWaiting(tokens) => self.cancel(&tokens, true),
            Command::Started(token) => self.report(token, News::Started),
            Command::Ended(token, exit, traces) => {
                let exit = match self.jobs.remove(&token) {
                    Some(job) => with_output(exit, &job),
                    None => exit,
                };
                let news = News::Ended {
                    exit,
                    result: traces.result,
                    started: traces.ended.map(|ended| ended.started),
                };
                self.report(token, news);
            }
        }
    }

    fn submit(&self, token: &Token) -> Submitted {
        let Some(job) = self.jobs.get(token) else {
            return Submitted::Refused("the job is not known".into());
        };
        if let Err(e) = batched::write(job, &self.settings.setup, &self.settings.executable) {
            return Submitted::Refused(format!("could not write the job's files: {e}"));
        }
        let options = options(&self.settings, job.timeout);
        let script = batched::script_of(&job.dir);
        let slurm = &self.settings.slurm;
        slurm.submit(&token.to_string(), &job.dir, &options, Some(&script))
    }

    fn cancel(&self, tokens: &[Token], waiting: bool) {
        let names: Vec<String> = tokens.iter().map(Token::to_string).collect();
        // Commanded again at the next look, if they are still there.
        if let Err(Unreachable(why)) = self.settings.slurm.cancel(&names, waiting) {
            tracing::warn!("could not cancel {} jobs: {why}", names.len());
        }
    }

    fn report(&self, token: Token, news: News) {
        let at = now();
        let _ = self.reports.send(Report { token, news, at });
    }
}

/// Options of `sbatch` for a task with this timeout.
fn options(settings: &Settings, timeout: Duration) -> Vec<String> {
    let time = timeout.saturating_add(MARGIN).min(settings.walltime);
    let mut options = settings.options_for(settings.nodes_per_task, time);
    // Of several nodes a task has all cores.
    let ranks = if settings.nodes_per_task > 1 {
        settings.tasks_per_node
    } else {
        1
    };
    options.push(format!("--ntasks-per-node={ranks}"));
    options.push(format!("--output={}", batched::SCRIPT_OUTPUT));
    options
}

/// Names of the jobs of tasks of a run that live and belong to none of `keep`.
fn others<'l>(list: &'l [Listed], run: &str, keep: &[Token]) -> impl Iterator<Item = &'l str> {
    let live = list
        .iter()
        .filter(|job| !matches!(job.state, State::Ended(_)));
    live.filter(move |job| {
        let token: Result<Token, ()> = job.name.parse();
        token.is_ok_and(|token| token.run == run && !keep.contains(&token))
    })
    .map(|job| job.name.as_str())
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
