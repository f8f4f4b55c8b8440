//! The engine `command`, with the program in `docs/engines.md`, which needs python3 and xtb.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::programs::{computed, program_of};
use crate::support::{Campaign, rows};
use moldflow::simulate::{
    CommandEngine, Program, QcEngine, Request, SimError, SimResult, Simulator,
};
use serde_json::{Value, json};

/// The program in `docs/engines.md`.
fn example() -> &'static str {
    let page = include_str!("../../docs/engines.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn command(argv: &[&str]) -> CommandEngine {
    let settings = json!({"argv": argv, "level": "GFN1-xTB//MMFF94", "unit": "hartree", "settings": {"a": [1, "b"]}});
    serde_json::from_value(settings).unwrap()
}

fn python(script: &Path) -> CommandEngine {
    command(&["python3", script.to_str().unwrap(), "{input}", "{output}"])
}

fn request(engine: &CommandEngine, smiles: &str) -> Request {
    let settings = engine.clone();
    Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Command { settings },
        seed: 42,
        geometry: None,
    }
}

fn prepare(engine: &CommandEngine, smiles: &str) -> Program {
    program_of(engine, &request(engine, smiles), None).unwrap()
}

fn compute(engine: &CommandEngine, smiles: &str) -> Result<SimResult, SimError> {
    computed(engine, &request(engine, smiles))
}

/// Result of a script that writes this output.
fn answered(answer: &Value) -> Result<SimResult, SimError> {
    answered_for("O", answer)
}

fn answered_for(smiles: &str, answer: &Value) -> Result<SimResult, SimError> {
    let folder = tempfile::tempdir().unwrap();
    let script = script(folder.path(), answer);
    compute(&python(&script), smiles)
}

#[test]
fn the_example_of_the_manual_is_ten_lines_and_computes_energies() {
    assert_eq!(example().lines().count(), 10);
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("gfn1.py");
    fs::write(&script, example()).unwrap();
    let water = compute(&python(&script), "O").unwrap();
    assert_eq!(
        (water.engine.as_str(), water.level_of_theory.as_str()),
        ("command", "GFN1-xTB//MMFF94")
    );
    assert!(water.version.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(water.geometry.as_ref().unwrap().atoms.len(), 3);
}

/// Free atoms are retried, since xtb 6.5.1 sometimes fails on them.
#[test]
fn a_campaign_of_the_example_gets_its_free_atoms_in_the_end() {
    let campaign = Campaign::tiny().with(
        "engine: gfn2//mmff94",
        "engine: command, settings: {argv: [python3, ./gfn1.py, \"{input}\", \"{output}\"], level: GFN1-xTB//MMFF94, unit: hartree}",
    );
    fs::write(campaign.path("gfn1.py"), example()).unwrap();
    campaign.run("run", &[]).with_code(0);
    let computed = rows(&campaign.path("run"))
        .into_iter()
        .filter(|row| row["status"] == "evaluated");
    let energies: Vec<f64> = computed
        .map(|row| row["atomization_energy_hartree"].parse().unwrap())
        .collect();
    // Bound, by at most a hartree for each of five heavy atoms with their hydrogens.
    assert!(!energies.is_empty());
    assert!(
        energies.iter().all(|energy| (-10.0..-0.1).contains(energy)),
        "{energies:?}"
    );
}

/// Script in `folder` that writes this output.
fn script(folder: &Path, answer: &Value) -> PathBuf {
    let script = folder.join("answer.py");
    let text = format!("import sys\nopen(sys.argv[2], 'w').write('''{answer}''')\n");
    fs::write(&script, text).unwrap();
    script
}

/// CODATA 2018: 27.211386245988 eV, 627.509474 kcal/mol and 2625.499639 kJ/mol in one hartree.
#[test]
fn an_energy_is_converted_from_the_unit_that_is_declared() {
    let folder = tempfile::tempdir().unwrap();
    for (unit, energy) in [
        ("hartree", -76.0),
        ("eV", -2_068.065_354_695_088),
        ("kcal/mol", -47_690.720_024),
        ("kJ/mol", -199_537.972_6),
    ] {
        let script = script(folder.path(), &json!({"energy": energy, "unit": unit}));
        let mut engine = json!(python(&script));
        engine["unit"] = json!(unit);
        let engine: CommandEngine = serde_json::from_value(engine).unwrap();
        let result = compute(&engine, "O").unwrap();
        let error = result.total_energy_hartree.unwrap() + 76.0;
        assert!(error.abs() < 1e-6, "{unit}: {error}");
    }
    for wrong in ["Hartree", "Eh", "", "kcal", "eV+"] {
        let text = json!({"argv": ["p"], "level": "l", "unit": wrong});
        assert!(
            serde_json::from_value::<CommandEngine>(text).is_err(),
            "{wrong}"
        );
    }
    for (settings, setting) in [
        (json!({}), "argv"),
        (json!({"unit": "debye"}), "unit"),
        (json!({"quantities": {"energy": "eV"}}), "quantities"),
        (json!({"quantities": {"2nd": "eV"}}), "quantities"),
    ] {
        let mut engine = json!({"argv": ["p"], "level": "l"});
        let settings = settings.as_object().unwrap().clone();
        engine.as_object_mut().unwrap().extend(settings);
        let engine: CommandEngine = serde_json::from_value(engine).unwrap();
        let faults = engine.faults(&[]);
        let found: Vec<&str> = faults.iter().map(|fault| fault.setting).collect();
        assert_eq!(found, [setting]);
    }
}

/// A program that writes no energy: CODATA 2018, 2.541746473 debye in an atomic unit.
#[test]
fn declared_quantities_are_converted_and_missing_ones_are_failures_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let answered = |answer: Value, smiles: &str| {
        let script = script(folder.path(), &answer);
        let mut engine = json!(python(&script));
        engine["unit"].take();
        engine["quantities"] = json!({"logp": "1", "moment": "debye", "gap": "eV"});
        let engine: CommandEngine = serde_json::from_value(engine).unwrap();
        let declared: Vec<String> = engine.quantities().into_keys().collect();
        assert_eq!(declared, ["gap", "logp", "moment"]);
        compute(&engine, smiles)
    };
    let all = json!({"logp": 0.2, "moment": 2.541_746_473, "gap": 27.211_386_245_988, "other": 5});
    let found = answered(json!({"quantities": all}), "O").unwrap();
    assert_eq!(found.total_energy_hartree, None);
    assert_eq!(found.all_quantities().len(), 3);
    for (name, expected) in [("logp", 0.2), ("moment", 1.0), ("gap", 1.0)] {
        assert!((found.quantities[name] - expected).abs() < 1e-9, "{name}");
    }
    let some = json!({"quantities": {"logp": 0.2, "gap": 1}});
    let error = answered(some.clone(), "O").unwrap_err();
    assert!(
        matches!(&error, SimError::Unreadable(m) if m.contains("has no `moment`")),
        "{error:?}"
    );
    // The engine asks for those quantities of a free atom that a property needs.
    assert_eq!(answered(some, "[O]").unwrap().quantities.len(), 2);
}

