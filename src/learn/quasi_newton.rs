//! Minimisation of a smooth function of a few variables: BFGS (Nocedal and Wright, Numerical
//! Optimization, 2006, algorithm 6.1) with backtracking, deterministic.

/// Value and gradient of a function at a point.
pub type Slope = (f64, Vec<f64>);

/// Largest absolute component of the gradient at which the search has converged.
const GRADIENT: f64 = 1e-6;
/// Largest change of a variable in one step.
const LONGEST_STEP: f64 = 2.0;
const MOST_ITERATIONS: usize = 100;
const MOST_HALVINGS: usize = 40;

/// Returns a local minimum that a search from `start` finds. `function` returns None where the
/// function is not defined, and the search stays away; `start` is returned if this holds there.
pub fn minimise(mut function: impl FnMut(&[f64]) -> Option<Slope>, start: &[f64]) -> Vec<f64> {
    let mut at = start.to_vec();
    let Some((mut value, mut gradient)) = function(&at) else {
        return at;
    };
    let mut inverse = identity(at.len());
    for _ in 0..MOST_ITERATIONS {
        if gradient.iter().all(|g| g.abs() < GRADIENT) {
            break;
        }
        let mut direction: Vec<f64> = inverse.iter().map(|row| -dot(row, &gradient)).collect();
        if dot(&direction, &gradient) >= 0.0 {
            inverse = identity(at.len());
            direction = gradient.iter().map(|g| -g).collect();
        }
        let longest = direction.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
        let scale = (LONGEST_STEP / longest).min(1.0);
        let fall = dot(&direction, &gradient);
        let lower = (0..MOST_HALVINGS).find_map(|halvings| {
            let length = scale * 0.5_f64.powi(halvings as i32);
            let next: Vec<f64> = (at.iter().zip(&direction))
                .map(|(x, d)| x + length * d)
                .collect();
            let (v, g) = function(&next)?;
            (v <= value + 1e-4 * length * fall).then_some((next, v, g))
        });
        let Some((next, next_value, next_gradient)) = lower else {
            break;
        };
        update(
            &mut inverse,
            &difference(&next, &at),
            &difference(&next_gradient, &gradient),
        );
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    at
}

/// Updates the inverse Hessian by a step and the change of the gradient over it (eq. 6.17).
fn update(inverse: &mut [Vec<f64>], step: &[f64], change: &[f64]) {
    let curvature = dot(step, change);
    if curvature <= 1e-12 {
        return;
    }
    let moved: Vec<f64> = inverse.iter().map(|row| dot(row, change)).collect();
    let factor = (1.0 + dot(change, &moved) / curvature) / curvature;
    for (i, row) in inverse.iter_mut().enumerate() {
        for (j, entry) in row.iter_mut().enumerate() {
            let mixed = moved[i] * step[j] + step[i] * moved[j];
            *entry += factor * step[i] * step[j] - mixed / curvature;
        }
    }
}

fn identity(size: usize) -> Vec<Vec<f64>> {
    let row = |i: usize| (0..size).map(|j| f64::from(u8::from(i == j))).collect();
    (0..size).map(row).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_rosenbrocks_function_is_found() {
        // H. H. Rosenbrock, Comput. J. 3, 175 (1960): the minimum is at (1, 1).
        let function = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            let gradient = vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b];
            Some((a * a + 100.0 * b * b, gradient))
        };
        let found = minimise(function, &[-1.2, 1.0]);
        assert!(found.iter().all(|x| (x - 1.0).abs() < 1e-5), "{found:?}");
    }

    #[test]
    fn the_search_stays_where_the_function_is_defined() {
        let function = |x: &[f64]| (x[0] > 0.0).then(|| (x[0] - x[0].ln(), vec![1.0 - 1.0 / x[0]]));
        let found = minimise(function, &[5.0]);
        assert!((found[0] - 1.0).abs() < 1e-5, "{found:?}");
        assert_eq!(minimise(function, &[-1.0]), [-1.0]);
    }
}
