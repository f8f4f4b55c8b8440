//! From effects to jobs: which attempts are started, when, and with what.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{TaskProgram, directory};
use super::reports::row;
use super::{Driver, DriverError};
use crate::engine::{Effect, TaskInput, TaskResult, file};
use crate::exec::{Adoption, Job, SCRATCH, now};
use crate::plan::PlannedMethod;
use crate::store::{CacheLookup, Commit};
use crate::task::{Attempt, Fact, Limits, TaskId, Usage};

/// Longest wait for the next attempt, whatever the clock shows after a crash.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

impl<P: TaskProgram> Driver<P> {
    /// Looks for every attempt that an earlier engine submitted: adopts those that run or ran,
    /// starts the others. `started`: those that the earlier engine saw start.
    pub(super) async fn adopt_or_start(
        &mut self,
        started: &BTreeMap<TaskId, i64>,
    ) -> (Vec<Fact>, Commit) {
        let mut start = Vec::new();
        let outstanding = self.engine.outstanding();
        for (partition, jobs) in self.jobs(&outstanding) {
            let Some(executor) = self.context.executors.get_mut(&partition) else {
                continue;
            };
            let found = executor.find(&jobs);
            for (Job { token, .. }, found) in jobs.into_iter().zip(found) {
                match found {
                    Adoption::NotStarted => start.push((token.task, token.attempt)),
                    Adoption::Adopted => {
                        let seen_before = started.get(&token.task).copied();
                        self.order
                            .adopt(&partition, token.task, token.attempt, seen_before);
                    }
                }
            }
        }
        // In order of submission again, across partitions.
        start.sort_unstable();
        start.retain(|(task, attempt)| match self.engine.not_before(*task) {
            Some(not_before) => !self.is_put_off(*task, *attempt, not_before),
            None => true,
        });
        self.submit(start).await
    }

    /// Performs effects; returns the facts of cache hits, and what is to be committed with them.
    pub(super) async fn perform(&mut self, effects: &[Effect]) -> (Vec<Fact>, Commit) {
        let (mut submit, mut cancel) = (Vec::new(), Vec::new());
        for effect in effects {
            match *effect {
                Effect::Submit { task, attempt } => submit.push((task, attempt)),
                Effect::SubmitLater {
                    task,
                    attempt,
                    not_before,
                } => {
                    if !self.is_put_off(task, attempt, not_before) {
                        submit.push((task, attempt));
                    }
                }
                Effect::Cancel { task, attempt } => {
                    self.order.end(task);
                    cancel.push(self.token(task, attempt));
                }
                Effect::End => tracing::info!("the run has ended"),
            }
        }
        if !cancel.is_empty() {
            for executor in self.context.executors.values_mut() {
                executor.cancel(&cancel);
            }
        }
        self.submit(submit).await
    }

    /// Starts attempts, except those whose result is in a table or in the cache: returns these as
    /// facts, with what is to be committed with them.
    pub(super) async fn submit(&mut self, attempts: Vec<(TaskId, Attempt)>) -> (Vec<Fact>, Commit) {
        let (mut hits, mut commit) = (Vec::new(), Commit::default());
        if self.draining.is_some() {
            return (hits, commit);
        }
        let mut start = Vec::new();
        for (task, attempt) in attempts {
            if let Some(end) = self.look_up_in_table(task, attempt, &mut commit) {
                hits.push(end);
                continue;
            }
            let hit = match attempt {
                1 => self.look_up(task, &mut commit).await,
                _ => None,
            };
            match hit {
                Some(fact) => hits.push(fact),
                None => start.push((task, attempt)),
            }
        }
        let start = self.in_order(start);
        for (partition, jobs) in self.jobs(&start) {
            if let Some(executor) = self.context.executors.get_mut(&partition) {
                executor.submit(jobs);
            }
        }
        (hits, commit)
    }

    /// Looks the result of a task up among those of the earlier run and in the cache; returns the
    /// hit as a fact.
    pub(super) async fn look_up(&mut self, task: TaskId, commit: &mut Commit) -> Option<Fact> {
        if self.cache.is_none() && self.inherited.is_none() {
            return None;
        }
        let input = self.engine.input(task)?.0;
        let method = self.engine.method_of(task)?;
        let found = match &mut self.inherited {
            Some(inherited) => {
                let smiles = &input.simulation()?.request.smiles;
                inherited.find(method, smiles).await
            }
            None => None,
        };
        let found = match (found, &mut self.cache) {
            (Some(found), _) => found,
            (None, None) => return None,
            (None, Some(cache)) => {
                let key = cache.key(method, input.simulation()?)?;
                let json = serde_json::to_string(&key).unwrap_or_default();
                commit.lookups.push(CacheLookup {
                    task,
                    parts: json,
                    at: now(),
                });
                cache.find(&key).await?
            }
        };
        let TaskResult {
            outcome,
            simulation,
            ..
        } = input.answer(found)?;
        commit.simulations.extend(simulation.map(|s| row(task, s)));
        Some(Fact::Cached { task, outcome })
    }

