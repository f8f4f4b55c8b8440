//! Distributions of task durations, in the form of the command line.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::config::duration::Duration;

/// Distribution of durations: `10m` is a constant; `lognormal:10m,0.5` gives the median and the
/// standard deviation of the logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    median: Duration,
    sigma: f64,
}

/// Time or duration in a forecast, milliseconds.
pub type Millis = u64;

const LOGNORMAL: &str = "lognormal:";

impl Times {
    /// Returns the constant duration of `seconds`.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self {
            median: Duration::from_secs(seconds),
            sigma: 0.0,
        }
    }

    /// Returns log-normal durations; `sigma` is the standard deviation of the logarithm.
    pub fn lognormal(median: std::time::Duration, sigma: f64) -> Self {
        let median = Duration::at_least_a_millisecond(median);
        Self { median, sigma }
    }

    /// Returns the mean, seconds, of durations that a limit cuts.
    pub(super) fn mean_up_to(&self, limit: std::time::Duration) -> f64 {
        let median = self.median.get().as_secs_f64();
        let limit = limit.as_secs_f64();
        if self.sigma == 0.0 {
            return median.min(limit);
        }
        // E[min(X, limit)] of a log-normal X.
        let (mu, sigma) = (median.ln(), self.sigma);
        let z = (limit.ln() - mu) / sigma;
        let mean = (mu + sigma * sigma / 2.0).exp();
        mean * normal_cdf(z - sigma) + limit * (1.0 - normal_cdf(z))
    }

    /// Returns the median.
    pub fn median(&self) -> Duration {
        self.median
    }

    /// Draws a duration of a millisecond or more.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Millis {
        let median = self.median.get().as_secs_f64() * 1000.0;
        let factor = match self.sigma {
            0.0 => 1.0,
            sigma => (sigma * normal(random)).exp(),
        };
        ((median * factor).round() as Millis).max(1)
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("{what}: write `10m`, or `lognormal:10m,0.5` (median, sigma)");
        let (median, sigma) = match text.strip_prefix(LOGNORMAL) {
            None => (text, "0"),
            Some(rest) => rest
                .split_once(',')
                .ok_or_else(|| wrong("the sigma is missing"))?,
        };
        let sigma: f64 = sigma
            .trim()
            .parse()
            .map_err(|_| wrong("the sigma is not a number"))?;
        if !(0.0..=5.0).contains(&sigma) {
            return Err(wrong("the sigma is not between 0 and 5"));
        }
        let median: Result<Duration, String> = median.parse();
        Ok(Self {
            median: median.map_err(|why| wrong(&format!("`{text}` {why}")))?,
            sigma,
        })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sigma {
            0.0 => write!(f, "{}", self.median),
            sigma => write!(f, "{LOGNORMAL}{},{sigma}", self.median),
        }
    }
}

/// Distribution function of the standard normal distribution (Abramowitz and Stegun, 26.2.17; error
/// below 1e-7).
fn normal_cdf(x: f64) -> f64 {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let polynomial = B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let upper = density * polynomial;
    if x >= 0.0 { 1.0 - upper } else { upper }
}

/// Draws a number of the standard normal distribution (Box and Muller, Ann. Math. Statist. 29, 610,
/// 1958).
pub fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (random.random(), random.random());
    // The radius is below 1, so the logarithm is finite.
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
