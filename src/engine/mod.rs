//! The engine: it interprets the plan of a campaign, as one function from events to records and
//! effects.
//!
//! `Engine::handle` is synchronous and has no clock, no I/O and no random source: the same events
//! in the same order give the same state, which is how a run is resumed. The layer `driver`
//! performs the effects.

mod calculations;
mod free_atoms;
mod input;
mod progress;
mod queue;
mod round;
mod stage;
mod step;
mod stop;
mod tasks;

pub use input::{SimulateInput, TaskInput, TaskResult, file, stream};
pub use progress::{Progress, RunPhase};
use queue::CandidateQueue;
pub use step::{Effect, EngineStep};

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::plan::{Direction, Plan};
use crate::task::{Attempt, Event, Fact, FileRef, IllegalEvent, Record, StoppedBy, TaskId, Usage};

use calculations::MoleculeCalculations;
use free_atoms::FreeAtoms;
use round::Round;
use stage::Stage;
use tasks::LiveTask;

/// The live state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    plan: Plan,
    phase: Phase,
    /// Reason to submit no more tasks, once there is one.
    stopping: Option<StoppedBy>,
    /// The highest number of a task.
    last_task: u64,
    /// Tasks that have ended.
    ended_tasks: u64,
    /// Tasks that have not ended.
    running: BTreeMap<TaskId, LiveTask>,
    free_atoms: FreeAtoms,
    /// Calculations by molecule.
    molecules: HashMap<String, MoleculeCalculations>,
    /// State of each stage of the plan, in its order.
    stages: Vec<Stage>,
    round: Round,
    /// Molecules drawn for the stages, by stage; then further ones of the source.
    drawn: BTreeMap<String, Vec<String>>,
    reserve: Vec<String>,
    /// File of all molecules of the source, if a generator proposes these.
    pool: Option<FileRef>,
    /// Batch and rank of the molecules that must not be proposed: queued, in flight, evaluated or
    /// failed.
    known: HashMap<String, (u32, u32)>,
    /// Molecules of batch 0, which were drawn from the source.
    sourced: u32,
    /// Molecules that failed for good.
    quarantined: HashSet<String>,
    /// Molecules whose objective is known, in order of arrival.
    evaluated: Vec<EvaluatedMolecule>,
    /// Candidates of the loops whose objective was submitted to be evaluated.
    searched: usize,
    /// Results that an earlier run had.
    cached: usize,
    incumbent: Option<EvaluatedMolecule>,
}

/// A molecule whose objective is known.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedMolecule {
    /// Task of its last calculation.
    pub task: TaskId,
    /// Canonical SMILES.
    pub smiles: String,
    /// Value of the objective, in its unit.
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    FreeAtoms,
    Stages,
    Ended(StoppedBy),
}

impl Engine {
    /// Returns the engine of a run that has not begun.
    pub fn new(plan: Plan) -> Self {
        Self {
            stages: plan
                .stages
                .iter()
                .map(|stage| Stage::new(&plan, stage))
                .collect(),
            free_atoms: FreeAtoms::new(&plan),
            plan,
            phase: Phase::Fresh,
            stopping: None,
            last_task: 0,
            ended_tasks: 0,
            running: BTreeMap::new(),
            molecules: HashMap::new(),
            round: Round::default(),
            drawn: BTreeMap::new(),
            reserve: Vec::new(),
            pool: None,
            known: HashMap::new(),
            sourced: 0,
            quarantined: HashSet::new(),
            evaluated: Vec::new(),
            searched: 0,
            cached: 0,
            incumbent: None,
        }
    }

