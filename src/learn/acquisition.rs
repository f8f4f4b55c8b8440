//! Acquisition functions: the value of evaluating a candidate, from its predicted cost.

use std::f64::consts::PI;

use super::pareto::hypervolume;
use super::regression::Prediction;

/// Deviations from the incumbent below which the terms of an expected improvement nearly cancel.
const LEAST_EXACT: f64 = -30.0;

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

/// Natural logarithm of [`expected_improvement`], which tells candidates apart whose improvement is
/// too small for a number (Ament et al., Adv. Neural Inf. Process. Syst. 36, 2023, eq. 9). Far below
/// zero u Phi(u) + phi(u) is phi(u)/u^2 (1 - 3/u^2 + 15/u^4 - 105/u^6).
pub fn log_expected_improvement(prediction: Prediction, best: f64) -> f64 {
    let u = (best - prediction.mean) / prediction.std;
    if prediction.std <= 0.0 || u > LEAST_EXACT {
        return expected_improvement(prediction, best).ln();
    }
    let (square, series) = (u * u, 1.0 / (u * u));
    let series = 1.0 - series * (3.0 - series * (15.0 - series * 105.0));
    prediction.std.ln() - 0.5 * square - 0.5 * (2.0 * PI).ln() - square.ln() + series.ln()
}

/// Expectation of the hypervolume that a point with independent normally distributed coordinates adds
/// to a front (Emmerich et al., IEEE Trans. Evol. Comput. 10, 421, 2006). That is the integral, over
/// what the front does not dominate, of the probability to be at or below; along each coordinate the
/// integral up to b is the expected improvement on b. So it is a difference of two hypervolumes in
/// coordinates t -> expected improvement on t.
pub fn expected_hypervolume_improvement(
    predictions: &[Prediction],
    front: &[&[f64]],
    reference: &[f64],
) -> f64 {
    let transformed = |point: &[f64]| -> Vec<f64> {
        let coordinates = predictions.iter().zip(point);
        coordinates
            .map(|(prediction, bound)| expected_improvement(*prediction, *bound))
            .collect()
    };
    let reference = transformed(reference);
    let front: Vec<Vec<f64>> = front.iter().map(|point| transformed(point)).collect();
    let front: Vec<&[f64]> = front.iter().map(Vec::as_slice).collect();
    let all: f64 = reference.iter().product();
    let added = all - hypervolume(&front, &reference);
    // A smaller difference is rounding.
    if added < 1e-13 * all { 0.0 } else { added }
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
