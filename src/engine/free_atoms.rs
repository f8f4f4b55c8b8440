//! Free atoms: computed once a run, before the stages, by each method whose atomization energies
//! the campaign asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::simulate::atomic_reference_smiles;
use crate::task::{Outcome, Record, Retries, StoppedBy};

use super::tasks::Work;
use super::{Engine, EngineStep, Phase};

/// Quantities of free atoms by method and element.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FreeAtoms {
    /// Retries of the methods that compute them.
    retries: BTreeMap<String, Retries>,
    known: BTreeMap<(String, String), BTreeMap<String, f64>>,
}

impl FreeAtoms {
    pub fn new(plan: &Plan) -> Self {
        let methods: BTreeSet<&String> = plan
            .computed_properties()
            .flat_map(|property| &property.free_atoms)
            .collect();
        let retries = |method: &String| plan.methods[method].retries.clone();
        Self {
            retries: methods
                .into_iter()
                .map(|m| (m.clone(), retries(m)))
                .collect(),
            known: BTreeMap::new(),
        }
    }

    /// Further attempts at each atom, at the least.
    pub fn retry_at_least(&mut self, attempts: u32) {
        for retries in self.retries.values_mut() {
            *retries = retries.at_least(attempts);
        }
    }

    pub fn retries(&self, method: &str) -> Option<&Retries> {
        self.retries.get(method)
    }

    pub fn quantity(&self, method: &str, element: &str, quantity: &str) -> Option<f64> {
        let atom = self.known.get(&(method.to_owned(), element.to_owned()))?;
        atom.get(quantity).copied()
    }

    /// Returns true if a method computes free atoms and lacks this one.
    pub fn lacks(&self, method: &str, element: &str) -> bool {
        let key = (method.to_owned(), element.to_owned());
        self.retries.contains_key(method) && !self.known.contains_key(&key)
    }
}

impl Engine {
    /// Submits the free atoms that have no result yet.
    pub(super) fn submit_free_atoms(&mut self, step: &mut EngineStep) {
        let methods: Vec<String> = self.free_atoms.retries.keys().cloned().collect();
        for method in methods {
            for smiles in atomic_reference_smiles(&self.plan.search_space.elements) {
                let element = smiles.trim_matches(['[', ']']).to_owned();
                if self.free_atoms.lacks(&method, &element) {
                    let method = method.clone();
                    self.submit(Work::FreeAtom { method, element }, step);
                }
            }
        }
    }

    /// Reopens a run that ended because a free atom was missing.
    pub(super) fn begin_free_atoms_again(&mut self, step: &mut EngineStep) {
        if self.stopped_by() != Some(StoppedBy::References) {
            return;
        }
        self.phase = Phase::FreeAtoms;
        self.stopping = None;
        step.records.push(Record::RunReopened);
        self.submit_free_atoms(step);
    }

    pub(super) fn free_atom_ended(
        &mut self,
        method: String,
        element: String,
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        let Some(Outcome::Simulated { quantities, .. }) = answer else {
            self.stopping = self.stopping.or(Some(StoppedBy::References));
            return;
        };
        step.records.push(Record::FreeAtom {
            method: method.clone(),
            element: element.clone(),
            quantities: quantities.clone(),
        });
        self.free_atoms
            .known
            .insert((method, element), quantities.clone());
    }
}
