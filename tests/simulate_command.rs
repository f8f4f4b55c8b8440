//! The engine `command`, with the program that `docs/engines.md` shows (it needs python3 and xtb).

use std::fs;
use std::path::Path;

use moldflow::exec;
use moldflow::simulate::{
    Command, Engine, Outputs, Prepared, Program, Request, SimError, SimResult, Simulator,
};
use serde_json::{Value, json};

/// The program in `docs/engines.md`.
fn example() -> &'static str {
    let page = include_str!("../docs/engines.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn command(argv: &[&str]) -> Command {
    let settings = json!({"argv": argv, "level": "GFN1-xTB//MMFF94", "settings": {"a": [1, "b"]}});
    serde_json::from_value(settings).unwrap()
}

fn python(script: &Path) -> Command {
    command(&["python3", script.to_str().unwrap(), "{input}", "{output}"])
}

fn request(engine: &Command, smiles: &str) -> Request {
    let settings = engine.clone();
    Request {
        smiles: smiles.to_owned(),
        engine: Engine::Command { settings },
        seed: 42,
        geometry: None,
    }
}

fn prepare(engine: &Command, smiles: &str) -> Program {
    match engine.prepare(&request(engine, smiles), None).unwrap() {
        Prepared::Program(program) => program,
        Prepared::Done(result) => panic!("a command is not built in: {result:?}"),
    }
}

fn compute(engine: &Command, smiles: &str) -> Result<SimResult, SimError> {
    let program = prepare(engine, smiles);
    let dir = tempfile::tempdir().unwrap();
    let run = exec::run(&program.argv, &program.env, &program.files, dir.path()).unwrap();
    let outputs = Outputs {
        dir: dir.path().to_owned(),
        stdout: run.stdout,
        stderr: run.stderr,
        exit_code: run.exit_code,
    };
    engine.parse(&request(engine, smiles), &outputs)
}

/// The answer of a script that does no more than writing this.
fn answered(answer: &Value) -> Result<SimResult, SimError> {
    answered_for("O", answer)
}

fn answered_for(smiles: &str, answer: &Value) -> Result<SimResult, SimError> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("answer.py");
    let text = format!("import sys\nopen(sys.argv[2], 'w').write('''{answer}''')\n");
    fs::write(&script, text).unwrap();
    compute(&python(&script), smiles)
}

#[test]
fn the_example_of_the_manual_is_ten_lines_and_computes_energies() {
    assert_eq!(example().lines().count(), 10);
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("gfn1.py");
    fs::write(&script, example()).unwrap();
    let water = compute(&python(&script), "O").unwrap();
    let oxygen = compute(&python(&script), "[O]").unwrap();
    let hydrogen = compute(&python(&script), "[H]").unwrap();
    let energy = |result: &SimResult| result.total_energy_hartree;
    let bound = energy(&water) - energy(&oxygen) - 2.0 * energy(&hydrogen);
    // Experiment: -0.35 hartree; GFN1-xTB is made for geometries and overbinds atoms.
    assert!((-0.7..-0.5).contains(&bound), "{bound}");
    assert_eq!(
        (water.engine.as_str(), water.level.as_str()),
        ("command", "GFN1-xTB//MMFF94")
    );
    assert!(water.version.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(water.geometry.atoms.len(), 3);
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
    let result = answered(&json!({"energy_hartree": -76, "geometry": geometry})).unwrap();
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
    let energy = json!({"energy_hartree": -100});
    let found = answered_for("F", &energy);
    assert!(
        matches!(&found, Err(SimError::Unsupported(why)) if why.contains("ETKDG")),
        "{found:?}"
    );
    let relaxed = json!({"energy_hartree": -100, "geometry": geometry});
    assert_eq!(
        answered_for("F", &relaxed).unwrap().total_energy_hartree,
        -100.0
    );
    assert!(answered_for("[F]", &energy).is_ok());
}

#[test]
fn an_answer_that_is_none_is_unreadable() {
    for answer in [
        json!({}),
        json!({"energy_hartree": "low"}),
        json!({"energy_hartree": null}),
        json!({"energy_hartree": -76, "geometry": [["C", [0, 0, 0]]]}),
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
    let engine = "    engine: command\n    settings: {argv: [python3, ./gfn1.py, \"{input}\", a.b], level: x}\n";
    let text = include_str!("good.yml").replace("    engine: gfn2//mmff94\n", engine);
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("gfn1.py"), "").unwrap();
    let loaded = moldflow::spec::campaign::load(&path, &Default::default()).unwrap();
    let method = serde_json::to_value(&loaded.campaign.methods["energy"]).unwrap();
    let script = folder.path().canonicalize().unwrap().join("gfn1.py");
    assert_eq!(
        method["settings"]["argv"],
        json!(["python3", script.to_str().unwrap(), "{input}", "a.b"])
    );
}
