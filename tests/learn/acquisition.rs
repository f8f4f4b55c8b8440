//! Acquisition functions and the ranking by them.

// Reference values keep all their digits.
#![allow(clippy::excessive_precision)]

use moldflow::design::{
    AcquisitionRound, ExpectedImprovement, Greedy, LowerConfidenceBound, Mixture, ScreenEngine,
    ThompsonSampling, rank,
};
use moldflow::learn::acquisition::{
    expected_hypervolume_improvement, expected_improvement, log_expected_improvement,
};
use moldflow::learn::pareto;
use moldflow::learn::regression::Prediction;
use moldflow::task::RankedCandidate;
use proptest::prelude::*;
use serde::Deserialize;

fn prediction(mean: f64, std: f64) -> Prediction {
    Prediction { mean, std }
}

fn candidate(smiles: &str, prediction: Prediction) -> RankedCandidate {
    let smiles = smiles.to_owned();
    RankedCandidate {
        smiles,
        prediction,
        further: vec![],
        generator: 0,
        parents: vec![],
    }
}

fn ranked(
    candidates: Vec<(&str, Prediction)>,
    engine: &ScreenEngine,
    incumbent: Option<f64>,
) -> Vec<String> {
    let candidates: Vec<_> = (candidates.into_iter())
        .map(|(smiles, prediction)| candidate(smiles, prediction))
        .collect();
    let scores = engine
        .implementation()
        .scores(&candidates, &AcquisitionRound { incumbent, seed: 1 });
    let ranked = rank(candidates, scores.unwrap()).into_iter();
    ranked.map(|candidate| candidate.smiles).collect()
}

fn greedy() -> ScreenEngine {
    ScreenEngine::Greedy {
        settings: Greedy {},
    }
}

fn confidence_bound() -> ScreenEngine {
    ScreenEngine::LowerConfidenceBound {
        settings: LowerConfidenceBound::default(),
    }
}

fn improvement() -> ScreenEngine {
    ScreenEngine::ExpectedImprovement {
        settings: ExpectedImprovement {},
    }
}

#[test]
fn expected_improvement_is_exact_far_into_the_tails() {
    // std * (u * ncdf(u) + npdf(u)) with u = -mean / std, the best value being zero, in 50 digits
    // by mpmath 1.4.1.
    for (mean, std, expected) in [
        (0.0, 1.0, 0.39894228040143268),
        (-1.0, 0.5, 1.0042453513084148),
        (0.7, 0.9, 0.11248837488842424),
        (3.2, 1.0, 0.00018524680013412749),
        (-3.2, 1.0, 3.2001852468001341),
        (6.0, 0.5, 7.3026005849227739e-35),
        (20.0, 1.0, 1.3700124947295799e-90),
        (-20.0, 1.0, 20.0),
    ] {
        let ours = expected_improvement(prediction(mean, std), 0.0);
        assert!(
            (ours / expected - 1.0).abs() < 1e-11,
            "{ours} is not {expected}"
        );
    }
}

#[test]
fn the_logarithm_of_the_expected_improvement_is_exact_where_the_number_is_too_small() {
    // The same, its logarithm, in 60 digits by mpmath 1.4.1.
    for (mean, std, expected) in [
        (0.7, 0.9, -2.1849053970021393),
        (20.0, 1.0, -206.9178385094251),
        (29.9, 1.0, -454.72299811949632),
        (30.1, 1.0, -460.736287398743),
        (8.0, 0.2, -809.90800626905406),
        (900.0, 1e-3, -405000000035.24699),
        (1e5, 0.5, -20000000026.024231),
    ] {
        let ours = log_expected_improvement(prediction(mean, std), 0.0);
        assert!(
            (ours - expected).abs() < 1e-10 * expected.abs(),
            "{ours} is not {expected}"
        );
    }
    assert_eq!(
        log_expected_improvement(prediction(1.0, 0.0), 0.0),
        f64::NEG_INFINITY
    );
    assert_eq!(log_expected_improvement(prediction(-1.0, 0.0), 0.0), 0.0);
}

#[test]
fn greedy_takes_the_lowest_mean_first() {
    let candidates = vec![("b", prediction(-1.0, 9.0)), ("a", prediction(-2.0, 0.1))];
    assert_eq!(ranked(candidates, &greedy(), None), ["a", "b"]);
}

