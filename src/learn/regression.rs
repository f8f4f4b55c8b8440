//! Regression: features, predictions, and errors of a fit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Predicted value of one molecule, in the unit of the values that the surrogate was fitted to:
/// hartree for an objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Expected value.
    pub mean: f64,
    /// Standard deviation of a new value, noise included.
    pub std: f64,
}

impl Prediction {
    /// Number of decimals of a value near it that say something: those of the first two digits of
    /// the standard deviation, and six if that is zero.
    pub fn decimals(&self) -> usize {
        let exponent = self.std.log10().floor();
        match exponent.is_finite() {
            true => (1.0 - exponent).clamp(0.0, MOST_DECIMALS) as usize,
            false => 6,
        }
    }
}

/// Most decimals of a prediction in text.
const MOST_DECIMALS: f64 = 12.0;

/// For people: mean ± standard deviation.
impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { mean, std }, decimals) = (self, self.decimals());
        write!(f, "{mean:.decimals$} ± {std:.decimals$}")
    }
}

/// A sparse matrix of features, by rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    columns: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

/// Error of fitting a surrogate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// No rows.
    #[error("there is nothing to fit a model to: no molecule was evaluated yet")]
    Empty,
    /// Numbers of rows and values that differ.
    #[error("{rows} rows of features but {values} values")]
    Lengths {
        /// Number of rows.
        rows: usize,
        /// Number of values.
        values: usize,
    },
    /// A feature or value that is infinite or not a number.
    #[error("value {value} of row {row} is not a finite number")]
    NotFinite {
        /// Index of the row, from 0.
        row: usize,
        /// The number.
        value: f64,
    },
    /// Kernels whose matrix has no Cholesky factor.
    #[error("the {size} x {size} matrix of kernels is not positive definite")]
    Indefinite {
        /// Number of observations.
        size: usize,
    },
    /// An eigenvalue decomposition that did not converge.
    #[error("the eigenvalues of a {size} x {size} matrix of features were not found")]
    Eigenvalues {
        /// Number of features.
        size: usize,
    },
}

/// Mean of values, and their standard deviation about it (divided by their number); 0 of nothing.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

impl Features {
    /// Creates a matrix without rows, of `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row of (column, value) pairs, each column at most once; other entries are zero.
    /// Columns that the matrix does not have are dropped.
    pub fn push(&mut self, row: impl IntoIterator<Item = (usize, f64)>) {
        let columns = self.columns;
        self.rows.push(
            row.into_iter()
                .filter(|&(column, _)| column < columns)
                .collect(),
        );
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of (column, value) pairs.
    pub fn rows(&self) -> &[Vec<(usize, f64)>] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_has_the_decimals_that_its_deviation_gives_a_meaning_to() {
        for (mean, std, text) in [
            (-2.254_698, 0.198_329, "-2.25 ± 0.20"),
            (-5.477_48, 0.007_842, "-5.4775 ± 0.0078"),
            (0.000_012_345_678, 0.000_001, "0.0000123 ± 0.0000010"),
            (8.1, 9.96, "8.1 ± 10.0"),
            (1234.5, 310.0, "1234 ± 310"),
            (3.0, 0.0, "3.000000 ± 0.000000"),
            (3.0, f64::INFINITY, "3.000000 ± inf"),
        ] {
            assert_eq!(Prediction { mean, std }.to_string(), text);
        }
    }
}
