//! Settings of the `ml` methods: defaults, ranges, and what is refused.

use moldflow::design::{Agent, GenerateSettings, ScreenSettings, TrainSettings};
use serde_json::json;

#[test]
fn what_is_left_out_has_its_default() {
    let settings: GenerateSettings =
        serde_json::from_value(json!({"episodes": 3, "agent": "random"})).unwrap();
    let expected = GenerateSettings {
        episodes: 3,
        agent: Agent::Random,
        ..GenerateSettings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn unknown_keys_are_refused() {
    let refused = |error: serde_json::Error| error.to_string().contains("unknown field `episode`");
    let keys = || json!({"episode": 3});
    assert!(serde_json::from_value::<GenerateSettings>(keys()).is_err_and(refused));
    assert!(serde_json::from_value::<TrainSettings>(keys()).is_err_and(refused));
    assert!(serde_json::from_value::<ScreenSettings>(keys()).is_err_and(refused));
}

#[test]
fn defaults_are_within_their_ranges() {
    assert_eq!(TrainSettings::default().faults(), []);
    assert_eq!(GenerateSettings::default().faults(), []);
    assert_eq!(ScreenSettings::default().faults(), []);
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
        let settings: GenerateSettings = serde_json::from_value(wrong.clone()).unwrap();
        let faults = settings.faults();
        assert!(!faults.is_empty(), "{wrong}");
        let key = wrong.as_object().unwrap().keys().next().unwrap();
        assert!(
            faults.iter().all(|fault| fault.setting == *key),
            "{faults:?}"
        );
    }
    let settings = TrainSettings {
        max_iterations: 0,
        tolerance: f64::NAN,
        ..TrainSettings::default()
    };
    assert_eq!(settings.faults().len(), 2);
    let settings = ScreenSettings {
        kappa: -1.0,
        ..ScreenSettings::default()
    };
    assert_eq!(
        settings.faults()[0].to_string(),
        "`kappa` is -1.0, allowed is 0 to 100"
    );
}
