//! Gaussian process regression on a weighted sum of given kernels.
//!
//! Values are standardised. Their covariance is C = sum_c w_c K_c + c0 + s I: kernels K_c, a constant
//! that is nearly free (c0 = 100, which makes the mean a parameter), and noise of variance s. The
//! logarithms of the weights and of the noise have normal priors and maximise the posterior: the log
//! marginal likelihood (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eq.
//! 5.8, 5.9) plus the log prior. Cost: n^3 for n observations, n^2 for each prediction with its
//! deviation.

use std::f64::consts::PI;

use faer::linalg::solvers::{DenseSolveCore, Llt, Solve};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Col, Mat, Par, Side};
use serde::{Deserialize, Serialize};

use super::joint::JointPrediction;
use super::quasi_newton::{Slope, minimise};
use super::regression::{FitError, Prediction, mean_and_deviation};

/// Weights of the kernels and variance of the noise, as natural logarithms, for standardised values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Logarithm of the weight of each kernel.
    pub weights: Vec<f64>,
    /// Logarithm of the variance of the noise.
    pub noise: f64,
}

/// A Gaussian process conditioned on observations.
pub struct GaussianProcess {
    hyperparameters: Hyperparameters,
    scale: Standardisation,
    factor: Llt<f64>,
    /// C^-1 z, with z the standardised values.
    alpha: Col<f64>,
    log_likelihood: f64,
}

/// Mean and standard deviation that values are standardised by.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Standardisation {
    mean: f64,
    deviation: f64,
}

/// Kernels between the observations and other molecules, and of these with themselves.
pub struct CrossKernels {
    /// For each kernel a matrix with a row for each observation and a column for each molecule.
    pub cross: Vec<Mat<f64>>,
    /// For each kernel the value of each molecule with itself.
    pub own: Vec<Vec<f64>>,
}

/// Prior variance of the constant.
const CONSTANT: f64 = 100.0;
/// Least variance of the noise, which keeps C positive definite.
const JITTER: f64 = 1e-6;
/// Mean and standard deviation of the prior of the logarithm of a weight.
const WEIGHT_PRIOR: (f64, f64) = (0.0, 1.5);
/// Mean and standard deviation of the prior of the logarithm of the noise.
const NOISE_PRIOR: (f64, f64) = (-5.0, 2.0);

/// Logarithms of the weights and of the noise at which a search begins that explains the values by
/// noise.
const NOISY_START: (f64, f64) = (-2.0, 0.0);

impl Hyperparameters {
    /// Returns the hyperparameters with the largest posterior density for `values`, found from the
    /// means of the priors or from a start with much noise. `kernels`: square, a row for each value.
    ///
    /// # Errors
    ///
    /// There are no values, the lengths differ, or a value is not finite.
    pub fn fit(kernels: &[Mat<f64>], values: &[f64]) -> Result<Self, FitError> {
        let z = Standardisation::new(values)?.standardised(values);
        check(kernels, values)?;
        let search = |weight: f64, noise: f64| {
            let start = [vec![weight; kernels.len()], vec![noise]].concat();
            let found = minimise(|at| cost(kernels, &z, at), &start);
            let cost = cost(kernels, &z, &found).map_or(f64::INFINITY, |(cost, _)| cost);
            (found, cost)
        };
        // Values may be explained by the kernels or by noise: two maxima.
        let explained = search(WEIGHT_PRIOR.0, NOISE_PRIOR.0);
        let noisy = search(NOISY_START.0, NOISY_START.1);
        let (found, _) = if noisy.1 < explained.1 {
            noisy
        } else {
            explained
        };
        Ok(Self {
            weights: found[..kernels.len()].to_vec(),
            noise: found[kernels.len()],
        })
    }

    /// Negative logarithm of the prior density, without its constant.
    pub fn prior_cost(&self) -> f64 {
        let weights = self
            .weights
            .iter()
            .map(|w| (w - WEIGHT_PRIOR.0) / WEIGHT_PRIOR.1);
        let all = weights.chain([(self.noise - NOISE_PRIOR.0) / NOISE_PRIOR.1]);
        all.map(|d| 0.5 * d * d).sum()
    }