    /// Handles one fact.
    ///
    /// # Errors
    ///
    /// The state does not allow the event; it has changed nothing then.
    pub fn handle(&mut self, event: &Event) -> Result<EngineStep, IllegalEvent> {
        let mut step = EngineStep::default();
        let was_submitting = self.stopping.is_none();
        match &event.fact {
            Fact::Began {
                molecules,
                reserve,
                pool,
                atom_retries,
            } => {
                self.drawn.clone_from(molecules);
                self.pool.clone_from(pool);
                self.reserve = reserve.iter().rev().cloned().collect();
                self.free_atoms.retry_at_least(*atom_retries);
                self.phase = Phase::FreeAtoms;
                self.submit_free_atoms(&mut step);
            }
            Fact::ReferencesAgain => self.begin_free_atoms_again(&mut step),
            Fact::Ended {
                task,
                attempt,
                usage,
                outcome,
            } => {
                self.attempt_ended(*task, *attempt, *usage, outcome, event.at, &mut step)?;
            }
            Fact::Cached { task, outcome } => {
                let attempt = self
                    .running
                    .get(task)
                    .and_then(LiveTask::attempt)
                    .unwrap_or(1);
                let usage = Usage::default();
                self.attempt_ended(*task, attempt, usage, outcome, event.at, &mut step)?;
                step.records.insert(0, Record::Cached { task: *task });
                self.cached += 1;
            }
            Fact::Resumed => {}
            Fact::SettingsChanged { stop, .. } => {
                if let Ok(stop) = serde_json::from_value(stop.clone()) {
                    self.plan.stop = stop;
                }
            }
            Fact::StateLost => self.stages.iter_mut().for_each(Stage::forget_saved),
            Fact::TimeIsUp => self.stopping = self.stopping.or(Some(StoppedBy::WallTime)),
        }
        self.advance(&mut step);
        if let (true, Some(stopped_by)) = (was_submitting, self.stopping) {
            self.cancel_pointless(stopped_by, &mut step);
        }
        self.end_if_due(&mut step);
        Ok(step)
    }

    /// Attempts that are journalled and have not ended: what a resumed run must look for.
    pub fn outstanding(&self) -> Vec<(TaskId, Attempt)> {
        let running = self.running.iter();
        running
            .filter_map(|(id, task)| Some((*id, task.attempt()?)))
            .collect()
    }

    /// Returns true if the engine waits for the end of this attempt.
    pub fn awaits(&self, task: TaskId, attempt: Attempt) -> bool {
        let running = self.running.get(&task);
        running.is_some_and(|running| running.attempt() == Some(attempt))
    }

    /// Before when the present attempt of a task must not start, milliseconds since the Unix epoch.
    pub fn not_before(&self, task: TaskId) -> Option<i64> {
        self.running.get(&task)?.not_before
    }

    /// Name of the method that a running task executes.
    pub fn method_of(&self, task: TaskId) -> Option<&str> {
        Some(self.method(&self.running.get(&task)?.work))
    }

    /// The plan that the engine interprets.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The files that a resumed run can need: those that tasks are reading, and those that later
    /// ones will read.
    pub fn live_files(&self) -> BTreeSet<FileRef> {
        let files = self.stages.iter().flat_map(Stage::files);
        files.chain(&self.pool).cloned().collect()
    }

    /// Returns true if the run has ended.
    pub fn is_ended(&self) -> bool {
        self.stopped_by().is_some()
    }

    /// Reason for the end of the run, once it has ended.
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        match self.phase {
            Phase::Ended(stopped_by) => Some(stopped_by),
            Phase::Fresh | Phase::FreeAtoms | Phase::Stages => None,
        }
    }

    /// Molecules whose objective is known, in order of arrival.
    pub fn evaluated(&self) -> &[EvaluatedMolecule] {
        &self.evaluated
    }

    /// Returns the best evaluated molecule so far.
    pub fn incumbent(&self) -> Option<&EvaluatedMolecule> {
        self.incumbent.as_ref()
    }

    /// The number of the last task that was created; 0 if none was.
    pub fn last_task(&self) -> u64 {
        self.last_task
    }

    /// Returns true if no event was handled yet.
    pub fn is_fresh(&self) -> bool {
        self.phase == Phase::Fresh
    }

    fn direction(&self) -> Direction {
        self.plan.objective.direction
    }

    /// Does all that the present state allows: starts stages, fills slots, begins rounds.
    fn advance(&mut self, step: &mut EngineStep) {
        if self.stopping.is_none() && self.phase == Phase::FreeAtoms && self.running.is_empty() {
            self.phase = Phase::Stages;
        }
        if self.phase != Phase::Stages {
            return;
        }
        loop {
            self.stopping = self.stopping.or_else(|| self.reason_to_stop());
            if self.stopping.is_some() {
                return;
            }
            let before = self.advancement();
            for place in 0..self.stages.len() {
                self.advance_compute(place, step);
            }
            self.advance_round(step);
            if self.advancement() == before {
                return;
            }
        }
    }

    /// Numbers of which one grows whenever a stage has advanced.
    fn advancement(&self) -> (u64, u32, usize) {
        let stages = self.stages.iter().map(Stage::advancement).sum();
        (self.last_task, self.round.advancement(), stages)
    }

    /// Takes a molecule from the reserve; one that is known meanwhile or has failed is none.
    fn draw(&mut self) -> Option<String> {
        let (reserve, quarantined) = (&mut self.reserve, &self.quarantined);
        std::iter::from_fn(|| reserve.pop()).find(|smiles| !quarantined.contains(smiles))
    }
}
