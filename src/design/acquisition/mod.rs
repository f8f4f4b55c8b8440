//! Acquisitions: they rank proposed molecules by the value of evaluating them.

mod confidence_bound;
mod expected_improvement;
mod front;
mod greedy;
mod python;

use std::cmp::Ordering;

use super::error::DesignError;
use super::ranges::{RangeFault, out_of_range};
use crate::task::RankedCandidate;

pub use confidence_bound::LowerConfidenceBound;
pub use expected_improvement::ExpectedImprovement;
pub use front::{CostFront, rank_by_hypervolume};
pub use greedy::Greedy;
pub use python::PythonAcquisition;

engines! {
    /// Acquisitions by their names in campaigns, with their settings.
    pub enum ScreenEngine: dyn Acquisition, checked by out_of_range {
        /// The lowest predicted cost first.
        Greedy(#[serde(default)] Greedy) = "greedy",
        /// The lowest predicted cost minus `kappa` standard deviations first.
        LowerConfidenceBound(#[serde(default)] LowerConfidenceBound) = "lower_confidence_bound",
        /// The largest expected improvement on the best molecule so far first; greedy before the
        /// first evaluation.
        ExpectedImprovement(#[serde(default)] ExpectedImprovement) = "expected_improvement",
        /// A function of your own in Python.
        Python(PythonAcquisition) = "python",
    }
}

/// A rule that scores candidates by their predicted costs.
pub trait Acquisition {
    /// Problems of the settings beyond the ranges in their schema.
    fn faults(&self) -> Vec<RangeFault> {
        Vec::new()
    }

    /// Returns true if it ranks by several objectives too: its scores, one objective at a time, are
    /// then costs of which the hypervolume is taken.
    fn ranks_several(&self) -> bool {
        true
    }

    /// Score of each candidate, in order; lower is better. `incumbent`: the lowest cost so far, in
    /// the unit of the predictions; none before the first evaluation.
    ///
    /// # Errors
    ///
    /// The candidates cannot be scored.
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        incumbent: Option<f64>,
    ) -> Result<Vec<f64>, DesignError>;
}

/// Sorts candidates, best first: by score, then by predicted mean, then by SMILES, so the result
/// does not depend on their order before. Scores that are not a number come last.
pub fn rank(candidates: Vec<RankedCandidate>, scores: Vec<f64>) -> Vec<RankedCandidate> {
    let mut scored: Vec<(f64, RankedCandidate)> = scores.into_iter().zip(candidates).collect();
    scored.sort_by(|(score_a, a), (score_b, b)| {
        nan_last(*score_a, *score_b)
            .then_with(|| nan_last(a.prediction.mean, b.prediction.mean))
            .then_with(|| a.smiles.cmp(&b.smiles))
    });
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

fn nan_last(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