    fn noise_variance(&self) -> f64 {
        self.noise.exp() + JITTER
    }

    /// Weighted sum of the entries of the kernels, and the constant.
    fn sum(&self, entries: impl Iterator<Item = f64>) -> f64 {
        let weighted = self.weights.iter().zip(entries);
        CONSTANT
            + weighted
                .map(|(weight, entry)| weight.exp() * entry)
                .sum::<f64>()
    }

    /// Weighted sum of matrices, and the constant.
    fn combined(&self, kernels: &[Mat<f64>], rows: usize, columns: usize) -> Mat<f64> {
        let mut sum = Mat::full(rows, columns, CONSTANT);
        for (weight, kernel) in self.weights.iter().zip(kernels) {
            let weight = weight.exp();
            for (to, from) in sum.col_iter_mut().zip(kernel.col_iter()) {
                to.iter_mut()
                    .zip(from.iter())
                    .for_each(|(to, from)| *to += weight * from);
            }
        }
        sum
    }

    /// Factor of C; None if rounding makes it indefinite.
    fn factor(&self, kernels: &[Mat<f64>], size: usize) -> Option<Llt<f64>> {
        let mut covariance = self.combined(kernels, size, size);
        for i in 0..size {
            covariance[(i, i)] += self.noise_variance();
        }
        covariance.llt(Side::Lower).ok()
    }
}

/// Negative log posterior of the hyperparameters and its gradient.
fn cost(kernels: &[Mat<f64>], z: &Col<f64>, at: &[f64]) -> Option<Slope> {
    let (weights, noise) = (at[..kernels.len()].to_vec(), at[kernels.len()]);
    let hyperparameters = Hyperparameters { weights, noise };
    let size = z.nrows();
    let factor = hyperparameters.factor(kernels, size)?;
    let alpha = factor.solve(z);
    let mut w = factor.inverse();
    for j in 0..size {
        let a = alpha[j];
        let column = w.col_mut(j).iter_mut().zip(alpha.iter());
        column.for_each(|(entry, b)| *entry -= a * b);
    }
    let trace = |kernel: &Mat<f64>| -> f64 {
        let columns = w.col_iter().zip(kernel.col_iter());
        let products =
            columns.map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>());
        products.sum()
    };
    let of_kernels = (kernels.iter().zip(&hyperparameters.weights)).map(|(kernel, log)| {
        0.5 * log.exp() * trace(kernel) + (log - WEIGHT_PRIOR.0) / WEIGHT_PRIOR.1.powi(2)
    });
    let diagonal: f64 = (0..size).map(|i| w[(i, i)]).sum();
    let of_noise = 0.5 * noise.exp() * diagonal + (noise - NOISE_PRIOR.0) / NOISE_PRIOR.1.powi(2);
    let gradient = of_kernels.chain([of_noise]).collect();
    let value = hyperparameters.prior_cost() - log_likelihood(&factor, z, &alpha);
    value.is_finite().then_some((value, gradient))
}

/// Log marginal likelihood of standardised values (eq. 5.8).
fn log_likelihood(factor: &Llt<f64>, z: &Col<f64>, alpha: &Col<f64>) -> f64 {
    let size = z.nrows();
    let half_log_determinant: f64 = (0..size).map(|i| factor.L()[(i, i)].ln()).sum();
    -0.5 * (z.transpose() * alpha) - half_log_determinant - 0.5 * size as f64 * (2.0 * PI).ln()
}

impl GaussianProcess {
    /// Conditions a process with these hyperparameters on `values`. `kernels`: square, a row for
    /// each value.
    ///
    /// # Errors
    ///
    /// There are no values, the lengths differ, a value is not finite, or the kernels are not
    /// positive definite.
    pub fn new(
        kernels: &[Mat<f64>],
        values: &[f64],
        hyperparameters: Hyperparameters,
    ) -> Result<Self, FitError> {
        let scale = Standardisation::new(values)?;
        check(kernels, values)?;
        let z = scale.standardised(values);
        let size = values.len();
        let factor = hyperparameters.factor(kernels, size);
        let factor = factor.ok_or(FitError::Indefinite { size })?;
        let alpha = factor.solve(&z);
        let log_likelihood = log_likelihood(&factor, &z, &alpha);
        Ok(Self {
            hyperparameters,
            scale,
            factor,
            alpha,
            log_likelihood,
        })
    }