    /// Returns the end of an attempt whose method looks results up in a table, which takes no
    /// process; None for any other method.
    fn look_up_in_table(
        &self,
        task: TaskId,
        attempt: Attempt,
        commit: &mut Commit,
    ) -> Option<Fact> {
        self.planned_method(task)?
            .qc_engine()?
            .simulator()
            .looks_up()
            .then_some(())?;
        let (input, _) = self.engine.input(task)?;
        let TaskResult {
            outcome,
            simulation,
            ..
        } = input.looked_up()?;
        commit.simulations.extend(simulation.map(|s| row(task, s)));
        Some(Fact::Ended {
            task,
            attempt,
            usage: Usage::default(),
            outcome,
        })
    }

    /// Starts the attempts whose backoff is over.
    pub(super) async fn start_due(&mut self) -> Result<(), DriverError> {
        let rest = self
            .later
            .split_off(&(Instant::now(), TaskId(u64::MAX), Attempt::MAX));
        let due = std::mem::replace(&mut self.later, rest).into_iter();
        let due = due.map(|(_, task, attempt)| (task, attempt));
        let live = due.filter(|(task, attempt)| self.engine.awaits(*task, *attempt));
        let (found, commit) = self.submit(live.collect()).await;
        self.take(found, commit).await
    }

    /// Returns true if an attempt has to wait until `not_before`, milliseconds since the Unix
    /// epoch; it is started then.
    pub(super) fn is_put_off(&mut self, task: TaskId, attempt: Attempt, not_before: i64) -> bool {
        let wait = not_before.saturating_sub(now()).max(0).cast_unsigned();
        let wait = Duration::from_millis(wait).min(LONGEST_WAIT);
        !wait.is_zero() && self.later.insert((Instant::now() + wait, task, attempt))
    }

    /// Adds attempts to those that wait, and returns the ones to submit now: in a batch job that
    /// has an end, as many as there is room and time for.
    pub(super) fn in_order(&mut self, attempts: Vec<(TaskId, Attempt)>) -> Vec<(TaskId, Attempt)> {
        let Some((begin, time)) = self.job else {
            return attempts;
        };
        for (task, attempt) in attempts {
            if let Some(method) = self.planned_method(task) {
                let partition = method.partition_name.clone();
                self.order.wait(&partition, task, attempt);
            }
        }
        let at = begin.elapsed();
        let mut order = std::mem::take(&mut self.order);
        let executors = self.context.executors.iter();
        let submitted = executors.flat_map(|(partition, executor)| {
            order.submit(partition, executor.slots(), |task| {
                time.allows(
                    at,
                    self.limits(task)
                        .map_or(Duration::ZERO, |limits| limits.expected),
                )
            })
        });
        let submitted = submitted.collect();
        self.order = order;
        submitted
    }

    /// Returns the jobs of attempts that are live, by partition, in order.
    pub(super) fn jobs(&self, attempts: &[(TaskId, Attempt)]) -> BTreeMap<String, Vec<Job>> {
        let mut jobs: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        for (task, attempt) in attempts {
            if let Some((partition, job)) = self.job(*task, *attempt) {
                jobs.entry(partition).or_default().push(job);
            }
        }
        jobs
    }

    /// Returns partition and job of an attempt; None if its task has ended.
    pub(super) fn job(&self, task: TaskId, attempt: Attempt) -> Option<(String, Job)> {
        let method = self.planned_method(task)?;
        let (mut input, files) = self.engine.input(task)?;
        if let TaskInput::Simulate(input) = &mut input {
            input.launch.clone_from(&method.launch);
        }
        let input = serde_json::to_vec(&input).ok()?;
        let token = self.token(task, attempt);
        let mut env: Vec<_> = method.environment.variables().collect();
        env.push((SCRATCH.to_owned(), self.context.scratch.told(&token)));
        let job = Job {
            token,
            argv: self.program.argv(),
            env,
            dir: directory(&self.context.run_dir, task, attempt),
            files: vec![(file::INPUT.to_owned(), input)],
            links: files
                .into_iter()
                .map(|(file, name)| (self.files.path(&file), name))
                .collect(),
            result: file::RESULT,
            limits: self.limits(task)?,
            shape: method.launch.as_ref().map(|launch| launch.shape.clone()),
            worker: self.program.worker().filter(|_| method.is_warm()),
        };
        Some((method.partition_name.clone(), job))
    }

    pub(super) fn planned_method(&self, task: TaskId) -> Option<&PlannedMethod> {
        self.context.methods.get(self.engine.method_of(task)?)
    }

    /// Returns the limits of a live task; its expected time follows from those that its method took
    /// so far.
    pub(super) fn limits(&self, task: TaskId) -> Option<Limits> {
        let PlannedMethod { name, limits, .. } = self.planned_method(task)?;
        Some(self.durations.limits(name, *limits))
    }
}
