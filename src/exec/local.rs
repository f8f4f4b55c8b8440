//! Executor `local`: jobs as process groups of this machine, with one thread per slot.

mod slot;
mod worker;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, kill_process_group, pidfd_open};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::mpsc::UnboundedSender;

use super::gpus::VISIBLE;
use super::launch::read_result;
use super::process::{Process, ProcessEnvironment, TOKEN, find_processes, token_of};
use super::{Adoption, Executor, Job, JobEvent, Report, Termination};
use crate::task::{HostFault, Token};

/// Executor that runs jobs as processes of this host.
pub struct LocalExecutor {
    shared: Arc<Shared>,
    slots: usize,
    threads: Vec<JoinHandle<()>>,
    reports: ReportSink,
}

/// Receiver of reports; returns false once the channel is closed.
type ReportSink = Arc<dyn Fn(Report) -> bool + Send + Sync>;

fn sink(reports: UnboundedSender<Report>) -> impl Fn(Report) -> bool + Send + Sync {
    move |report| reports.send(report).is_ok()
}

/// State that the slots share with the executor.
struct Shared {
    state: Mutex<LocalState>,
    work: Condvar,
    environment: ProcessEnvironment,
    /// The variable that carries the token of a job.
    variable: &'static str,
}

#[derive(Default)]
struct LocalState {
    waiting: VecDeque<SlotWork>,
    running: HashMap<Token, RunningTask>,
    /// Tokens of jobs that ended, and may have left processes in other groups.
    ended: HashSet<String>,
    /// Time of the last sweep for such processes, and its duration.
    swept: Option<(Instant, Duration)>,
    /// GPUs that no task has, a set for each slot.
    gpus: VecDeque<String>,
    closed: bool,
}

/// Work of a slot.
enum SlotWork {
    Start(Job),
    /// A process that an earlier engine started, already in `running`, and the descriptor that
    /// stays its own.
    Watch(Job, Pid, OwnedFd),
}

/// Job that a slot works on.
struct RunningTask {
    /// None between the decision to start and the start.
    leader: Option<Pid>,
    cancelled: bool,
    /// The GPUs that it may use.
    gpus: Option<String>,
}

impl LocalExecutor {
    /// Creates an executor of `slots` slots that reports to `reports`.
    ///
    /// # Errors
    ///
    /// The host starts no thread, or has no process descriptors (Linux before 5.3).
    pub fn new(slots: usize, reports: UnboundedSender<Report>) -> io::Result<Self> {
        Self::of_clients(slots, TOKEN, sink(reports))
    }

    /// Creates an executor with a slot for each set of cores, to which the tasks of the slot are
    /// confined.
    ///
    /// # Errors
    ///
    /// As `new`.
    pub fn pinned(cores: Vec<CpuSet>, reports: UnboundedSender<Report>) -> io::Result<Self> {
        let mut executor = Self::without_slots(TOKEN, Arc::new(sink(reports)))?;
        for set in cores {
            executor.add_slot(Some(set))?;
        }
        Ok(executor)
    }

    /// Adds GPUs, a set for each slot; a task sees one set.
    pub fn with_gpus(self, sets: Vec<String>) -> Self {
        self.shared.lock().gpus = sets.into();
        self
    }

    /// Creates an executor of jobs that are the clients of tasks elsewhere. `variable` carries
    /// their tokens, which differs from that of tasks.
    ///
    /// # Errors
    ///
    /// As `new`.
    pub fn of_clients(
        slots: usize,
        variable: &'static str,
        reports: impl Fn(Report) -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut executor = Self::without_slots(variable, Arc::new(reports))?;
        for _ in 0..slots {
            executor.add_slot(None)?;
        }
        Ok(executor)
    }

    fn without_slots(variable: &'static str, reports: ReportSink) -> io::Result<Self> {
        pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            environment: ProcessEnvironment::inherited(),
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
            // Processes that a thread starts inherit its cores.
            if let Some(Err(e)) = cores.map(|set| sched_setaffinity(None, &set)) {
                tracing::warn!("a slot could not be given its cores: {e}");
            }
            shared.serve(&reports);
        };
        self.threads.push(thread.spawn(serve)?);
        self.slots += 1;
        Ok(())
    }

    fn find_one(&self, job: &Job, processes: &[Process]) -> Result<Adoption, Termination> {
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
                RunningTask {
                    leader: Some(leader),
                    cancelled: false,
                    gpus,
                },
            );
            state
                .waiting
                .push_front(SlotWork::Watch(job.clone(), leader, fd));
            return Ok(Adoption::Adopted);
        }
        kill_groups(ours());
        if !job.dir.try_exists().map_err(|e| unseen(&e))? {
            return Ok(Adoption::NotStarted);
        }
        let event = JobEvent::Ended {
            exit: Termination::Unseen,
            result: read_result(job)?,
            started: job
                .files
                .first()
                .and_then(|(name, _)| modified(&job.dir.join(name))),
            ended: last_change(&job.dir),
        };
        (self.reports)(Report::now(job.token.clone(), event));
        Ok(Adoption::Adopted)
    }

    fn report_end(&self, job: &Job, exit: Termination) {
        let event = JobEvent::Ended {
            exit,
            result: None,
            started: None,
            ended: None,
        };
        (self.reports)(Report::now(job.token.clone(), event));
    }
}

impl Executor for LocalExecutor {
    fn submit(&mut self, jobs: Vec<Job>) {
        let mut state = self.shared.lock();
        state.waiting.extend(jobs.into_iter().map(SlotWork::Start));
        drop(state);
        self.shared.work.notify_all();
    }

    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption> {
        let Some(job) = jobs.first() else {
            return Vec::new();
        };
        let run = format!("{}.", job.token.run);
        let processes = find_processes(self.shared.variable, &run).map_err(|e| unseen(&e));
        // One that runs unseen must not be started a second time. Workers of an earlier engine end
        // with it.
        let find = |job: &Job| {
            let found = processes.as_ref().map_err(Clone::clone);
            let found = found.and_then(|processes| self.find_one(job, processes));
            found.unwrap_or_else(|exit| {
                self.report_end(job, exit);
                Adoption::Adopted
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
            SlotWork::Start(job) => !tokens.contains(&job.token),
            SlotWork::Watch(..) => true,
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
            .retain(|work| matches!(work, SlotWork::Watch(..)));
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn busy(&self) -> usize {
        self.shared.lock().running.len()
    }
}

impl Drop for LocalExecutor {
    /// Terminates the jobs that still run.
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

/// Returns the end of an attempt of which it is not known if it runs.
/// Time of the last change of a file in a directory, milliseconds since the Unix epoch: a process
/// that nobody saw end ran at least until then.
fn last_change(dir: &Path) -> Option<i64> {
    let entries = fs::read_dir(dir).ok()?.flatten();
    entries.filter_map(|entry| modified(&entry.path())).max()
}

/// Time of the last change of a file, milliseconds since the Unix epoch.
fn modified(path: &Path) -> Option<i64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

fn unseen(error: &io::Error) -> Termination {
    let fault = HostFault::of(error).unwrap_or(HostFault::InputOutput);
    let why = format!("could not look for the tasks of an earlier engine: {error}");
    Termination::Unread(fault, why)
}

fn kill_groups<'p>(processes: impl Iterator<Item = &'p Process>) {
    // A process may join the group of its engine, which must not end with it.
    for process in processes.filter(|process| process.group != getpgrp()) {
        let _ = kill_process_group(process.group, Signal::KILL);
    }
}
