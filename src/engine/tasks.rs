//! Tasks of a run: created, ended, tried again, cancelled.

use std::collections::BTreeMap;

use crate::plan::QuantitiesByMethod;
use crate::task::{
    Attempt, EndState, Failure, FailureKind, FileRef, IllegalEvent, Outcome, Record, Retries,
    TaskId, TaskState, Usage,
};

use super::stage::Turn;
use super::{Effect, Engine, EngineStep};

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LiveTask {
    pub state: TaskState,
    pub work: Work,
    /// Place of the stage that it was created for; none for a free atom.
    pub stage: Option<usize>,
    /// Before this the present attempt must not start, milliseconds since the Unix epoch.
    pub not_before: Option<i64>,
}

/// Purpose of a task, with all that its input is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    FreeAtom {
        method: String,
        element: String,
    },
    /// A calculation of a molecule.
    Molecule {
        method: String,
        smiles: String,
        /// The geometry to begin with in the XYZ format, where another method gives it.
        geometry: Option<String>,
    },
    Train {
        stage: usize,
        observations: usize,
    },
    Generate {
        stage: usize,
        model: FileRef,
        starts: Vec<String>,
    },
    Screen {
        stage: usize,
        model: FileRef,
        /// Files of the generators that proposed something, with their places.
        candidates: Vec<(usize, FileRef)>,
        /// Lowest cost so far.
        incumbent: Option<f64>,
        /// Costs of the Pareto front of several objectives.
        front: Vec<Vec<f64>>,
        /// Worst costs that count; empty with one objective.
        reference: Vec<f64>,
        /// Number of candidates that the engine can use.
        most: usize,
    },
}

/// Stage of the tasks that compute free atoms.
const FREE_ATOMS: &str = "free_atoms";

impl Engine {
    /// Creates a task and has its first attempt started.
    pub(super) fn submit(&mut self, work: Work, step: &mut EngineStep) {
        self.last_task += 1;
        self.submit_as(TaskId(self.last_task), work, step);
    }

    /// Creates a task with a number that was reserved.
    pub(super) fn submit_as(&mut self, task: TaskId, work: Work, step: &mut EngineStep) {
        let (stage, smiles, batch) = match &work {
            Work::FreeAtom { element, .. } => (None, Some(format!("[{element}]")), None),
            Work::Molecule { smiles, .. } => match self.evaluation_of(smiles) {
                Some((batch, stage)) => (Some(stage), Some(smiles.clone()), Some(batch)),
                None => (None, Some(smiles.clone()), None),
            },
            Work::Train { stage, .. } | Work::Generate { stage, .. } => {
                (Some(*stage), None, self.batches().next())
            }
            Work::Screen { stage, .. } => (Some(*stage), None, Some(self.batch_of(*stage))),
        };
        let name = match (&work, stage) {
            (Work::FreeAtom { .. }, _) => FREE_ATOMS,
            (_, Some(place)) => &self.plan.stages[place].name,
            (_, None) => "",
        };
        step.records.push(Record::TaskCreated {
            task,
            stage: name.to_owned(),
            method: self.method(&work).to_owned(),
            smiles,
            batch,
        });
        step.effects.push(Effect::Submit { task, attempt: 1 });
        self.running.insert(
            task,
            LiveTask {
                state: TaskState::first(),
                work,
                stage,
                not_before: None,
            },
        );
    }

    /// Name of the method that `work` is done by.
    pub(super) fn method<'a>(&'a self, work: &'a Work) -> &'a str {
        match work {
            Work::FreeAtom { method, .. } | Work::Molecule { method, .. } => method,
            Work::Train { stage, .. }
            | Work::Generate { stage, .. }
            | Work::Screen { stage, .. } => {
                let method = self.plan.stages[*stage].kind.method();
                method.map_or("", String::as_str)
            }
        }
    }

    fn retries(&self, work: &Work) -> Retries {
        let own = |method: &str| self.plan.methods.get(method).map(|m| m.retries.clone());
        let retries = match work {
            Work::FreeAtom { method, .. } => self.free_atoms.retries(method).cloned(),
            _ => own(self.method(work)),
        };
        retries.unwrap_or_default()
    }

    /// Moves a task on after the end of an attempt: to the next attempt, or to its end.
    ///
    /// # Errors
    ///
    /// The attempt is not under way; nothing has changed then.
    pub(super) fn attempt_ended(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        usage: Usage,
        outcome: &Outcome,
        at: i64,
        step: &mut EngineStep,
    ) -> Result<(), IllegalEvent> {
        let illegal = IllegalEvent { task, attempt };
        let Some(running) = self.running.get(&task) else {
            return Err(illegal);
        };
        let failure = self.failure(&running.work, outcome);
        let retries = self.retries(&running.work);
        let Some(state) = running.state.after(attempt, failure.as_ref(), &retries) else {
            return Err(illegal);
        };
        self.spend(task, &usage, at);
        step.records
            .extend(failure.clone().map(|failure| Record::AttemptFailed {
                task,
                attempt,
                failure,
                usage: usage.clone(),
            }));
        match (state, failure) {
            (state @ TaskState::Submitted { .. }, Some(failure)) => {
                self.retry(task, state, failure, at, step);
            }
            (TaskState::Ended(state), _) => self.task_ended(task, state, usage, outcome, step),
            // An attempt that succeeded is the last one.
            (TaskState::Submitted { .. }, None) => {}
        }
        Ok(())
    }

