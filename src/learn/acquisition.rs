//! Acquisition functions: the value of simulating a candidate, and the ranking by it. The objective
//! is minimised.

use std::cmp::Ordering;
use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::surrogate::Prediction;

/// Acquisition function by which candidates are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Acquisition {
    /// Lowest predicted mean first.
    #[default]
    Greedy,
    /// Lowest mean minus `kappa` standard deviations first.
    LowerConfidenceBound,
    /// Largest expected improvement on the best value so far first; greedy while there is no value.
    ExpectedImprovement,
}

impl Acquisition {
    /// Score of a prediction; lower is better. The confidence bound uses `kappa`, the expected
    /// improvement the `incumbent`, which is the best value so far.
    pub fn score(self, prediction: Prediction, kappa: f64, incumbent: Option<f64>) -> f64 {
        match (self, incumbent) {
            (Self::Greedy, _) | (Self::ExpectedImprovement, None) => prediction.mean,
            (Self::LowerConfidenceBound, _) => lower_confidence_bound(prediction, kappa),
            (Self::ExpectedImprovement, Some(best)) => -expected_improvement(prediction, best),
        }
    }
}

/// Mean minus `kappa` standard deviations.
fn lower_confidence_bound(prediction: Prediction, kappa: f64) -> f64 {
    prediction.mean - kappa * prediction.std
}

/// Expectation of max(best - y, 0) for a normally distributed y (Jones et al., J. Global Optim. 13,
/// 455, 1998, eq. 15).
pub fn expected_improvement(prediction: Prediction, best: f64) -> f64 {
    let gain = best - prediction.mean;
    if prediction.std <= 0.0 {
        return gain.max(0.0);
    }
    let u = gain / prediction.std;
    // Far below zero the two terms nearly cancel, and rounding could make the sum negative.
    let improvement = prediction.std * (u * normal_cdf(u) + normal_pdf(u));
    if improvement < 0.0 { 0.0 } else { improvement }
}

/// Sorts candidates, best first: by score, then by predicted mean, then by key, so the result does
/// not depend on their order before. Scores that are not a number come last.
pub fn rank<K: Ord>(
    candidates: &mut [(K, Prediction)],
    acquisition: Acquisition,
    kappa: f64,
    incumbent: Option<f64>,
) {
    let score = |prediction| acquisition.score(prediction, kappa, incumbent);
    candidates.sort_by(|(key_a, a), (key_b, b)| {
        nan_last(score(*a), score(*b))
            .then_with(|| nan_last(a.mean, b.mean))
            .then_with(|| key_a.cmp(key_b))
    });
}

fn nan_last(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn normal_pdf(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Normal distribution function, by its series near zero (Marsaglia, J. Stat. Softw. 11 (4), 2004)
/// and by Laplace's continued fraction in the tails, where the terms of the series cancel.
fn normal_cdf(z: f64) -> f64 {
    if z.is_nan() {
        return z;
    }
    if z.abs() > 3.0 {
        let x = z.abs();
        let fraction = (1..=60).rev().fold(x, |tail, k| x + f64::from(k) / tail);
        let upper = normal_pdf(x) / fraction;
        return if z < 0.0 { upper } else { 1.0 - upper };
    }
    let (mut sum, mut term, mut odd) = (0.0, z, 1.0);
    while sum + term != sum {
        sum += term;
        odd += 2.0;
        term *= z * z / odd;
    }
    0.5 + sum * normal_pdf(z)
}
