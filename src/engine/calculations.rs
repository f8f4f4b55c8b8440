//! Evaluations of molecules: the calculations of a property's recipe, each a task of its own,
//! shared between the properties that need them.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::RecipeNode;
use crate::property::{Composition, QuantityOf, Values};
use crate::task::{Candidate, Outcome, Record, TaskId};

use super::tasks::Work;
use super::{Engine, EngineStep, EvaluatedMolecule, FreeAtoms};

/// Calculations of one molecule, and the evaluations that wait for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MoleculeCalculations {
    /// By method.
    calculations: BTreeMap<String, Calculation>,
    evaluations: Vec<Evaluation>,
    composition: Composition,
}

/// A calculation. Its number is reserved with those of the whole recipe: so the order in which
/// calculations end decides nothing.
#[derive(Clone, Debug, PartialEq)]
struct Calculation {
    task: TaskId,
    state: CalculationState,
}

#[derive(Clone, Debug, PartialEq)]
enum CalculationState {
    /// It waits for a geometry, or nothing needs it any more.
    Reserved,
    Submitted,
    Done {
        quantities: BTreeMap<String, f64>,
        /// In the XYZ format, where other methods begin with it.
        xyz: Option<String>,
    },
    Failed,
}

/// The computation of the properties of a molecule for a stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Evaluation {
    /// Place of the stage.
    pub stage: usize,
    pub batch: u32,
    pub rank: u32,
    /// The last of its calculations.
    pub task: TaskId,
}

/// Result of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Evaluated {
    /// Values of the properties of the stage, each in its unit.
    Values(Vec<f64>),
    /// A calculation failed for good, or a property has no finite value.
    Failed(TaskId),
    /// A free atom that the property needs failed for good: its task.
    WithoutAtom(TaskId),
    /// The run ended before its calculations.
    Cancelled,
}

impl Engine {
    /// Begins the evaluation of a molecule for the stage at `place`, and reserves the numbers of
    /// the calculations that do not exist yet.
    pub(super) fn evaluate(&mut self, place: usize, candidate: Candidate, step: &mut EngineStep) {
        let Candidate {
            smiles,
            batch,
            rank,
            ..
        } = candidate;
        let missing = self.missing_free_atom(place, &smiles);
        // Nothing is calculated of a molecule that cannot be evaluated.
        let last = missing.unwrap_or_else(|| self.reserve(place, &smiles));
        let molecule = self.molecules.entry(smiles.clone()).or_default();
        molecule.evaluations.push(Evaluation {
            stage: place,
            batch,
            rank,
            task: last,
        });
        step.records.push(Record::Evaluating {
            batch,
            rank,
            task: last,
        });
        match missing {
            None => self.pursue(&smiles, step),
            Some(atom) => self.fail_without_atom(&smiles, atom, step),
        }
    }

    /// Ends the evaluation of a molecule that was begun last, for want of a free atom.
    fn fail_without_atom(&mut self, smiles: &str, atom: TaskId, step: &mut EngineStep) {
        let molecule = self.molecules.get_mut(smiles);
        let evaluation = molecule.and_then(|molecule| molecule.evaluations.pop());
        if let Some(evaluation) = evaluation {
            self.evaluation_ended(smiles, evaluation, Evaluated::WithoutAtom(atom), step);
        }
        self.forget_unless_needed(smiles);
    }

    /// Reserves numbers for the calculations of a molecule that do not exist yet, and returns the
    /// highest of its calculations.
    pub(super) fn reserve(&mut self, place: usize, smiles: &str) -> TaskId {
        let stage = self.stages[place].compute();
        let recipe = stage.map_or(&[][..], |stage| &stage.recipe);
        let molecule = self.molecules.entry(smiles.to_owned()).or_default();
        let tasks = recipe.iter().map(|node| {
            let calculations = &mut molecule.calculations;
            if let Some(calculation) = calculations.get(&node.method) {
                return calculation.task;
            }
            self.last_task += 1;
            let task = TaskId(self.last_task);
            let state = CalculationState::Reserved;
            calculations.insert(node.method.clone(), Calculation { task, state });
            task
        });
        tasks.max().unwrap_or(TaskId(0))
    }

