//! The one place that awaits: takes in reports, commits what they change, then performs the effects.

mod attempt;
mod durations;
mod earlier;
mod janitor;
mod reports;
mod submit;
mod turns;

pub use attempt::{Files, Program, TaskRun};
pub use earlier::Earlier;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use attempt::directory;
use durations::Durations;
use janitor::Janitor;
use turns::{JobTime, Turns};

use crate::engine::{Engine, Progress};
use crate::exec::{Executor, Exit, Report, Scratch, Secrets, now};
use crate::store::{Commit, Store, StoreError};
use crate::task::{
    Attempt, Event, Fact, HostFault, IllegalEvent, Launch, Outcome, StoppedBy, TaskId, Token, Usage,
};

/// How often those who watch are told.
const TICK: Duration = Duration::from_millis(200);

/// Further attempts at a free atom, on which everything depends: where four attempts in ten fail, as with xtb 6.5.1, one run in
/// 90 million ends because of it.
const ATOM_RETRIES: u32 = 19;

/// Drives an engine until the run has ended or is interrupted.
pub struct Driver<P> {
    engine: Engine,
    store: Store,
    site: Site,
    reports: UnboundedReceiver<Report>,
    program: P,
    files: Files,
    janitor: Janitor,
    /// Failed attempts, whose directories are kept.
    failed: BTreeSet<(TaskId, Attempt)>,
    /// When the wall time of the campaign is over, by `now`.
    deadline: Option<i64>,
    /// Why nothing new is begun, once that is so.
    draining: Option<Ending>,
    /// The fault of the host for which the run has to stop.
    halted: Option<Halt>,
    /// What is to be journalled once the run goes on: settings that were changed.
    changed: Option<Fact>,
    durations: Durations,
    /// Of the batch job, if the engine is in one that has an end.
    job: Option<(Instant, JobTime)>,
    turns: Turns,
    /// Attempts whose time has not come.
    later: BTreeSet<(Instant, TaskId, Attempt)>,
    earlier: Option<Earlier>,
    /// What no message may hold.
    secrets: Secrets,
}

/// A stop because of the host.
struct Halt {
    fault: HostFault,
    why: String,
    /// Whether the engine knows of facts that the journal could not take: then nothing may follow them.
    is_ahead: bool,
}

/// Molecules drawn from the source of the search space for a new run, canonical SMILES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    pub initial: Vec<String>,
    pub reserve: Vec<String>,
}

/// Where the tasks of a run go.
pub struct Site {
    /// Random name of the run.
    pub run: String,
    pub run_dir: PathBuf,
    pub stages: BTreeMap<String, StageSite>,
    /// Where the programs of tasks keep temporary files.
    pub scratch: Scratch,
    /// By partition.
    pub executors: BTreeMap<String, Box<dyn Executor>>,
    /// What is left of the batch job that the engine runs in.
    pub time: Option<Duration>,
}

/// How the tasks of a stage are run.
#[derive(Clone, Debug)]
pub struct StageSite {
    pub partition: String,
    pub timeout: Duration,
    pub env: Vec<(String, String)>,
    /// How its MPI programs are started.
    pub launch: Option<Launch>,
}

/// Why a driver returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Ended(StoppedBy),
    /// By the person at the terminal; `resume` goes on.
    Interrupted,
    /// Nothing more can be done in the time of the batch job; its continuation goes on.
    JobOver,
    /// No node is left on which tasks of some partition could run.
    NodesLost,
}

