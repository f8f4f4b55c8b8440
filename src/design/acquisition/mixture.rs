//! Acquisition by a mixture of the best, random and uncertain candidates.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, AcquisitionRound, by_smiles, nan_last};
use crate::design::error::DesignError;
use crate::design::ranges::RangeFault;
use crate::task::RankedCandidate;

/// Settings of `mixture`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mixture {
    /// Fraction of the molecules with the lowest predicted costs.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub greedy_frac: f64,
    /// Fraction of random molecules; the rest of a batch are those with the largest standard
    /// deviations.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub random_frac: f64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self {
            greedy_frac: 0.5,
            random_frac: 0.25,
        }
    }
}

impl Acquisition for Mixture {
    fn faults(&self) -> Vec<RangeFault> {
        let sum = self.greedy_frac + self.random_frac;
        let fault = || RangeFault {
            setting: "random_frac".to_owned(),
            value: self.random_frac.to_string(),
            allowed: "at most 1 - `greedy_frac`".to_owned(),
        };
        (sum > 1.0 + 1e-9).then(fault).into_iter().collect()
    }

    fn ranks_several(&self) -> bool {
        false
    }

    /// Place of each candidate in a ranking, each beginning of which has the three kinds in their
    /// fractions: the next is of the kind that lacks most.
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        round: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let mut random = by_smiles(candidates);
        let mut greedy = random.clone();
        let mut uncertain = random.clone();
        random.shuffle(&mut ChaCha8Rng::seed_from_u64(round.seed));
        let mean = |place: usize| candidates[place].prediction.mean;
        let std = |place: usize| candidates[place].prediction.std;
        greedy.sort_by(|a, b| nan_last(mean(*a), mean(*b)));
        uncertain.sort_by(|a, b| nan_last(-std(*a), -std(*b)));
        let rest = 1.0 - self.greedy_frac - self.random_frac;
        let fractions = [self.greedy_frac, self.random_frac, rest];
        let mut kinds = [greedy, random, uncertain].map(Vec::into_iter);
        let mut taken = [0.0; 3];
        let mut scores = vec![f64::NAN; candidates.len()];
        for rank in 0..candidates.len() {
            let lacking = |kind: usize| fractions[kind] * (rank as f64 + 1.0) - taken[kind];
            let kind = (1..3).fold(0, |most, kind| match lacking(kind) > lacking(most) {
                true => kind,
                false => most,
            });
            taken[kind] += 1.0;
            if let Some(place) = kinds[kind].find(|place| scores[*place].is_nan()) {
                scores[place] = rank as f64;
            }
        }
        Ok(scores)
    }
}