    /// Submits the calculations of a molecule that can begin, and ends the evaluations that are
    /// decided.
    fn pursue(&mut self, smiles: &str, step: &mut EngineStep) {
        let Some(molecule) = self.molecules.get(smiles) else {
            return;
        };
        let mut decided = Vec::new();
        let mut ready: BTreeSet<(TaskId, String, Option<String>)> = BTreeSet::new();
        for (index, evaluation) in molecule.evaluations.iter().enumerate() {
            match (
                self.result(molecule, evaluation),
                self.stages[evaluation.stage].compute(),
            ) {
                (Some(result), _) => decided.push((index, result)),
                (None, Some(stage)) => ready.extend(molecule.ready(&stage.recipe)),
                (None, None) => {}
            }
        }
        for (task, method, geometry) in ready {
            let state = self
                .molecules
                .get_mut(smiles)
                .and_then(|m| m.calculations.get_mut(&method));
            if let Some(calculation) = state {
                calculation.state = CalculationState::Submitted;
            }
            let smiles = smiles.to_owned();
            self.submit_as(
                task,
                Work::Molecule {
                    method,
                    smiles,
                    geometry,
                },
                step,
            );
        }
        for (index, result) in decided.into_iter().rev() {
            let molecule = self.molecules.get_mut(smiles);
            if let Some(molecule) = molecule {
                let evaluation = molecule.evaluations.remove(index);
                self.evaluation_ended(smiles, evaluation, result, step);
            }
        }
    }

    /// The result of an evaluation; none while calculations are missing.
    fn result(
        &self,
        molecule: &MoleculeCalculations,
        evaluation: &Evaluation,
    ) -> Option<Evaluated> {
        let stage = self.stages[evaluation.stage].compute()?;
        for node in &stage.recipe {
            let calculation = molecule.calculations.get(&node.method)?;
            match calculation.state {
                CalculationState::Failed => return Some(Evaluated::Failed(calculation.task)),
                CalculationState::Reserved | CalculationState::Submitted => return None,
                CalculationState::Done { .. } => {}
            }
        }
        let values = MoleculeValues {
            molecule,
            free_atoms: &self.free_atoms,
        };
        let value = |name: &String| {
            let property = &self.plan.properties[name];
            let value = property.expression.value(&values)?;
            Some(property.unit.from_atomic(value)).filter(|value| value.is_finite())
        };
        let all: Option<Vec<f64>> = stage.properties.iter().map(value).collect();
        Some(all.map_or(Evaluated::Failed(evaluation.task), Evaluated::Values))
    }

    /// Records the result of a calculation, none if it failed for good.
    pub(super) fn calculation_ended(
        &mut self,
        task: TaskId,
        (method, smiles): (String, String),
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        let Some(molecule) = self.molecules.get_mut(&smiles) else {
            return;
        };
        let state = match answer {
            Some(Outcome::Simulated {
                quantities,
                atoms,
                xyz,
            }) => {
                step.records.push(Record::Quantities {
                    task,
                    quantities: quantities.clone(),
                });
                molecule.composition.clone_from(atoms);
                CalculationState::Done {
                    quantities: quantities.clone(),
                    xyz: xyz.clone(),
                }
            }
            _ => CalculationState::Failed,
        };
        molecule
            .calculations
            .insert(method, Calculation { task, state });
        self.pursue(&smiles, step);
        self.forget_unless_needed(&smiles);
    }

    /// Forgets the calculations of a molecule that no stage will compute again, once all have ended.
    fn forget_unless_needed(&mut self, smiles: &str) {
        let is_done = self.molecules.get(smiles).is_some_and(|molecule| {
            let mut calculations = molecule.calculations.values();
            let runs = calculations.any(|c| c.state == CalculationState::Submitted);
            molecule.evaluations.is_empty() && !runs
        });
        if is_done && !self.plan.revisits_molecules() {
            self.molecules.remove(smiles);
        }
    }

    fn evaluation_ended(
        &mut self,
        smiles: &str,
        evaluation: Evaluation,
        result: Evaluated,
        step: &mut EngineStep,
    ) {
        let Evaluation {
            stage,
            batch,
            rank,
            task,
        } = evaluation;
        let place = stage;
        if result == Evaluated::Cancelled && self.is_counted(place) {
            self.searched = self.searched.saturating_sub(1);
        }
        let Some(stage) = self.stages[place].compute() else {
            return;
        };
        let properties = stage.properties.clone();
        let is_final = self.plan.computes_objectives(&self.plan.stages[place]);
        let mut is_feasible = true;
        if let (Evaluated::Values(values), true) = (&result, is_final) {
            let composition = self.molecules.get(smiles).map(|m| &m.composition);
            let named = properties.iter().map(String::as_str);
            let named = named.zip(values.iter().copied());
            is_feasible = self.is_feasible(named, composition.unwrap_or(&Composition::new()));
        }
        if let Some(stage) = self.stages[place].compute_mut() {
            stage.evaluation_ended(smiles, task, &result, is_feasible);
        }
        match result {
            Evaluated::Values(values) => {
                self.observations.add(task, smiles, &properties, &values);
                let objectives = self.plan.objectives.iter().filter_map(|objective| {
                    let mut names = properties.iter();
                    let place = names.position(|name| *name == objective.property)?;
                    values.get(place).copied()
                });
                let molecule = EvaluatedMolecule {
                    task,
                    smiles: smiles.to_owned(),
                    batch,
                    rank,
                    values: objectives.collect(),
                    is_feasible,
                };
                let values = properties.into_iter().zip(values).collect();
                self.record_evaluated(molecule, values, is_final, step);
            }
            Evaluated::Failed(task) | Evaluated::WithoutAtom(task) => {
                self.quarantined.insert(smiles.to_owned());
                step.records
                    .push(Record::EvaluationFailed { batch, rank, task });
            }
            Evaluated::Cancelled => {
                step.records
                    .push(Record::EvaluationCancelled { batch, rank });
            }
        }
    }

