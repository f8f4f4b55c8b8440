//! The engine: two loops, as one function from events to records and effects.
//!
//! `Engine::handle` is synchronous and has no clock, no I/O and no random source: the same events
//! in the same order give the same state, so a run is resumed by replaying its journal. The layer
//! `driver` performs the effects.

mod config;
mod consumer;
mod generator;
mod input;
mod progress;
mod queue;
mod step;
mod stop;
mod tasks;

pub use config::{EngineConfig, GeometryStep, LearnStage, SimulateStage};
pub use input::{SimulateInput, TaskInput, TaskResult, file, stream};
pub use progress::{Progress, RunPhase};
pub use step::{Effect, EngineStep};

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::config::campaign::Schedule;
use crate::simulate::atomic_reference_smiles;
use crate::task::{
    Attempt, Event, Fact, FileRef, IllegalEvent, Record, Retries, StoppedBy, TaskId, Usage,
};

use generator::GeneratorLoop;
use queue::CandidateQueue;
use tasks::{LiveTask, TaskSpec};

/// State of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    config: EngineConfig,
    phase: Phase,
    /// Reason for which no more tasks are submitted.
    stopping: Option<StoppedBy>,
    /// Number of the last task created or reserved.
    last_task: u64,
    /// Tasks that have not ended.
    live: BTreeMap<TaskId, LiveTask>,
    /// Total energies of the free atoms, hartree, by element.
    references: BTreeMap<String, f64>,
    /// Retries of the free atoms.
    atom_retries: Retries,
    /// Initial molecules, canonical SMILES.
    initial: Vec<String>,
    /// Replacements and start molecules, the next one last.
    reserve: Vec<String>,
    queue: CandidateQueue,
    /// Molecules that must not be proposed: queued, in flight, evaluated or failed.
    known: HashSet<String>,
    /// Evaluated molecules, in order of arrival.
    evaluated: Vec<EvaluatedMolecule>,
    /// Molecules that failed permanently.
    quarantined: HashSet<String>,
    /// Number of cache hits.
    cached: usize,
    /// Evaluations that are submitted and have not ended.
    simulations: usize,
    /// Candidates that left the queue for evaluation.
    searched: usize,
    incumbent: Option<EvaluatedMolecule>,
    generator: GeneratorLoop,
}

/// A molecule whose objective is known.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedMolecule {
    /// Task that computed its energy.
    pub task: TaskId,
    /// Canonical SMILES.
    pub smiles: String,
    /// Value of the objective, hartree or hartree per atom.
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    References,
    Initial,
    Loops,
    Ended(StoppedBy),
}

impl Engine {
    /// Returns the engine of a run that has not begun.
    pub fn new(config: EngineConfig) -> Self {
        let queue = CandidateQueue::new(config.select.max(2 * config.parallel));
        Self {
            config,
            queue,
            phase: Phase::Fresh,
            stopping: None,
            last_task: 0,
            live: BTreeMap::new(),
            references: BTreeMap::new(),
            atom_retries: Retries::default(),
            initial: Vec::new(),
            reserve: Vec::new(),
            known: HashSet::new(),
            evaluated: Vec::new(),
            quarantined: HashSet::new(),
            cached: 0,
            simulations: 0,
            searched: 0,
            incumbent: None,
            generator: GeneratorLoop::default(),
        }
    }

