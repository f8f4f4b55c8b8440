//! The engine: two loops, as one function from events to records and effects.
//!
//! `Engine::handle` is synchronous and has no clock, no I/O and no random source: the same events in the same order
//! give the same state, which is how a run is resumed. `driver` performs the effects.

mod attempt;
mod config;
mod consumer;
mod driver;
mod durations;
mod earlier;
mod generator;
mod input;
mod janitor;
mod queue;
mod step;
mod turns;

pub use attempt::{Files, Program, TaskRun};
pub use config::{Config, GeometryStep, LearnStage, SimulateStage};
pub use driver::{Drawn, Driver, DriverError, Ending, Site, StageSite, Watch};
pub use earlier::Earlier;
pub use input::{SimulateInput, TaskInput, TaskResult, file, stream};
pub use queue::CandidateQueue;
pub use step::{Effect, Step};

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::simulate::atomic_reference_smiles;
use crate::spec::campaign::Schedule;
use crate::task::{
    Attempt, Candidate, EndState, Event, Fact, Failure, FailureKind, FileRef, IllegalEvent,
    Outcome, Record, Retries, StoppedBy, TaskEvent, TaskId, TaskState, Usage,
};

use generator::Generator;

/// Evaluations that must have ended before the share of failures is judged.
const FAILURES_JUDGED_FROM: usize = 10;

/// The live state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    config: Config,
    phase: Phase,
    stopping: Option<StoppedBy>,
    last_task: u64,
    /// Tasks that have not ended.
    live: BTreeMap<TaskId, Live>,
    /// Total energies of the free atoms, hartree, by element.
    references: BTreeMap<String, f64>,
    initial: Vec<String>,
    reserve: Vec<String>,
    queue: CandidateQueue,
    /// Molecules that must not be proposed: queued, in flight, measured or failed.
    known: HashSet<String>,
    /// Molecules measured, in order of arrival.
    measured: Vec<Measured>,
    /// Molecules that failed for good.
    quarantined: HashSet<String>,
    /// Results that an earlier run had.
    cached: usize,
    /// Evaluations that are submitted and have not ended.
    simulations: usize,
    /// Candidates that left the queue for evaluation.
    searched: usize,
    incumbent: Option<Incumbent>,
    generator: Generator,
}

/// A molecule with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub task: TaskId,
    pub smiles: String,
    /// Value of the objective, hartree.
    pub value: f64,
}

/// The best measured molecule so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Incumbent {
    pub smiles: String,
    pub value: f64,
    task: TaskId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    References,
    Initial,
    Loops,
    Ended(StoppedBy),
}

#[derive(Clone, Debug, PartialEq)]
struct Live {
    state: TaskState,
    work: Work,
    /// Before this the present attempt must not start, milliseconds since the Unix epoch.
    not_before: Option<i64>,
}

/// What a task is for, with all that its input is made of.
#[derive(Clone, Debug, PartialEq)]
enum Work {
    Reference {
        element: String,
    },
    /// The first of the two steps of an evaluation whose level has two.
    Relax(Candidate),
    Evaluate {
        candidate: Candidate,
        /// In the XYZ format, from the first step if there are two.
        geometry: Option<String>,
    },
    Train {
        measured: usize,
    },
    Generate {
        model: FileRef,
        starts: Vec<String>,
        epsilon_at_least: Option<f64>,
    },
    Screen {
        model: FileRef,
        candidates: FileRef,
        incumbent: Option<f64>,
    },
}

/// Counts for people who watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub evaluations: usize,
    pub asked_for: usize,
    /// Molecules that failed for good.
    pub failures: usize,
    /// Results that an earlier run had.
    pub cached: usize,
    pub batches: u32,
    pub queued: usize,
    pub newest_batch: Option<u32>,
    pub in_flight: usize,
    pub incumbent: Option<Incumbent>,
    pub phase: &'static str,
    /// Tasks that have ended, of every kind.
    pub ended: u64,
}

impl Engine {
    pub fn new(config: Config) -> Self {
        let queue = CandidateQueue::new(config.select.max(2 * config.parallel));
        Self {
            config,
            queue,
            phase: Phase::Fresh,
            stopping: None,
            last_task: 0,
            live: BTreeMap::new(),
            references: BTreeMap::new(),
            initial: Vec::new(),
            reserve: Vec::new(),
            known: HashSet::new(),
            measured: Vec::new(),
            quarantined: HashSet::new(),
            cached: 0,
            simulations: 0,
            searched: 0,
            incumbent: None,
            generator: Generator::default(),
        }
    }

