//! The group-contribution model: a sum over groups, fitted by Bayesian ridge regression.
//!
//! An energy is that of its atoms: E = N e0 + sum of n_g e_g, with N the number of atoms and n_g
//! the counts of the groups. Divided by N this is linear in n_g / N with the intercept e0, and all
//! molecules weigh the same. Fitting E on n_g instead has an intercept that is the same for a
//! molecule of any size: one made of unknown groups is then predicted as an average molecule,
//! however small, and per atom as the best of all.

use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::settings::TrainSettings;
use super::statistics::{RegressionTarget, Statistics};
use crate::chem::Molecule;
use crate::learn::ridge::{BayesianRidge, RidgeSettings};
use crate::learn::saved::{SavedError, SavedFormat};
use crate::learn::surrogate::{Features, FitError, Prediction, Surrogate};

/// A fitted model of the objective, in hartree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupModel {
    vocabulary: Vocabulary,
    ridge: BayesianRidge,
    target: RegressionTarget,
    /// Mean and standard deviation of the observed objective; the latter 1 where all values are
    /// equal.
    centre: f64,
    spread: f64,
}

/// Values that differ by less than this are equal: no simulation is as precise, hartree.
const SMALLEST_SPREAD: f64 = 1e-6;

const MODEL: SavedFormat = SavedFormat {
    name: "model",
    layout: 1,
};

impl GroupModel {
    /// Fits the model to molecules and their values of the objective, hartree.
    pub fn fit(
        observations: &[(Molecule, f64)],
        per_atom: bool,
        settings: &TrainSettings,
    ) -> Result<Self, FitError> {
        let mut statistics = Statistics::new(settings.model, per_atom);
        statistics.add(observations)?;
        Self::of(&statistics, settings)
    }

    /// Fits the model to what `statistics` were taken of.
    pub fn of(statistics: &Statistics, settings: &TrainSettings) -> Result<Self, FitError> {
        let settings = RidgeSettings {
            max_iterations: settings.max_iterations,
            tolerance: settings.tolerance,
        };
        let (centre, deviation) = statistics.centre_and_deviation();
        Ok(Self {
            vocabulary: statistics.vocabulary().clone(),
            ridge: BayesianRidge::of(statistics.fitted(), &settings)?,
            target: statistics.target(),
            centre,
            spread: match deviation > SMALLEST_SPREAD {
                true => deviation,
                false => 1.0,
            },
        })
    }

    /// Root mean square error on what `statistics` were taken of, hartree.
    pub fn rmse(&self, statistics: &Statistics) -> f64 {
        statistics.rmse(&self.ridge)
    }

    /// The objective of each molecule, hartree.
    pub fn predict<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> Vec<Prediction> {
        let mut rows = Features::new(self.vocabulary.len());
        let mut factors = Vec::new();
        for molecule in molecules {
            rows.push(self.target.row(&self.vocabulary, molecule));
            factors.push(self.target.objective_of_fitted(molecule));
        }
        let fitted = self.ridge.predict(&rows);
        let objective = |(fitted, factor): (Prediction, f64)| Prediction {
            mean: fitted.mean * factor,
            std: fitted.std * factor,
        };
        fitted.into_iter().zip(factors).map(objective).collect()
    }

    /// Distance of `value` below the mean of the observations, in standard deviations.
    pub fn standardised_gain(&self, value: f64) -> f64 {
        (self.centre - value) / self.spread
    }

    /// Number of groups.
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
