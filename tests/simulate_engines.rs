//! The list of engines, their settings, and the free atoms they are asked for.

use moldflow::simulate::{Settings, atomic_reference_smiles, names, simulator};

#[test]
fn every_name_finds_its_engine_and_no_other_does() {
    assert_eq!(names(), ["gfn2//mmff94", "xtb"]);
    assert!(names().iter().all(|name| simulator(name).is_some()));
    assert!(simulator("gfn2").is_none());
    assert!(simulator("gfn2//mmff94").unwrap().requirement().is_none());
    assert_eq!(
        simulator("xtb").unwrap().requirement().unwrap().program,
        "xtb"
    );
}

#[test]
fn settings_have_defaults_and_refuse_unknown_keys() {
    assert_eq!(
        serde_json::from_str::<Settings>("{}").unwrap(),
        Settings::default()
    );
    assert!(serde_json::from_str::<Settings>(r#"{"embed_timeout_seconds": 0}"#).is_err());
    let error = serde_json::from_str::<Settings>(r#"{"embed_timeout": 3}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("embed_timeout_seconds"), "{error}");
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
