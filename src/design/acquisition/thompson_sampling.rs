//! Acquisition by Thompson sampling.

use std::f64::consts::PI;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, AcquisitionRound, by_smiles};
use crate::design::error::DesignError;
use crate::task::RankedCandidate;

/// Settings of `thompson_sampling`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThompsonSampling {}

impl Acquisition for ThompsonSampling {
    /// One normally distributed value for each candidate, drawn in the order of their SMILES, from its
    /// mean and standard deviation. Candidates are independent; W. R. Thompson, Biometrika 25, 285
    /// (1933).
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        round: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let mut rng = ChaCha8Rng::seed_from_u64(round.seed);
        let mut scores = vec![0.0; candidates.len()];
        for place in by_smiles(candidates) {
            let prediction = candidates[place].prediction;
            scores[place] = prediction.mean + prediction.std * normal(&mut rng);
        }
        Ok(scores)
    }
}

/// A number of the standard normal distribution (Box and Muller, Ann. Math. Stat. 29, 610, 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * u.ln()).sqrt() * (2.0 * PI * v).cos()
}