#[test]
fn the_confidence_bound_prefers_the_uncertain() {
    let candidates = vec![
        ("sure", prediction(-2.0, 0.1)),
        ("unsure", prediction(-1.0, 1.0)),
    ];
    assert_eq!(
        ranked(candidates, &confidence_bound(), None),
        ["unsure", "sure"]
    );
}

#[test]
fn expected_improvement_ranks_by_what_is_gained_on_the_best() {
    let candidates = vec![
        ("no gain", prediction(-1.0, 1e-3)),
        ("sure gain", prediction(-2.5, 1e-3)),
        ("maybe", prediction(-1.9, 0.5)),
    ];
    let order = ranked(candidates, &improvement(), Some(-2.0));
    assert_eq!(order, ["sure gain", "maybe", "no gain"]);
}

#[test]
fn expected_improvement_is_greedy_before_anything_was_measured() {
    let candidates = vec![("b", prediction(-1.0, 9.0)), ("a", prediction(-2.0, 0.1))];
    assert_eq!(ranked(candidates, &improvement(), None), ["a", "b"]);
}

#[test]
fn hopeless_candidates_are_still_ranked_by_their_mean() {
    let candidates = vec![
        ("worse", prediction(900.0, 1e-3)),
        ("bad", prediction(800.0, 1e-3)),
    ];
    let order = ranked(candidates, &improvement(), Some(-2.0));
    assert_eq!(order, ["bad", "worse"]);
}

#[test]
fn what_is_not_a_number_comes_last_and_ties_are_broken_by_name() {
    let candidates = vec![
        ("nan", prediction(f64::NAN, 0.1)),
        ("d", prediction(1.0, 0.1)),
        ("c", prediction(-0.0, 0.1)),
        ("b", prediction(0.0, 0.1)),
    ];
    assert_eq!(ranked(candidates, &greedy(), None), ["b", "c", "d", "nan"]);
}

fn thompson() -> ScreenEngine {
    ScreenEngine::ThompsonSampling {
        settings: ThompsonSampling {},
    }
}

fn mixture(greedy_frac: f64, random_frac: f64) -> ScreenEngine {
    ScreenEngine::Mixture {
        settings: Mixture {
            greedy_frac,
            random_frac,
        },
    }
}

fn scores(engine: &ScreenEngine, candidates: &[RankedCandidate], seed: u64) -> Vec<f64> {
    let round = AcquisitionRound {
        incumbent: None,
        seed,
    };
    engine.implementation().scores(candidates, &round).unwrap()
}

#[test]
fn thompson_sampling_draws_from_the_predictions() {
    let names: Vec<String> = (0..20_000).map(|i| i.to_string()).collect();
    let all: Vec<_> = names
        .iter()
        .map(|name| candidate(name, prediction(-2.0, 0.5)))
        .collect();
    let drawn = scores(&thompson(), &all, 1);
    assert_eq!(drawn, scores(&thompson(), &all, 1));
    assert_ne!(drawn, scores(&thompson(), &all, 2));
    let count = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / count;
    let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    // Five standard errors.
    assert!((mean + 2.0).abs() < 5.0 * 0.5 / count.sqrt(), "{mean}");
    assert!(
        (variance / 0.25 - 1.0).abs() < 5.0 * (2.0 / count).sqrt(),
        "{variance}"
    );
    // SciPy 1.17.1: norm.cdf(1) - norm.cdf(-1) = 0.6826894921.
    let within = drawn.iter().filter(|x| (**x + 2.0).abs() < 0.5).count() as f64 / count;
    assert!((within - 0.682_689_492_1).abs() < 0.02, "{within}");
}