    /// Log marginal likelihood of the standardised values.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Standard deviation of the noise, in the unit of the values.
    pub fn noise(&self) -> f64 {
        self.hyperparameters.noise_variance().sqrt() * self.scale.deviation
    }

    /// Errors of the leave-one-out predictions in their standard deviations (eq. 5.10 to 5.12).
    pub fn leave_one_out(&self) -> Vec<f64> {
        let inverse = self.factor.inverse();
        let alpha = self.alpha.iter().enumerate();
        alpha
            .map(|(i, alpha)| alpha / inverse[(i, i)].sqrt())
            .collect()
    }

    /// Prediction for each molecule of `kernels`, in order.
    pub fn predict(&self, kernels: &CrossKernels) -> Vec<Prediction> {
        let molecules = kernels.own.first().map_or(0, Vec::len);
        let cross = self.combined(kernels, molecules);
        let means = cross.transpose() * &self.alpha;
        let reduced = self.reduced(cross);
        (0..molecules)
            .map(|place| {
                let known: f64 = reduced.col(place).iter().map(|x| x * x).sum();
                let prior = kernels.own.iter().map(|of_kernel| of_kernel[place]);
                let variance = (self.hyperparameters.sum(prior) - known).max(0.0)
                    + self.hyperparameters.noise_variance();
                Prediction {
                    mean: self.scale.mean + self.scale.deviation * means[place],
                    std: self.scale.deviation * variance.sqrt(),
                }
            })
            .collect()
    }

    /// Joint prediction of the molecules of `kernels`. `between`: for each kernel the square matrix
    /// between them.
    pub fn joint(&self, kernels: &CrossKernels, between: &[Mat<f64>]) -> JointPrediction {
        let molecules = kernels.own.first().map_or(0, Vec::len);
        let reduced = self.reduced(self.combined(kernels, molecules));
        let prior = self.hyperparameters.combined(between, molecules, molecules);
        let variance = self.scale.deviation.powi(2);
        let covariance = prior - reduced.transpose() * &reduced;
        JointPrediction {
            covariance: covariance * faer::Scale(variance),
            noise: variance * self.hyperparameters.noise_variance(),
        }
    }

    fn combined(&self, kernels: &CrossKernels, molecules: usize) -> Mat<f64> {
        let size = self.alpha.nrows();
        self.hyperparameters
            .combined(&kernels.cross, size, molecules)
    }

    /// L^-1 C_x, with L the factor of the covariance of the observations.
    fn reduced(&self, mut cross: Mat<f64>) -> Mat<f64> {
        solve_lower_triangular_in_place(self.factor.L(), cross.as_mut(), Par::Seq);
        cross
    }
}

impl Standardisation {
    fn new(values: &[f64]) -> Result<Self, FitError> {
        if values.is_empty() {
            return Err(FitError::Empty);
        }
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            let value = values[row];
            return Err(FitError::NotFinite { row, value });
        }
        let (mean, deviation) = mean_and_deviation(values);
        // Equal values differ by the rounding of their mean.
        let is_spread = deviation > 1e-12 * mean.abs();
        Ok(Self {
            mean,
            deviation: if is_spread { deviation } else { 1.0 },
        })
    }

    fn standardised(self, values: &[f64]) -> Col<f64> {
        Col::from_fn(values.len(), |i| (values[i] - self.mean) / self.deviation)
    }
}

fn check(kernels: &[Mat<f64>], values: &[f64]) -> Result<(), FitError> {
    match kernels.iter().find(|kernel| kernel.nrows() != values.len()) {
        Some(kernel) => Err(FitError::Lengths {
            rows: kernel.nrows(),
            values: values.len(),
        }),
        None => Ok(()),
    }
}
