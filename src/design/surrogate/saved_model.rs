//! The file of a model: its engine, and for each target the distribution of the observations and the
//! surrogate.

use serde::{Deserialize, Serialize};

use super::{Fit, Surrogate, TrainEngine};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::joint::JointPrediction;
use crate::learn::regression::Prediction;
use crate::learn::saved::{SavedError, SavedFormat};

/// The surrogates of all targets, with the distributions of the costs that they were fitted to.
pub struct TrainedModel {
    targets: Vec<TrainedTarget>,
    /// The first so many targets are objectives.
    objectives: usize,
}

struct TrainedTarget {
    surrogate: Box<dyn Surrogate>,
    mean: f64,
    deviation: f64,
    /// The target whose prediction is added.
    above: Option<usize>,
}

/// Standard deviation, relative to the mean, below which all costs count as equal.
const SMALLEST_SPREAD: f64 = 1e-9;

const MODEL: SavedFormat = SavedFormat {
    name: "model",
    layout: 3,
};

#[derive(Serialize, Deserialize)]
struct SavedModel {
    /// The engine with its settings, JSON.
    engine: String,
    objectives: usize,
    targets: Vec<SavedTarget>,
}

#[derive(Serialize, Deserialize)]
struct SavedTarget {
    above: Option<usize>,
    mean: f64,
    deviation: f64,
    surrogate: Vec<u8>,
}

/// Encodes the fitted surrogates of the targets, each with the target below it, if there is one.
/// The first `objectives` are objectives.
///
/// # Errors
///
/// The bytes cannot be allocated.
pub fn encode(
    engine: &TrainEngine,
    objectives: usize,
    fits: &[(Option<usize>, Fit)],
) -> Result<Vec<u8>, SavedError> {
    let targets = fits.iter().map(|(above, fit)| SavedTarget {
        above: *above,
        mean: fit.mean,
        deviation: fit.deviation,
        surrogate: fit.model.clone(),
    });
    MODEL.encode(&SavedModel {
        engine: serde_json::to_string(engine).unwrap_or_default(),
        objectives,
        targets: targets.collect(),
    })
}

impl TrainedModel {
    /// Restores a model from the bytes of its file.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or of another kind or layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DesignError> {
        let saved: SavedModel = MODEL.decode(bytes)?;
        let engine: TrainEngine =
            serde_json::from_str(&saved.engine).map_err(|_| SavedError::Damaged(MODEL.name))?;
        let count = saved.targets.len();
        let is_sound = |target: &SavedTarget| target.above.is_none_or(|above| above < count);
        if saved.objectives > count || !saved.targets.iter().all(is_sound) {
            return Err(SavedError::Damaged(MODEL.name).into());
        }
        let load = |saved: SavedTarget| {
            Ok(TrainedTarget {
                surrogate: engine.implementation().load(&saved.surrogate)?,
                mean: saved.mean,
                deviation: saved.deviation,
                above: saved.above,
            })
        };
        let targets = saved.targets.into_iter().map(load);
        Ok(Self {
            targets: targets.collect::<Result<_, DesignError>>()?,
            objectives: saved.objectives,
        })
    }

    /// Predicted costs of each molecule, in order: one for each target, the objectives first. What is
    /// learnt as a difference is the sum of all levels below and the difference, with the variances
    /// added.
    ///
    /// # Errors
    ///
    /// A surrogate cannot predict one of the molecules.
    pub fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Vec<Prediction>>, DesignError> {
        let own = self.targets.iter();
        let own = own.map(|target| target.surrogate.predict(molecules));
        let own: Vec<Vec<Prediction>> = own.collect::<Result<_, _>>()?;
        let sum = |place: usize, molecule: usize| {
            let levels = self.levels(place).into_iter();
            let (mean, variance) = levels.fold((0.0, 0.0), |(mean, variance), level| {
                let Prediction { mean: m, std: s } = own[level][molecule];
                (mean + m, variance + s * s)
            });
            Prediction {
                mean,
                std: variance.sqrt(),
            }
        };
        let all = |molecule: usize| {
            let places = 0..self.targets.len();
            places
                .map(|place| match self.targets[place].above {
                    None => own[place][molecule],
                    Some(_) => sum(place, molecule),
                })
                .collect()
        };
        Ok((0..molecules.len()).map(all).collect())
    }

    /// Joint prediction of the first objective, summed over its levels; None if a surrogate has no
    /// covariances.
    ///
    /// # Errors
    ///
    /// A surrogate cannot predict one of the molecules.
    pub fn joint(&self, molecules: &[&Molecule]) -> Result<Option<JointPrediction>, DesignError> {
        let mut sum: Option<JointPrediction> = None;
        for level in self.levels(0) {
            let Some(joint) = self.targets[level].surrogate.joint(molecules)? else {
                return Ok(None);
            };
            match &mut sum {
                Some(sum) => *sum += joint,
                None => sum = Some(joint),
            }
        }
        Ok(sum)
    }

    /// Mean over the objectives of the distances of costs below the mean of the observations, in
    /// standard deviations. `costs`: of a molecule, from [`TrainedModel::predict`].
    pub fn standardised_gain(&self, costs: &[Prediction]) -> f64 {
        let places = 0..self.objectives.min(costs.len());
        let gains = places.map(|place| {
            let levels = self.levels(place).into_iter();
            let levels = levels.map(|level| &self.targets[level]);
            let (mean, variance) = levels.fold((0.0, 0.0), |(mean, variance), level| {
                (mean + level.mean, variance + level.deviation.powi(2))
            });
            let deviation = match self.targets[place].above {
                None => self.targets[place].deviation,
                Some(_) => f64::sqrt(variance),
            };
            let is_spread = deviation > SMALLEST_SPREAD * f64::abs(mean);
            (mean - costs[place].mean) / if is_spread { deviation } else { 1.0 }
        });
        let gains: Vec<f64> = gains.collect();
        match gains.as_slice() {
            [one] => *one,
            all => all.iter().sum::<f64>() / all.len().max(1) as f64,
        }
    }

    /// A target and all levels below it.
    fn levels(&self, place: usize) -> Vec<usize> {
        let mut levels = vec![place];
        let mut at = place;
        while let Some(above) = self.targets[at].above
            && levels.len() <= self.targets.len()
        {
            levels.push(above);
            at = above;
        }
        levels
    }
}
