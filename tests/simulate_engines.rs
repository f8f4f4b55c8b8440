//! The list of engines, their settings, and the free atoms they are asked for.

use moldflow::simulate::{Engine, Request, atomic_reference_smiles};
use serde_json::{Value, json};

fn engine(value: Value) -> Result<Engine, serde_json::Error> {
    serde_json::from_value(value)
}

/// Each engine with no more settings than it needs.
fn all() -> Vec<Value> {
    let command = json!({"argv": ["energy"], "level": "a level"});
    let qcengine = json!({"program": "psi4", "method": "hf", "basis": "sto-3g"});
    vec![
        json!({"engine": "gfn2//mmff94"}),
        json!({"engine": "xtb"}),
        json!({"engine": "nwchem"}),
        json!({"engine": "qcengine", "settings": qcengine}),
        json!({"engine": "command", "settings": command}),
    ]
}

#[test]
fn every_name_finds_its_engine_and_no_other_does() {
    for value in all() {
        let engine = engine(value.clone()).unwrap();
        assert_eq!(value["engine"], engine.name());
        assert_eq!(
            engine.simulator().requirement().is_none(),
            engine.name() == "gfn2//mmff94"
        );
    }
    assert!(engine(json!({"engine": "gfn2"})).is_err());
    assert!(engine(json!({"engine": "command"})).is_err());
}

#[test]
fn a_request_is_read_as_it_was_written() {
    for value in all() {
        let request = Request {
            smiles: "CO".into(),
            engine: engine(value).unwrap(),
            seed: u64::MAX,
            geometry: None,
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(
            serde_json::from_str::<Request>(&text).unwrap(),
            request,
            "{text}"
        );
    }
}

#[test]
fn settings_have_defaults_and_refuse_unknown_keys() {
    for value in all() {
        let with = |key: &str, setting: Value| {
            let mut value = value.clone();
            value["settings"][key] = setting;
            engine(value)
        };
        let default = engine(value.clone()).unwrap();
        assert_eq!(with("embed_timeout_seconds", json!(10)).unwrap(), default);
        assert!(with("embed_timeout_seconds", json!(0)).is_err());
        let error = with("embed_timeout", json!(3)).unwrap_err().to_string();
        assert!(error.contains("embed_timeout_seconds"), "{error}");
    }
}

#[test]
fn atomic_references_are_the_elements_and_hydrogen_each_once() {
    let of = |elements: &[&str]| {
        atomic_reference_smiles(&elements.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        of(&["C", "N", "O", "F"]),
        ["[H]", "[C]", "[N]", "[O]", "[F]"]
    );
    assert_eq!(of(&["O", "H", "O"]), ["[H]", "[O]"]);
}

#[test]
fn a_two_step_level_has_the_geometry_relaxed_first_but_not_that_of_an_atom() {
    let two_steps = json!({"engine": "nwchem", "settings": {"geometry": "gfn2"}});
    let request = |engine: Value, smiles: &str| Request {
        smiles: smiles.into(),
        engine: serde_json::from_value(engine).unwrap(),
        seed: 42,
        geometry: None,
    };
    let whole = request(two_steps.clone(), "CO");
    assert_eq!(whole.engine.simulator().level(), "HF/3-21G//GFN2-xTB");
    let programs = whole.engine.requirements().into_iter();
    assert_eq!(
        programs.map(|p| p.program).collect::<Vec<_>>(),
        ["xtb", "nwchem"]
    );
    let first = whole.first_step().unwrap();
    assert_eq!((first.engine.name(), first.smiles.as_str()), ("xtb", "CO"));
    assert!(first.first_step().is_none());
    assert!(request(two_steps, "[C]").first_step().is_none());
    assert!(
        request(json!({"engine": "nwchem"}), "CO")
            .first_step()
            .is_none()
    );
}