    /// Takes in one fact. An event that the state does not allow changes nothing.
    pub fn handle(&mut self, event: &Event) -> Result<Step, IllegalEvent> {
        let mut step = Step::default();
        let went_on = self.stopping.is_none();
        match &event.fact {
            Fact::Began { initial, reserve } => self.begin(initial, reserve, &mut step),
            Fact::Ended {
                task,
                attempt,
                usage,
                outcome,
            } => self.ended(*task, *attempt, *usage, outcome, event.at, &mut step)?,
            Fact::Cached { task, outcome } => {
                let attempt = self.live.get(task).and_then(Live::attempt).unwrap_or(1);
                let usage = Usage::default();
                self.ended(*task, attempt, usage, outcome, event.at, &mut step)?;
                step.records.insert(0, Record::Cached { task: *task });
                self.cached += 1;
            }
            Fact::Resumed => {}
            Fact::SettingsChanged { stop, .. } => {
                if let Ok(stop) = serde_json::from_value(stop.clone()) {
                    self.config.stop = stop;
                }
            }
            Fact::StateLost => self.generator.forget_saved(),
            Fact::TimeIsUp => self.stopping = self.stopping.or(Some(StoppedBy::WallTime)),
        }
        self.advance(&mut step);
        if let (true, Some(stopped_by)) = (went_on, self.stopping) {
            self.cancel_pointless(stopped_by, &mut step);
        }
        self.end_if_due(&mut step);
        Ok(step)
    }

    /// Attempts that are journalled and have not ended: what a resumed run must look for.
    pub fn outstanding(&self) -> Vec<(TaskId, Attempt)> {
        self.live
            .iter()
            .filter_map(|(id, live)| Some((*id, live.attempt()?)))
            .collect()
    }

    /// Whether the end of this attempt would be news.
    pub fn awaits(&self, task: TaskId, attempt: Attempt) -> bool {
        self.live
            .get(&task)
            .is_some_and(|live| live.attempt() == Some(attempt))
    }

    /// Before when the present attempt of a live task must not start, milliseconds since the Unix epoch.
    pub fn not_before(&self, task: TaskId) -> Option<i64> {
        self.live.get(&task)?.not_before
    }

    /// Name of the stage of a live task.
    pub fn stage_of(&self, task: TaskId) -> Option<&str> {
        self.live.get(&task).map(|live| self.stage(&live.work).0)
    }

    /// The files that a resumed run can need: the generator has one task at a time, and no other task reads any.
    pub fn live_files(&self) -> BTreeSet<FileRef> {
        self.generator.files().cloned().collect()
    }

    pub fn is_ended(&self) -> bool {
        self.stopped_by().is_some()
    }

