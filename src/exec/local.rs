//! Jobs as process groups of this machine: one thread a slot takes the next job, starts it, and waits for it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, kill_process_group, pidfd_open};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::mpsc::UnboundedSender;

use super::gpus::VISIBLE;
use super::launch::{GRACE, end_group, exit_of, now, prepare, read_result, spawn, wait, wait_fd};
use super::process::{Environment, Process, TOKEN, age, find_processes, token_of};
use super::{Executor, Exit, Found, Job, News, Report};
use crate::task::{HostFault, Token};

/// The `local` executor.
pub struct LocalExecutor {
    shared: Arc<Shared>,
    slots: usize,
    threads: Vec<JoinHandle<()>>,
    reports: UnboundedSender<Report>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    environment: Environment,
    /// The variable that carries the token of a job.
    variable: &'static str,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    running: HashMap<Token, Running>,
    /// Jobs that have ended, of which a process may still be there that left its group.
    ended: HashSet<String>,
    /// When such processes were looked for, and how long that took.
    swept: Option<(Instant, Duration)>,
    /// GPUs that no task has, a set for each slot.
    gpus: VecDeque<String>,
    closed: bool,
}

enum Work {
    Start(Job),
    /// A process that an earlier engine started, already in `running`, and the descriptor that stays its own.
    Watch(Job, Pid, OwnedFd),
}

/// Looking for processes that left their group takes no more than the inverse of this share of one core.
const REST: u32 = 50;
/// So often they are looked for even while there is always something to do.
const SWEEP: Duration = Duration::from_secs(10);

struct Running {
    /// None between the decision to start and the start.
    leader: Option<Pid>,
    cancelled: bool,
    /// The GPUs that it may use.
    gpus: Option<String>,
}

impl LocalExecutor {
    /// An executor of `slots` slots that reports to `reports`; an error where the system has no threads left, or no
    /// process descriptors (Linux before 5.3).
    pub fn new(slots: usize, reports: UnboundedSender<Report>) -> io::Result<Self> {
        Self::of_clients(slots, TOKEN, reports)
    }

    /// The same with a slot for each of these sets of cores, to which its tasks are confined.
    pub fn pinned(cores: Vec<CpuSet>, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let mut executor = Self::without_slots(TOKEN, reports)?;
        for set in cores {
            executor.add_slot(Some(set))?;
        }
        Ok(executor)
    }

    /// The same with GPUs, a set for each slot, that its tasks see in turn.
    pub fn with_gpus(self, sets: Vec<String>) -> Self {
        self.shared.lock().gpus = sets.into();
        self
    }

    /// The same for jobs that are the clients of tasks elsewhere, whose token is in another variable than that of tasks.
    pub fn of_clients(
        slots: usize,
        variable: &'static str,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let mut executor = Self::without_slots(variable, reports)?;
        for _ in 0..slots {
            executor.add_slot(None)?;
        }
        Ok(executor)
    }

    fn without_slots(variable: &'static str, reports: UnboundedSender<Report>) -> io::Result<Self> {
        pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            environment: Environment::inherited(),
            variable,
        });
        Ok(Self {
            shared,
            slots: 0,
            threads: Vec::new(),
            reports,
        })
    }

    fn add_slot(&mut self, cores: Option<CpuSet>) -> io::Result<()> {
        let (shared, reports) = (self.shared.clone(), self.reports.clone());
        let thread = std::thread::Builder::new()
            .name("slot".into())
            .stack_size(256 << 10);
        let serve = move || {
            // What a thread starts inherits its cores.
            if let Some(Err(e)) = cores.map(|set| sched_setaffinity(None, &set)) {
                tracing::warn!("a slot could not be given its cores: {e}");
            }
            shared.serve(&reports);
        };
        self.threads.push(thread.spawn(serve)?);
        self.slots += 1;
        Ok(())
    }

    fn find_one(&self, job: &Job, processes: &[Process]) -> Result<Found, Exit> {
        let token = job.token.to_string();
        let ours = || processes.iter().filter(|p| p.token == token);
        let leader = ours().find(|p| p.pid == p.group);
        let held = leader.map(|p| hold(p, self.shared.variable)).transpose();
        if let Some((leader, fd)) = held.map_err(|e| unseen(&e))?.flatten() {
            let held = token_of(leader, VISIBLE).map_err(|e| unseen(&e))?;
            let mut state = self.shared.lock();
            let free = state.gpus.iter().position(|set| Some(set) == held.as_ref());
            let gpus = free.and_then(|at| state.gpus.remove(at));
            state.running.insert(
                job.token.clone(),
                Running {
                    leader: Some(leader),
                    cancelled: false,
                    gpus,
                },
            );
            state
                .waiting
                .push_front(Work::Watch(job.clone(), leader, fd));
            return Ok(Found::Adopted);
        }
        kill_groups(ours());
        if !job.dir.try_exists().map_err(|e| unseen(&e))? {
            return Ok(Found::Nothing);
        }
        let result = read_result(job)?;
        self.report_end(job, Exit::Unseen, result);
        Ok(Found::Adopted)
    }

    fn report_end(&self, job: &Job, exit: Exit, result: Option<Vec<u8>>) {
        let news = News::Ended {
            exit,
            result,
            started: None,
        };
        let _ = self.reports.send(Report {
            token: job.token.clone(),
            news,
            at: now(),
        });
    }
}

