//! Surrogates: inexpensive models of the simulator.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A model fitted to values, which predicts a mean and a standard deviation, always both.
pub trait Surrogate: Sized + Serialize + DeserializeOwned {
    type Settings;

    /// Fits the model to the values `y`, one for each row of `x`.
    fn fit(x: &Features, y: &[f64], settings: &Self::Settings) -> Result<Self, FitError>;

    /// Predicts every row of `x`, in order. Columns beyond those fitted are ignored.
    fn predict(&self, x: &Features) -> Vec<Prediction>;
}

/// Predicted value of one molecule, in the unit of the values that the surrogate was fitted to:
/// hartree for an objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub mean: f64,
    /// Standard deviation of a new value, noise included.
    pub std: f64,
}

/// A matrix of features, of which each row holds few that are not zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    columns: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

/// Error of fitting a surrogate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("there is nothing to fit a model to: no molecule was evaluated yet")]
    Empty,
    #[error("{rows} rows of features but {values} values")]
    Lengths { rows: usize, values: usize },
    #[error("value {value} of row {row} is not a finite number")]
    NotFinite { row: usize, value: f64 },
    #[error("the eigenvalues of a {size} x {size} matrix of features were not found")]
    Eigenvalues { size: usize },
}

impl Features {
    /// No rows yet, of `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row of (column, value) pairs, each column at most once; the others are zero.
    pub fn push(&mut self, row: impl IntoIterator<Item = (usize, f64)>) {
        let columns = self.columns;
        self.rows.push(
            row.into_iter()
                .filter(|&(column, _)| column < columns)
                .collect(),
        );
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn rows(&self) -> &[Vec<(usize, f64)>] {
        &self.rows
    }
}
