//! Bayesian ridge regression by evidence maximisation, on standardised columns.
//!
//! The weights have the prior N(0, 1/lambda) and the noise has the variance 1/alpha; both precisions have Gamma
//! priors and are set where the evidence is largest (MacKay, Neural Comput. 4, 415, 1992, eq. 3.26 to 3.29; Tipping,
//! J. Mach. Learn. Res. 1, 211, 2001). Everything happens in the eigenbasis of X'X, p x p however many rows there
//! are: rows are sparse, so that X'X of 100,000 molecules costs less than its eigenvalues.

use faer::{Col, Mat, Side};
use serde::{Deserialize, Serialize};

use super::surrogate::{Features, FitError, Prediction, Surrogate};

/// A fitted model: y = intercept + coefficients . (x - means) / scales.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianRidge {
    means: Vec<f64>,
    /// Population standard deviations of the columns; 1 where a column is constant.
    scales: Vec<f64>,
    /// On standardised columns.
    coefficients: Vec<f64>,
    intercept: f64,
    /// Precision of the noise.
    alpha: f64,
    /// Precision of the weights.
    lambda: f64,
    /// R, p x p by rows, with R R' the posterior covariance of the coefficients divided by the scales: a variance is
    /// then a sum of squares and never negative.
    covariance_root: Vec<f64>,
    /// R' means: what is taken off before squaring.
    root_of_means: Vec<f64>,
}

/// When the fit has converged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeSettings {
    pub max_iterations: usize,
    /// Sum of the absolute changes of the coefficients in a round.
    pub tolerance: f64,
}

impl Default for RidgeSettings {
    fn default() -> Self {
        Self {
            max_iterations: 300,
            tolerance: 1e-3,
        }
    }
}

/// Shape and rate of the Gamma priors of alpha and lambda: nearly flat.
const PRIOR: f64 = 1e-6;

impl Surrogate for BayesianRidge {
    type Settings = RidgeSettings;

    fn fit(x: &Features, y: &[f64], settings: &RidgeSettings) -> Result<Self, FitError> {
        check(x, y)?;
        let (n, p) = (y.len() as f64, x.columns());
        let columns = Columns::of(x);
        let intercept = y.iter().sum::<f64>() / n;
        let y: Vec<f64> = y.iter().map(|value| value - intercept).collect();

        let (eigenvalues, basis) = eigen(&columns.gram(x), y.len() - 1)?;
        let projected = basis.transpose() * columns.project(x, &y);
        // The mean of the posterior: V (E + lambda / alpha)^-1 V' X'y.
        let posterior_mean = |ratio: f64| -> Vec<f64> {
            // Where X has nothing, X'y has nothing but rounding.
            let scaled = Col::from_fn(p, |i| match eigenvalues[i] {
                0.0 => 0.0,
                eigenvalue => projected[i] / (eigenvalue + ratio),
            });
            (&basis * scaled).iter().copied().collect()
        };

        let variance = y.iter().map(|value| value * value).sum::<f64>() / n;
        let (mut alpha, mut lambda) = (1.0 / (variance + f64::EPSILON), 1.0);
        let mut last: Option<Vec<f64>> = None;
        for _ in 0..settings.max_iterations {
            let coefficients = posterior_mean(lambda / alpha);
            let squared_error = columns.squared_error(x, &y, &coefficients);
            let determined: f64 = eigenvalues
                .iter()
                .map(|e| alpha * e / (lambda + alpha * e))
                .sum();
            let norm: f64 = coefficients.iter().map(|c| c * c).sum();
            lambda = (determined + 2.0 * PRIOR) / (norm + 2.0 * PRIOR);
            alpha = (n - determined + 2.0 * PRIOR) / (squared_error + 2.0 * PRIOR);
            let moved = last.as_ref().map(|last| distance(last, &coefficients));
            if moved.is_some_and(|moved| moved < settings.tolerance) {
                break;
            }
            last = Some(coefficients);
        }

        let coefficients = posterior_mean(lambda / alpha);
        let widths: Vec<f64> = eigenvalues
            .iter()
            .map(|e| (lambda + alpha * e).sqrt().recip())
            .collect();
        let covariance_root: Vec<f64> = (0..p)
            .flat_map(|row| {
                let (basis, widths, scale) = (&basis, &widths, columns.scales[row]);
                (0..p).map(move |k| basis[(row, k)] * widths[k] / scale)
            })
            .collect();
        let mut root_of_means = vec![0.0; p];
        for (row, mean) in columns.means.iter().enumerate() {
            add_scaled(&mut root_of_means, *mean, &covariance_root[row * p..][..p]);
        }
        Ok(Self {
            means: columns.means,
            scales: columns.scales,
            coefficients,
            intercept,
            alpha,
            lambda,
            covariance_root,
            root_of_means,
        })
    }

    fn predict(&self, x: &Features) -> Vec<Prediction> {
        let p = self.coefficients.len();
        // The terms of the means are the same for every row.
        let base = self.intercept - (0..p).map(|j| self.slope(j) * self.means[j]).sum::<f64>();
        x.rows()
            .iter()
            .map(|row| {
                let mut mean = base;
                let mut root: Vec<f64> = self.root_of_means.iter().map(|r| -r).collect();
                for &(j, value) in row.iter().filter(|(j, _)| *j < p) {
                    mean += self.slope(j) * value;
                    add_scaled(&mut root, value, &self.covariance_root[j * p..][..p]);
                }
                let variance = root.iter().map(|r| r * r).sum::<f64>() + 1.0 / self.alpha;
                Prediction {
                    mean,
                    std: variance.sqrt(),
                }
            })
            .collect()
    }
}