#[test]
fn each_beginning_of_a_mixture_has_the_three_kinds_in_their_fractions() {
    let of = |i: usize| {
        let mean = (i * 37 % 100) as f64;
        candidate(
            &format!("{i:03}"),
            prediction(mean, 1.0 + (i * 61 % 100) as f64),
        )
    };
    let all: Vec<RankedCandidate> = (0..100).map(of).collect();
    let order = |engine: &ScreenEngine, seed: u64| rank(all.clone(), scores(engine, &all, seed));
    let means = |ranked: &[RankedCandidate]| -> Vec<f64> {
        ranked.iter().map(|one| one.prediction.mean).collect()
    };
    let greedy: Vec<f64> = (0..100).map(f64::from).collect();
    assert_eq!(means(&order(&mixture(1.0, 0.0), 1)), greedy);
    let uncertain = order(&mixture(0.0, 0.0), 1);
    assert!(uncertain.iter().map(|one| -one.prediction.std).is_sorted());
    assert_ne!(order(&mixture(0.0, 1.0), 1), order(&mixture(0.0, 1.0), 2));
    let half = order(&mixture(0.5, 0.0), 1);
    let best = half[..8]
        .iter()
        .filter(|one| one.prediction.mean < 4.0)
        .count();
    let unsure = half[..8]
        .iter()
        .filter(|one| one.prediction.std > 96.0)
        .count();
    assert!(best >= 4 && unsure >= 4, "{half:?}");
    let settings = |greedy_frac, random_frac| mixture(greedy_frac, random_frac).faults().len();
    assert_eq!((settings(0.5, 0.5), settings(0.6, 0.5)), (0, 1));
}

proptest! {
    #[test]
    fn the_order_of_what_comes_in_does_not_matter(
        predictions in prop::collection::vec((-3..3i8, 0..3u8), 0..20),
        engine in prop_oneof![
            Just(greedy()),
            Just(confidence_bound()),
            Just(improvement()),
            Just(thompson()),
            Just(mixture(0.5, 0.25)),
        ],
    ) {
        let names: Vec<String> = (0..predictions.len()).map(|i| i.to_string()).collect();
        let candidates = names.iter().zip(&predictions).map(|(name, (mean, std))| {
            (name.as_str(), prediction(f64::from(*mean), f64::from(*std)))
        });
        let candidates: Vec<(&str, Prediction)> = candidates.collect();
        let forwards = ranked(candidates.clone(), &engine, Some(-1.0));
        let backwards = ranked(candidates.into_iter().rev().collect(), &engine, Some(-1.0));
        prop_assert_eq!(forwards, backwards);
    }

    #[test]
    fn improvement_is_never_negative_and_grows_with_the_best(
        mean in -100.0..100.0f64, std in 0.0..10.0f64, best in -100.0..100.0f64, more in 0.0..10.0f64,
    ) {
        let lower = expected_improvement(prediction(mean, std), best);
        let higher = expected_improvement(prediction(mean, std), best + more);
        prop_assert!(lower >= 0.0);
        prop_assert!(higher >= lower * (1.0 - 1e-9));
    }
}

#[derive(Deserialize)]
struct HypervolumeGolden {
    cases: Vec<HypervolumeCase>,
}

#[derive(Deserialize)]
struct HypervolumeCase {
    front: Vec<Vec<f64>>,
    reference: Vec<f64>,
    mean: Vec<f64>,
    std: Vec<f64>,
    expected: f64,
}

/// Cases of scipy 1.17.1 (`learn_expected_hypervolume.py`).
fn hypervolume_cases() -> Vec<HypervolumeCase> {
    let golden = include_str!("../goldens/learn_expected_hypervolume.json");
    let golden: HypervolumeGolden = serde_json::from_str(golden).unwrap();
    assert_eq!(golden.cases.len(), 12);
    golden.cases
}

#[test]
fn expected_hypervolume_improvements_are_those_of_scipy() {
    for case in hypervolume_cases() {
        let front: Vec<&[f64]> = case.front.iter().map(Vec::as_slice).collect();
        let pairs = case.mean.iter().zip(&case.std);
        let predictions: Vec<Prediction> = pairs.map(|(m, s)| prediction(*m, *s)).collect();
        let ours = expected_hypervolume_improvement(&predictions, &front, &case.reference);
        assert!(
            (ours - case.expected).abs() < 1e-10,
            "{ours} {}",
            case.expected
        );
        let certain: Vec<Prediction> = case.mean.iter().map(|m| prediction(*m, 0.0)).collect();
        let ours = expected_hypervolume_improvement(&certain, &front, &case.reference);
        let added = pareto::improvement(&case.mean, &front, &case.reference);
        assert!((ours - added).abs() < 1e-12, "{ours} {added}");
    }
}
