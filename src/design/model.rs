//! The group-contribution model: a sum over groups, fitted by Bayesian ridge regression.
//!
//! The energy is E = N e0 + sum of n_g e_g, with N the number of atoms and n_g the counts of the
//! groups. E / N is linear in n_g / N with the intercept e0, and all molecules have the same
//! weight. A fit of E on n_g would have one intercept for molecules of any size: a small molecule
//! of unknown groups would be predicted as an average molecule, and per atom as the best of all.

use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::settings::TrainSettings;
use super::statistics::{ObjectiveDistribution, RegressionTarget, Statistics};
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
    /// Mean of the observations.
    centre: f64,
    /// Standard deviation of the observations; 1 if all values are equal.
    spread: f64,
}

/// Standard deviation in hartree below which all values count as equal: no simulation is more
/// precise.
const SMALLEST_SPREAD: f64 = 1e-6;

const MODEL: SavedFormat = SavedFormat {
    name: "model",
    layout: 1,
};

impl GroupModel {
    /// Fits the model to molecules and their values of the objective, hartree.
    ///
    /// # Errors
    ///
    /// There are no observations, a value is not finite, or the fit fails.
    pub fn fit(
        observations: &[(Molecule, f64)],
        per_atom: bool,
        settings: &TrainSettings,
    ) -> Result<Self, FitError> {
        let mut statistics = Statistics::new(settings.model, per_atom);
        statistics.add(observations)?;
        Self::from_statistics(&statistics, settings)
    }

    /// Fits the model to the observations in `statistics`.
    ///
    /// # Errors
    ///
    /// There are no observations, or the fit fails.
    pub fn from_statistics(
        statistics: &Statistics,
        settings: &TrainSettings,
    ) -> Result<Self, FitError> {
        let settings = RidgeSettings {
            max_iterations: settings.max_iterations,
            tolerance: settings.tolerance,
        };
        let ObjectiveDistribution { mean, deviation } = statistics.objective_distribution();
        Ok(Self {
            vocabulary: statistics.vocabulary().clone(),
            ridge: BayesianRidge::from_moments(statistics.fitted(), &settings)?,
            target: statistics.target(),
            centre: mean,
            spread: match deviation > SMALLEST_SPREAD {
                true => deviation,
                false => 1.0,
            },
        })
    }

    /// Root mean square error on the observations in `statistics`, hartree.
    pub fn rmse(&self, statistics: &Statistics) -> f64 {
        statistics.rmse(&self.ridge)
    }

    /// Predicted objective of each molecule, hartree.
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

    /// Encodes the model.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        MODEL.encode(self)
    }

    /// Restores a saved model.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or of another kind or layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        MODEL.decode(bytes)
    }
}
