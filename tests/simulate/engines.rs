//! The list of engines, their settings, and the atomic references.

use moldflow::simulate::{QcEngine, Request, atomic_reference_smiles};
use serde_json::{Value, json};

fn engine(value: Value) -> Result<QcEngine, serde_json::Error> {
    serde_json::from_value(value)
}

/// Each engine with only its required settings.
fn all() -> Vec<Value> {
    let command = json!({"argv": ["energy"], "level": "a level", "unit": "hartree"});
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
        let settled = |value: Value| {
            engine(value).map(|mut engine| {
                engine.fill_in_defaults();
                engine
            })
        };
        let with = |key: &str, setting: Value| {
            let mut value = value.clone();
            value["settings"][key] = setting;
            settled(value)
        };
        let default = settled(value.clone()).unwrap();
        assert_eq!(with("embed_timeout_seconds", json!(60)).unwrap(), default);
        assert!(with("embed_timeout_seconds", json!(0)).is_err());
        assert!(with("conformers", json!(0)).is_err());
        assert_ne!(
            with("conformers", json!(2)).unwrap(),
            with("conformers", json!(3)).unwrap()
        );
        assert_eq!(with("conformers", json!(30)).unwrap(), default);
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
fn a_level_of_theory_tells_where_its_geometry_comes_from_unless_it_is_its_own() {
    let level = |value: Value| engine(value).unwrap().simulator().level("GFN2-xTB");
    let qcengine = json!({"program": "psi4", "method": "hf", "basis": "sto-3g"});
    let levels = [
        (json!({"engine": "nwchem"}), "HF/3-21G//GFN2-xTB"),
        (
            json!({"engine": "qcengine", "settings": qcengine}),
            "hf/sto-3g//GFN2-xTB",
        ),
        (
            json!({"engine": "nwchem", "settings": {"task": "optimize"}}),
            "HF/3-21G",
        ),
        (json!({"engine": "xtb"}), "GFN2-xTB"),
    ];
    for (value, expected) in levels {
        assert_eq!(level(value), expected);
    }
}

#[test]
fn only_engines_that_relax_give_geometries_to_others() {
    let relaxes = |value: Value| engine(value).unwrap().simulator().relaxes();
    let relaxing: Vec<bool> = all().into_iter().map(relaxes).collect();
    assert_eq!(relaxing, [false, true, false, false, true]);
    assert!(relaxes(
        json!({"engine": "nwchem", "settings": {"task": "optimize"}})
    ));
}
