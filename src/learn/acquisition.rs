//! Acquisition functions: the value of evaluating a candidate, from its predicted cost.

use std::f64::consts::PI;

use super::regression::Prediction;

/// Mean minus `kappa` standard deviations.
pub fn lower_confidence_bound(prediction: Prediction, kappa: f64) -> f64 {
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
