//! Means over seeds with their confidence intervals.

use serde::Serialize;

/// Mean with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean over the seeds.
    pub mean: f64,
    /// Lower end of the interval; the mean with fewer than two seeds.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Standard deviation over the seeds, 0 with fewer than two.
    pub deviation: f64,
}

/// Estimates along a curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Means.
    pub mean: Vec<f64>,
    /// Lower ends of the intervals.
    pub low: Vec<f64>,
    /// Upper ends of the intervals.
    pub high: Vec<f64>,
}

impl Estimate {
    /// Estimates the mean of a normal distribution by Student's t: mean -+ t(0.975, n - 1) s / sqrt(n).
    /// Values that are not finite are left out; without any the mean is NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let (deviation, half) = match count {
            0 | 1 => (0.0, 0.0),
            _ => {
                let deviation = (squares / (count - 1) as f64).sqrt();
                (
                    deviation,
                    quantile(count - 1) * deviation / (count as f64).sqrt(),
                )
            }
        };
        Self {
            mean,
            low: mean - half,
            high: mean + half,
            deviation,
        }
    }
}

impl Band {
    /// Estimates the mean of curves at each of their `length` points.
    pub fn of(curves: &[&[f64]], length: usize) -> Self {
        let at = |place: usize| {
            Estimate::of(curves.iter().filter_map(|curve| curve.get(place).copied()))
        };
        let estimates: Vec<Estimate> = (0..length).map(at).collect();
        let each = |part: fn(&Estimate) -> f64| estimates.iter().map(part).collect();
        Self {
            mean: each(|e| e.mean),
            low: each(|e| e.low),
            high: each(|e| e.high),
        }
    }
}

/// 97.5 % quantile of Student's t distribution with so many degrees of freedom, at least one.
///
/// Up to ten from tables; above by the expansion of Abramowitz and Stegun, eq. 26.7.5, within 5e-6.
fn quantile(degrees: usize) -> f64 {
    const FIRST: [f64; 10] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
        2.262_157, 2.228_139,
    ];
    const NORMAL: f64 = 1.959_963_984_540_054;
    if let Some(quantile) = FIRST.get(degrees.saturating_sub(1)) {
        return *quantile;
    }
    let (x, v) = (NORMAL, degrees as f64);
    let terms = [
        (x.powi(3) + x) / 4.0,
        (5.0 * x.powi(5) + 16.0 * x.powi(3) + 3.0 * x) / 96.0,
        (3.0 * x.powi(7) + 19.0 * x.powi(5) + 17.0 * x.powi(3) - 15.0 * x) / 384.0,
        (79.0 * x.powi(9) + 776.0 * x.powi(7) + 1482.0 * x.powi(5)
            - 1920.0 * x.powi(3)
            - 945.0 * x)
            / 92160.0,
    ];
    let powers = (1..).zip(terms);
    x + powers
        .map(|(power, term)| term / v.powi(power))
        .sum::<f64>()
}
