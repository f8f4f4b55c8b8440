//! Slot: a thread that takes the next job, starts it or watches an adopted process, waits for its
//! end, and reports it.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::worker::{WorkerEnd, WorkerProcess, WorkerTerms};
use super::{LocalState, ReportSink, RunningTask, Shared, SlotWork, kill_groups};
use crate::exec::gpus::VISIBLE;
use crate::exec::launch::{
    GRACE, end_group, exit_of, now, prepare, read_result, spawn, wait, wait_fd,
};
use crate::exec::process::{age, find_processes};
use crate::exec::{Job, JobEvent, Report, SCRATCH, Termination};
use crate::task::Token;

/// Inverse of the share of one core that looking for processes which left their group may take.
const REST: u32 = 50;
/// Longest time between two such sweeps while jobs are waiting.
const SWEEP: Duration = Duration::from_secs(10);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, LocalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on jobs until the executor is dropped.
    pub(super) fn serve(&self, reports: &ReportSink) {
        let mut slot = SlotWorker::default();
        while let Some(work) = self.next(&slot) {
            let (job, started, exit) = match work {
                SlotWork::Start(job) => {
                    let started = now();
                    reports(Report {
                        token: job.token.clone(),
                        event: JobEvent::Started,
                        at: started,
                    });
                    let exit = match &job.worker {
                        Some(worker) => self.run_in_worker(&mut slot, &job, worker),
                        None => self.start_and_wait(&job),
                    };
                    (job, Some(started), exit)
                }
                SlotWork::Watch(job, leader, fd) => {
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
            let event = JobEvent::Ended {
                exit,
                result,
                started,
                ended: None,
            };
            let is_received = reports(Report::now(job.token.clone(), event));
            // Only now: who sees no slot busy must find every end among the reports.
            let mut state = self.lock();
            let running = state.running.remove(&job.token);
            state.gpus.extend(running.and_then(|running| running.gpus));
            // No process carries the token of a job that a worker ran.
            if job.worker.is_none() {
                state.ended.insert(job.token.to_string());
            }
            drop(state);
            if !is_received {
                break;
            }
        }
        let left = slot.worker.take().map(|worker| worker.token.clone());
        self.lock().ended.extend(left);
    }

    fn next(&self, slot: &SlotWorker) -> Option<SlotWork> {
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
                if let SlotWork::Start(job) = &work {
                    // A worker is used again only with the GPUs that it was started with.
                    let same = state
                        .gpus
                        .iter()
                        .position(|set| Some(set) == slot.gpus.as_ref());
                    let gpus = state.gpus.remove(same.unwrap_or(0));
                    state.running.insert(
                        job.token.clone(),
                        RunningTask {
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
    fn sweep<'s>(&'s self, mut state: MutexGuard<'s, LocalState>) -> MutexGuard<'s, LocalState> {
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        let began = Instant::now();
        self.end_strays(&ended);
        let mut state = self.lock();
        state.swept = Some((Instant::now(), began.elapsed()));
        state
    }

    /// Ends the processes of these jobs that left their process group, found by their token.
    pub(super) fn end_strays(&self, ended: &HashSet<String>) {
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

    fn start_and_wait(&self, job: &Job) -> Termination {
        let mut child = match self.start(job) {
            Ok(child) => child,
            Err(e) => return Termination::of_start(&e),
        };
        let Some(leader) = Pid::from_raw(child.id().cast_signed()) else {
            return Termination::LaunchFailed("the process has no id".into());
        };
        let cancelled_early = self.set_leader(&job.token, Some(leader));
        let ended_in_time = !cancelled_early && wait(leader, job.limits.timeout);
        if !ended_in_time && !cancelled_early {
            end_group(leader);
        }
        let cancelled = self.forget(&job.token, leader);
        if !ended_in_time {
            self.end_strays(&HashSet::from([job.token.to_string()]));
        }
        match child.wait() {
            _ if cancelled => Termination::Cancelled,
            _ if !ended_in_time => Termination::TimedOut,
            Ok(status) => exit_of(status),
            Err(e) => Termination::LaunchFailed(e.to_string()),
        }
    }

    /// Watches a process that has been there for `age`; its timeout began with it.
    fn watch(&self, job: &Job, leader: Pid, fd: &OwnedFd, age: Duration) -> Termination {
        let ended_in_time = wait_fd(fd, job.limits.timeout.saturating_sub(age));
        if !ended_in_time {
            let _ = kill_process_group(leader, Signal::TERM);
            wait_fd(fd, GRACE);
        }
        let cancelled = self.set_leader(&job.token, None);
        // Not by the leader's id: somebody else may have reaped it, and then it is free.
        self.end_strays(&HashSet::from([job.token.to_string()]));
        match (cancelled, ended_in_time) {
            (true, _) => Termination::Cancelled,
            (false, false) => Termination::TimedOut,
            (false, true) => Termination::Unseen,
        }
    }

    /// Ends what is left of the group. Its leader is not reaped yet, so that its id cannot name
    /// another group; after this it is not signalled any more. Returns true if the job was
    /// cancelled.
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
        let env = self.environment_of(job);
        let env = env.iter().chain([&token]);
        spawn(&job.argv, &job.dir, |command| {
            command.env_clear().envs(env.map(|(k, v)| (k, v)));
        })
    }

    /// Environment of a job but for its token.
    fn environment_of(&self, job: &Job) -> Vec<(String, String)> {
        let gpus = self.gpus_of(job).map(|set| (VISIBLE.to_owned(), set));
        let inherited = self.environment.pairs().iter();
        inherited.chain(&job.env).chain(&gpus).cloned().collect()
    }

    fn gpus_of(&self, job: &Job) -> Option<String> {
        self.lock().running.get(&job.token)?.gpus.clone()
    }

    /// Runs a job in the worker of the slot, which is started if there is none or another one is
    /// needed.
    fn run_in_worker(&self, slot: &mut SlotWorker, job: &Job, argv: &[String]) -> Termination {
        if let Err(e) = prepare(job) {
            return Termination::of_start(&e);
        }
        loop {
            let mut worker = match self.worker_for(slot, job, argv) {
                Ok(worker) => worker,
                Err(e) => return Termination::of_start(&e),
            };
            let end = match self.set_leader(&job.token, Some(worker.leader)) {
                true => WorkerEnd::Gone,
                false => worker.run(&job.dir, job.limits.timeout),
            };
            let is_cancelled = self.set_leader(&job.token, None);
            if let (WorkerEnd::Answered(code), false) = (&end, is_cancelled) {
                slot.worker = Some(worker);
                return Termination::Code(*code);
            }
            if matches!(end, WorkerEnd::TimedOut) {
                end_group(worker.leader);
            }
            let token = worker.token.clone();
            let exit = worker.end();
            // Processes that it left in other groups.
            self.end_strays(&HashSet::from([token]));
            return match end {
                _ if is_cancelled => Termination::Cancelled,
                WorkerEnd::TimedOut => Termination::TimedOut,
                WorkerEnd::Answered(code) => Termination::Code(code),
                WorkerEnd::Gone => exit,
                // The next worker is new.
                WorkerEnd::NotBegun => continue,
            };
        }
    }

    /// Keeps the process that runs a job, for who cancels it. Returns true if it was cancelled.
    fn set_leader(&self, token: &Token, leader: Option<Pid>) -> bool {
        let mut state = self.lock();
        state.running.get_mut(token).is_some_and(|running| {
            running.leader = leader;
            running.cancelled
        })
    }

    /// Returns the worker of a slot if it can run the job, or else a new one.
    fn worker_for(
        &self,
        slot: &mut SlotWorker,
        job: &Job,
        argv: &[String],
    ) -> io::Result<WorkerProcess> {
        let mut env = self.environment_of(job);
        // The token is of one attempt; tasks of a worker have none.
        env.retain(|(name, _)| name != SCRATCH);
        let terms = WorkerTerms {
            argv: argv.to_owned(),
            env,
        };
        if let Some(worker) = slot.worker.take() {
            if worker.serves(&terms) {
                return Ok(worker);
            }
            let token = worker.token.clone();
            worker.end();
            self.end_strays(&HashSet::from([token]));
        }
        slot.gpus = self.gpus_of(job);
        WorkerProcess::start(terms, self.variable, &job.token.run)
    }
}

/// Worker of a slot between two jobs.
#[derive(Default)]
pub(super) struct SlotWorker {
    worker: Option<WorkerProcess>,
    /// GPUs that it was started with.
    gpus: Option<String>,
}