impl Executor for LocalExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        let mut state = self.shared.lock();
        state.waiting.extend(jobs.into_iter().map(Work::Start));
        drop(state);
        self.shared.work.notify_all();
    }

    fn find(&mut self, jobs: &[Job]) -> Vec<Found> {
        let Some(job) = jobs.first() else {
            return Vec::new();
        };
        let run = format!("{}.", job.token.run);
        let processes = find_processes(self.shared.variable, &run).map_err(|e| unseen(&e));
        // One that runs unseen must not be started a second time.
        let find = |job: &Job| {
            let found = processes.as_ref().map_err(Clone::clone);
            let found = found.and_then(|processes| self.find_one(job, processes));
            found.unwrap_or_else(|exit| {
                self.report_end(job, exit, None);
                Found::Adopted
            })
        };
        let found = jobs.iter().map(find).collect();
        self.shared.work.notify_all();
        found
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        let keep: Vec<String> = keep.iter().map(Token::to_string).collect();
        match find_processes(self.shared.variable, &format!("{run}.")) {
            Ok(found) => kill_groups(found.iter().filter(|p| !keep.contains(&p.token))),
            Err(e) => tracing::warn!("tasks that an earlier engine cancelled may still run: {e}"),
        }
    }

    fn cancel(&mut self, tokens: &[Token]) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        let mut state = self.shared.lock();
        state.waiting.retain(|work| match work {
            Work::Start(job) => !tokens.contains(&job.token),
            Work::Watch(..) => true,
        });
        for token in tokens {
            if let Some(running) = state.running.get_mut(token) {
                running.cancelled = true;
                if let Some(leader) = running.leader {
                    let _ = kill_process_group(leader, Signal::KILL);
                }
            }
        }
    }

    fn drop_waiting(&mut self) {
        self.shared
            .lock()
            .waiting
            .retain(|work| matches!(work, Work::Watch(..)));
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn busy(&self) -> usize {
        self.shared.lock().running.len()
    }
}