    /// Why the run ended, once it has.
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        match self.phase {
            Phase::Ended(stopped_by) => Some(stopped_by),
            Phase::Fresh | Phase::References | Phase::Initial | Phase::Loops => None,
        }
    }

    /// Molecules measured so far, in order of arrival.
    pub fn measured(&self) -> &[Measured] {
        &self.measured
    }

    /// The saved agent, if there is one.
    pub fn agent(&self) -> Option<&FileRef> {
        self.generator.agent()
    }

    /// The best measured molecule so far, and its value, hartree.
    pub fn incumbent(&self) -> Option<(&str, f64)> {
        let best = self.incumbent.as_ref()?;
        Some((&best.smiles, best.value))
    }

    /// The number of the last task that was created; 0 if none was.
    pub fn last_task(&self) -> u64 {
        self.last_task
    }

    /// Whether nothing has happened yet.
    pub fn is_fresh(&self) -> bool {
        self.phase == Phase::Fresh
    }

    pub fn progress(&self) -> Progress {
        Progress {
            evaluations: self.evaluations(),
            asked_for: self.initial.len() + self.config.stop.evaluations,
            failures: self.quarantined.len(),
            cached: self.cached,
            batches: self.generator.pushed(),
            queued: self.queue.len(),
            newest_batch: self.queue.newest_batch(),
            in_flight: self.simulations,
            incumbent: self.incumbent.clone(),
            phase: match self.phase {
                Phase::Fresh | Phase::References => "atomic references",
                Phase::Initial => "initial molecules",
                Phase::Loops if self.queue.is_empty() && self.simulations == 0 => {
                    "waiting for the generator"
                }
                Phase::Loops => "searching",
                Phase::Ended(_) => "ended",
            },
            ended: self.last_task - self.live.len() as u64,
        }
    }

    /// Molecules whose evaluation ended, computed or failed for good.
    fn evaluations(&self) -> usize {
        self.measured.len() + self.quarantined.len()
    }

    fn begin(&mut self, initial: &[String], reserve: &[String], step: &mut Step) {
        self.initial = initial.to_vec();
        self.reserve = reserve.iter().rev().cloned().collect();
        self.phase = Phase::References;
        for smiles in atomic_reference_smiles(&self.config.elements) {
            let element = smiles.trim_matches(['[', ']']).to_owned();
            self.submit(Work::Reference { element }, step);
        }
    }

    /// Creates a task and has its first attempt started.
    fn submit(&mut self, work: Work, step: &mut Step) {
        self.last_task += 1;
        self.submit_as(TaskId(self.last_task), work, step);
    }

    fn submit_as(&mut self, task: TaskId, work: Work, step: &mut Step) {
        let (smiles, batch) = match &work {
            Work::Reference { element } => (Some(format!("[{element}]")), None),
            Work::Relax(c) | Work::Evaluate { candidate: c, .. } => {
                (Some(c.smiles.clone()), Some(c.batch))
            }
            Work::Train { .. } | Work::Generate { .. } | Work::Screen { .. } => {
                (None, Some(self.generator.batch()))
            }
        };
        step.records.push(Record::TaskCreated {
            task,
            stage: self.stage(&work).0.to_owned(),
            smiles,
            batch,
        });
        if let Work::Relax(c) | Work::Evaluate { candidate: c, .. } = &work {
            step.records.push(Record::Evaluating {
                batch: c.batch,
                rank: c.rank,
                task,
            });
        }
        step.effects.push(Effect::Submit { task, attempt: 1 });
        self.live.insert(
            task,
            Live {
                state: TaskState::first(),
                work,
                not_before: None,
            },
        );
    }

    /// Name of the stage that `work` belongs to, and its retries.
    fn stage(&self, work: &Work) -> (&str, &Retries) {
        let c = &self.config;
        match work {
            Work::Reference { .. } => (&c.references.stage, &c.references.retries),
            Work::Relax(candidate) => {
                let stage = self.evaluation(candidate);
                let first = stage.geometry.as_ref();
                first.map_or((&stage.stage, &stage.retries), |g| (&g.stage, &g.retries))
            }
            Work::Evaluate { candidate, .. } => {
                let stage = self.evaluation(candidate);
                (&stage.stage, &stage.retries)
            }
            Work::Train { .. } => (&c.train.stage, &c.train.retries),
            Work::Generate { .. } => (&c.generate.stage, &c.generate.retries),
            Work::Screen { .. } => (&c.screen.stage, &c.screen.retries),
        }
    }

    fn ended(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        usage: Usage,
        outcome: &Outcome,
        at: i64,
        step: &mut Step,
    ) -> Result<(), IllegalEvent> {
        let unknown = Live {
            state: TaskState::Succeeded,
            work: Work::Train { measured: 0 },
            not_before: None,
        };
        let live = self.live.get(&task).unwrap_or(&unknown);
        let retries = self.stage(&live.work).1;
        let failure = self.failure(&live.work, outcome);
        let event = match &failure {
            Some(failure) => TaskEvent::Failed {
                attempt,
                kind: failure.kind,
                retries: retries.clone(),
            },
            None => TaskEvent::Succeeded { attempt },
        };
        let state = live.state.next(&event)?;
        step.records
            .extend(failure.clone().map(|failure| Record::AttemptFailed {
                task,
                attempt,
                failure,
            }));
        if let (TaskState::Submitted { attempt, .. }, Some(failure)) = (&state, &failure) {
            step.records.push(Record::TaskAgain {
                task,
                attempt: *attempt,
                failure: failure.clone(),
            });
            let attempt = *attempt;
            let wait = retries.wait(attempt as usize - 1).as_millis() as i64;
            let not_before = (wait > 0).then(|| at.saturating_add(wait));
            step.effects.push(match not_before {
                None => Effect::Submit { task, attempt },
                Some(not_before) => Effect::SubmitLater {
                    task,
                    attempt,
                    not_before,
                },
            });
            if let Some(live) = self.live.get_mut(&task) {
                live.state = state;
                live.not_before = not_before;
            }
            return Ok(());
        }
        let Some(Live { work, .. }) = self.live.remove(&task) else {
            return Ok(());
        };
        let state = if failure.is_none() {
            EndState::Succeeded
        } else {
            EndState::Failed
        };
        let answer = if failure.is_none() {
            Some(outcome)
        } else {
            None
        };
        step.records.push(Record::TaskEnded {
            task,
            state,
            failure,
            usage,
        });
        match work {
            Work::Reference { element } => self.reference_ended(element, answer, step),
            Work::Relax(candidate) => self.first_step_ended(task, candidate, answer, step),
            Work::Evaluate { candidate, .. } => {
                self.evaluation_ended(task, candidate, answer, step)
            }
            work @ (Work::Train { .. } | Work::Generate { .. } | Work::Screen { .. }) => {
                self.generator_task_ended(work, answer, step)
            }
        }
        Ok(())
    }

    /// Why `outcome` is no answer to `work`.
    fn failure(&self, work: &Work, outcome: &Outcome) -> Option<Failure> {
        let unreadable = |message: &str| {
            Some(Failure {
                kind: FailureKind::Unreadable,
                message: message.to_owned(),
            })
        };
        match (work, outcome) {
            (_, Outcome::Failed(failure)) => Some(failure.clone()),
            (Work::Evaluate { .. }, Outcome::Simulated { .. })
                if self.energy(outcome).is_none() =>
            {
                unreadable(
                    "the energy is not a number, or an element of the molecule has no reference",
                )
            }
            (Work::Reference { .. } | Work::Evaluate { .. }, Outcome::Simulated { .. })
            | (Work::Relax(_), Outcome::Relaxed { .. })
            | (Work::Train { .. }, Outcome::Trained { .. })
            | (Work::Generate { .. }, Outcome::Generated { .. })
            | (Work::Screen { .. }, Outcome::Screened { .. }) => None,
            _ => unreadable("the result is not of the kind that was asked for"),
        }
    }

    fn reference_ended(&mut self, element: String, answer: Option<&Outcome>, step: &mut Step) {
        match answer {
            Some(Outcome::Simulated {
                total_energy_hartree,
                ..
            }) => {
                let total_energy_hartree = *total_energy_hartree;
                step.records.push(Record::Reference {
                    element: element.clone(),
                    total_energy_hartree,
                });
                self.references.insert(element, total_energy_hartree);
            }
            _ => self.stopping = self.stopping.or(Some(StoppedBy::References)),
        }
    }

    /// Does all that the present state allows: changes phase, fills slots, starts the generator, ends the run.
    fn advance(&mut self, step: &mut Step) {
        if self.stopping.is_none() && self.phase == Phase::References && self.live.is_empty() {
            self.phase = Phase::Initial;
            let initial = self.initial.clone();
            for (rank, smiles) in (0..).zip(initial) {
                self.evaluate_initial(smiles, rank, step);
            }
        }
        if self.stopping.is_none() && self.phase == Phase::Initial {
            if self.live.is_empty() {
                self.leave_initial(step);
            } else if self.config.schedule == Schedule::Interleaved {
                // An engine that is broken must not be asked for all of them.
                self.stopping = self.failed_too_often();
            }
        }
        if self.phase == Phase::Loops {
            self.stopping = self.stopping.or_else(|| self.reason_to_stop());
            if self.stopping.is_none() {
                self.consume(step);
                self.generate(step);
            }
        }
    }

    /// Takes a molecule from the reserve; one that has failed meanwhile is none.
    fn draw(&mut self) -> Option<String> {
        let (reserve, quarantined) = (&mut self.reserve, &self.quarantined);
        std::iter::from_fn(|| reserve.pop()).find(|smiles| !quarantined.contains(smiles))
    }

    /// From the initial molecules to the loops; while none could be computed, one more is drawn.
    fn leave_initial(&mut self, step: &mut Step) {
        self.stopping = self.failed_too_often();
        if self.stopping.is_some() {
            return;
        }
        if !self.measured.is_empty() {
            self.phase = Phase::Loops;
        } else if let Some(smiles) = self.draw() {
            let rank = self.initial.len() as u32;
            self.initial.push(smiles.clone());
            self.evaluate_initial(smiles, rank, step);
        } else {
            self.stopping = Some(StoppedBy::NothingComputed);
        }
    }

    fn failed_too_often(&self) -> Option<StoppedBy> {
        let ended = self.evaluations();
        let limit = self.config.stop.failure_share * ended as f64;
        (ended >= FAILURES_JUDGED_FROM && self.quarantined.len() as f64 > limit)
            .then_some(StoppedBy::FailureShare)
    }

    /// A reason to take nothing more on. With `schedule: batch` only looked for between batches, so that the number of
    /// slots cannot decide what was computed.
    fn reason_to_stop(&self) -> Option<StoppedBy> {
        if !self.may_judge() {
            return None;
        }
        let stop = &self.config.stop;
        let reached = |target| self.incumbent.as_ref().is_some_and(|i| i.value <= target);
        if let Some(reason) = self.failed_too_often() {
            Some(reason)
        } else if stop.target.is_some_and(reached) {
            Some(StoppedBy::Target)
        } else if stop
            .stale_batches
            .is_some_and(|limit| self.generator.stale() >= limit)
        {
            Some(StoppedBy::StaleBatches)
        } else if self.searched >= stop.evaluations {
            Some(StoppedBy::Evaluations)
        } else if self.generator.barren() >= stop.barren_batches
            && self.queue.is_empty()
            && self.simulations == 0
        {
            Some(self.generator.why_barren())
        } else {
            None
        }
    }

    /// The moment from which on nothing more is taken on: cancels what cannot matter any more.
    fn cancel_pointless(&mut self, stopped_by: StoppedBy, step: &mut Step) {
        let at_once = !matches!(
            stopped_by,
            StoppedBy::Evaluations
                | StoppedBy::Target
                | StoppedBy::StaleBatches
                | StoppedBy::BarrenBatches
        );
        let pointless: Vec<TaskId> = self
            .live
            .iter()
            .filter(|(_, live)| at_once || !live.work.is_of_a_candidate())
            .map(|(id, _)| *id)
            .collect();
        for task in pointless {
            self.cancel(task, step);
        }
    }

    /// Once nothing more is taken on and all that matters has been awaited: ends the run.
    fn end_if_due(&mut self, step: &mut Step) {
        let Some(stopped_by) = self.stopping else {
            return;
        };
        if self.is_ended() || !self.live.is_empty() {
            return;
        }
        for left in std::iter::from_fn(|| self.queue.pop()) {
            step.records.push(Record::Superseded {
                batch: left.batch,
                rank: left.rank,
            });
        }
        self.phase = Phase::Ended(stopped_by);
        step.records.push(Record::RunEnded { stopped_by });
        step.effects.push(Effect::End);
    }

    fn cancel(&mut self, task: TaskId, step: &mut Step) {
        let Some(live) = self.live.remove(&task) else {
            return;
        };
        step.effects.extend(
            live.attempt()
                .map(|attempt| Effect::Cancel { task, attempt }),
        );
        let usage = Usage::default();
        step.records.push(Record::TaskEnded {
            task,
            state: EndState::Cancelled,
            failure: None,
            usage,
        });
        match live.work {
            Work::Relax(c) | Work::Evaluate { candidate: c, .. } => {
                self.simulations -= 1;
                self.known.remove(&c.smiles);
                step.records.push(Record::EvaluationCancelled {
                    batch: c.batch,
                    rank: c.rank,
                });
            }
            Work::Train { .. } | Work::Generate { .. } | Work::Screen { .. } => {
                self.generator.forget_batch()
            }
            Work::Reference { .. } => {}
        }
    }
}

impl Work {
    fn is_of_a_candidate(&self) -> bool {
        matches!(self, Self::Relax(_) | Self::Evaluate { .. })
    }
}

impl Live {
    fn attempt(&self) -> Option<Attempt> {
        match self.state {
            TaskState::Submitted { attempt, .. } => Some(attempt),
            TaskState::Succeeded | TaskState::Failed(_) | TaskState::Cancelled => None,
        }
    }
}