    /// Submits the next attempt of a task, after the backoff of its stage.
    fn retry(
        &mut self,
        task: TaskId,
        state: TaskState,
        failure: Failure,
        at: i64,
        step: &mut EngineStep,
    ) {
        let Some(running) = self.running.get(&task) else {
            return;
        };
        let TaskState::Submitted { attempt, .. } = state else {
            return;
        };
        let wait = self.retries(&running.work).wait(attempt as usize - 1);
        let wait = wait.as_millis() as i64;
        let not_before = (wait > 0).then(|| at.saturating_add(wait));
        step.records.push(Record::TaskAgain {
            task,
            attempt,
            failure,
        });
        step.effects.push(match not_before {
            None => Effect::Submit { task, attempt },
            Some(not_before) => Effect::SubmitLater {
                task,
                attempt,
                not_before,
            },
        });
        if let Some(running) = self.running.get_mut(&task) {
            running.state = state;
            running.not_before = not_before;
        }
    }

    /// Removes a task that succeeded or failed for good, and hands its answer to the loop that it
    /// belongs to.
    fn task_ended(
        &mut self,
        task: TaskId,
        state: EndState,
        usage: Usage,
        outcome: &Outcome,
        step: &mut EngineStep,
    ) {
        let Some(LiveTask { work, .. }) = self.running.remove(&task) else {
            return;
        };
        self.ended_tasks += 1;
        let answer = (state == EndState::Succeeded).then_some(outcome);
        step.records.push(Record::TaskEnded { task, state, usage });
        match work {
            Work::FreeAtom { method, element } => {
                self.free_atom_ended(task, (method, element), answer, step)
            }
            Work::Molecule { method, smiles, .. } => {
                self.calculation_ended(task, (method, smiles), answer, step);
            }
            Work::Train {
                stage,
                observations,
            } => {
                let succeeded = self.training_ended(stage, observations, answer, step);
                self.end_turn(stage, Turn::of(succeeded));
            }
            Work::Generate { stage, .. } => {
                let succeeded = self.generation_ended(stage, answer, step);
                self.end_turn(stage, Turn::of(succeeded));
            }
            Work::Screen { stage, .. } => {
                let succeeded = self.screening_ended(stage, answer);
                self.end_turn(stage, Turn::of(succeeded));
            }
        }
    }

    /// Returns the reason for which `outcome` is no answer to `work`; none if it is one.
    pub(super) fn failure(&self, work: &Work, outcome: &Outcome) -> Option<Failure> {
        let message = match (work, outcome) {
            (_, Outcome::Failed(failure)) => return Some(failure.clone()),
            (Work::FreeAtom { method, .. }, Outcome::Simulated { quantities, .. }) => {
                missing(&self.plan.needed.of_free_atoms, method, quantities)?
            }
            (
                Work::Molecule { method, .. },
                Outcome::Simulated {
                    quantities,
                    atoms,
                    xyz,
                },
            ) => {
                let atom = atoms
                    .keys()
                    .find(|element| self.free_atoms.lacks(method, element));
                let missing = missing(&self.plan.needed.of_molecules, method, quantities);
                let missing = missing.or_else(|| {
                    atom.map(|element| {
                        format!("the element {element} of the molecule has no free atom")
                    })
                });
                let lacks_geometry = xyz.is_none() && self.plan.gives_geometries(method);
                missing
                    .or_else(|| lacks_geometry.then(|| "the result has no geometry".to_owned()))?
            }
            (Work::Train { .. }, Outcome::Trained { .. })
            | (Work::Generate { .. }, Outcome::Generated { .. })
            | (Work::Screen { .. }, Outcome::Screened { .. }) => return None,
            _ => "the result is not of the kind that was asked for".to_owned(),
        };
        Some(Failure {
            kind: FailureKind::Unreadable,
            message,
        })
    }

    /// Cancels a task, and what depends on it.
    pub(super) fn cancel(&mut self, task: TaskId, step: &mut EngineStep) {
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        self.ended_tasks += 1;
        step.effects.extend(
            running
                .attempt()
                .map(|attempt| Effect::Cancel { task, attempt }),
        );
        step.records.push(Record::TaskEnded {
            task,
            state: EndState::Cancelled,
            usage: Usage::default(),
        });
        if let Work::Molecule { smiles, .. } = running.work {
            self.cancel_evaluations(&smiles, step);
        }
    }
}

/// The first quantity of a method that a property needs and a result lacks.
fn missing(
    needed: &QuantitiesByMethod,
    method: &str,
    quantities: &BTreeMap<String, f64>,
) -> Option<String> {
    let mut needed = needed.get(method)?.iter();
    needed.find_map(|name| match quantities.get(name) {
        None => Some(format!("the result has no `{name}`")),
        Some(value) if !value.is_finite() => Some(format!("`{name}` is not a number")),
        Some(_) => None,
    })
}

impl Work {
    pub(super) fn is_of_a_molecule(&self) -> bool {
        matches!(self, Self::Molecule { .. })
    }
}

impl LiveTask {
    pub(super) fn attempt(&self) -> Option<Attempt> {
        match self.state {
            TaskState::Submitted { attempt, .. } => Some(attempt),
            TaskState::Ended(_) => None,
        }
    }
}
