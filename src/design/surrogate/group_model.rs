//! The group-contribution model: a sum over groups, fitted by Bayesian ridge regression.
//!
//! The energy is E = N e0 + sum of n_g e_g, with N the number of atoms and n_g the counts of the
//! groups. E / N is linear in n_g / N with the intercept e0, and all molecules have the same
//! weight. A fit of E on n_g would have one intercept for molecules of any size: a small molecule
//! of unknown groups would be predicted as an average molecule, and per atom as the best of all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::statistics::{RegressionTarget, Statistics};
use super::{Fit, LabelledMolecule, Surrogate, SurrogateSettings};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::regression::{Features, FitError, Prediction};
use crate::learn::ridge::{BayesianRidge, RidgeSettings};
use crate::learn::saved::{SavedError, SavedFormat};
use crate::task::Metrics;

/// Settings of `group_contribution`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupContribution {
    /// Features of a molecule.
    pub features: GroupFeatures,
    /// Maximum number of iterations of evidence maximisation; scikit-learn's default.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_iterations: usize,
    /// Sum of the absolute changes of the coefficients in an iteration below which the fit has
    /// converged; scikit-learn's default.
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub tolerance: f64,
}

/// Features of a molecule, and the quantity that is linear in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupFeatures {
    /// Counts of groups divided by the number of atoms; an extensive value is fitted per atom.
    #[default]
    Shares,
    /// Counts of groups; the whole value is fitted, as in the reference application.
    Counts,
}

impl Default for GroupContribution {
    fn default() -> Self {
        Self {
            features: GroupFeatures::default(),
            max_iterations: 300,
            tolerance: 1e-3,
        }
    }
}

/// A fitted model of the cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupModel {
    vocabulary: Vocabulary,
    ridge: BayesianRidge,
    target: RegressionTarget,
}

const MODEL: SavedFormat = SavedFormat {
    name: "group model",
    layout: 2,
};

impl SurrogateSettings for GroupContribution {
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        extensive: bool,
    ) -> Result<Fit, DesignError> {
        let mut statistics = match memory {
            Some(bytes) => Statistics::from_bytes(bytes)?,
            None => Statistics::new(self.features, extensive),
        };
        if !statistics.matches(self.features, extensive) {
            return Err(DesignError::OtherMemory);
        }
        statistics.add(observations)?;
        let model = GroupModel::from_statistics(&statistics, self)?;
        let metrics = [
            ("groups", model.groups() as f64),
            ("rmse", model.rmse(&statistics)),
        ];
        let (mean, deviation) = statistics.mean_and_deviation();
        Ok(Fit {
            model: MODEL.encode(&model)?,
            memory: statistics.to_bytes()?,
            molecules: statistics.molecules(),
            mean,
            deviation,
            metrics: Metrics::from(metrics.map(|(name, value)| (name.to_owned(), value))),
        })
    }

    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError> {
        Ok(Box::new(GroupModel::from_bytes(model)?))
    }
}

impl Surrogate for GroupModel {
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        Ok(GroupModel::predict(self, molecules.iter().copied()))
    }
}

impl GroupModel {
    /// Fits the model to molecules and their costs.
    ///
    /// # Errors
    ///
    /// There are no observations, a cost is not finite, or the fit fails.
    pub fn fit(
        observations: &[LabelledMolecule],
        extensive: bool,
        settings: &GroupContribution,
    ) -> Result<Self, FitError> {
        let mut statistics = Statistics::new(settings.features, extensive);
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
        settings: &GroupContribution,
    ) -> Result<Self, FitError> {
        let settings = RidgeSettings {
            max_iterations: settings.max_iterations,
            tolerance: settings.tolerance,
        };
        Ok(Self {
            vocabulary: statistics.vocabulary().clone(),
            ridge: BayesianRidge::from_moments(statistics.fitted(), &settings)?,
            target: statistics.target(),
        })
    }

    /// Root mean square error on the observations in `statistics`, in the unit of the cost.
    pub fn rmse(&self, statistics: &Statistics) -> f64 {
        statistics.rmse(&self.ridge)
    }

    /// Predicted cost of each molecule, in order. A group that was never seen adds the prior variance
    /// of a coefficient, times its squared feature.
    pub fn predict<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> Vec<Prediction> {
        let mut rows = Features::new(self.vocabulary.len());
        let (mut factors, mut unknown) = (Vec::new(), Vec::new());
        for molecule in molecules {
            let row = self.target.row(&self.vocabulary, molecule);
            rows.push(row.known);
            unknown.push(row.unknown_squares);
            factors.push(self.target.cost_of_fitted(molecule));
        }
        let fitted = self.ridge.predict(&rows);
        let variance = self.ridge.prior_variance();
        let cost = |((fitted, factor), unknown): ((Prediction, f64), f64)| Prediction {
            mean: fitted.mean * factor,
            std: (fitted.std.powi(2) + variance * unknown).sqrt() * factor,
        };
        fitted
            .into_iter()
            .zip(factors)
            .zip(unknown)
            .map(cost)
            .collect()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.vocabulary.len()
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
