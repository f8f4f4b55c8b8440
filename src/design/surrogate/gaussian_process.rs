//! Gaussian process on molecules: the covariance of two costs is a sum of a Tanimoto kernel on atom
//! environments and of a linear and a squared exponential kernel on descriptors.
//!
//! Descriptors are divided by the number of heavy atoms where the objective does not grow with the
//! size of a molecule. A molecule whose environments were never seen is similar to no other one, which
//! adds to the deviation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kernels::{KernelIndex, MoleculeFeatures};
use super::observed::{Observed, ObservedMolecule};
use super::{Fit, LabelledMolecule, Surrogate, SurrogateSettings};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::calibration::calibration;
use crate::learn::gaussian_process::{GaussianProcess, Hyperparameters};
use crate::learn::joint::JointPrediction;
use crate::learn::regression::{FitError, Prediction};
use crate::learn::saved::SavedFormat;
use crate::task::Metrics;

/// Settings of `gaussian_process`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GaussianProcessSettings {
    /// Radius of the atom environments of the Tanimoto kernel, in bonds.
    #[schemars(range(min = 0, max = 10))]
    pub fingerprint_radius: u32,
    /// Number of observations that the model keeps; of more than these, the best half and the newest
    /// half. The time of a fit grows with its third power, that of a prediction with its square.
    #[schemars(range(min = 10, max = 10_000))]
    pub most_observations: usize,
}

impl Default for GaussianProcessSettings {
    fn default() -> Self {
        Self {
            fingerprint_radius: 2,
            most_observations: 2000,
        }
    }
}

/// A fitted model: observations and hyperparameters. The matrices are computed again when it is
/// restored, which is faster than to write them.
#[derive(Serialize, Deserialize)]
struct SavedProcess {
    radius: u32,
    extensive: bool,
    kept: Vec<ObservedMolecule>,
    hyperparameters: Hyperparameters,
    calibration: f64,
}

/// A restored model.
struct MoleculeProcess {
    radius: u32,
    extensive: bool,
    index: KernelIndex,
    process: GaussianProcess,
    /// Factor of the standard deviations.
    calibration: f64,
}

const MODEL: SavedFormat = SavedFormat {
    name: "gaussian process",
    layout: 1,
};

/// Number of observations, evenly spaced among all, that the hyperparameters are fitted to.
const MOST_FITTED: usize = 500;
/// Number of molecules that are predicted at once.
const CHUNK: usize = 256;

impl SurrogateSettings for GaussianProcessSettings {
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        extensive: bool,
    ) -> Result<Fit, DesignError> {
        let radius = self.fingerprint_radius;
        let mut observed = match memory {
            Some(bytes) => Observed::from_bytes(bytes)?,
            None => Observed::new(radius, extensive),
        };
        if (observed.radius, observed.extensive) != (radius, extensive) {
            return Err(DesignError::OtherMemory);
        }
        observed.add(observations, self.most_observations)?;
        let hyperparameters = fitted(&observed.kept)?;
        let (mean, deviation) = observed.mean_and_deviation();
        let memory = observed.to_bytes()?;
        let molecules = observed.molecules();
        let mut saved = SavedProcess {
            radius,
            extensive,
            kept: observed.kept,
            hyperparameters,
            calibration: 1.0,
        };
        let process = MoleculeProcess::new(&saved)?.process;
        let errors = process.leave_one_out();
        saved.calibration = calibration(&errors);
        let model = MODEL.encode(&saved)?;
        let metrics = metrics(&process, saved.calibration);
        Ok(Fit {
            model,
            memory,
            molecules,
            mean,
            deviation,
            metrics,
        })
    }

    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError> {
        let saved: SavedProcess = MODEL.decode(model)?;
        Ok(Box::new(MoleculeProcess::new(&saved)?))
    }
}

/// Hyperparameters for at most [`MOST_FITTED`] of the observations.
fn fitted(kept: &[ObservedMolecule]) -> Result<Hyperparameters, FitError> {
    let count = kept.len().min(MOST_FITTED);
    let chosen = (0..count).map(|i| &kept[i * kept.len() / count]);
    let (features, costs): (Vec<_>, Vec<_>) = chosen.map(|o| (&o.features, o.cost)).unzip();
    let kernels = KernelIndex::new(&features).square(&features);
    Hyperparameters::fit(&kernels, &costs)
}

impl MoleculeProcess {
    fn new(saved: &SavedProcess) -> Result<Self, FitError> {
        let kept = saved.kept.iter().map(|one| (&one.features, one.cost));
        let (features, costs): (Vec<_>, Vec<_>) = kept.unzip();
        let index = KernelIndex::new(&features);
        let kernels = index.square(&features);
        Ok(Self {
            radius: saved.radius,
            extensive: saved.extensive,
            calibration: saved.calibration,
            process: GaussianProcess::new(&kernels, &costs, saved.hyperparameters.clone())?,
            index,
        })
    }

    fn features(&self, molecules: &[&Molecule]) -> Vec<MoleculeFeatures> {
        let features =
            |molecule: &&Molecule| MoleculeFeatures::new(molecule, self.radius, self.extensive);
        molecules.iter().map(features).collect()
    }
}

impl Surrogate for MoleculeProcess {
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        let predict = |chunk: &[&Molecule]| {
            let features = self.features(chunk);
            let kernels = self.index.cross(&features.iter().collect::<Vec<_>>());
            let predictions = self.process.predict(&kernels).into_iter();
            predictions.map(|Prediction { mean, std }| Prediction {
                mean,
                std: std * self.calibration,
            })
        };
        Ok(molecules.chunks(CHUNK).flat_map(predict).collect())
    }

    fn joint(&self, molecules: &[&Molecule]) -> Result<Option<JointPrediction>, DesignError> {
        let features = self.features(molecules);
        let features: Vec<&MoleculeFeatures> = features.iter().collect();
        let between = self.index.between(&features);
        let joint = self.process.joint(&self.index.cross(&features), &between);
        Ok(Some(joint.scaled(self.calibration)))
    }
}

fn metrics(process: &GaussianProcess, calibration: f64) -> Metrics {
    let metrics = [
        ("log_likelihood", process.log_likelihood()),
        ("noise", process.noise()),
        ("calibration", calibration),
    ];
    Metrics::from(metrics.map(|(name, value)| (name.to_owned(), value)))
}
