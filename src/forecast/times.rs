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
    pub(super) fn lognormal(median: std::time::Duration, sigma: f64) -> Self {
        let median = Duration::from_secs(median.as_secs().max(1));
        Self { median, sigma }
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

/// Draws a number of the standard normal distribution (Box and Muller, Ann. Math. Statist. 29, 610,
/// 1958).
pub fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (random.random(), random.random());
    // The radius is below 1, so the logarithm is finite.
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
