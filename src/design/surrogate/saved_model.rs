//! The file of a model: its engine, the distribution of the observations, and the surrogate.

use serde::{Deserialize, Serialize};

use super::{Fit, Surrogate, TrainEngine};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::regression::Prediction;
use crate::learn::saved::{SavedError, SavedFormat};

/// A surrogate with the distribution of the costs that it was fitted to.
pub struct TrainedModel {
    surrogate: Box<dyn Surrogate>,
    mean: f64,
    /// Standard deviation; 1 if all costs are equal.
    spread: f64,
}

/// Standard deviation, relative to the mean, below which all costs count as equal.
const SMALLEST_SPREAD: f64 = 1e-9;

const MODEL: SavedFormat = SavedFormat {
    name: "model",
    layout: 2,
};

#[derive(Serialize, Deserialize)]
struct SavedModel {
    /// The engine with its settings, JSON.
    engine: String,
    mean: f64,
    deviation: f64,
    surrogate: Vec<u8>,
}

/// Encodes a fitted surrogate with its engine.
///
/// # Errors
///
/// The bytes cannot be allocated.
pub fn encode(engine: &TrainEngine, fit: &Fit) -> Result<Vec<u8>, SavedError> {
    MODEL.encode(&SavedModel {
        engine: serde_json::to_string(engine).unwrap_or_default(),
        mean: fit.mean,
        deviation: fit.deviation,
        surrogate: fit.model.clone(),
    })
}

impl TrainedModel {
    /// Restores a model from [`encode`].
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or of another kind or layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DesignError> {
        let saved: SavedModel = MODEL.decode(bytes)?;
        let engine: TrainEngine =
            serde_json::from_str(&saved.engine).map_err(|_| SavedError::Damaged(MODEL.name))?;
        let is_spread = saved.deviation > SMALLEST_SPREAD * saved.mean.abs();
        Ok(Self {
            surrogate: engine.implementation().load(&saved.surrogate)?,
            mean: saved.mean,
            spread: if is_spread { saved.deviation } else { 1.0 },
        })
    }

    /// Predicted cost of each molecule, in order.
    ///
    /// # Errors
    ///
    /// The surrogate cannot predict one of the molecules.
    pub fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        self.surrogate.predict(molecules)
    }

    /// Distance of `cost` below the mean of the observations, in standard deviations.
    pub fn standardised_gain(&self, cost: f64) -> f64 {
        (self.mean - cost) / self.spread
    }
}
