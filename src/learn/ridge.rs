//! Bayesian ridge regression by evidence maximisation, on standardised columns.
//!
//! The weights have the prior N(0, 1/lambda) and the noise has the variance 1/alpha; both
//! precisions have Gamma priors and maximise the evidence (MacKay, Neural Comput. 4, 415, 1992, eq.
//! 3.26 to 3.29; Tipping, J. Mach. Learn. Res. 1, 211, 2001). All computations are in the
//! eigenbasis of X'X, which is p x p for p columns and any number of rows, so a fit needs only
//! moments.

use faer::{Col, Mat, Side};
use serde::{Deserialize, Serialize};

use super::moments::{ColumnProduct, Moments};
use super::regression::{Features, FitError, Prediction};

/// A fitted model: y = intercept + coefficients . (x - means) / scales.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianRidge {
    means: Vec<f64>,
    /// Population standard deviations of the columns; 1 where a column is constant.
    scales: Vec<f64>,
    /// Weights of the standardised columns.
    coefficients: Vec<f64>,
    intercept: f64,
    precisions: Precisions,
    /// R, p x p by rows, with R R' the posterior covariance of the coefficients divided by the
    /// scales: a variance is then a sum of squares and never negative.
    covariance_root: Vec<f64>,
    /// R' means, which is subtracted from R' x before squaring.
    root_of_means: Vec<f64>,
}

/// Precisions, or inverse variances, of a Bayesian ridge regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Precisions {
    /// Precision of the noise.
    pub alpha: f64,
    /// Precision of the weights of the standardised columns.
    pub lambda: f64,
}

/// Convergence criteria of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeSettings {
    /// Maximum number of iterations.
    pub max_iterations: usize,
    /// Sum of the absolute changes of the coefficients in an iteration below which it has
    /// converged.
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

impl BayesianRidge {
    /// Fits the model to the values `y`, one for each row of `x`.
    ///
    /// # Errors
    ///
    /// There are no rows, the lengths differ, a number is not finite, or the eigenvalues do not
    /// converge.
    pub fn fit(x: &Features, y: &[f64], settings: &RidgeSettings) -> Result<Self, FitError> {
        Self::from_moments(&Moments::from_rows(x, y)?, settings)
    }

    /// Prediction for each row of `x`, in order. Columns beyond those of the fit are ignored.
    pub fn predict(&self, x: &Features) -> Vec<Prediction> {
        let p = self.coefficients.len();
        let base = self.at_zero();
        x.rows()
            .iter()
            .map(|row| {
                let mut mean = base;
                let mut root: Vec<f64> = self.root_of_means.iter().map(|r| -r).collect();
                for &(j, value) in row.iter().filter(|(j, _)| *j < p) {
                    mean += self.slope(j) * value;
                    add_scaled(&mut root, value, &self.covariance_root[j * p..][..p]);
                }
                let variance =
                    root.iter().map(|r| r * r).sum::<f64>() + 1.0 / self.precisions.alpha;
                Prediction {
                    mean,
                    std: variance.sqrt(),
                }
            })
            .collect()
    }

    /// Fits the model to rows with these moments.
    ///
    /// # Errors
    ///
    /// There are no rows, or the eigenvalues do not converge.
    pub(crate) fn from_moments(
        moments: &Moments,
        settings: &RidgeSettings,
    ) -> Result<Self, FitError> {
        if moments.rows() == 0 {
            return Err(FitError::Empty);
        }
        let p = moments.columns();
        let columns = Columns::new(moments);
        let regression = Eigenbasis::new(&columns, moments)?;
        let precisions = regression.largest_evidence(moments, settings);
        let Precisions { alpha, lambda } = precisions;
        let coefficients = &regression.basis * regression.posterior_mean(lambda / alpha);
        let eigenvalues = regression.eigenvalues.iter();
        let widths: Vec<f64> = eigenvalues
            .map(|e| (lambda + alpha * e).sqrt().recip())
            .collect();
        let covariance_root: Vec<f64> = (0..p)
            .flat_map(|row| {
                let (basis, widths, scale) = (&regression.basis, &widths, columns.scales[row]);
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
            coefficients: coefficients.iter().copied().collect(),
            intercept: moments.mean(),
            precisions,
            covariance_root,
            root_of_means,
        })
    }

    /// Mean prediction for a row of zeros.
    pub(crate) fn at_zero(&self) -> f64 {
        let means = self.means.iter().enumerate();
        self.intercept - means.map(|(j, mean)| self.slope(j) * mean).sum::<f64>()
    }

    /// Change of the mean prediction per unit of column `j`, which is not standardised.
    pub(crate) fn slope(&self, j: usize) -> f64 {
        self.coefficients[j] / self.scales[j]
    }

    /// Prior variance of the change per unit of a column whose squared scale is the mean of all.
    pub(crate) fn prior_variance(&self) -> f64 {
        let squares: f64 = self.scales.iter().map(|scale| scale * scale).sum();
        match self.scales.len() {
            0 => 1.0 / self.precisions.lambda,
            columns => columns as f64 / (self.precisions.lambda * squares),
        }
    }

    /// Precisions of the noise and of the weights.
    pub fn precisions(&self) -> Precisions {
        self.precisions
    }

