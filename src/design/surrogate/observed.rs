//! Observations that a Gaussian process is conditioned on: all of them, or the best and the newest.

use serde::{Deserialize, Serialize};

use super::LabelledMolecule;
use super::kernels::MoleculeFeatures;
use crate::design::error::DesignError;
use crate::learn::regression::FitError;
use crate::learn::saved::{SavedError, SavedFormat};

/// Observations with their features. They depend, to the last bit, only on the observations and their
/// order, not on the portions in which they are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Observed {
    pub radius: u32,
    pub extensive: bool,
    /// Number of all observations.
    count: u64,
    /// Mean of all costs.
    mean: f64,
    /// Sum of the squared deviations of all costs from their mean.
    squares: f64,
    /// Those that are kept, in their order.
    pub kept: Vec<ObservedMolecule>,
}

/// An observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ObservedMolecule {
    /// Number of observations before it.
    place: u64,
    pub cost: f64,
    pub features: MoleculeFeatures,
}

const OBSERVED: SavedFormat = SavedFormat {
    name: "observations",
    layout: 1,
};

impl Observed {
    /// No observations.
    pub fn new(radius: u32, extensive: bool) -> Self {
        Self {
            radius,
            extensive,
            count: 0,
            mean: 0.0,
            squares: 0.0,
            kept: Vec::new(),
        }
    }

    /// Adds observations. Of more than `most` in all, the best half of `most` and the newest half are
    /// kept; one that is in both is kept once.
    ///
    /// # Errors
    ///
    /// A cost is not finite.
    pub fn add(&mut self, observations: &[LabelledMolecule], most: usize) -> Result<(), FitError> {
        for LabelledMolecule { molecule, cost } in observations {
            if !cost.is_finite() {
                let row = self.count as usize;
                return Err(FitError::NotFinite { row, value: *cost });
            }
            let place = self.count;
            self.count += 1;
            // B. P. Welford, Technometrics 4, 419 (1962).
            let distance = cost - self.mean;
            self.mean += distance / self.count as f64;
            self.squares += distance * (cost - self.mean);
            self.kept.push(ObservedMolecule {
                place,
                cost: *cost,
                features: MoleculeFeatures::new(molecule, self.radius, self.extensive),
            });
        }
        if self.count > most as u64 {
            self.keep_best_and_newest(most / 2);
        }
        Ok(())
    }

    fn keep_best_and_newest(&mut self, half: usize) {
        let newest = self.count - half as u64;
        self.kept
            .sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.place.cmp(&b.place)));
        let mut rank = 0..;
        self.kept
            .retain(|one| rank.next().is_some_and(|rank| rank < half) || one.place >= newest);
        self.kept.sort_by_key(|one| one.place);
    }

    /// Number of all observations.
    pub fn molecules(&self) -> usize {
        self.count as usize
    }

    /// Mean and standard deviation of all costs.
    pub fn mean_and_deviation(&self) -> (f64, f64) {
        (self.mean, (self.squares / self.count as f64).sqrt())
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        OBSERVED.encode(self)
    }

    /// # Errors
    ///
    /// The bytes are damaged, or of another kind or layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DesignError> {
        Ok(OBSERVED.decode(bytes)?)
    }
}
