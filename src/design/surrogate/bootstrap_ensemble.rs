//! Ensemble of group-contribution models, each fitted to a bootstrap sample of the observations.
//!
//! Features and fitted quantity are those of [`GroupContribution`](super::GroupContribution) with
//! `features: shares`. The observations themselves are kept, since a group that comes later is a new
//! column of all samples.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::statistics::RegressionTarget;
use super::{Fit, GroupFeatures, LabelledMolecule, Surrogate, SurrogateSettings};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::bootstrap::BootstrapEnsemble;
use crate::learn::joint::JointPrediction;
use crate::learn::regression::{Features, Prediction, mean_and_deviation};
use crate::learn::saved::{SavedError, SavedFormat};
use crate::task::Metrics;

/// Settings of `bootstrap_ensemble`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapEnsembleSettings {
    /// Number of models. The time of a fit and of a prediction grows with it.
    #[schemars(range(min = 2, max = 200))]
    pub members: usize,
}

impl Default for BootstrapEnsembleSettings {
    fn default() -> Self {
        Self { members: 20 }
    }
}

/// All observations so far.
#[derive(Serialize, Deserialize)]
struct Memory {
    extensive: bool,
    /// SMILES and cost.
    observations: Vec<(String, f64)>,
}

/// A fitted model of the cost.
#[derive(Serialize, Deserialize)]
struct GroupEnsemble {
    target: RegressionTarget,
    vocabulary: Vocabulary,
    ensemble: BootstrapEnsemble,
}

const MODEL: SavedFormat = SavedFormat {
    name: "bootstrap ensemble",
    layout: 1,
};
const MEMORY: SavedFormat = SavedFormat {
    name: "labelled molecules",
    layout: 1,
};

impl SurrogateSettings for BootstrapEnsembleSettings {
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        extensive: bool,
    ) -> Result<Fit, DesignError> {
        let mut memory = match memory {
            Some(bytes) => MEMORY.decode(bytes)?,
            None => Memory {
                extensive,
                observations: Vec::new(),
            },
        };
        if memory.extensive != extensive {
            return Err(DesignError::OtherMemory);
        }
        let earlier = memory.observations.iter().map(|(smiles, _)| {
            Molecule::parse(smiles).map_err(|_| SavedError::Damaged(MEMORY.name))
        });
        let earlier: Vec<Molecule> = earlier.collect::<Result<_, _>>()?;
        let new = observations.iter();
        let new = new.map(|one| (one.molecule.canonical_smiles(), one.cost));
        memory.observations.extend(new);
        let molecules: Vec<&Molecule> = (earlier.iter())
            .chain(observations.iter().map(|one| &one.molecule))
            .collect();
        let costs: Vec<f64> = memory.observations.iter().map(|(_, cost)| *cost).collect();
        let model = GroupEnsemble::fit(&molecules, &costs, extensive, self.members)?;
        let (mean, deviation) = mean_and_deviation(&costs);
        let metrics = [
            ("groups", model.vocabulary.len() as f64),
            ("calibration", model.ensemble.calibration()),
        ];
        Ok(Fit {
            model: MODEL.encode(&model)?,
            memory: MEMORY.encode(&memory)?,
            molecules: costs.len(),
            mean,
            deviation,
            metrics: Metrics::from(metrics.map(|(name, value)| (name.to_owned(), value))),
        })
    }

    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError> {
        let model: GroupEnsemble = MODEL.decode(model)?;
        Ok(Box::new(model))
    }
}

impl GroupEnsemble {
    fn fit(
        molecules: &[&Molecule],
        costs: &[f64],
        extensive: bool,
        members: usize,
    ) -> Result<Self, DesignError> {
        let target = RegressionTarget {
            features: GroupFeatures::Shares,
            extensive,
        };
        let vocabulary = Vocabulary::from_molecules(molecules.iter().copied());
        let mut rows = Features::new(vocabulary.len());
        let mut values = Vec::new();
        for (molecule, cost) in molecules.iter().zip(costs) {
            rows.push(target.row(&vocabulary, molecule).known);
            values.push(cost / target.cost_of_fitted(molecule));
        }
        Ok(Self {
            ensemble: BootstrapEnsemble::fit(&rows, &values, members)?,
            target,
            vocabulary,
        })
    }

    /// Features of molecules.
    fn features(&self, molecules: &[&Molecule]) -> EnsembleFeatures {
        let mut features = EnsembleFeatures {
            rows: Features::new(self.vocabulary.len()),
            factors: Vec::new(),
            unknown_variances: Vec::new(),
        };
        let prior = self.ensemble.prior_variance();
        for molecule in molecules {
            let row = self.target.row(&self.vocabulary, molecule);
            features.rows.push(row.known);
            features.unknown_variances.push(prior * row.unknown_squares);
            features.factors.push(self.target.cost_of_fitted(molecule));
        }
        features
    }
}

/// Features of molecules for the regression.
struct EnsembleFeatures {
    rows: Features,
    /// Factors that convert fitted values to costs.
    factors: Vec<f64>,
    /// Variance of the fitted value that groups add which no observation has.
    unknown_variances: Vec<f64>,
}

impl Surrogate for GroupEnsemble {
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        let features = self.features(molecules);
        let fitted = self.ensemble.predict(&features.rows).into_iter();
        let cost = |((fitted, factor), unknown): ((Prediction, f64), f64)| Prediction {
            mean: fitted.mean * factor,
            std: (fitted.std.powi(2) + unknown).sqrt() * factor,
        };
        let fitted = fitted.zip(features.factors).zip(features.unknown_variances);
        Ok(fitted.map(cost).collect())
    }

    fn joint(&self, molecules: &[&Molecule]) -> Result<Option<JointPrediction>, DesignError> {
        let features = self.features(molecules);
        let mut joint = self.ensemble.joint(&features.rows, &features.factors);
        let unknown = features.unknown_variances.iter().zip(&features.factors);
        for (place, (variance, factor)) in unknown.enumerate() {
            joint.covariance[(place, place)] += variance * factor * factor;
        }
        Ok(Some(joint))
    }
}