    /// Records the values of a molecule; `is_final` if all objectives are among them.
    fn record_evaluated(
        &mut self,
        molecule: EvaluatedMolecule,
        values: BTreeMap<String, f64>,
        is_final: bool,
        step: &mut EngineStep,
    ) {
        let has_constraints = !self.plan.constraints.is_empty();
        step.records.push(Record::Evaluated {
            batch: molecule.batch,
            rank: molecule.rank,
            values,
            objective: match molecule.values.as_slice() {
                [one] if is_final => Some(*one),
                _ => None,
            },
            feasible: (is_final && has_constraints).then_some(molecule.is_feasible),
        });
        if is_final {
            self.add_evaluated(molecule, step);
        }
    }

    /// Adds an evaluated molecule. Ties go to the task submitted first, so the incumbent does not
    /// depend on the order of arrival.
    fn add_evaluated(&mut self, molecule: EvaluatedMolecule, step: &mut EngineStep) {
        self.add_to_front(&molecule, step);
        if let Some(objective) = self.plan.only_objective() {
            let key = |m: &EvaluatedMolecule| (objective.direction.cost(m.value()), m.task);
            let best = self.incumbent.as_ref();
            let is_better = best.is_none_or(|best| key(&molecule) < key(best));
            if molecule.is_feasible && is_better {
                self.incumbent = Some(molecule.clone());
            }
        }
        self.evaluated.push(molecule);
    }

    /// Ends the evaluations of a molecule one of whose tasks was cancelled. Its results stay, for a
    /// run that is reopened.
    pub(super) fn cancel_evaluations(&mut self, smiles: &str, step: &mut EngineStep) {
        let Some(molecule) = self.molecules.get_mut(smiles) else {
            return;
        };
        let evaluations = std::mem::take(&mut molecule.evaluations);
        molecule
            .calculations
            .retain(|_, calculation| calculation.has_ended());
        for evaluation in evaluations {
            self.evaluation_ended(smiles, evaluation, Evaluated::Cancelled, step);
        }
    }

    /// Batch of the first evaluation that a molecule has in flight, and the place of its stage.
    pub(super) fn evaluation_of(&self, smiles: &str) -> Option<(u32, usize)> {
        let evaluation = self.molecules.get(smiles)?.evaluations.first()?;
        Some((evaluation.batch, evaluation.stage))
    }
}

impl Calculation {
    fn has_ended(&self) -> bool {
        match self.state {
            CalculationState::Done { .. } | CalculationState::Failed => true,
            CalculationState::Reserved | CalculationState::Submitted => false,
        }
    }
}

impl MoleculeCalculations {
    /// The calculations of a recipe that can begin, with their geometries.
    fn ready(&self, recipe: &[RecipeNode]) -> Vec<(TaskId, String, Option<String>)> {
        let ready = recipe.iter().filter_map(|node| {
            let calculation = self.calculations.get(&node.method)?;
            if calculation.state != CalculationState::Reserved {
                return None;
            }
            let geometry = match &node.geometry {
                None => None,
                Some(first) => match &self.calculations.get(first)?.state {
                    CalculationState::Done { xyz, .. } => Some(xyz.clone()?),
                    _ => return None,
                },
            };
            Some((calculation.task, node.method.clone(), geometry))
        });
        ready.collect()
    }
}

/// Values of a molecule whose calculations are done.
struct MoleculeValues<'a> {
    molecule: &'a MoleculeCalculations,
    free_atoms: &'a FreeAtoms,
}

impl Values for MoleculeValues<'_> {
    fn quantity(&self, of: &QuantityOf) -> Option<f64> {
        match &self.molecule.calculations.get(&of.method)?.state {
            CalculationState::Done { quantities, .. } => quantities.get(&of.quantity).copied(),
            _ => None,
        }
    }

    fn of_free_atom(&self, element: &str, of: &QuantityOf) -> Option<f64> {
        self.free_atoms.quantity(&of.method, element, &of.quantity)
    }

    fn composition(&self) -> &Composition {
        &self.molecule.composition
    }
}
