//! The molecules that a generator has reached in a round, with what the model says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Proposal;
use crate::chem::Molecule;
use crate::chem::edit::{EditRules, successor_names};
use crate::design::error::DesignError;
use crate::design::surrogate::TrainedModel;

/// Canonical SMILES, each with the molecules that it was made of.
pub type Names = BTreeMap<String, Vec<Rc<str>>>;

/// Molecules that may be proposed, each predicted once.
pub struct Explored {
    model: TrainedModel,
    rules: EditRules,
    /// By canonical SMILES; none for what the rules do not permit.
    reached: BTreeMap<String, Option<Rc<Predicted>>>,
    /// Molecules whose neighbours were reached.
    expanded: BTreeSet<String>,
}

/// A molecule and its predicted merit.
pub struct Predicted {
    /// Canonical SMILES.
    pub smiles: String,
    pub molecule: Molecule,
    /// Standardised gain of the predicted costs, see [`TrainedModel::standardised_gain`].
    pub gain: f64,
    /// The molecules that it was first made of.
    parents: Vec<Rc<str>>,
}

impl Explored {
    /// Nothing is reached yet.
    pub fn new(model: TrainedModel, rules: EditRules) -> Self {
        Self {
            model,
            rules,
            reached: BTreeMap::new(),
            expanded: BTreeSet::new(),
        }
    }

    /// The molecules that may be proposed.
    pub fn rules(&self) -> &EditRules {
        &self.rules
    }

    /// Predicts those of the molecules that were not reached before and may be proposed; returns
    /// these, sorted by SMILES.
    ///
    /// # Errors
    ///
    /// The model cannot predict one of them.
    pub fn reach(&mut self, names: Names) -> Result<Vec<Rc<Predicted>>, DesignError> {
        let mut new = Vec::new();
        for (smiles, parents) in names {
            if self.reached.contains_key(&smiles) {
                continue;
            }
            let molecule = Molecule::parse(&smiles).ok();
            match molecule.filter(|molecule| self.rules.permits(molecule)) {
                Some(molecule) => new.push((smiles, molecule, parents)),
                None => drop(self.reached.insert(smiles, None)),
            }
        }
        let molecules: Vec<&Molecule> = new.iter().map(|(_, molecule, _)| molecule).collect();
        let costs = self.model.predict(&molecules)?;
        let mut predicted = Vec::new();
        for ((smiles, molecule, parents), costs) in new.into_iter().zip(costs) {
            let gain = self.model.standardised_gain(&costs);
            let one = Rc::new(Predicted {
                smiles: smiles.clone(),
                molecule,
                gain,
                parents,
            });
            self.reached.insert(smiles, Some(Rc::clone(&one)));
            predicted.push(one);
        }
        Ok(predicted)
    }

    /// Reaches all molecules one edit away from these, or from nothing if there are none; returns
    /// those that are new.
    ///
    /// # Errors
    ///
    /// The model cannot predict one of them.
    pub fn reach_neighbours(
        &mut self,
        of: &[Rc<Predicted>],
    ) -> Result<Vec<Rc<Predicted>>, DesignError> {
        let mut names = match of {
            [] => without_parents(successor_names(None, &self.rules)),
            _ => Names::new(),
        };
        for state in of {
            if self.expanded.insert(state.smiles.clone()) {
                let parent: Rc<str> = state.smiles.as_str().into();
                for name in successor_names(Some(&state.molecule), &self.rules) {
                    names.entry(name).or_insert_with(|| vec![parent.clone()]);
                }
            }
        }
        self.reach(names)
    }

    /// The largest predicted gain of a molecule that was reached, zero if there is none.
    pub fn best_gain(&self) -> f64 {
        let permitted = self.reached.values().flatten();
        let best = permitted.map(|one| one.gain).max_by(f64::total_cmp);
        best.unwrap_or_default()
    }

    /// Calls `visit` with every molecule that was reached, in the order of SMILES.
    pub fn propose(&self, visit: &mut dyn FnMut(Proposal<'_>)) {
        let permitted = self.reached.values().flatten();
        permitted.for_each(|one| {
            visit(Proposal {
                smiles: &one.smiles,
                parents: &one.parents,
            });
        });
    }
}

/// Molecules that were made of no others.
pub fn without_parents(names: impl IntoIterator<Item = String>) -> Names {
    names.into_iter().map(|name| (name, Vec::new())).collect()
}

/// The best `count` of the molecules by predicted gain, the best first; ties go to the first SMILES.
pub fn best(mut molecules: Vec<Rc<Predicted>>, count: usize) -> Vec<Rc<Predicted>> {
    molecules.sort_by(|a, b| {
        b.gain
            .total_cmp(&a.gain)
            .then_with(|| a.smiles.cmp(&b.smiles))
    });
    molecules.truncate(count);
    molecules
}