/// The program is given the charge and the multiplicity of the molecule.
#[test]
fn ions_and_radicals_are_described_to_the_program() {
    for (smiles, charge, multiplicity) in [
        ("C[NH3+]", 1, 1),
        ("CC(=O)[O-]", -1, 1),
        ("[CH2]C", 0, 2),
        ("[O][O]", 0, 3),
    ] {
        let program = prepare(&command(&["p"]), smiles);
        let input: Value = serde_json::from_str(&program.files[0].1).unwrap();
        assert_eq!(
            (&input["charge"], &input["multiplicity"]),
            (&json!(charge), &json!(multiplicity)),
            "{smiles}"
        );
    }
}

#[test]
fn an_answer_of_nan_is_not_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("answer.py");
    let text = "import json, sys\njson.dump({'energy': float('nan')}, open(sys.argv[2], 'w'))\n";
    fs::write(&script, text).unwrap();
    let found = compute(&python(&script), "O");
    assert!(matches!(found, Err(SimError::NotANumber(_))), "{found:?}");
}

#[test]
fn a_geometry_of_another_molecule_is_a_rearrangement() {
    let start = prepare(&command(&["p"]), "C=O");
    let input: Value = serde_json::from_str(&start.files[0].1).unwrap();
    let mut geometry = input["geometry"].clone();
    assert_eq!(
        [&geometry[0][0], &geometry[1][0], &geometry[2][0]],
        ["C", "O", "H"]
    );
    let place = |atom: usize, x: usize| geometry[atom][1][x].as_f64().unwrap();
    // A hydrogen of formaldehyde beyond its oxygen: hydroxymethylene.
    let moved: Vec<f64> = (0..3)
        .map(|x| place(1, x) + 0.8 * (place(1, x) - place(0, x)))
        .collect();
    geometry[2][1] = json!(moved);
    let folder = tempfile::tempdir().unwrap();
    let script = script(
        folder.path(),
        &json!({"energy": -114, "geometry": geometry}),
    );
    let found = compute(&python(&script), "C=O");
    assert!(
        matches!(&found, Err(SimError::Rearranged(m)) if m.contains("C1-H3") && m.contains("O2-H3")),
        "{found:?}"
    );
}

