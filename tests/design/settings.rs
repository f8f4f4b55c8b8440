//! Settings of the `ml` methods: defaults, ranges, and what is refused.

use moldflow::design::surrogate::{GroupContribution, GroupFeatures};
use moldflow::design::{GenerateEngine, LowerConfidenceBound, Moldqn, ScreenEngine, TrainEngine};
use serde_json::json;

#[test]
fn a_setting_that_is_not_given_has_its_default() {
    let engine: GenerateEngine =
        serde_json::from_value(json!({"engine": "moldqn", "settings": {"episodes": 3}})).unwrap();
    let settings = Moldqn {
        episodes: 3,
        ..Moldqn::default()
    };
    assert_eq!(engine, GenerateEngine::Moldqn { settings });
    let engine: TrainEngine = serde_json::from_value(
        json!({"engine": "group_contribution", "settings": {"features": "counts"}}),
    )
    .unwrap();
    let settings = GroupContribution {
        features: GroupFeatures::Counts,
        ..GroupContribution::default()
    };
    assert_eq!(engine, TrainEngine::GroupContribution { settings });
}

#[test]
fn unknown_keys_are_refused() {
    let refused = |error: serde_json::Error| error.to_string().contains("unknown field `episode`");
    let with = |engine: &str| json!({"engine": engine, "settings": {"episode": 3}});
    for name in ["moldqn", "random", "edits", "genetic", "pool"] {
        assert!(serde_json::from_value::<GenerateEngine>(with(name)).is_err_and(refused));
    }
    let name = "group_contribution";
    assert!(serde_json::from_value::<TrainEngine>(with(name)).is_err_and(refused));
    for name in [
        "greedy",
        "lower_confidence_bound",
        "expected_improvement",
        "thompson_sampling",
        "mixture",
    ] {
        assert!(serde_json::from_value::<ScreenEngine>(with(name)).is_err_and(refused));
    }
}

#[test]
fn defaults_are_within_their_ranges() {
    for name in ["moldqn", "random", "edits", "genetic", "pool"] {
        let engine: GenerateEngine = serde_json::from_value(json!({"engine": name})).unwrap();
        assert_eq!(engine.faults(), []);
    }
    let engine: TrainEngine =
        serde_json::from_value(json!({"engine": "group_contribution"})).unwrap();
    assert_eq!(engine.faults(), []);
    for name in [
        "greedy",
        "lower_confidence_bound",
        "expected_improvement",
        "thompson_sampling",
        "mixture",
    ] {
        let engine: ScreenEngine = serde_json::from_value(json!({"engine": name})).unwrap();
        assert_eq!(engine.faults(), []);
    }
}

#[test]
fn each_number_out_of_range_is_a_fault() {
    for wrong in [
        json!({"episodes": 0}),
        json!({"steps": 0}),
        json!({"fingerprint_radius": 11}),
        json!({"fingerprint_bits": 15}),
        json!({"hidden": [128, 0]}),
        json!({"hidden": [1, 1, 1, 1, 1, 1, 1, 1, 1]}),
        json!({"learning_rate": 0.0}),
        json!({"gamma": 1.01}),
        json!({"epsilon_start": -0.1}),
        json!({"epsilon_decay": 1.1}),
        json!({"epsilon_min": 2}),
        json!({"batch_size": 0}),
        json!({"replay_size": 0}),
        json!({"replay_size": 31}),
        json!({"target_update_episodes": 0}),
    ] {
        let settings: Moldqn = serde_json::from_value(wrong.clone()).unwrap();
        let faults = GenerateEngine::Moldqn { settings }.faults();
        assert!(!faults.is_empty(), "{wrong}");
        let key = wrong.as_object().unwrap().keys().next().unwrap();
        assert!(
            faults.iter().all(|fault| fault.setting == *key),
            "{faults:?}"
        );
    }
    for (engine, wrong) in [
        ("edits", json!({"width": 0})),
        ("edits", json!({"width": 65})),
        ("edits", json!({"depth": 0})),
        ("genetic", json!({"population": 1})),
        ("genetic", json!({"generations": 0})),
        ("genetic", json!({"pairs": 0})),
        ("genetic", json!({"mutation_rate": 1.5})),
    ] {
        let engine = json!({"engine": engine, "settings": wrong.clone()});
        let engine: GenerateEngine = serde_json::from_value(engine).unwrap();
        assert_eq!(engine.faults().len(), 1, "{wrong}");
    }
    let settings = GroupContribution {
        max_iterations: 0,
        tolerance: f64::NAN,
        ..GroupContribution::default()
    };
    assert_eq!(
        TrainEngine::GroupContribution { settings }.faults().len(),
        2
    );
    let settings = LowerConfidenceBound { kappa: -1.0 };
    assert_eq!(
        ScreenEngine::LowerConfidenceBound { settings }.faults()[0].to_string(),
        "`kappa` is -1.0, allowed is 0 to 100"
    );
}
