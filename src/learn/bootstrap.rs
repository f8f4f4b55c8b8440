//! Bagging: Bayesian ridge regressions on bootstrap samples of the rows (Breiman, Mach. Learn. 24,
//! 123, 1996).
//!
//! A sample has each row as often as a number of the Poisson distribution with mean 1 says, which
//! depends on the row's number alone (Oza and Russell, AISTATS 2001): rows that are added later do not
//! change it. The mean
//! prediction is that of the members; the variance is the mean of theirs, and the variance of their
//! means. Deviations are multiplied by a factor that fits the errors of each row by the members that
//! have not seen it. Cost: that of a regression for each member.

use faer::Mat;
use serde::{Deserialize, Serialize};

use super::calibration::calibration;
use super::joint::JointPrediction;
use super::moments::Moments;
use super::regression::{Features, FitError, Prediction, mean_and_deviation};
use super::ridge::{BayesianRidge, RidgeSettings};
use crate::host::hash::digest;

/// A fitted ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootstrapEnsemble {
    members: Vec<BayesianRidge>,
    calibration: f64,
}

impl BootstrapEnsemble {
    /// Fits so many members, at least one, to the values `y`, one for each row of `x`.
    ///
    /// # Errors
    ///
    /// There are no rows, the lengths differ, a number is not finite, or the eigenvalues do not
    /// converge.
    pub fn fit(x: &Features, y: &[f64], members: usize) -> Result<Self, FitError> {
        // An invalid row is an error even if no sample has it.
        Moments::from_rows(x, y)?;
        let weights: Vec<Vec<u32>> = (0..y.len()).map(|row| weights(row, members)).collect();
        let settings = RidgeSettings::default();
        let member = |member: usize| {
            let (mut rows, mut values) = (Features::new(x.columns()), Vec::new());
            for ((row, y), weights) in x.rows().iter().zip(y).zip(&weights) {
                for _ in 0..weights[member] {
                    rows.push(row.iter().copied());
                    values.push(*y);
                }
            }
            match values.is_empty() {
                // Of a few rows a sample may have none.
                true => BayesianRidge::fit(x, y, &settings),
                false => BayesianRidge::fit(&rows, &values, &settings),
            }
        };
        let members = (0..members).map(member).collect::<Result<_, _>>()?;
        let mut ensemble = Self {
            members,
            calibration: 1.0,
        };
        ensemble.calibration = calibration(&ensemble.unseen_errors(x, y, &weights));
        Ok(ensemble)
    }

    /// Prediction for each row of `x`, in order.
    pub fn predict(&self, x: &Features) -> Vec<Prediction> {
        self.combined(&self.by_member(x))
    }

    /// Predictions of each member for the rows of `x`.
    fn by_member(&self, x: &Features) -> Vec<Vec<Prediction>> {
        self.members.iter().map(|m| m.predict(x)).collect()
    }

    /// Calibrated prediction for each row, from those of the members.
    fn combined(&self, by_member: &[Vec<Prediction>]) -> Vec<Prediction> {
        let rows = by_member.first().map_or(0, Vec::len);
        let of_row = |row: usize| together(by_member.iter().map(|member| member[row]));
        (0..rows)
            .map(of_row)
            .map(|Prediction { mean, std }| Prediction {
                mean,
                std: std * self.calibration,
            })
            .collect()
    }

    /// Joint prediction of the rows of `x`, each value multiplied by its factor. What the members
    /// disagree on is shared between rows, the rest is each row's own.
    pub fn joint(&self, x: &Features, factors: &[f64]) -> JointPrediction {
        let by_member = self.by_member(x);
        let combined = self.combined(&by_member);
        let count = self.members.len() as f64;
        let square = self.calibration * self.calibration;
        let covariance = |i: usize, j: usize| {
            let products = by_member.iter().map(|member| {
                (member[i].mean - combined[i].mean) * (member[j].mean - combined[j].mean)
            });
            square * factors[i] * factors[j] * products.sum::<f64>() / count
        };
        let mut covariance = Mat::from_fn(factors.len(), factors.len(), covariance);
        let noise = self.members.iter().map(|m| m.precisions().alpha.recip());
        let noise = square * noise.sum::<f64>() / count;
        let least = factors.iter().map(|factor| factor * factor);
        let noise = noise * least.fold(f64::INFINITY, f64::min);
        for (row, prediction) in combined.iter().enumerate() {
            covariance[(row, row)] = (prediction.std * factors[row]).powi(2) - noise;
        }
        JointPrediction { covariance, noise }
    }

    /// Variance that a column which no row had adds to a prediction, per squared value.
    pub(crate) fn prior_variance(&self) -> f64 {
        let variances = self.members.iter().map(BayesianRidge::prior_variance);
        let mean = variances.sum::<f64>() / self.members.len() as f64;
        mean * self.calibration * self.calibration
    }

    /// Factor of the standard deviations.
    pub fn calibration(&self) -> f64 {
        self.calibration
    }

    /// Error of each row, in standard deviations, by the members that have not seen it; a row that all
    /// have seen has none.
    fn unseen_errors(&self, x: &Features, y: &[f64], weights: &[Vec<u32>]) -> Vec<f64> {
        let mut unseen: Vec<Vec<Prediction>> = vec![Vec::new(); y.len()];
        for (place, member) in self.members.iter().enumerate() {
            let rows: Vec<usize> = (0..y.len())
                .filter(|row| weights[*row][place] == 0)
                .collect();
            if rows.len() == y.len() {
                // It has seen all.
                continue;
            }
            let mut features = Features::new(x.columns());
            rows.iter()
                .for_each(|row| features.push(x.rows()[*row].iter().copied()));
            for (row, prediction) in rows.into_iter().zip(member.predict(&features)) {
                unseen[row].push(prediction);
            }
        }
        let errors = unseen.into_iter().zip(y);
        let errors = errors.filter(|(predictions, _)| !predictions.is_empty());
        let error = |(predictions, y): (Vec<Prediction>, &f64)| {
            let Prediction { mean, std } = together(predictions.into_iter());
            (y - mean) / std
        };
        errors.map(error).collect()
    }
}

/// How often the sample of each member has a row: the Poisson distribution's quantile of a uniform
/// number, the first 53 bits of a SHA-256.
fn weights(row: usize, members: usize) -> Vec<u32> {
    /// More than any 53 bits give.
    const MOST: u32 = 20;
    let draw = |member| {
        let hash = digest([format!("{row}/{member}").as_bytes()]);
        let first = hash
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let uniform = (first >> 11) as f64 / (1u64 << 53) as f64;
        let (mut count, mut probability) = (0, (-1.0f64).exp());
        let mut below = probability;
        while uniform >= below && count < MOST {
            count += 1;
            probability /= f64::from(count);
            below += probability;
        }
        count
    };
    (0..members).map(draw).collect()
}

/// The prediction of several members.
fn together(members: impl Iterator<Item = Prediction>) -> Prediction {
    let (means, variances): (Vec<f64>, Vec<f64>) = members.map(|p| (p.mean, p.std * p.std)).unzip();
    let (mean, deviation) = mean_and_deviation(&means);
    let own = variances.iter().sum::<f64>() / variances.len() as f64;
    Prediction {
        mean,
        std: (own + deviation * deviation).sqrt(),
    }
}