#[test]
fn the_program_is_told_all_that_is_known() {
    let program = prepare(&command(&["p", "-i{input}", "{output}", "{other}"]), "[N]");
    assert_eq!(
        program.argv,
        ["p", "-imolecule.json", "energy.json", "{other}"]
    );
    let [(name, text)] = program.files.as_slice() else {
        panic!("{:?}", program.files)
    };
    assert_eq!(name, "molecule.json");
    let input: Value = serde_json::from_str(text).unwrap();
    let xyz = input["geometry_xyz"].as_str().unwrap();
    assert!(xyz.starts_with("1\n[N]\nN "), "{xyz}");
    assert_eq!(input["geometry"], json!([["N", [0.0, 0.0, 0.0]]]));
    assert_eq!(input["settings"], json!({"a": [1, "b"]}));
    assert_eq!(
        (&input["charge"], &input["multiplicity"]),
        (&json!(0), &json!(4))
    );
    assert_eq!(input["smiles"], "[N]");
}

#[test]
fn a_geometry_that_the_program_relaxed_is_kept() {
    let geometry = json!([
        ["O", [0.0, 0.0, 0.1]],
        ["H", [0.0, 0.8, -0.5]],
        ["H", [0.0, -0.8, -0.5]]
    ]);
    let result = answered(&json!({"energy": -76, "geometry": geometry})).unwrap();
    assert_eq!(json!(result.geometry), geometry);
    assert_eq!(result.version, "python3");
}

#[test]
fn a_geometry_that_is_not_of_mmff94_counts_only_if_the_program_relaxes_it() {
    let given = |smiles: &str| {
        let program = prepare(&command(&["p"]), smiles);
        serde_json::from_str::<Value>(&program.files[0].1).unwrap()
    };
    assert_eq!(given("O")["geometry_level"], "MMFF94");
    assert_eq!(given("F")["geometry_level"], "ETKDG");
    assert_eq!(given("[C]")["geometry_level"], Value::Null);
    let geometry = given("F")["geometry"].clone();
    let energy = json!({"energy": -100});
    let found = answered_for("F", &energy);
    assert!(
        matches!(&found, Err(SimError::Unsupported(why)) if why.contains("ETKDG")),
        "{found:?}"
    );
    let relaxed = json!({"energy": -100, "geometry": geometry});
    assert_eq!(
        answered_for("F", &relaxed)
            .unwrap()
            .total_energy_hartree
            .unwrap(),
        -100.0
    );
    assert!(answered_for("[F]", &energy).is_ok());
}

#[test]
fn an_answer_that_is_none_is_unreadable() {
    for answer in [
        json!({}),
        json!({"energy": "low"}),
        json!({"energy": null}),
        json!({"energy": -76, "geometry": [["C", [0, 0, 0]]]}),
        json!({"energy_hartree": -76}),
        json!({"energy": -76, "unit": "eV"}),
        json!([]),
    ] {
        let found = answered(&answer);
        assert!(
            matches!(found, Err(SimError::Unreadable(_))),
            "{answer}: {found:?}"
        );
    }
    let found = compute(&command(&["true"]), "O");
    assert!(
        matches!(&found, Err(SimError::Unreadable(m)) if m.contains("energy.json")),
        "{found:?}"
    );
}

#[test]
fn a_program_that_fails_is_quoted() {
    let found = compute(&command(&["ls", "--no-such-option"]), "O");
    assert!(
        matches!(&found, Err(SimError::Exit(m)) if m.contains("exit code") && m.contains("ls")),
        "{found:?}"
    );
}

#[test]
fn a_word_that_begins_with_a_dot_is_a_path_from_the_campaign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campaign.yml");
    let engine = "    engine: command\n    settings: {argv: [python3, ./gfn1.py, \"{input}\", a.b], level: x, unit: hartree}\n";
    let text = include_str!("../good.yml").replace("    engine: gfn2//mmff94\n", engine);
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("gfn1.py"), "").unwrap();
    let loaded = moldflow::config::campaign::load(&path, &Default::default()).unwrap();
    let method = serde_json::to_value(&loaded.campaign.methods["energy"]).unwrap();
    let script = folder.path().canonicalize().unwrap().join("gfn1.py");
    assert_eq!(
        method["settings"]["argv"],
        json!(["python3", script.to_str().unwrap(), "{input}", "a.b"])
    );
}
