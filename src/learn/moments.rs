//! Sums over rows from which a linear model is fitted; no row is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::regression::{Features, FitError};

/// Sums over sparse rows x and their values y. Its size grows with the pairs of columns that are
/// both nonzero in some row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    rows: u64,
    y: f64,
    y_squared: f64,
    columns: Vec<Column>,
    /// Sums of x_j x_k by (j, k), j <= k, over the rows that have both entries.
    products: BTreeMap<(u32, u32), f64>,
}

/// Sums over the stored entries of a column; the others are zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Column {
    entries: u64,
    lowest: f64,
    highest: f64,
    x: f64,
    xy: f64,
}

/// Sum of x_j x_k over all rows, j <= k.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnProduct {
    pub j: usize,
    pub k: usize,
    pub sum: f64,
}

impl Moments {
    /// Creates the sums of no rows, with `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self {
            columns: vec![Column::EMPTY; columns],
            ..Self::default()
        }
    }

    /// Sums over the rows of `x` with the values `y`.
    ///
    /// # Errors
    ///
    /// The lengths differ, or a number is not finite.
    pub fn from_rows(x: &Features, y: &[f64]) -> Result<Self, FitError> {
        if x.rows().len() != y.len() {
            return Err(FitError::Lengths {
                rows: x.rows().len(),
                values: y.len(),
            });
        }
        let mut moments = Self::new(x.columns());
        for (row, y) in x.rows().iter().zip(y) {
            moments.add(row, *y)?;
        }
        Ok(moments)
    }

    /// Adds a row of (column, value) pairs, each column at most once, and its value.
    ///
    /// Panics if a column is not below [`Moments::columns`].
    ///
    /// # Errors
    ///
    /// A number is not finite; the row is then not added.
    pub fn add(&mut self, row: &[(usize, f64)], y: f64) -> Result<(), FitError> {
        let mut numbers = row.iter().map(|(_, x)| *x).chain([y]);
        if let Some(value) = numbers.find(|number| !number.is_finite()) {
            let row = self.rows();
            return Err(FitError::NotFinite { row, value });
        }
        self.rows += 1;
        self.y += y;
        self.y_squared += y * y;
        for &(j, x) in row {
            let column = &mut self.columns[j];
            column.entries += 1;
            column.lowest = column.lowest.min(x);
            column.highest = column.highest.max(x);
            column.x += x;
            column.xy += x * y;
            for &(k, other) in row.iter().filter(|(k, _)| *k >= j) {
                *self.products.entry((j as u32, k as u32)).or_default() += x * other;
            }
        }
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Same sums with column j moved to column `to[j]` of `columns`; `to` is ascending.
    pub fn rearranged(&self, to: &[usize], columns: usize) -> Self {
        let mut moments = Self::new(columns);
        for (column, to) in self.columns.iter().zip(to) {
            moments.columns[*to] = *column;
        }
        let place = |j: u32| to[j as usize] as u32;
        let products = self.products.iter();
        moments.products = products
            .map(|(&(j, k), sum)| ((place(j), place(k)), *sum))
            .collect();
        Self {
            rows: self.rows,
            y: self.y,
            y_squared: self.y_squared,
            ..moments
        }
    }

    /// Mean of the values.
    pub fn mean(&self) -> f64 {
        self.y / self.rows as f64
    }

    /// Sum of the squared deviations of the values from their mean.
    pub fn squared_deviations(&self) -> f64 {
        (self.y_squared - self.y * self.mean()).max(0.0)
    }

    /// Means of the columns.
    pub fn means(&self) -> Vec<f64> {
        let columns = self.columns.iter();
        columns.map(|column| column.x / self.rows as f64).collect()
    }

    /// Returns true if column `j` has the same value in all rows.
    pub fn is_constant(&self, j: usize) -> bool {
        let column = &self.columns[j];
        column.entries == 0 || column.entries == self.rows && column.lowest == column.highest
    }

    /// Sum of x_j (y - mean of y).
    pub fn projection(&self, j: usize) -> f64 {
        self.columns[j].xy - self.columns[j].x * self.mean()
    }

    /// Sums of x_j x_k over the pairs j <= k that occur together in a row.
    pub fn products(&self) -> impl Iterator<Item = ColumnProduct> {
        self.products.iter().map(|(&(j, k), sum)| ColumnProduct {
            j: j as usize,
            k: k as usize,
            sum: *sum,
        })
    }

    /// Sum of the squares of y - slopes . x, to within the rounding error of the sum of y^2.
    pub fn squared_error(&self, slopes: &[f64]) -> f64 {
        let of_values: f64 = (self.columns.iter().zip(slopes))
            .map(|(column, slope)| 2.0 * slope * column.xy)
            .sum();
        let of_products: f64 = self
            .products()
            .map(|product| {
                let ColumnProduct { j, k, sum } = product;
                slopes[j] * slopes[k] * sum * if j == k { 1.0 } else { 2.0 }
            })
            .sum();
        (self.y_squared - of_values + of_products).max(0.0)
    }
}

impl Column {
    const EMPTY: Self = Self {
        entries: 0,
        lowest: f64::INFINITY,
        highest: f64::NEG_INFINITY,
        x: 0.0,
        xy: 0.0,
    };
}
