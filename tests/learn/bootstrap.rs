//! The ensemble on bootstrap samples, held against scikit-learn.

use moldflow::learn::bootstrap::BootstrapEnsemble;
use moldflow::learn::regression::FitError;
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
    members: usize,
    calibration: f64,
    mean: Vec<f64>,
    std: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

#[track_caller]
fn assert_close(ours: f64, theirs: f64, what: &str) {
    let difference = (ours - theirs).abs();
    assert!(
        difference <= 1e-6 * (1e-3 + theirs.abs()),
        "{what}: {ours} is not {theirs}"
    );
}

#[test]
fn predictions_and_calibration_are_those_of_scikit_learn_on_the_same_samples() {
    let golden: Golden =
        serde_json::from_str(include_str!("../goldens/learn_bootstrap.json")).unwrap();
    assert_eq!(golden.cases.len(), 3);
    for case in golden.cases {
        let name = &case.name;
        let ensemble = BootstrapEnsemble::fit(&features(&case.x), &case.y, case.members).unwrap();
        assert_close(ensemble.calibration(), case.calibration, name);
        let new = features(&case.x_new);
        let joint = ensemble.joint(&new, &vec![2.0; case.x_new.len()]);
        let predictions = ensemble.predict(&new);
        for (i, prediction) in predictions.iter().enumerate() {
            assert_close(prediction.mean, case.mean[i], name);
            assert_close(prediction.std, case.std[i], name);
            // Values that are twice as large have twice the deviation.
            assert_close(joint.std(i), 2.0 * case.std[i], name);
            for j in (0..predictions.len()).filter(|j| *j != i) {
                assert_close(joint.covariance[(i, j)], 4.0 * case.covariance[i][j], name);
            }
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let fit = |x: &[Vec<f64>], y: &[f64]| BootstrapEnsemble::fit(&features(x), y, 3);
    assert_eq!(fit(&[], &[]), Err(FitError::Empty));
    let (rows, values) = (1, 2);
    assert_eq!(
        fit(&[vec![1.0]], &[1.0, 2.0]),
        Err(FitError::Lengths { rows, values })
    );
    let refused = fit(&[vec![1.0], vec![2.0]], &[1.0, f64::INFINITY]);
    assert!(
        matches!(refused, Err(FitError::NotFinite { .. })),
        "{refused:?}"
    );
}