    /// Takes in one event, and returns the records and effects that follow.
    ///
    /// # Errors
    ///
    /// Fails if the state does not allow the event, which then changes nothing.
    pub fn handle(&mut self, event: &Event) -> Result<EngineStep, IllegalEvent> {
        let mut step = EngineStep::default();
        let was_running = self.stopping.is_none();
        match &event.fact {
            Fact::Began {
                initial,
                reserve,
                atom_retries,
            } => {
                self.atom_retries = self.config.references.retries.at_least(*atom_retries);
                self.begin(initial, reserve, &mut step);
            }
            Fact::ReferencesAgain => self.begin_references_again(&mut step),
            Fact::Ended {
                task,
                attempt,
                usage,
                outcome,
            } => self.attempt_ended(*task, *attempt, *usage, outcome, event.at, &mut step)?,
            Fact::Cached { task, outcome } => {
                let attempt = self.live.get(task).and_then(LiveTask::attempt).unwrap_or(1);
                let usage = Usage::default();
                self.attempt_ended(*task, attempt, usage, outcome, event.at, &mut step)?;
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
        if let (true, Some(stopped_by)) = (was_running, self.stopping) {
            self.cancel_pointless(stopped_by, &mut step);
        }
        self.end_if_due(&mut step);
        Ok(step)
    }

    /// Returns the attempts that were submitted and have not ended, in order of their tasks.
    pub fn outstanding(&self) -> Vec<(TaskId, Attempt)> {
        self.live
            .iter()
            .filter_map(|(id, live)| Some((*id, live.attempt()?)))
            .collect()
    }

    /// Returns true if the engine waits for the end of this attempt.
    pub fn awaits(&self, task: TaskId, attempt: Attempt) -> bool {
        self.live
            .get(&task)
            .is_some_and(|live| live.attempt() == Some(attempt))
    }

    /// Returns the end of the backoff of a live task's attempt, milliseconds since the Unix epoch;
    /// None without one.
    pub fn not_before(&self, task: TaskId) -> Option<i64> {
        self.live.get(&task)?.not_before
    }

    /// Returns the name of a live task's stage; None if the task has ended.
    pub fn stage_of(&self, task: TaskId) -> Option<&str> {
        self.live.get(&task).map(|live| self.stage(&live.spec).0)
    }

    /// Returns the files that tasks of the generator loop read now or later; others read none.
    pub fn live_files(&self) -> BTreeSet<FileRef> {
        self.generator.files().cloned().collect()
    }

    /// Returns true if the run has ended.
    pub fn is_ended(&self) -> bool {
        self.stopped_by().is_some()
    }

    /// Returns the reason for the end of the run; None until it has ended.
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        match self.phase {
            Phase::Ended(stopped_by) => Some(stopped_by),
            Phase::Fresh | Phase::References | Phase::Initial | Phase::Loops => None,
        }
    }

    /// Returns the evaluated molecules, in order of arrival.
    pub fn evaluated(&self) -> &[EvaluatedMolecule] {
        &self.evaluated
    }

    /// Returns the saved agent, if there is one.
    pub fn agent(&self) -> Option<&FileRef> {
        self.generator.agent()
    }

    /// Returns the evaluated molecule with the lowest objective; None if there is none yet.
    pub fn incumbent(&self) -> Option<&EvaluatedMolecule> {
        self.incumbent.as_ref()
    }

    /// Returns the number of the last task that was created or reserved; 0 before the first.
    pub fn last_task(&self) -> u64 {
        self.last_task
    }

    /// Returns true if no event was handled yet.
    pub fn is_fresh(&self) -> bool {
        self.phase == Phase::Fresh
    }

    /// Returns the number of molecules that were evaluated or failed permanently.
    fn evaluations(&self) -> usize {
        self.evaluated.len() + self.quarantined.len()
    }

    fn begin(&mut self, initial: &[String], reserve: &[String], step: &mut EngineStep) {
        self.initial = initial.to_vec();
        self.reserve = reserve.iter().rev().cloned().collect();
        self.phase = Phase::References;
        self.submit_references(step);
    }

    /// Reopens a run that ended because a free atom was missing.
    fn begin_references_again(&mut self, step: &mut EngineStep) {
        if self.stopped_by() != Some(StoppedBy::References) {
            return;
        }
        self.phase = Phase::References;
        self.stopping = None;
        step.records.push(Record::RunReopened);
        self.submit_references(step);
    }

    /// Submits the free atoms that have no energy yet.
    fn submit_references(&mut self, step: &mut EngineStep) {
        for smiles in atomic_reference_smiles(&self.config.elements) {
            let element = smiles.trim_matches(['[', ']']).to_owned();
            if !self.references.contains_key(&element) {
                self.submit(TaskSpec::Reference { element }, step);
            }
        }
    }

    /// Does all that the state allows: changes the phase, submits evaluations, starts the
    /// generator.
    fn advance(&mut self, step: &mut EngineStep) {
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
                // A broken simulation engine must not fail on all of them.
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

    /// Takes a molecule from the reserve; skips those that have failed meanwhile.
    fn draw(&mut self) -> Option<String> {
        let (reserve, quarantined) = (&mut self.reserve, &self.quarantined);
        std::iter::from_fn(|| reserve.pop()).find(|smiles| !quarantined.contains(smiles))
    }

    /// Changes the phase to the loops once an initial molecule was evaluated; until then one more
    /// is drawn.
    fn leave_initial(&mut self, step: &mut EngineStep) {
        self.stopping = self.failed_too_often();
        if self.stopping.is_some() {
            return;
        }
        if !self.evaluated.is_empty() {
            self.phase = Phase::Loops;
        } else if let Some(smiles) = self.draw() {
            let rank = self.initial.len() as u32;
            self.initial.push(smiles.clone());
            self.evaluate_initial(smiles, rank, step);
        } else {
            self.stopping = Some(StoppedBy::NothingComputed);
        }
    }
}