    /// Weights of the standardised columns, in the unit of the values.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }
}

/// Means and scales by which the columns are standardised.
struct Columns {
    means: Vec<f64>,
    scales: Vec<f64>,
    /// True for columns with one value in all rows; their standardised values are zero.
    constant: Vec<bool>,
}

impl Columns {
    fn new(moments: &Moments) -> Self {
        let n = moments.rows() as f64;
        let means = moments.means();
        let constant: Vec<bool> = (0..means.len()).map(|j| moments.is_constant(j)).collect();
        let mut scales = vec![1.0; means.len()];
        for ColumnProduct { j, sum, .. } in moments.products().filter(|p| p.j == p.k) {
            let variance = sum / n - means[j] * means[j];
            if !constant[j] && variance > 0.0 {
                scales[j] = variance.sqrt();
            }
        }
        Self {
            means,
            scales,
            constant,
        }
    }

    /// X'X of the standardised matrix, p x p.
    fn gram(&self, moments: &Moments) -> Mat<f64> {
        let (n, p) = (moments.rows() as f64, self.means.len());
        let mut gram = Mat::from_fn(p, p, |j, k| -n * self.means[j] * self.means[k]);
        for ColumnProduct { j, k, sum } in moments.products() {
            gram[(j, k)] += sum;
            gram[(k, j)] = gram[(j, k)];
        }
        Mat::from_fn(p, p, |j, k| match self.constant[j] || self.constant[k] {
            true => 0.0,
            false => gram[(j, k)] / (self.scales[j] * self.scales[k]),
        })
    }

    /// X'y of the standardised matrix, with y centred.
    fn projection(&self, moments: &Moments) -> Col<f64> {
        Col::from_fn(self.means.len(), |j| match self.constant[j] {
            true => 0.0,
            false => moments.projection(j) / self.scales[j],
        })
    }
}

/// The regression in the eigenbasis of X'X.
struct Eigenbasis {
    /// Ascending, none below zero.
    eigenvalues: Vec<f64>,
    /// V, the eigenvectors as columns.
    basis: Mat<f64>,
    /// V' X'y.
    projected: Col<f64>,
    /// Squared error of the least-squares fit.
    residual: f64,
}

impl Eigenbasis {
    fn new(columns: &Columns, moments: &Moments) -> Result<Self, FitError> {
        let p = moments.columns();
        let (eigenvalues, basis) = eigen(&columns.gram(moments), moments.rows() - 1)?;
        let projected = basis.transpose() * columns.projection(moments);
        let explained = (0..p).filter(|i| eigenvalues[*i] > 0.0);
        let explained: f64 = explained
            .map(|i| projected[i] * projected[i] / eigenvalues[i])
            .sum();
        Ok(Self {
            residual: (moments.squared_deviations() - explained).max(0.0),
            eigenvalues,
            basis,
            projected,
        })
    }

    /// Mean of the posterior, (E + ratio)^-1 V' X'y, for `ratio` = lambda / alpha.
    fn posterior_mean(&self, ratio: f64) -> Col<f64> {
        // X'y is zero but for rounding where X is.
        Col::from_fn(self.eigenvalues.len(), |i| match self.eigenvalues[i] {
            0.0 => 0.0,
            eigenvalue => self.projected[i] / (eigenvalue + ratio),
        })
    }

    /// |y - X w|^2, as the sum of the error of least squares and the error that shrinking adds,
    /// which do not cancel.
    fn squared_error(&self, weights: &Col<f64>, ratio: f64) -> f64 {
        let determined = (0..self.eigenvalues.len()).filter(|i| self.eigenvalues[*i] > 0.0);
        let shrunk: f64 = determined
            .map(|i| (ratio * weights[i]).powi(2) / self.eigenvalues[i])
            .sum();
        self.residual + shrunk
    }

    /// Precisions with the largest evidence.
    fn largest_evidence(&self, moments: &Moments, settings: &RidgeSettings) -> Precisions {
        let n = moments.rows() as f64;
        let variance = moments.squared_deviations() / n;
        let (mut alpha, mut lambda) = (1.0 / (variance + f64::EPSILON), 1.0);
        let mut last: Option<Col<f64>> = None;
        for _ in 0..settings.max_iterations {
            let weights = self.posterior_mean(lambda / alpha);
            let squared_error = self.squared_error(&weights, lambda / alpha);
            let eigenvalues = self.eigenvalues.iter();
            let determined: f64 = eigenvalues.map(|e| alpha * e / (lambda + alpha * e)).sum();
            lambda = (determined + 2.0 * PRIOR) / (weights.squared_norm_l2() + 2.0 * PRIOR);
            alpha = (n - determined + 2.0 * PRIOR) / (squared_error + 2.0 * PRIOR);
            let coefficients = &self.basis * weights;
            let moved = last.as_ref().map(|last| (last - &coefficients).norm_l1());
            if moved.is_some_and(|moved| moved < settings.tolerance) {
                break;
            }
            last = Some(coefficients);
        }
        Precisions { alpha, lambda }
    }
}

/// Eigenvalues, ascending and none below zero, and eigenvectors as columns. At most `rank`
/// eigenvalues are nonzero: the rounding errors of the others would count as parameters determined
/// by the data once the noise is small.
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

fn add_scaled(sum: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}
