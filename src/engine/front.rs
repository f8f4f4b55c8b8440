//! The Pareto front of several objectives: the feasible molecules that no other one dominates.

use std::ops::Range;

use super::{Engine, EngineStep, EvaluatedMolecule};
use crate::design::pareto::{dominates, hypervolume, ranked};
use crate::plan::{Objective, Plan};
use crate::task::{Record, TaskId};

/// The front so far, and its hypervolume.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Front {
    /// In the order of submission.
    members: Vec<FrontMember>,
    /// Worst cost of each objective that counts; none until the molecules before the loops are
    /// computed, unless the campaign gives it.
    reference: Option<Vec<f64>>,
    /// In the product of the units of the objectives; none while there is no reference.
    hypervolume: Option<f64>,
}

/// A molecule of the front.
#[derive(Clone, Debug, PartialEq)]
struct FrontMember {
    task: TaskId,
    batch: u32,
    rank: u32,
    costs: Vec<f64>,
}

impl Front {
    pub fn new(plan: &Plan) -> Self {
        let given = plan.objectives.iter().map(|objective| {
            let value = objective.reference?;
            Some(objective.direction.cost(value))
        });
        let reference: Option<Vec<f64>> = given.collect();
        Self {
            members: Vec::new(),
            hypervolume: reference.as_ref().map(|_| 0.0),
            reference,
        }
    }

    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// In the product of the units of the objectives; none while there is no reference.
    pub fn hypervolume(&self) -> Option<f64> {
        self.hypervolume
    }

    /// Costs of the molecules.
    pub fn costs(&self) -> Vec<Vec<f64>> {
        self.members.iter().map(|m| m.costs.clone()).collect()
    }

    /// Worst costs that count; none while they are not known.
    pub fn reference(&self) -> Option<&Vec<f64>> {
        self.reference.as_ref()
    }

    /// Adds a molecule, unless a member dominates it; molecules that it dominates leave.
    fn add(&mut self, new: FrontMember, step: &mut EngineStep) {
        let is_there = |m: &FrontMember| (m.batch, m.rank) == (new.batch, new.rank);
        let mut members = self.members.iter();
        if members.any(|m| is_there(m) || dominates(&m.costs, &new.costs)) {
            return;
        }
        self.members.retain(|member| {
            let stays = !dominates(&new.costs, &member.costs);
            if !stays {
                step.records.push(Record::FrontLeft {
                    batch: member.batch,
                    rank: member.rank,
                });
            }
            stays
        });
        step.records.push(Record::FrontJoined {
            batch: new.batch,
            rank: new.rank,
        });
        let key = (new.task, new.batch, new.rank);
        let place = self
            .members
            .partition_point(|m| (m.task, m.batch, m.rank) < key);
        self.members.insert(place, new);
        self.measure();
    }

    fn measure(&mut self) {
        let costs: Vec<&[f64]> = self.members.iter().map(|m| m.costs.as_slice()).collect();
        let reference = self.reference.as_ref();
        self.hypervolume = reference.map(|reference| hypervolume(&costs, reference));
    }
}

impl Engine {
    /// Costs of a molecule, in the order of the objectives.
    pub(super) fn costs(&self, molecule: &EvaluatedMolecule) -> Vec<f64> {
        let objectives = self.plan.objectives.iter().zip(&molecule.values);
        objectives
            .map(|(objective, value)| objective.direction.cost(*value))
            .collect()
    }

    /// Scores of the first `count` evaluated molecules, in order of arrival; lower is better. The cost
    /// of one objective; of several the place in the order of non-dominated fronts and crowding
    /// distance. Infeasible molecules come last.
    pub(super) fn scores(&self, count: usize) -> Vec<f64> {
        let molecules = &self.evaluated[..count.min(self.evaluated.len())];
        if let Some(objective) = self.plan.only_objective() {
            let score = |molecule| score(objective, molecule);
            return molecules.iter().map(score).collect();
        }
        let mut scores: Vec<f64> = vec![f64::INFINITY; molecules.len()];
        let feasible = (0..molecules.len()).filter(|place| molecules[*place].is_feasible);
        let mut feasible: Vec<usize> = feasible.collect();
        feasible.sort_by_key(|place| (molecules[*place].task, &molecules[*place].smiles));
        let costs: Vec<Vec<f64>> = feasible
            .iter()
            .map(|p| self.costs(&molecules[*p]))
            .collect();
        let costs: Vec<&[f64]> = costs.iter().map(Vec::as_slice).collect();
        for (rank, index) in ranked(&costs).into_iter().enumerate() {
            scores[feasible[index]] = rank as f64;
        }
        scores
    }

