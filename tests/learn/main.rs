//! Models, acquisitions and Pareto fronts, held against published programs.

mod acquisition;
mod bootstrap;
mod dqn;
mod gaussian_process;
mod pareto;
mod ridge;

use moldflow::learn::regression::Features;

/// A sparse matrix with these rows.
fn features(rows: &[Vec<f64>]) -> Features {
    let mut features = Features::new(rows.first().map_or(0, Vec::len));
    for row in rows {
        features.push(
            row.iter()
                .copied()
                .enumerate()
                .filter(|(_, value)| *value != 0.0),
        );
    }
    features
}