impl Drop for LocalExecutor {
    /// Ends what still runs.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.waiting.clear();
        for running in state.running.values_mut() {
            running.cancelled = true;
            if let Some(leader) = running.leader {
                let _ = kill_process_group(leader, Signal::KILL);
            }
        }
        drop(state);
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let ended = std::mem::take(&mut self.shared.lock().ended);
        if !ended.is_empty() {
            self.shared.end_strays(&ended);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a slot.
    fn serve(&self, reports: &UnboundedSender<Report>) {
        while let Some(work) = self.next() {
            let (job, started, exit) = match work {
                Work::Start(job) => {
                    let started = now();
                    let _ = reports.send(Report {
                        token: job.token.clone(),
                        news: News::Started,
                        at: started,
                    });
                    let exit = self.start_and_wait(&job);
                    (job, Some(started), exit)
                }
                Work::Watch(job, leader, fd) => {
                    let age = age(leader).unwrap_or_default();
                    let started = now() - age.as_millis() as i64;
                    let exit = self.watch(&job, leader, &fd, age);
                    (job, Some(started), exit)
                }
            };
            let (exit, result) = match read_result(&job) {
                Ok(result) => (exit, result),
                Err(unread) => (unread, None),
            };
            let news = News::Ended {
                exit,
                result,
                started,
            };
            let told = reports.send(Report {
                token: job.token.clone(),
                news,
                at: now(),
            });
            // Only now: who sees no slot busy must find every end among the reports.
            let mut state = self.lock();
            let running = state.running.remove(&job.token);
            state.gpus.extend(running.and_then(|running| running.gpus));
            state.ended.insert(job.token.to_string());
            drop(state);
            if told.is_err() {
                return;
            }
        }
    }

    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let since = |(at, took): (Instant, Duration)| (at.elapsed(), took * REST);
            let (since, rest) = state.swept.map_or((SWEEP, Duration::ZERO), since);
            let is_time = since >= rest && (state.waiting.is_empty() || since >= SWEEP);
            if is_time && !state.ended.is_empty() {
                state = self.sweep(state);
                continue;
            }
            if let Some(work) = state.waiting.pop_front() {
                if let Work::Start(job) = &work {
                    let gpus = state.gpus.pop_front();
                    state.running.insert(
                        job.token.clone(),
                        Running {
                            leader: None,
                            cancelled: false,
                            gpus,
                        },
                    );
                }
                return Some(work);
            }
            state = if state.ended.is_empty() {
                let woken = self.work.wait(state);
                woken.unwrap_or_else(PoisonError::into_inner)
            } else {
                let woken = self.work.wait_timeout(state, rest.saturating_sub(since));
                woken.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Ends what is left of the jobs that have ended since the last time.
    fn sweep<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        let began = Instant::now();
        self.end_strays(&ended);
        let mut state = self.lock();
        state.swept = Some((Instant::now(), began.elapsed()));
        state
    }

    /// Ends the processes of these jobs that are no longer in the group they were started in: their token tells.
    fn end_strays(&self, ended: &HashSet<String>) {
        let run = ended
            .iter()
            .next()
            .and_then(|token| token.split('.').next());
        let prefix = format!("{}.", run.unwrap_or_default());
        match find_processes(self.variable, &prefix) {
            Ok(all) => kill_groups(all.iter().filter(|p| ended.contains(&p.token))),
            Err(e) => tracing::warn!("processes of tasks that ended may still run: {e}"),
        }
    }

    fn start_and_wait(&self, job: &Job) -> Exit {
        let mut child = match self.start(job) {
            Ok(child) => child,
            Err(e) => return Exit::of_start(&e),
        };
        let Some(leader) = Pid::from_raw(child.id().cast_signed()) else {
            return Exit::LaunchFailed("the process has no id".into());
        };
        let cancelled_early = {
            let mut state = self.lock();
            let running = state.running.get_mut(&job.token);
            running.is_some_and(|r| {
                r.leader = Some(leader);
                r.cancelled
            })
        };
        let ended_in_time = !cancelled_early && wait(leader, job.limits.timeout);
        if !ended_in_time && !cancelled_early {
            end_group(leader);
        }
        let cancelled = self.forget(&job.token, leader);
        if !ended_in_time {
            self.end_strays(&HashSet::from([job.token.to_string()]));
        }
        match child.wait() {
            _ if cancelled => Exit::Cancelled,
            _ if !ended_in_time => Exit::TimedOut,
            Ok(status) => exit_of(status),
            Err(e) => Exit::LaunchFailed(e.to_string()),
        }
    }

    /// Watches a process that has been there for `age`; its timeout began with it.
    fn watch(&self, job: &Job, leader: Pid, fd: &OwnedFd, age: Duration) -> Exit {
        let ended_in_time = wait_fd(fd, job.limits.timeout.saturating_sub(age));
        if !ended_in_time {
            let _ = kill_process_group(leader, Signal::TERM);
            wait_fd(fd, GRACE);
        }
        let cancelled = self
            .lock()
            .running
            .get_mut(&job.token)
            .is_some_and(|running| {
                running.leader = None;
                running.cancelled
            });
        // Not by the leader's id: somebody else may have reaped it, and then it is free.
        self.end_strays(&HashSet::from([job.token.to_string()]));
        match (cancelled, ended_in_time) {
            (true, _) => Exit::Cancelled,
            (false, false) => Exit::TimedOut,
            (false, true) => Exit::Unseen,
        }
    }

    /// Ends what is left of the group. Its leader is not reaped yet, so that its id cannot name another group; after
    /// this nobody signals it any more. Returns whether the job was cancelled.
    fn forget(&self, token: &Token, leader: Pid) -> bool {
        let mut state = self.lock();
        let _ = kill_process_group(leader, Signal::KILL);
        state.running.get_mut(token).is_some_and(|running| {
            running.leader = None;
            running.cancelled
        })
    }

    fn start(&self, job: &Job) -> io::Result<Child> {
        prepare(job)?;
        let token = (self.variable.to_owned(), job.token.to_string());
        let state = self.lock();
        let running = state.running.get(&job.token);
        let gpus = running.and_then(|running| Some((VISIBLE.to_owned(), running.gpus.clone()?)));
        drop(state);
        let inherited = self.environment.pairs().iter();
        let env = inherited.chain(&job.env).chain(&gpus).chain([&token]);
        spawn(&job.argv, &job.dir, |command| {
            command.env_clear().envs(env.map(|(k, v)| (k, v)));
        })
    }
}

/// A process that was found, with a descriptor of it, unless it has ended since.
fn hold(process: &Process, variable: &str) -> io::Result<Option<(Pid, OwnedFd)>> {
    let fd = match pidfd_open(process.pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(None),
        fd => fd?,
    };
    // Looked at again: in between its id may have passed to another process.
    let is_same = token_of(process.pid, variable)?.as_ref() == Some(&process.token);
    Ok(is_same.then_some((process.pid, fd)))
}

/// The end of an attempt of which nobody knows whether it runs.
fn unseen(error: &io::Error) -> Exit {
    let fault = HostFault::of(error).unwrap_or(HostFault::InputOutput);
    let why = format!("could not look for the tasks of an earlier engine: {error}");
    Exit::Unread(fault, why)
}

fn kill_groups<'p>(processes: impl Iterator<Item = &'p Process>) {
    // A process may join the group of its engine, which must not end with it.
    for process in processes.filter(|process| process.group != getpgrp()) {
        let _ = kill_process_group(process.group, Signal::KILL);
    }
}
