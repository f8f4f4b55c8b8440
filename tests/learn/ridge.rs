//! Bayesian ridge regression: equal to scikit-learn, also for the smallest inputs.

use moldflow::learn::regression::{Features, FitError};
use moldflow::learn::ridge::{BayesianRidge, Precisions, RidgeSettings};
use proptest::prelude::*;
use serde::Deserialize;

use crate::features;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    x_new: Vec<Vec<f64>>,
    mean: Vec<f64>,
    std: Vec<f64>,
    alpha: f64,
    lambda_: f64,
}

fn fit(x: &Features, y: &[f64]) -> BayesianRidge {
    BayesianRidge::fit(x, y, &RidgeSettings::default()).unwrap()
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
fn mean_std_and_precisions_are_those_of_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("../goldens/learn_ridge.json")).unwrap();
    assert_eq!(golden.cases.len(), 11);
    for case in golden.cases {
        let model = fit(&features(&case.x), &case.y);
        let Precisions { alpha, lambda } = model.precisions();
        // Precisions of a nearly exact fit depend on the last digits of the error.
        assert!(
            (alpha / case.alpha - 1.0).abs() < 1e-5,
            "{}: alpha {alpha}",
            case.name
        );
        assert!(
            (lambda / case.lambda_ - 1.0).abs() < 1e-5,
            "{}: lambda {lambda}",
            case.name
        );
        let predictions = model.predict(&features(&case.x_new));
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
    }
}

#[test]
fn without_features_the_mean_of_the_values_is_predicted() {
    let x = features(&[vec![], vec![], vec![]]);
    for prediction in fit(&x, &[-1.0, -2.0, -3.0]).predict(&x) {
        assert_close(prediction.mean, -2.0, "mean");
        assert_close(prediction.std, (2.0_f64 / 3.0).sqrt(), "std");
    }
}

#[test]
fn what_was_never_seen_is_less_certain() {
    let rows: Vec<Vec<f64>> = (0..20)
        .map(|i| vec![f64::from(i % 3), f64::from(i % 4), 0.0])
        .collect();
    let y: Vec<f64> = (0..20)
        .map(|i| f64::from(i % 3) + 0.1 * f64::from(i % 7))
        .collect();
    let known_and_unknown = features(&[vec![1.0, 2.0, 0.0], vec![1.0, 2.0, 1.0]]);
    let predictions = fit(&features(&rows), &y).predict(&known_and_unknown);
    assert!(predictions[1].std > predictions[0].std);
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let fit = |x: &Features, y: &[f64]| BayesianRidge::fit(x, y, &RidgeSettings::default());
    assert_eq!(fit(&Features::new(3), &[]), Err(FitError::Empty));
    let one = features(&[vec![1.0]]);
    assert_eq!(
        fit(&one, &[1.0, 2.0]),
        Err(FitError::Lengths { rows: 1, values: 2 })
    );
    assert!(matches!(
        fit(&one, &[f64::NAN]),
        Err(FitError::NotFinite { row: 0, .. })
    ));
    let infinite = features(&[vec![f64::INFINITY]]);
    assert!(matches!(
        fit(&infinite, &[1.0]),
        Err(FitError::NotFinite { row: 0, .. })
    ));
}

#[test]
fn a_saved_model_predicts_the_same_bits() {
    let x = features(&[
        vec![1.0, 0.0, 2.0],
        vec![0.0, 3.0, 1.0],
        vec![2.0, 2.0, 0.0],
    ]);
    let model = fit(&x, &[-1.0, -2.0, -1.5]);
    let bytes = postcard::to_stdvec(&model).unwrap();
    let again: BayesianRidge = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(model.predict(&x), again.predict(&x));
}

fn small_problem() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<f64>)> {
    (1..12usize, 0..8usize).prop_flat_map(|(rows, columns)| {
        let counts = prop::collection::vec((0..4u8).prop_map(f64::from), columns);
        let value = prop_oneof![Just(-1.5), -10.0..10.0f64, -1e6..1e6f64];
        (
            prop::collection::vec(counts, rows),
            prop::collection::vec(value, rows),
        )
    })
}

proptest! {
    #[test]
    fn every_prediction_is_finite_with_a_positive_std((x, y) in small_problem()) {
        let x = features(&x);
        for prediction in fit(&x, &y).predict(&x) {
            prop_assert!(prediction.mean.is_finite());
            prop_assert!(prediction.std > 0.0 && prediction.std.is_finite());
        }
    }

    #[test]
    fn the_same_data_give_the_same_bits((x, y) in small_problem()) {
        let x = features(&x);
        prop_assert_eq!(fit(&x, &y), fit(&x, &y));
    }
}
