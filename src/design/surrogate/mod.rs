//! Surrogates: models that are fitted to evaluated molecules and predict the cost of others.

mod bootstrap_ensemble;
mod descriptors;
mod gaussian_process;
mod group_model;
pub mod groups;
pub mod kernels;
mod observed;
mod python;
mod saved_model;
pub mod statistics;

use super::error::DesignError;
use super::ranges::{RangeFault, out_of_range};
use crate::chem::Molecule;
use crate::learn::joint::JointPrediction;
use crate::learn::regression::Prediction;
use crate::task::Metrics;

pub use bootstrap_ensemble::BootstrapEnsembleSettings;
pub use descriptors::{DESCRIPTORS, descriptors};
pub use gaussian_process::GaussianProcessSettings;
pub use group_model::{GroupContribution, GroupFeatures, GroupModel};
pub use python::PythonSurrogate;
pub use saved_model::TrainedModel;
pub(super) use saved_model::encode;

engines! {
    /// Surrogates by their names in campaigns, with their settings.
    pub enum TrainEngine: dyn SurrogateSettings, checked by out_of_range {
        /// A sum over atom-centred groups, fitted by Bayesian ridge regression.
        GroupContribution(#[serde(default)] GroupContribution) = "group_contribution",
        /// A Gaussian process on atom environments and descriptors.
        GaussianProcess(#[serde(default)] GaussianProcessSettings) = "gaussian_process",
        /// Group contributions fitted to bootstrap samples; their disagreement adds to the deviation.
        BootstrapEnsemble(#[serde(default)] BootstrapEnsembleSettings) = "bootstrap_ensemble",
        /// Functions of your own in Python: one fits, another predicts.
        Python(PythonSurrogate) = "python",
    }
}

/// Settings of a surrogate, which fit it and restore it.
pub trait SurrogateSettings {
    /// Problems of the settings beyond the ranges in their schema.
    fn faults(&self) -> Vec<RangeFault> {
        Vec::new()
    }

    /// Fits the surrogate to `observations` and to all those that `memory` holds, which an earlier
    /// fit left. The result depends, to the last bit, only on the observations and their order, not
    /// on the portions in which they come. `extensive`: values grow with the number of atoms.
    ///
    /// # Errors
    ///
    /// There are no observations, a value is not finite, the memory is of another surrogate, or the
    /// fit fails.
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        extensive: bool,
    ) -> Result<Fit, DesignError>;

    /// Restores the surrogate from [`Fit::model`].
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or of another surrogate.
    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError>;
}

/// A molecule with its cost, which is minimised, in the unit of the objective.
#[derive(Clone, Debug)]
pub struct LabelledMolecule {
    /// The molecule.
    pub molecule: Molecule,
    /// Its value, or the negative of the value where that is maximised.
    pub cost: f64,
}

/// A fitted surrogate, encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The surrogate.
    pub model: Vec<u8>,
    /// All that the next fit needs of the observations.
    pub memory: Vec<u8>,
    /// Number of observations.
    pub molecules: usize,
    /// Mean of the observed costs.
    pub mean: f64,
    /// Standard deviation of the observed costs.
    pub deviation: f64,
    /// Numbers that describe the fit, by name.
    pub metrics: Metrics,
}

/// A fitted model of the cost of molecules.
pub trait Surrogate {
    /// Predicted cost of each molecule, in order.
    ///
    /// # Errors
    ///
    /// The model cannot predict one of the molecules.
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError>;

    /// Joint prediction of molecules; None if the model has no covariances of different molecules.
    ///
    /// # Errors
    ///
    /// The model cannot predict one of the molecules.
    fn joint(&self, _molecules: &[&Molecule]) -> Result<Option<JointPrediction>, DesignError> {
        Ok(None)
    }
}
