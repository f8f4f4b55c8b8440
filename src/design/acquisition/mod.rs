//! Acquisitions: they rank proposed molecules by the value of evaluating them.

mod batch;
mod confidence_bound;
mod expected_improvement;
mod front;
mod greedy;
mod mixture;
mod python;
mod thompson_sampling;

use std::cmp::Ordering;

use super::error::DesignError;
use super::ranges::{RangeFault, out_of_range};
use crate::task::RankedCandidate;

pub use batch::{SHORTLIST, diversified};
pub use confidence_bound::LowerConfidenceBound;
pub use expected_improvement::ExpectedImprovement;
pub use front::{CostFront, rank_by_hypervolume};
pub use greedy::Greedy;
pub use mixture::Mixture;
pub use python::PythonAcquisition;
pub use thompson_sampling::ThompsonSampling;

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
        /// The lowest cost first, drawn from the prediction of each molecule.
        ThompsonSampling(#[serde(default)] ThompsonSampling) = "thompson_sampling",
        /// The lowest predicted costs, random molecules and the most uncertain ones, in given fractions.
        Mixture(#[serde(default)] Mixture) = "mixture",
        /// A function of your own in Python.
        Python(PythonAcquisition) = "python",
    }
}

/// All that a round of an acquisition depends on besides the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AcquisitionRound {
    /// Lowest cost so far, in the unit of the predictions; None before the first evaluation.
    pub incumbent: Option<f64>,
    /// Seed of the round.
    pub seed: u64,
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

    /// Returns true if candidates are ranked, by several objectives, by the expectation of the
    /// hypervolume that they add, instead of the hypervolume that their scores add.
    fn expects_hypervolume(&self) -> bool {
        false
    }

    /// Returns true if scores depend on the standard deviations such that a batch is chosen one by
    /// one: each after the model believes to have seen those before it.
    fn uses_deviation(&self) -> bool {
        false
    }

    /// Score of each candidate, in order; lower is better.
    ///
    /// # Errors
    ///
    /// The candidates cannot be scored.
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        round: &AcquisitionRound,
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

/// Places of the candidates in the order of their SMILES.
fn by_smiles(candidates: &[RankedCandidate]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    places.sort_by(|a, b| candidates[*a].smiles.cmp(&candidates[*b].smiles));
    places
}

fn nan_last(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
