//! Runs that go on: after a change of their stop conditions or budgets, and after free atoms that
//! had failed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::task::Record;

use super::stage::{Stage, Turn};
use super::{Engine, EngineStep, Phase};

impl Engine {
    /// Takes over new stop conditions and budgets; a run that has ended is reopened, and ends again
    /// if a stop condition still holds. Returns true if it was reopened.
    pub(super) fn change_settings(
        &mut self,
        stop: &Value,
        budgets: &BTreeMap<String, Value>,
        step: &mut EngineStep,
    ) -> bool {
        if let Ok(stop) = serde_json::from_value(stop.clone()) {
            self.plan.stop = stop;
        }
        for stage in &mut self.plan.stages {
            let budget = budgets.get(&stage.name);
            stage.budget = budget.and_then(|budget| serde_json::from_value(budget.clone()).ok());
        }
        self.judge_stages_again();
        let is_reopened = self.is_ended();
        if is_reopened {
            self.reopen(step);
            self.reopen_lists();
        }
        is_reopened
    }

    /// Computes free atoms again that failed for good, and then what was not computed without them.
    /// Returns true if a run that had ended was reopened.
    pub(super) fn begin_free_atoms_again(&mut self, step: &mut EngineStep) -> bool {
        if !self.lacks_free_atoms() {
            return false;
        }
        self.free_atoms.forget_failures();
        for place in 0..self.stages.len() {
            let is_counted = self.is_counted(place);
            let Some(stage) = self.stages[place].compute_mut() else {
                continue;
            };
            let again = stage.evaluate_again();
            let counted = if is_counted { again.len() } else { 0 };
            self.searched = self.searched.saturating_sub(counted);
            for smiles in again {
                self.quarantined.remove(&smiles);
            }
        }
        let is_reopened = self.is_ended();
        if is_reopened {
            self.reopen(step);
        } else {
            self.phase = Phase::FreeAtoms;
            self.submit_free_atoms(step);
        }
        is_reopened
    }

    /// Makes a run that has ended go on where it stopped: with the free atoms that it lacks.
    fn reopen(&mut self, step: &mut EngineStep) {
        step.records.push(Record::RunReopened);
        self.phase = Phase::FreeAtoms;
        self.stopping = None;
        if self.is_late() {
            self.time_is_up();
            return;
        }
        // A round that the end cut short is not taken up: the next one has newer results.
        self.round.cut_short();
        for stage in &mut self.stages {
            stage.set_turn(Turn::Done);
        }
        self.submit_free_atoms(step);
    }

    /// Lets lists go on that had used up their budgets, as long as no other stage has begun with
    /// their results.
    fn reopen_lists(&mut self) {
        for place in 0..self.stages.len() {
            let mut others = self.plan.stages.iter().zip(&self.stages);
            let is_used = others.any(|(planned, stage)| {
                let has_begun = stage.compute().is_none_or(|stage| stage.has_begun());
                planned.after.contains(&place) && has_begun
            });
            let has_budget_left = !self.is_spent(place);
            if let Stage::Compute(stage) = &mut self.stages[place]
                && !is_used
                && has_budget_left
            {
                stage.continue_list();
            }
        }
    }
}
