//! The group-contribution model: a sum over groups, fitted by Bayesian ridge regression.

use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::settings::TrainSettings;
use crate::chem::Molecule;
use crate::learn::ridge::{BayesianRidge, RidgeSettings};
use crate::learn::saved::{Kind, SavedError};
use crate::learn::surrogate::{Features, FitError, Prediction, Surrogate};

/// A fitted model of the objective, in hartree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupModel {
    vocabulary: Vocabulary,
    ridge: BayesianRidge,
    /// The objective is per atom. Groups add up to the energy of the whole molecule, so that is what is fitted; a
    /// prediction is divided by the number of atoms.
    per_atom: bool,
}

const MODEL: Kind = Kind {
    name: "model",
    layout: 1,
};

impl GroupModel {
    /// Fits the model to molecules and their values of the objective, hartree.
    pub fn fit(
        measured: &[(Molecule, f64)],
        per_atom: bool,
        settings: &TrainSettings,
    ) -> Result<Self, FitError> {
        let vocabulary = Vocabulary::of(measured.iter().map(|(molecule, _)| molecule));
        let mut counts = Features::new(vocabulary.len());
        let mut values = Vec::new();
        for (molecule, value) in measured {
            counts.push(vocabulary.counts(molecule));
            values.push(value * share(molecule, per_atom));
        }
        let settings = RidgeSettings {
            max_iterations: settings.max_iterations,
            tolerance: settings.tolerance,
        };
        Ok(Self {
            ridge: BayesianRidge::fit(&counts, &values, &settings)?,
            vocabulary,
            per_atom,
        })
    }

    /// The objective of each molecule, hartree.
    pub fn predict<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> Vec<Prediction> {
        let mut counts = Features::new(self.vocabulary.len());
        let mut shares = Vec::new();
        for molecule in molecules {
            counts.push(self.vocabulary.counts(molecule));
            shares.push(share(molecule, self.per_atom));
        }
        let whole = self.ridge.predict(&counts);
        let divide = |(whole, share): (Prediction, f64)| Prediction {
            mean: whole.mean / share,
            std: whole.std / share,
        };
        whole.into_iter().zip(shares).map(divide).collect()
    }

    /// How many groups it knows.
    pub fn groups(&self) -> usize {
        self.vocabulary.len()
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        postcard::to_extend(self, MODEL.line().into_bytes())
            .map_err(|_| SavedError::Damaged(MODEL.name))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        let damaged = || SavedError::Damaged(MODEL.name);
        match postcard::take_from_bytes(MODEL.content(bytes)?) {
            Ok((model, [])) => Ok(model),
            _ => Err(damaged()),
        }
    }
}

/// What a value of the objective is multiplied with to be that of the whole molecule.
fn share(molecule: &Molecule, per_atom: bool) -> f64 {
    if per_atom {
        molecule.atom_count() as f64
    } else {
        1.0
    }
}