/// Those who watch a run.
pub trait Watch {
    /// `slots`: partition, busy, all.
    fn tell(&mut self, progress: &Progress, slots: &[(String, usize, usize)]);
    /// Nothing new is started, what runs is waited for: why.
    fn draining(&mut self, _why: Ending) {}
    /// The host refuses something: nothing new is started, what runs is waited for.
    fn halted(&mut self, _fault: HostFault) {}
    /// Something may still run although the run has ended or stopped: a sentence that says what, and how to end it.
    fn left_behind(&mut self, _what: &str) {}
}

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the journal holds a fact that cannot have happened (fact {seq})")]
    Journal {
        seq: i64,
        #[source]
        source: IllegalEvent,
    },
    #[error("{fault}, and the run in {} has stopped: {why}", path.display())]
    Host {
        path: PathBuf,
        fault: HostFault,
        why: String,
    },
    #[error("{} is missing or damaged", path.display())]
    State { path: PathBuf },
    #[error("could not read what the run in {} has saved", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write below {}", path.display())]
    Files {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl<P: Program> Driver<P> {
    /// A driver for a run whose database may already hold a journal. `wall_time` is how long the run may be at work.
    pub async fn new(
        mut engine: Engine,
        mut store: Store,
        site: Site,
        reports: UnboundedReceiver<Report>,
        program: P,
        wall_time: Option<Duration>,
    ) -> Result<Self, DriverError> {
        let mut worked = Worked::default();
        let mut failed = BTreeSet::new();
        let mut durations = Durations::default();
        let mut illegal = None;
        store
            .replay(|seq, event| {
                worked.add(&event);
                record(&mut durations, &engine, &event);
                failed.extend(failed_attempt(&event.fact));
                if let (None, Err(source)) = (&illegal, engine.handle(&event)) {
                    illegal = Some(DriverError::Journal { seq, source });
                }
            })
            .await?;
        if let Some(error) = illegal {
            return Err(error);
        }
        let path = site.run_dir.clone();
        let files = Files::open(&path).map_err(|source| DriverError::Files {
            path: path.clone(),
            source,
        })?;
        let live = engine.live_files();
        let damaged = files.damaged(&live).map_err(|source| DriverError::Read {
            path: path.clone(),
            source,
        })?;
        if let Some(file) = damaged.first() {
            let path = files.path(file);
            return Err(DriverError::State { path });
        }
        let left = wall_time.map(|limit| limit.saturating_sub(worked.time));
        Ok(Self {
            deadline: left.map(|left| now().saturating_add(left.as_millis() as i64)),
            janitor: Janitor::start(path.join("tasks")),
            failed,
            draining: None,
            changed: None,
            halted: None,
            durations,
            job: site.time.map(|time| (Instant::now(), JobTime(time))),
            turns: Turns::default(),
            later: BTreeSet::new(),
            earlier: None,
            secrets: Secrets::default(),
            engine,
            store,
            site,
            reports,
            program,
            files,
        })
    }

    /// The same with the answers of earlier runs.
    pub fn with_earlier(self, earlier: Earlier) -> Self {
        Self {
            earlier: Some(earlier),
            ..self
        }
    }

    /// The same that hides these in what programs say.
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Whether the run has not begun.
    pub fn is_fresh(&self) -> bool {
        self.engine.is_fresh()
    }

    /// Whether the run has ended for good. A run that ended because a free atom was missing can be resumed.
    pub fn is_ended(&self) -> bool {
        let stopped_by = self.engine.stopped_by();
        stopped_by.is_some_and(|stopped_by| stopped_by != StoppedBy::References)
    }

    /// Goes on with settings that were changed.
    pub fn change(&mut self, changed: Option<Fact>) {
        self.changed = changed;
    }

    pub fn progress(&self) -> Progress {
        self.engine.progress()
    }

    /// Begins a new run with its `drawn` molecules, or goes on with an old one, until its end or `interrupts` counts
    /// 1 (nothing new, wait for what runs) or 2 (at once).
    pub async fn run(
        mut self,
        drawn: Drawn,
        mut interrupts: watch::Receiver<u32>,
        watcher: &mut dyn Watch,
    ) -> Result<(Ending, Store), DriverError> {
        if !self.engine.is_fresh() {
            self.end_others();
        }
        if self.engine.is_fresh() {
            let Drawn { initial, reserve } = drawn;
            let begun = Fact::Began {
                initial,
                reserve,
                atom_retries: ATOM_RETRIES,
            };
            self.take(vec![begun], Commit::default()).await?;
        } else if self.engine.stopped_by() == Some(StoppedBy::References) {
            let changed = self.changed.take();
            let facts = [Fact::Resumed].into_iter().chain(changed);
            let facts = facts.chain([Fact::ReferencesAgain]).collect();
            self.take(facts, Commit::default()).await?;
        } else if !self.engine.is_ended() {
            let (found, batch) = self.take_over().await;
            let changed = self.changed.take();
            let facts = [Fact::Resumed].into_iter().chain(changed).chain(found);
            self.take(facts.collect(), batch).await?;
        }
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut was_halted = false;
        loop {
            // An end that the journal could not take is none.
            if let Some(stopped_by) = self.engine.stopped_by()
                && !self.is_ahead()
            {
                watcher.tell(&self.engine.progress(), &self.slots());
                return Ok((Ending::Ended(stopped_by), self.leave(watcher)));
            }
            if self.draining.is_none()
                && let Some(why) = self.reason_to_drain()
            {
                self.drain(why);
                watcher.draining(why);
            }
            if let Some(why) = self.draining
                && self.site.executors.values().all(|e| e.busy() == 0)
                && self.reports.is_empty()
            {
                if let Some(halt) = self.halted {
                    // Nothing is cleared up: the next engine takes in what an attempt left.
                    return Err(halt.error(self.site.run_dir));
                }
                watcher.tell(&self.engine.progress(), &self.slots());
                return Ok((why, self.leave(watcher)));
            }
            if let (false, Some(halt)) = (was_halted, &self.halted) {
                watcher.halted(halt.fault);
                was_halted = true;
            }
            let last_moment = self.job.map(|(begin, time)| begin + time.last_moment());
            let waiting = self.later.first().map(|(due, ..)| *due);
            tokio::select! {
                Some(report) = self.reports.recv() => {
                    let taken = self.take_reports(report).await;
                    self.halt_if_host(taken)?;
                }
                _ = tick.tick() => {
                    watcher.tell(&self.engine.progress(), &self.slots());
                    if self.deadline.take_if(|deadline| *deadline <= now()).is_some() {
                        let taken = self.take(vec![Fact::TimeIsUp], Commit::default()).await;
                        self.halt_if_host(taken)?;
                    }
                }
                Ok(()) = interrupts.changed() => match *interrupts.borrow_and_update() {
                    0 => {}
                    1 => {
                        self.drain(Ending::Interrupted);
                        watcher.draining(Ending::Interrupted);
                    }
                    _ => {
                        watcher.tell(&self.engine.progress(), &self.slots());
                        if let Some(halt) = self.halted {
                            return Err(halt.error(self.site.run_dir));
                        }
                        return Ok((Ending::Interrupted, self.leave(watcher)));
                    }
                },
                () = sleep_until(waiting.unwrap_or_else(Instant::now)), if waiting.is_some() && self.draining.is_none() => {
                    let taken = self.start_due().await;
                    self.halt_if_host(taken)?;
                }
                () = sleep_until(last_moment.unwrap_or_else(Instant::now)), if last_moment.is_some() => {
                    if let Some(halt) = self.halted {
                        return Err(halt.error(self.site.run_dir));
                    }
                    self.give_up().await?;
                    watcher.tell(&self.engine.progress(), &self.slots());
                    return Ok((Ending::JobOver, self.leave(watcher)));
                }
            }
        }
    }

    /// Ends what still runs, deletes what nobody will need again, and hands the database back.
    fn leave(self, watcher: &mut dyn Watch) -> Store {
        let Self {
            engine,
            store,
            site,
            files,
            janitor,
            failed,
            ..
        } = self;
        for (partition, executor) in site.executors {
            for what in executor.end() {
                let what = format!("partition `{partition}`: {what}");
                tracing::error!("{what}");
                watcher.left_behind(&what);
            }
        }
        let outstanding = engine.outstanding().into_iter();
        janitor.leave(&outstanding.chain(failed).collect());
        let run = site.run;
        let outstanding = engine.outstanding().into_iter();
        let keep = outstanding.map(|(task, attempt)| Token {
            run: run.clone(),
            task,
            attempt,
        });
        site.scratch.sweep(&run, &keep.collect::<Vec<_>>());
        if let Err(e) = files.keep_only(&engine.live_files()) {
            tracing::warn!("could not delete a file that is no longer needed: {e}");
        }
        store
    }

    /// Ends processes that an engine left which died after it had journalled that they are of no use any more, and
    /// deletes their temporary files.
    fn end_others(&mut self) {
        let keep: Vec<Token> = self
            .engine
            .outstanding()
            .into_iter()
            .map(|(task, attempt)| self.token(task, attempt))
            .collect();
        for executor in self.site.executors.values_mut() {
            executor.end_others(&self.site.run, &keep);
        }
        self.site.scratch.sweep(&self.site.run, &keep);
    }

    /// Why nothing more can be begun, apart from somebody's wish.
    fn reason_to_drain(&self) -> Option<Ending> {
        if self.site.executors.values().any(|e| e.slots() == 0) {
            Some(Ending::NodesLost)
        } else if self.job.is_some() && self.turns.begun().is_empty() && self.turns.is_waiting() {
            Some(Ending::JobOver)
        } else {
            None
        }
    }

    /// Writes down that the job ended before what still runs.
    async fn give_up(&mut self) -> Result<(), DriverError> {
        self.drain(Ending::JobOver);
        let facts = self.turns.begun().iter().filter_map(|(task, begun)| {
            let read = self
                .read(*task, begun.attempt, &Exit::Walltime, None)
                .ok()?;
            let usage = Usage {
                started: begun.started,
                ..Usage::default()
            };
            Some(Fact::Ended {
                task: *task,
                attempt: begun.attempt,
                usage,
                outcome: read.outcome,
            })
        });
        let facts = facts.collect();
        self.take(facts, Commit::default()).await
    }

    /// Whether the engine knows of facts that the journal could not take.
    fn is_ahead(&self) -> bool {
        self.halted.as_ref().is_some_and(|halt| halt.is_ahead)
    }

    /// Has the run stop in good order if a commit failed because of the host.
    fn halt_if_host(&mut self, taken: Result<(), DriverError>) -> Result<(), DriverError> {
        let Err(error) = taken else {
            return Ok(());
        };
        match &error {
            DriverError::Store(store) if let Some(fault) = store.host_fault() => {
                self.halt(fault, causes(store), true);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn drain(&mut self, why: Ending) {
        self.draining = Some(why);
        for executor in self.site.executors.values_mut() {
            executor.drop_waiting();
        }
    }

    fn slots(&self) -> Vec<(String, usize, usize)> {
        self.site
            .executors
            .iter()
            .map(|(name, e)| (name.clone(), e.busy(), e.slots()))
            .collect()
    }

    /// Handles facts, commits them with all that they change, and only then acts; again, if acting tells new ones.
    async fn take(&mut self, facts: Vec<Fact>, batch: Commit) -> Result<(), DriverError> {
        let mut next = (facts, batch);
        if self.is_ahead() {
            return Ok(());
        }
        while !(next.0.is_empty() && next.1.is_empty()) {
            next = self.take_once(next.0, next.1).await?;
        }
        Ok(())
    }

    async fn take_once(
        &mut self,
        facts: Vec<Fact>,
        mut batch: Commit,
    ) -> Result<(Vec<Fact>, Commit), DriverError> {
        let at = now();
        let mut effects = Vec::new();
        let mut files_changed = false;
        let mut done = Vec::new();
        for fact in facts {
            let event = Event { at, fact };
            record(&mut self.durations, &self.engine, &event);
            if let Fact::Ended { task, .. } = &event.fact {
                self.turns.end(*task);
            }
            match self.engine.handle(&event) {
                Ok(step) => {
                    if let Fact::Ended {
                        task,
                        attempt,
                        outcome,
                        ..
                    } = &event.fact
                    {
                        files_changed |= !outcome.new_files().is_empty();
                        match failed_attempt(&event.fact) {
                            Some(kept) => {
                                self.failed.insert(kept);
                                done.extend(self.site.scratch.here(&self.token(*task, *attempt)));
                            }
                            None => done.push(directory(&self.site.run_dir, *task, *attempt)),
                        }
                    }
                    effects.extend(step.effects);
                    batch.facts.push((event, step.records));
                }
                Err(illegal) => tracing::warn!("ignored: {illegal}"),
            }
        }
        if !batch.is_empty() {
            self.store.commit(&batch).await?;
        }
        let told = self.perform(&effects).await;
        for dir in done {
            self.janitor.remove(dir);
        }
        if files_changed && let Err(e) = self.files.keep_only(&self.engine.live_files()) {
            tracing::warn!("could not delete an agent state that is no longer needed: {e}");
        }
        Ok(told)
    }

    fn token(&self, task: TaskId, attempt: Attempt) -> Token {
        Token {
            run: self.site.run.clone(),
            task,
            attempt,
        }
    }
}

impl Halt {
    fn error(self, path: PathBuf) -> DriverError {
        DriverError::Host {
            path,
            fault: self.fault,
            why: self.why,
        }
    }
}

/// An error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |e| e.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Records how long the attempt took that this event ends.
fn record(durations: &mut Durations, engine: &Engine, event: &Event) {
    if let Fact::Ended {
        task,
        attempt,
        usage,
        outcome,
    } = &event.fact
        && let Some(started) = usage.started
        && engine.awaits(*task, *attempt)
        && let Some(stage) = engine.stage_of(*task)
    {
        let took = event.at.saturating_sub(started).max(0).cast_unsigned();
        durations.add(stage, Duration::from_millis(took), outcome);
    }
}

/// How long a run was at work.
#[derive(Default)]
struct Worked {
    time: Duration,
    last: Option<i64>,
}

impl Worked {
    fn add(&mut self, event: &Event) {
        if let (Some(last), false) = (self.last, event.fact == Fact::Resumed) {
            self.time +=
                Duration::from_millis(event.at.saturating_sub(last).max(0).cast_unsigned());
        }
        self.last = Some(event.at);
    }
}

/// The attempt that failed, if this fact says so.
fn failed_attempt(fact: &Fact) -> Option<(TaskId, Attempt)> {
    match fact {
        Fact::Ended {
            task,
            attempt,
            outcome: Outcome::Failed(_),
            ..
        } => Some((*task, *attempt)),
        Fact::Began { .. }
        | Fact::Ended { .. }
        | Fact::Cached { .. }
        | Fact::Resumed
        | Fact::ReferencesAgain
        | Fact::TimeIsUp
        | Fact::SettingsChanged { .. }
        | Fact::StateLost => None,
    }
}
