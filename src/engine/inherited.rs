//! Molecules whose objectives an earlier run had computed: they are evaluated at the beginning, from
//! the results that the driver took over, and count as known.

use crate::plan::{MoleculeSource, StageKind};

use super::hash::HashSet;
use super::{Engine, EngineStep};

/// Molecules of an earlier run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inherited {
    /// Molecules that are not evaluated yet.
    waiting: Vec<String>,
    /// All of them.
    molecules: HashSet<String>,
}

impl Inherited {
    pub fn new(molecules: &[String]) -> Self {
        Self {
            waiting: molecules.to_vec(),
            molecules: molecules.iter().cloned().collect(),
        }
    }

    pub fn contains(&self, smiles: &str) -> bool {
        self.molecules.contains(smiles)
    }
}

impl Engine {
    /// Evaluates the molecules of the earlier run. They count for the first stage that computes the
    /// objectives, and against no stop condition.
    pub(super) fn evaluate_inherited(&mut self, step: &mut EngineStep) {
        let waiting = std::mem::take(&mut self.inherited.waiting);
        let Some(place) = self.place_of_inherited().filter(|_| !waiting.is_empty()) else {
            return;
        };
        for smiles in waiting {
            let candidate = self.candidate_of(smiles, step);
            if let Some(stage) = self.stages[place].compute_mut() {
                stage.inherit();
            }
            self.evaluate(place, candidate, step);
        }
    }

    /// Place of the stage that inherited molecules count for.
    fn place_of_inherited(&self) -> Option<usize> {
        let computes = |place: &usize| {
            let stage = &self.plan.stages[*place];
            self.plan.computes_objectives(stage)
        };
        let is_list = |place: &usize| match &self.plan.stages[*place].kind {
            StageKind::Compute { molecules, .. } => {
                matches!(molecules, MoleculeSource::All | MoleculeSource::Random(_))
            }
            _ => false,
        };
        let places = || (0..self.stages.len()).filter(computes);
        places().find(is_list).or_else(|| places().next())
    }

    /// Removes molecules whose objective an earlier run had, if the stage at `place` computes that.
    pub(super) fn without_inherited(&self, place: usize, molecules: Vec<String>) -> Vec<String> {
        if !self.plan.computes_objectives(&self.plan.stages[place]) {
            return molecules;
        }
        let new = molecules.into_iter();
        new.filter(|smiles| !self.inherited.contains(smiles))
            .collect()
    }
}
