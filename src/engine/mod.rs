//! The engine: it interprets the plan of a campaign, as one function from events to records and
//! effects.
//!
//! `Engine::handle` is synchronous and has no clock, no I/O and no random source: the same events
//! in the same order give the same state, which is how a run is resumed. The layer `driver`
//! performs the effects.

mod calculations;
mod constraints;
mod free_atoms;
mod front;
mod hash;
mod inherited;
mod input;
mod observations;
mod progress;
mod queue;
mod reopen;
mod round;
mod spending;
mod stage;
mod step;
mod stop;
mod tasks;

pub use input::{SimulateInput, TaskInput, TaskResult, file, stream};
pub use progress::{Progress, RunPhase};
use queue::CandidateQueue;
pub use step::{Effect, EngineStep};

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::task::{
    Attempt, Event, Fact, FileRef, IllegalEvent, Outcome, Record, StoppedBy, TaskId, Usage,
};

use calculations::MoleculeCalculations;
use free_atoms::FreeAtoms;
use front::Front;
use hash::{HashMap, HashSet};
use inherited::Inherited;
use observations::Observations;
use round::Round;
use spending::Spending;
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
    inherited: Inherited,
    spending: Spending,
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
    /// Molecules whose objectives are known, in order of arrival.
    evaluated: Vec<EvaluatedMolecule>,
    /// Molecules whose objectives were submitted to be evaluated: in the loops, if there are loops.
    searched: usize,
    /// Results that an earlier run had.
    cached: usize,
    /// The best feasible molecule so far; none with several objectives.
    incumbent: Option<EvaluatedMolecule>,
    front: Front,
    /// Results that surrogates learn from.
    observations: Observations,
}

/// A molecule whose objectives are known.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedMolecule {
    /// Task of its last calculation.
    pub task: TaskId,
    /// Canonical SMILES.
    pub smiles: String,
    /// The batch it was proposed in.
    pub batch: u32,
    /// Its place in the batch.
    pub rank: u32,
    /// Values of the objectives in their order, each in its unit.
    pub values: Vec<f64>,
    /// True if it meets the constraints.
    pub is_feasible: bool,
}

impl EvaluatedMolecule {
    /// Value of the first objective, in its unit.
    pub fn value(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }
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
            stages: (0..plan.stages.len())
                .map(|place| Stage::new(&plan, place))
                .collect(),
            free_atoms: FreeAtoms::new(&plan),
            front: Front::new(&plan),
            observations: Observations::new(&plan),
            plan,
            phase: Phase::Fresh,
            stopping: None,
            last_task: 0,
            ended_tasks: 0,
            running: BTreeMap::new(),
            inherited: Inherited::default(),
            spending: Spending::default(),
            molecules: HashMap::default(),
            round: Round::default(),
            drawn: BTreeMap::new(),
            reserve: Vec::new(),
            pool: None,
            known: HashMap::default(),
            sourced: 0,
            quarantined: HashSet::default(),
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
        let mut was_submitting = self.stopping.is_none();
        self.refuse_illegal(&event.fact)?;
        self.spending.pass(event);
        match &event.fact {
            Fact::Inherited {
                molecules,
                quarantined,
                ..
            } => {
                self.inherited = Inherited::new(molecules);
                self.quarantined.extend(quarantined.iter().cloned());
            }
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
            Fact::ReferencesAgain => was_submitting |= self.begin_free_atoms_again(&mut step),
            Fact::Ended {
                task,
                attempt,
                usage,
                outcome,
            } => {
                self.attempt_ended(*task, *attempt, usage.clone(), outcome, event.at, &mut step)?;
            }
            Fact::Cached { task, outcome } => {
                self.answer_was_known(*task, outcome, event.at, &mut step)?;
            }
            Fact::Resumed => {}
            Fact::SettingsChanged { stop, budgets, .. } => {
                was_submitting |= self.change_settings(stop, budgets, &mut step);
            }
            Fact::StateLost => self.stages.iter_mut().for_each(Stage::forget_saved),
            Fact::TimeIsUp => self.time_is_up(),
        }
        self.advance(&mut step);
        if let (true, Some(stopped_by)) = (was_submitting, self.stopping) {
            self.cancel_pointless(stopped_by, &mut step);
        }
        self.end_if_due(&mut step);
        Ok(step)
    }

    /// Refuses the end of an attempt that is not under way.
    fn refuse_illegal(&self, fact: &Fact) -> Result<(), IllegalEvent> {
        let (task, attempt) = match fact {
            Fact::Ended { task, attempt, .. } => (*task, *attempt),
            Fact::Cached { task, .. } => (*task, 1),
            _ => return Ok(()),
        };
        let running = self.running.get(&task);
        match (fact, running.and_then(LiveTask::attempt)) {
            (Fact::Ended { .. }, Some(live)) if live == attempt => Ok(()),
            (Fact::Cached { .. }, Some(_)) => Ok(()),
            _ => Err(IllegalEvent { task, attempt }),
        }
    }

    /// Ends a task whose answer an earlier run had.
    fn answer_was_known(
        &mut self,
        task: TaskId,
        outcome: &Outcome,
        at: i64,
        step: &mut EngineStep,
    ) -> Result<(), IllegalEvent> {
        let running = self.running.get(&task);
        let attempt = running.and_then(LiveTask::attempt).unwrap_or(1);
        self.attempt_ended(task, attempt, Usage::default(), outcome, at, step)?;
        step.records.insert(0, Record::Cached { task });
        self.cached += 1;
        Ok(())
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

    /// Molecules whose objectives are known, in order of arrival.
    pub fn evaluated(&self) -> &[EvaluatedMolecule] {
        &self.evaluated
    }

    /// Returns the best feasible molecule so far; none with several objectives.
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

    /// Does all that the present state allows: starts stages, fills slots, begins rounds.
    fn advance(&mut self, step: &mut EngineStep) {
        if self.stopping.is_none() && self.phase == Phase::FreeAtoms && !self.computes_free_atoms()
        {
            self.phase = Phase::Stages;
            self.stopping = self.free_atoms_missed();
            if self.stopping.is_none() {
                self.evaluate_inherited(step);
            }
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
            self.set_reference(step);
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