    /// Places of the best `count` of the first `new.end` evaluated molecules, the best first; ties go
    /// to the task submitted first. `best` are the places of the best before `new`.
    pub(super) fn best_places(
        &self,
        best: &[usize],
        new: Range<usize>,
        count: usize,
    ) -> Vec<usize> {
        let mut scored: Vec<(f64, usize)> = match self.plan.only_objective() {
            // What is new leaves the order of the others as it was.
            Some(objective) => (best.iter().copied().chain(new))
                .map(|place| (score(objective, &self.evaluated[place]), place))
                .collect(),
            None => self.scores(new.end).into_iter().zip(0..).collect(),
        };
        let task = |place: usize| self.evaluated[place].task;
        scored.sort_by(|(a, first), (b, second)| {
            a.total_cmp(b)
                .then_with(|| task(*first).cmp(&task(*second)))
        });
        scored.truncate(count);
        scored.into_iter().map(|(_, place)| place).collect()
    }

    /// Adds an evaluated molecule to the front, if the campaign has one.
    pub(super) fn add_to_front(&mut self, molecule: &EvaluatedMolecule, step: &mut EngineStep) {
        if self.plan.only_objective().is_some() {
            return;
        }
        if molecule.is_feasible {
            let new = FrontMember {
                task: molecule.task,
                batch: molecule.batch,
                rank: molecule.rank,
                costs: self.costs(molecule),
            };
            self.front.add(new, step);
        }
        self.record_hypervolume(molecule.batch, molecule.rank, step);
    }

    fn record_hypervolume(&self, batch: u32, rank: u32, step: &mut EngineStep) {
        step.records
            .extend(
                self.front
                    .hypervolume
                    .map(|value| Record::Hypervolume { batch, rank, value }),
            );
    }

    /// Sets the reference point when the loops begin, unless the campaign gives it: the worst value
    /// of each objective among the molecules computed before.
    pub(super) fn set_reference(&mut self, step: &mut EngineStep) {
        let is_due = self.plan.only_objective().is_none()
            && self.front.reference.is_none()
            && self.plan.has_loops()
            && self.loops_are_active();
        let Some(last) = self.evaluated.last().filter(|_| is_due) else {
            return;
        };
        let (batch, rank) = (last.batch, last.rank);
        let all: Vec<Vec<f64>> = self.evaluated.iter().map(|m| self.costs(m)).collect();
        let objectives = self.plan.objectives.iter().enumerate();
        let worst = objectives.map(|(place, objective)| {
            let given = objective.reference.map(|v| objective.direction.cost(v));
            let found = all.iter().map(|costs| costs[place]);
            given.unwrap_or_else(|| found.fold(f64::NEG_INFINITY, f64::max))
        });
        self.front.reference = Some(worst.collect());
        self.front.measure();
        self.record_hypervolume(batch, rank, step);
    }

    /// Measure of success, lower is better: the cost of the incumbent, or the negative hypervolume.
    pub(super) fn merit(&self) -> Option<f64> {
        match self.plan.only_objective() {
            Some(objective) => {
                let best = self.incumbent.as_ref()?;
                Some(objective.direction.cost(best.value()))
            }
            None => Some(-self.front.hypervolume?),
        }
    }
}

/// Score of a molecule by one objective: its cost, lower is better; infinite if it is infeasible.
fn score(objective: &Objective, molecule: &EvaluatedMolecule) -> f64 {
    match molecule.is_feasible {
        true => objective.direction.cost(molecule.value()),
        false => f64::INFINITY,
    }
}
