//! Gaussian process: equal to scikit-learn, also for the smallest inputs.

use faer::Mat;
use moldflow::learn::counts::{CountIndex, Counts};
use moldflow::learn::gaussian_process::{CrossKernels, GaussianProcess, Hyperparameters};
use moldflow::learn::joint::JointPrediction;
use moldflow::learn::regression::FitError;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<Vec<u32>>,
    y: Vec<f64>,
    x_new: Vec<Vec<u32>>,
    given: Vec<f64>,
    log_likelihood: f64,
    mean: Vec<f64>,
    std: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    optimum: Vec<f64>,
    cost: f64,
}

fn golden() -> Vec<Case> {
    let golden = include_str!("../goldens/learn_gaussian_process.json");
    serde_json::from_str::<Golden>(golden).unwrap().cases
}

fn counts(row: &[u32]) -> Counts<usize> {
    let row = row.iter().copied().enumerate();
    row.filter(|(_, count)| *count > 0).collect()
}

/// Tanimoto kernel of counts and linear kernel, with a row for each of `x` and a column for each of
/// `y`.
fn kernels(x: &[Vec<u32>], y: &[Vec<u32>]) -> Vec<Mat<f64>> {
    let index = CountIndex::new(&x.iter().map(|row| counts(row)).collect::<Vec<_>>());
    let (mut tanimoto, mut linear) = (Mat::zeros(x.len(), y.len()), Mat::zeros(x.len(), y.len()));
    for (j, row) in y.iter().enumerate() {
        let row = counts(row);
        let (similarities, products) = (index.min_max(&row), index.dot(&row));
        for i in 0..x.len() {
            tanimoto[(i, j)] = similarities[i];
            linear[(i, j)] = products[i] / 81.0;
        }
    }
    vec![tanimoto, linear]
}

fn cross(case: &Case) -> CrossKernels {
    let own = kernels(&case.x_new, &case.x_new);
    let diagonal = |kernel: &Mat<f64>| (0..case.x_new.len()).map(|i| kernel[(i, i)]).collect();
    CrossKernels {
        cross: kernels(&case.x, &case.x_new),
        own: own.iter().map(diagonal).collect(),
    }
}

fn hyperparameters(logarithms: &[f64]) -> Hyperparameters {
    Hyperparameters {
        weights: logarithms[..2].to_vec(),
        noise: logarithms[2],
    }
}

fn process(case: &Case, logarithms: &[f64]) -> GaussianProcess {
    let square = kernels(&case.x, &case.x);
    GaussianProcess::new(&square, &case.y, hyperparameters(logarithms)).unwrap()
}

#[track_caller]
fn assert_close(ours: f64, theirs: f64, what: &str) {
    let difference = (ours - theirs).abs();
    assert!(
        difference <= 1e-7 * (1.0 + theirs.abs()),
        "{what}: {ours} is not {theirs}"
    );
}

#[test]
fn likelihood_and_predictions_are_those_of_scikit_learn() {
    let cases = golden();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let process = process(&case, &case.given);
        assert_close(process.log_likelihood(), case.log_likelihood, &case.name);
        let predictions = process.predict(&cross(&case));
        assert_eq!(predictions.len(), case.mean.len());
        for (i, prediction) in predictions.iter().enumerate() {
            assert_close(
                prediction.mean,
                case.mean[i],
                &format!("mean {i} of {}", case.name),
            );
            assert_close(
                prediction.std,
                case.std[i],
                &format!("std {i} of {}", case.name),
            );
        }
        let joint = process.joint(&cross(&case), &kernels(&case.x_new, &case.x_new));
        for (i, row) in case.covariance.iter().enumerate() {
            for (j, theirs) in row.iter().enumerate() {
                assert_close(joint.covariance[(i, j)], *theirs, &case.name);
            }
            assert_close(joint.std(i), case.std[i], &case.name);
        }
    }
}

#[test]
fn hyperparameters_are_those_of_largest_posterior_density() {
    for case in golden() {
        let found = Hyperparameters::fit(&kernels(&case.x, &case.x), &case.y).unwrap();
        let logarithms = [found.weights.clone(), vec![found.noise]].concat();
        for (ours, theirs) in logarithms.iter().zip(&case.optimum) {
            assert!(
                (ours - theirs).abs() < 1e-4,
                "{}: {ours} is not {theirs}",
                case.name
            );
        }
        let cost = found.prior_cost() - process(&case, &logarithms).log_likelihood();
        assert_close(cost, case.cost, &case.name);
    }
}

#[test]
fn an_observation_at_its_predicted_value_changes_variances_alone() {
    // The case conditioned on one of its new molecules, at the predicted value.
    let case = golden().swap_remove(2);
    let before = process(&case, &case.given);
    let predicted = before.predict(&cross(&case));
    let mut joint = before.joint(&cross(&case), &kernels(&case.x_new, &case.x_new));
    joint.condition(1);
    let mut longer = golden().swap_remove(2);
    longer.x.push(case.x_new[1].clone());
    longer.y.push(predicted[1].mean);
    let after = process(&longer, &rescaled(&case, &longer));
    for (i, prediction) in after.predict(&cross(&longer)).iter().enumerate() {
        assert!(
            (prediction.std / joint.std(i) - 1.0).abs() < 1e-3,
            "std {i}"
        );
        assert!(
            (prediction.mean - predicted[i].mean).abs() < 1e-3,
            "mean {i}"
        );
    }
}

/// Hyperparameters of `case` for the values of `longer`, whose standard deviation differs.
fn rescaled(case: &Case, longer: &Case) -> Vec<f64> {
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    };
    let ratio = variance(&case.y) / variance(&longer.y);
    case.given.iter().map(|log| log + ratio.ln()).collect()
}

#[test]
fn independent_predictions_add_up() {
    let one = || JointPrediction {
        covariance: Mat::from_fn(2, 2, |i, j| if i == j { 2.0 } else { 1.0 }),
        noise: 0.25,
    };
    let mut sum = one();
    sum += one();
    assert_eq!((sum.covariance[(0, 1)], sum.std(0)), (2.0, 4.5_f64.sqrt()));
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let kernel = || vec![Mat::from_fn(2, 2, |i, j| f64::from(u8::from(i == j)))];
    let fit = |values: &[f64]| Hyperparameters::fit(&kernel(), values);
    assert_eq!(fit(&[]), Err(FitError::Empty));
    assert_eq!(fit(&[1.0]), Err(FitError::Lengths { rows: 2, values: 1 }));
    assert!(matches!(
        fit(&[1.0, f64::NAN]),
        Err(FitError::NotFinite { row: 1, .. })
    ));
    let indefinite = [Mat::from_fn(
        2,
        2,
        |i, j| if i == j { -1000.0 } else { 0.0 },
    )];
    let weights = Hyperparameters {
        weights: vec![0.0],
        noise: -5.0,
    };
    let fitted = GaussianProcess::new(&indefinite, &[1.0, 2.0], weights);
    assert_eq!(fitted.err(), Some(FitError::Indefinite { size: 2 }));
}
