//! Tasks of a run: created, retried, ended, cancelled.

use crate::task::{
    Attempt, Candidate, EndState, Failure, FailureKind, FileRef, IllegalEvent, Outcome, Record,
    Retries, StoppedBy, TaskId, TaskState, Usage,
};

use super::{Effect, Engine, EngineStep};

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LiveTask {
    pub state: TaskState,
    pub spec: TaskSpec,
    /// End of the backoff of the present attempt, milliseconds since the Unix epoch.
    pub not_before: Option<i64>,
}

/// Purpose of a task, with everything that its input is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TaskSpec {
    Reference {
        element: String,
    },
    /// First step of an evaluation at a two-step level.
    Relax(Candidate),
    Evaluate {
        candidate: Candidate,
        /// Geometry from the first step, XYZ format, angstrom; None if there is no first step.
        geometry: Option<String>,
    },
    Train {
        observations: usize,
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

impl Engine {
    /// Creates the next task and submits its first attempt.
    pub(super) fn submit(&mut self, spec: TaskSpec, step: &mut EngineStep) {
        self.last_task += 1;
        self.submit_as(TaskId(self.last_task), spec, step);
    }

    /// Creates a task of a given number and submits its first attempt.
    pub(super) fn submit_as(&mut self, task: TaskId, spec: TaskSpec, step: &mut EngineStep) {
        let (smiles, batch) = match &spec {
            TaskSpec::Reference { element } => (Some(format!("[{element}]")), None),
            TaskSpec::Relax(c) | TaskSpec::Evaluate { candidate: c, .. } => {
                (Some(c.smiles.clone()), Some(c.batch))
            }
            TaskSpec::Train { .. } | TaskSpec::Generate { .. } | TaskSpec::Screen { .. } => {
                (None, Some(self.generator.batch()))
            }
        };
        step.records.push(Record::TaskCreated {
            task,
            stage: self.stage(&spec).0.to_owned(),
            smiles,
            batch,
        });
        if let TaskSpec::Relax(c) | TaskSpec::Evaluate { candidate: c, .. } = &spec {
            step.records.push(Record::Evaluating {
                batch: c.batch,
                rank: c.rank,
                task,
            });
        }
        step.effects.push(Effect::Submit { task, attempt: 1 });
        self.live.insert(
            task,
            LiveTask {
                state: TaskState::first(),
                spec,
                not_before: None,
            },
        );
    }

    /// Returns the name of the stage that `spec` belongs to, and its retries.
    pub(super) fn stage(&self, spec: &TaskSpec) -> (&str, &Retries) {
        let c = &self.config;
        match spec {
            TaskSpec::Reference { .. } => (&c.references.stage, &self.atom_retries),
            TaskSpec::Relax(candidate) => {
                let stage = self.evaluation_stage(candidate);
                let first = stage.geometry.as_ref();
                first.map_or((&stage.stage, &stage.retries), |g| (&g.stage, &g.retries))
            }
            TaskSpec::Evaluate { candidate, .. } => {
                let stage = self.evaluation_stage(candidate);
                (&stage.stage, &stage.retries)
            }
            TaskSpec::Train { .. } => (&c.train.stage, &c.train.retries),
            TaskSpec::Generate { .. } => (&c.generate.stage, &c.generate.retries),
            TaskSpec::Screen { .. } => (&c.screen.stage, &c.screen.retries),
        }
    }

    /// Submits the next attempt of a task after the end of one, or ends the task.
    ///
    /// # Errors
    ///
    /// Fails if the attempt is not outstanding; nothing has changed then.
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
        let Some(live) = self.live.get(&task) else {
            return Err(illegal);
        };
        let failure = self.failure(&live.spec, outcome);
        let retries = self.stage(&live.spec).1;
        let Some(state) = live.state.after(attempt, failure.as_ref(), retries) else {
            return Err(illegal);
        };
        step.records
            .extend(failure.clone().map(|failure| Record::AttemptFailed {
                task,
                attempt,
                failure,
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
        let Some(live) = self.live.get(&task) else {
            return;
        };
        let TaskState::Submitted { attempt, .. } = state else {
            return;
        };
        let wait = self.stage(&live.spec).1.wait(attempt as usize - 1);
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
        if let Some(live) = self.live.get_mut(&task) {
            live.state = state;
            live.not_before = not_before;
        }
    }

    /// Removes a task that succeeded or failed permanently, and passes its outcome to its loop.
    fn task_ended(
        &mut self,
        task: TaskId,
        state: EndState,
        usage: Usage,
        outcome: &Outcome,
        step: &mut EngineStep,
    ) {
        let Some(LiveTask { spec, .. }) = self.live.remove(&task) else {
            return;
        };
        let answer = (state == EndState::Succeeded).then_some(outcome);
        step.records.push(Record::TaskEnded { task, state, usage });
        match spec {
            TaskSpec::Reference { element } => self.reference_ended(element, answer, step),
            TaskSpec::Relax(candidate) => self.first_step_ended(task, candidate, answer, step),
            TaskSpec::Evaluate { candidate, .. } => {
                self.evaluation_ended(task, candidate, answer, step);
            }
            spec @ (TaskSpec::Train { .. }
            | TaskSpec::Generate { .. }
            | TaskSpec::Screen { .. }) => {
                self.generator_task_ended(spec, answer, step);
            }
        }
    }

    /// Returns the failure that `outcome` means for `spec`; None if it is a success.
    pub(super) fn failure(&self, spec: &TaskSpec, outcome: &Outcome) -> Option<Failure> {
        let unreadable = |message: &str| {
            Some(Failure {
                kind: FailureKind::Unreadable,
                message: message.to_owned(),
            })
        };
        match (spec, outcome) {
            (_, Outcome::Failed(failure)) => Some(failure.clone()),
            (TaskSpec::Evaluate { .. }, Outcome::Simulated { .. })
                if self.evaluation_of(outcome).is_none() =>
            {
                unreadable(
                    "the energy is not a number, or an element of the molecule has no reference",
                )
            }
            (TaskSpec::Reference { .. } | TaskSpec::Evaluate { .. }, Outcome::Simulated { .. })
            | (TaskSpec::Relax(_), Outcome::Relaxed { .. })
            | (TaskSpec::Train { .. }, Outcome::Trained { .. })
            | (TaskSpec::Generate { .. }, Outcome::Generated { .. })
            | (TaskSpec::Screen { .. }, Outcome::Screened { .. }) => None,
            _ => unreadable("the result is not of the kind that was asked for"),
        }
    }

    /// Records the energy of a free atom; without one the run stops.
    pub(super) fn reference_ended(
        &mut self,
        element: String,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
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

    /// Cancels a task.
    pub(super) fn cancel(&mut self, task: TaskId, step: &mut EngineStep) {
        let Some(live) = self.live.remove(&task) else {
            return;
        };
        step.effects.extend(
            live.attempt()
                .map(|attempt| Effect::Cancel { task, attempt }),
        );
        step.records.push(Record::TaskEnded {
            task,
            state: EndState::Cancelled,
            usage: Usage::default(),
        });
        match live.spec {
            TaskSpec::Relax(c) | TaskSpec::Evaluate { candidate: c, .. } => {
                self.simulations -= 1;
                self.known.remove(&c.smiles);
                step.records.push(Record::EvaluationCancelled {
                    batch: c.batch,
                    rank: c.rank,
                });
            }
            TaskSpec::Train { .. } | TaskSpec::Generate { .. } | TaskSpec::Screen { .. } => {
                self.generator.forget_batch()
            }
            TaskSpec::Reference { .. } => {}
        }
    }
}

impl TaskSpec {
    /// Returns true for a step of an evaluation.
    pub(super) fn is_evaluation(&self) -> bool {
        matches!(self, Self::Relax(_) | Self::Evaluate { .. })
    }
}

impl LiveTask {
    /// Returns the number of the outstanding attempt.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        match self.state {
            TaskState::Submitted { attempt, .. } => Some(attempt),
            TaskState::Ended(_) => None,
        }
    }
}
