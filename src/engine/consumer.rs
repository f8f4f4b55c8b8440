//! Consumer loop: keeps simulations submitted and takes in their results.

use crate::config::campaign::Schedule;
use crate::task::{Candidate, Evaluation, Outcome, Record, TaskId};

use super::{Engine, EngineStep, EvaluatedMolecule, Phase, SimulateStage, TaskSpec};

/// Task of the second step of an evaluation at a two-step level. Its number follows that of the
/// first step and is reserved with it, so numbers do not depend on the order in which first steps
/// end.
struct SecondStep(TaskId);

impl SecondStep {
    /// Returns the second step that belongs to this first step.
    fn after(first: TaskId) -> Self {
        Self(TaskId(first.0 + 1))
    }
}

impl Engine {
    /// Fills up to `parallel` simulations from the queue, newest batch first, best rank first.
    pub(super) fn consume(&mut self, step: &mut EngineStep) {
        while self.simulations < self.config.parallel
            && self.searched < self.config.stop.evaluations
        {
            let Some(candidate) = self.queue.pop() else {
                return;
            };
            self.searched += 1;
            self.evaluate(candidate, step);
        }
    }

    /// Begins the evaluation of an initial molecule.
    pub(super) fn evaluate_initial(&mut self, smiles: String, rank: u32, step: &mut EngineStep) {
        let candidate = Candidate {
            smiles,
            batch: 0,
            rank,
            prediction: None,
        };
        self.known.insert(candidate.smiles.clone());
        step.records.push(Record::Queued(candidate.clone()));
        self.evaluate(candidate, step);
    }

    /// Submits the first step of an evaluation, and reserves the number of the second if there is
    /// one.
    fn evaluate(&mut self, candidate: Candidate, step: &mut EngineStep) {
        self.simulations += 1;
        if self.evaluation_stage(&candidate).geometry.is_some() {
            self.submit(TaskSpec::Relax(candidate), step);
            let SecondStep(second) = SecondStep::after(TaskId(self.last_task));
            self.last_task = second.0;
        } else {
            let geometry = None;
            self.submit(
                TaskSpec::Evaluate {
                    candidate,
                    geometry,
                },
                step,
            );
        }
    }

    /// Returns the stage that evaluates a candidate.
    pub(super) fn evaluation_stage(&self, candidate: &Candidate) -> &SimulateStage {
        match candidate.batch {
            0 => &self.config.initial,
            _ => &self.config.evaluate,
        }
    }

    /// Submits the second step with the geometry of the first; without one the evaluation has
    /// failed.
    pub(super) fn first_step_ended(
        &mut self,
        task: TaskId,
        candidate: Candidate,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        let Some(Outcome::Relaxed { xyz }) = answer else {
            return self.evaluation_ended(task, candidate, None, step);
        };
        let spec = TaskSpec::Evaluate {
            candidate,
            geometry: Some(xyz.clone()),
        };
        let SecondStep(second) = SecondStep::after(task);
        self.submit_as(second, spec, step);
    }

    /// Returns true if the run may decide to stop now.
    pub(super) fn may_judge(&self) -> bool {
        match self.config.schedule {
            Schedule::Interleaved => self.phase == Phase::Loops,
            Schedule::Batch => {
                self.phase == Phase::Loops && self.simulations == 0 && self.queue.is_empty()
            }
        }
    }

    /// Records the end of an evaluation; `answer` is None if it failed permanently.
    pub(super) fn evaluation_ended(
        &mut self,
        task: TaskId,
        candidate: Candidate,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        self.simulations -= 1;
        let Candidate {
            smiles,
            batch,
            rank,
            ..
        } = candidate;
        match answer.and_then(|answer| self.evaluation_of(answer)) {
            Some(evaluation) => {
                step.records.push(Record::Evaluated {
                    batch,
                    rank,
                    evaluation,
                });
                self.take_in(EvaluatedMolecule {
                    task,
                    smiles,
                    value: evaluation.value,
                });
            }
            None => {
                self.quarantined.insert(smiles);
                step.records.push(Record::EvaluationFailed { batch, rank });
            }
        }
    }

    /// Adds an evaluated molecule. Lower is better. Ties go to the task submitted first, so the
    /// incumbent does not depend on the order of arrival.
    fn take_in(&mut self, molecule: EvaluatedMolecule) {
        let best = self.incumbent.as_ref();
        if best.is_none_or(|best| (molecule.value, molecule.task) < (best.value, best.task)) {
            self.incumbent = Some(molecule.clone());
        }
        self.evaluated.push(molecule);
    }

    /// Returns E(molecule) - sum of E(atoms), and the objective; None if an element has no
    /// reference or the energy is not a number.
    pub(super) fn evaluation_of(&self, answer: &Outcome) -> Option<Evaluation> {
        let Outcome::Simulated {
            total_energy_hartree,
            atoms,
        } = answer
        else {
            return None;
        };
        let mut apart = 0.0;
        for (element, count) in atoms {
            apart += self.references.get(element)? * f64::from(*count);
        }
        let atomization_energy_hartree = total_energy_hartree - apart;
        let atoms = atoms.values().sum::<u32>();
        let value = if self.config.per_atom {
            atomization_energy_hartree / f64::from(atoms)
        } else {
            atomization_energy_hartree
        };
        let evaluation = Evaluation {
            total_energy_hartree: *total_energy_hartree,
            atomization_energy_hartree,
            atoms,
            value,
        };
        value.is_finite().then_some(evaluation)
    }
}
