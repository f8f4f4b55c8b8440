//! The group-contribution model: a sum over groups, fitted by Bayesian ridge regression.
//!
//! An energy is that of its atoms: E = N e0 + sum of n_g e_g, with N the number of atoms and n_g the counts of the groups.
//! Divided by N this is linear in n_g / N with the intercept e0, and all molecules weigh the same. Fitting E on n_g
//! instead has an intercept that is the same for a molecule of any size: one made of unknown groups is then predicted as an
//! average molecule, however small, and per atom as the best of all.

use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::settings::{Model, TrainSettings};
use crate::chem::Molecule;
use crate::learn::ridge::{BayesianRidge, RidgeSettings};
use crate::learn::saved::{Kind, SavedError};
use crate::learn::surrogate::{Features, FitError, Prediction, Surrogate};

/// A fitted model of the objective, in hartree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupModel {
    vocabulary: Vocabulary,
    ridge: BayesianRidge,
    terms: Terms,
    /// Mean and standard deviation of the objective as measured; the latter 1 where all values are equal.
    centre: f64,
    spread: f64,
}

/// Values that differ by less than this are equal: no simulation is as precise, hartree.
const SMALLEST_SPREAD: f64 = 1e-6;

/// What is asked for, and what is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    model: Model,
    /// Whether the objective is divided by the number of atoms.
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
        let model = settings.model;
        let terms = Terms { model, per_atom };
        let vocabulary = Vocabulary::of(measured.iter().map(|(molecule, _)| molecule));
        let mut rows = Features::new(vocabulary.len());
        let mut values = Vec::new();
        for (molecule, value) in measured {
            rows.push(terms.row(&vocabulary, molecule));
            values.push(value / terms.objective_of_fitted(molecule));
        }
        let n = measured.len() as f64;
        let centre = measured.iter().map(|(_, value)| value).sum::<f64>() / n;
        let squares = measured.iter().map(|(_, value)| (value - centre).powi(2));
        let spread = match (squares.sum::<f64>() / n).sqrt() {
            deviation if deviation > SMALLEST_SPREAD => deviation,
            _ => 1.0,
        };
        let settings = RidgeSettings {
            max_iterations: settings.max_iterations,
            tolerance: settings.tolerance,
        };
        Ok(Self {
            ridge: BayesianRidge::fit(&rows, &values, &settings)?,
            vocabulary,
            terms,
            centre,
            spread,
        })
    }

    /// The objective of each molecule, hartree.
    pub fn predict<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> Vec<Prediction> {
        let mut rows = Features::new(self.vocabulary.len());
        let mut factors = Vec::new();
        for molecule in molecules {
            rows.push(self.terms.row(&self.vocabulary, molecule));
            factors.push(self.terms.objective_of_fitted(molecule));
        }
        let fitted = self.ridge.predict(&rows);
        let objective = |(fitted, factor): (Prediction, f64)| Prediction {
            mean: fitted.mean * factor,
            std: fitted.std * factor,
        };
        fitted.into_iter().zip(factors).map(objective).collect()
    }

    /// How far `value` lies below the mean of what was measured, in standard deviations.
    pub fn standardised_gain(&self, value: f64) -> f64 {
        (self.centre - value) / self.spread
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

impl Terms {
    /// The features of a molecule.
    fn row(self, vocabulary: &Vocabulary, molecule: &Molecule) -> Vec<(usize, f64)> {
        let share = match self.model {
            Model::GroupContribution => atoms(molecule),
            Model::GroupCounts => 1.0,
        };
        let counts = vocabulary.counts(molecule).into_iter();
        counts
            .map(|(column, count)| (column, count / share))
            .collect()
    }

    /// What a fitted value of a molecule is multiplied with to be that of the objective.
    fn objective_of_fitted(self, molecule: &Molecule) -> f64 {
        match (self.model, self.per_atom) {
            (Model::GroupContribution, true) | (Model::GroupCounts, false) => 1.0,
            (Model::GroupContribution, false) => atoms(molecule),
            (Model::GroupCounts, true) => atoms(molecule).recip(),
        }
    }
}

fn atoms(molecule: &Molecule) -> f64 {
    molecule.atom_count() as f64
}
