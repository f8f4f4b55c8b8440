//! Free atoms: computed once a run, before the stages, by each method whose atomization energies
//! the campaign asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::chem::Molecule;
use crate::plan::Plan;
use crate::simulate::atomic_reference_smiles;
use crate::task::{Outcome, Record, Retries, StoppedBy, TaskId};

use super::stage::{ComputeStage, Stage};
use super::tasks::Work;
use super::{Engine, EngineStep};

/// The element without which there are hardly any molecules.
const HYDROGEN: &str = "H";

/// Quantities of free atoms by method and element.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FreeAtoms {
    /// Retries of the methods that compute them.
    retries: BTreeMap<String, Retries>,
    /// Quantities by method and element.
    known: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
    /// Tasks of those that failed for good, by method and element.
    failed: BTreeMap<String, BTreeMap<String, TaskId>>,
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
            failed: BTreeMap::new(),
        }
    }

    /// Forgets which ones failed, so that they are computed again.
    pub fn forget_failures(&mut self) {
        self.failed.clear();
    }

    fn has_failed(&self, method: &str, element: &str) -> Option<TaskId> {
        self.failed.get(method)?.get(element).copied()
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
        let atom = self.known.get(method)?.get(element)?;
        atom.get(quantity).copied()
    }

    /// Returns true if a method computes free atoms and lacks this one.
    pub fn lacks(&self, method: &str, element: &str) -> bool {
        let known = self.known.get(method);
        self.retries.contains_key(method) && known.is_none_or(|known| !known.contains_key(element))
    }
}

impl Engine {
    /// Submits the free atoms that have no result yet, except those that failed for good.
    pub(super) fn submit_free_atoms(&mut self, step: &mut EngineStep) {
        let methods: Vec<String> = self.free_atoms.retries.keys().cloned().collect();
        for method in methods {
            for smiles in atomic_reference_smiles(&self.plan.search_space.elements) {
                let element = smiles.trim_matches(['[', ']']).to_owned();
                let is_due = self.free_atoms.lacks(&method, &element)
                    && self.free_atoms.has_failed(&method, &element).is_none();
                if is_due {
                    let method = method.clone();
                    self.submit(Work::FreeAtom { method, element }, step);
                }
            }
        }
    }

    /// Returns true while free atoms are computed.
    pub(super) fn computes_free_atoms(&self) -> bool {
        let mut running = self.running.values();
        running.any(|task| matches!(task.work, Work::FreeAtom { .. }))
    }

    /// Returns true if free atoms failed for good.
    pub fn lacks_free_atoms(&self) -> bool {
        !self.free_atoms.failed.is_empty()
    }

    pub(super) fn free_atom_ended(
        &mut self,
        task: TaskId,
        (method, element): (String, String),
        answer: Option<&Outcome>,
        step: &mut EngineStep,
    ) {
        let Some(Outcome::Simulated { quantities, .. }) = answer else {
            let failed = self.free_atoms.failed.entry(method).or_default();
            failed.insert(element, task);
            return;
        };
        step.records.push(Record::FreeAtom {
            method: method.clone(),
            element: element.clone(),
            quantities: quantities.clone(),
        });
        let known = self.free_atoms.known.entry(method).or_default();
        known.insert(element, quantities.clone());
    }

    /// Reason to end the run if no stage can compute a molecule: each lacks hydrogen, or every heavy
    /// element.
    pub(super) fn free_atoms_missed(&self) -> Option<StoppedBy> {
        let mut stages = self.stages.iter().filter_map(Stage::compute);
        let elements = &self.plan.search_space.elements;
        let has_failed = |method: &str, element: &str| {
            let failed = self.free_atoms.has_failed(method, element);
            failed.is_some()
        };
        let is_hopeless = stages.all(|stage| {
            let mut methods = self.methods_of_free_atoms(stage);
            methods.any(|method| {
                has_failed(method, HYDROGEN) || elements.iter().all(|e| has_failed(method, e))
            })
        });
        is_hopeless.then_some(StoppedBy::References)
    }

    /// Methods by which the free atoms of the molecules of a stage are computed.
    fn methods_of_free_atoms<'a>(
        &'a self,
        stage: &'a ComputeStage,
    ) -> impl Iterator<Item = &'a String> {
        let names = stage.properties.iter();
        let properties = names.filter_map(|name| self.plan.properties.get(name));
        properties.flat_map(|property| &property.free_atoms)
    }

    /// Returns the task of a free atom that failed for good and that the stage at `place` needs for
    /// a molecule; none if it needs no such atom.
    pub(super) fn missing_free_atom(&self, place: usize, smiles: &str) -> Option<TaskId> {
        if !self.lacks_free_atoms() {
            return None;
        }
        let stage = self.stages[place].compute()?;
        let molecule = Molecule::parse(smiles).ok()?;
        let elements = molecule.element_counts();
        let elements = &elements;
        let mut needed = self
            .methods_of_free_atoms(stage)
            .flat_map(|method| elements.keys().map(move |element| (method, element)));
        needed.find_map(|(method, element)| self.free_atoms.has_failed(method, element))
    }

    /// Returns true if a molecule that is proposed cannot be evaluated by a stage of the loops, for
    /// want of a free atom.
    pub(super) fn lacks_atoms_of(&self, smiles: &str) -> bool {
        let stages = self.plan.stages.iter().enumerate();
        let mut in_loops = stages.filter(|(_, stage)| stage.in_loop.is_some());
        self.lacks_free_atoms()
            && in_loops.any(|(place, _)| self.missing_free_atom(place, smiles).is_some())
    }
}