impl BayesianRidge {
    /// Precisions of the noise and of the weights.
    pub fn precisions(&self) -> (f64, f64) {
        (self.alpha, self.lambda)
    }

    /// Weights on standardised columns, in the unit of the values.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Change of the mean with column `j` as it is, not standardised.
    fn slope(&self, j: usize) -> f64 {
        self.coefficients[j] / self.scales[j]
    }
}

/// Means and scales of the columns, and the products of the standardised matrix that a fit needs.
struct Columns {
    means: Vec<f64>,
    scales: Vec<f64>,
    /// Columns of one value throughout, whose standardised values are all zero.
    constant: Vec<bool>,
}

impl Columns {
    fn of(x: &Features) -> Self {
        let (n, p) = (x.rows().len() as f64, x.columns());
        let mut means = vec![0.0; p];
        for &(j, value) in x.rows().iter().flatten() {
            means[j] += value / n;
        }
        // Squared deviations of the entries present, then those of the zeros.
        let (mut squares, mut zeros) = (vec![0.0; p], vec![n; p]);
        for &(j, value) in x.rows().iter().flatten() {
            squares[j] += (value - means[j]).powi(2);
            zeros[j] -= 1.0;
        }
        let deviations: Vec<f64> = (0..p)
            .map(|j| ((squares[j] + zeros[j] * means[j].powi(2)) / n).sqrt())
            .collect();
        // What rounding alone leaves of a constant column is not a variance.
        let constant: Vec<bool> = (0..p)
            .map(|j| deviations[j] <= n * f64::EPSILON * means[j].abs())
            .collect();
        let scales = (0..p)
            .map(|j| if constant[j] { 1.0 } else { deviations[j] })
            .collect();
        Self {
            means,
            scales,
            constant,
        }
    }

    /// X'X of the standardised matrix, p x p.
    fn gram(&self, x: &Features) -> Mat<f64> {
        let (n, p) = (x.rows().len() as f64, x.columns());
        let mut gram = Mat::<f64>::zeros(p, p);
        for row in x.rows() {
            for &(j, a) in row {
                for &(k, b) in row {
                    gram[(j, k)] += a * b;
                }
            }
        }
        Mat::from_fn(p, p, |j, k| {
            if self.constant[j] || self.constant[k] {
                0.0
            } else {
                let centred = gram[(j, k)] - n * self.means[j] * self.means[k];
                centred / (self.scales[j] * self.scales[k])
            }
        })
    }

    /// X'y of the standardised matrix, with `y` centred.
    fn project(&self, x: &Features, y: &[f64]) -> Col<f64> {
        let mut sums = vec![0.0; x.columns()];
        for (row, value) in x.rows().iter().zip(y) {
            for &(j, a) in row {
                sums[j] += a * value;
            }
        }
        Col::from_fn(sums.len(), |j| {
            if self.constant[j] {
                0.0
            } else {
                sums[j] / self.scales[j]
            }
        })
    }

    /// |y - X coefficients|^2 of the standardised matrix, from the residuals: taking it from X'X would cancel.
    fn squared_error(&self, x: &Features, y: &[f64], coefficients: &[f64]) -> f64 {
        let slopes: Vec<f64> = coefficients
            .iter()
            .zip(&self.scales)
            .map(|(c, scale)| c / scale)
            .collect();
        let base: f64 = slopes.iter().zip(&self.means).map(|(s, m)| s * m).sum();
        x.rows()
            .iter()
            .zip(y)
            .map(|(row, value)| {
                let fitted: f64 = row.iter().map(|&(j, a)| slopes[j] * a).sum();
                (value - (fitted - base)).powi(2)
            })
            .sum()
    }
}

fn check(x: &Features, y: &[f64]) -> Result<(), FitError> {
    if x.rows().len() != y.len() {
        return Err(FitError::Lengths {
            rows: x.rows().len(),
            values: y.len(),
        });
    }
    if y.is_empty() {
        return Err(FitError::Empty);
    }
    let values = y.iter().enumerate().map(|(row, value)| (row, *value));
    let entries = (x.rows().iter().enumerate())
        .flat_map(|(row, entries)| entries.iter().map(move |(_, value)| (row, *value)));
    match values.chain(entries).find(|(_, value)| !value.is_finite()) {
        Some((row, value)) => Err(FitError::NotFinite { row, value }),
        None => Ok(()),
    }
}

/// Eigenvalues, ascending and none below zero, and eigenvectors by columns. At most `rank` eigenvalues are not zero:
/// what rounding leaves of the others would count as parameters determined by the data once the noise is small.
fn eigen(gram: &Mat<f64>, rank: usize) -> Result<(Vec<f64>, Mat<f64>), FitError> {
    let size = gram.nrows();
    if size == 0 {
        return Ok((Vec::new(), Mat::zeros(0, 0)));
    }
    let decomposition = gram
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| FitError::Eigenvalues { size })?;
    let raw = decomposition.S();
    let rounding = size as f64 * f64::EPSILON * raw[size - 1];
    let eigenvalues = (0..size)
        .map(|i| match raw[i] > rounding && i + rank >= size {
            true => raw[i],
            false => 0.0,
        })
        .collect();
    Ok((eigenvalues, decomposition.U().to_owned()))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

fn add_scaled(sum: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}
