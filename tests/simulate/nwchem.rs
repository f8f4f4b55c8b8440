//! The engine `nwchem`, with the real program on two MPI ranks: these tests fail if it is not
//! installed (Debian: `apt install nwchem openmpi-bin`).

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use crate::support::programs::{program_of, run_program};
use moldflow::chem::Geometry;
use moldflow::config::profiles;
use moldflow::exec::render;
use moldflow::property::ZPE;
use moldflow::simulate::{
    Nwchem, Outputs, Program, QcEngine, Request, SimError, SimResult, Simulator,
};
use moldflow::task::Shape;
use serde_json::{Value, json};

/// Results of PySCF, written by `goldens/simulate_nwchem.py`.
fn golden() -> Value {
    serde_json::from_str(include_str!("../goldens/simulate_nwchem.json")).unwrap()
}

fn engine(settings: Value) -> Nwchem {
    serde_json::from_value(settings).unwrap()
}

fn request(engine: &Nwchem, smiles: &str) -> Request {
    Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Nwchem {
            settings: engine.clone(),
        },
        seed: 42,
        geometry: None,
    }
}

fn prepare(engine: &Nwchem, smiles: &str) -> Result<Program, SimError> {
    program_of(engine, &request(engine, smiles), None)
}

/// Runs the program on two ranks, by the launcher of the profile `local`.
fn run(program: &Program, dir: &Path) -> Outputs {
    assert!(program.parallel);
    let (site, _) = profiles::named("local", &[]).unwrap();
    let two = NonZeroUsize::new(2).unwrap();
    let shape = Shape::new(NonZeroUsize::MIN, two, NonZeroUsize::MIN);
    let mut argv = render(&site.mpiexec_command.unwrap(), &shape).unwrap();
    argv.extend(program.argv.iter().cloned());
    let given = site.partitions["qc"].environment.clone();
    let env = given.into_iter().chain(program.env.clone()).collect();
    let on_two_ranks = Program {
        argv,
        env,
        ..program.clone()
    };
    run_program(&on_two_ranks, dir)
}

fn compute(engine: &Nwchem, smiles: &str) -> Result<SimResult, SimError> {
    compute_edited(engine, smiles, |input| input)
}

/// The answer to an input that was changed by hand.
fn compute_edited(
    engine: &Nwchem,
    smiles: &str,
    edit: impl Fn(String) -> String,
) -> Result<SimResult, SimError> {
    let mut program = prepare(engine, smiles)?;
    program.files[0].1 = edit(program.files[0].1.clone());
    let dir = tempfile::tempdir().unwrap();
    let outputs = run(&program, dir.path());
    engine.parse(&request(engine, smiles), &outputs)
}

fn close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let error = found - expected.as_f64().unwrap();
    assert!(error.abs() < tolerance, "{what}: {error} hartree off");
}

#[test]
fn hartree_fock_energies_of_four_molecules_are_those_of_pyscf() {
    let golden = golden();
    let molecules = golden["molecules"].as_array().unwrap();
    assert_eq!(molecules.len(), 4);
    for molecule in molecules {
        let smiles = molecule["smiles"].as_str().unwrap();
        // As the geometries of the golden file were made.
        let one_embedding = Nwchem {
            conformers: None,
            ..Nwchem::default()
        };
        let result = compute(&one_embedding, smiles).unwrap();
        close(
            result.total_energy_hartree.unwrap(),
            &molecule["hf_3_21g_hartree"],
            1e-5,
            smiles,
        );
        let geometry: Geometry = serde_json::from_value(molecule["geometry"].clone()).unwrap();
        for ((symbol, found), (expected_symbol, expected)) in result
            .geometry
            .as_ref()
            .unwrap()
            .atoms
            .iter()
            .zip(&geometry.atoms)
        {
            assert_eq!(symbol, expected_symbol);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{smiles}");
            }
        }
    }
}

#[test]
fn unrestricted_hartree_fock_energies_of_free_atoms_are_those_of_pyscf() {
    for (symbol, expected) in golden()["atoms"].as_object().unwrap() {
        let result = compute(&Nwchem::default(), &format!("[{symbol}]")).unwrap();
        close(result.total_energy_hartree.unwrap(), expected, 1e-5, symbol);
        assert_eq!(
            result.geometry.as_ref().unwrap().atoms,
            [(symbol.clone(), [0.0; 3])]
        );
    }
}

#[test]
fn density_functional_energies_are_those_of_pyscf() {
    let engine = engine(json!({"method": "b3lyp", "basis": "6-31G*"}));
    let golden = golden();
    let molecules = golden["molecules"].as_array().unwrap().iter();
    let computed = molecules.filter(|molecule| molecule["b3lyp_6_31gs_hartree"].is_number());
    for molecule in computed {
        let smiles = molecule["smiles"].as_str().unwrap();
        let result = compute(&engine, smiles).unwrap();
        close(
            result.total_energy_hartree.unwrap(),
            &molecule["b3lyp_6_31gs_hartree"],
            1e-5,
            smiles,
        );
    }
    let result = compute(&engine, "[C]").unwrap();
    assert!((-37.9..-37.8).contains(&result.total_energy_hartree.unwrap()));
}

#[test]
fn an_optimisation_lowers_the_energy_and_vibrations_have_a_zero_point_energy() {
    let at = |task: &str| {
        let engine = engine(json!({"task": task}));
        compute(&engine, "O").unwrap()
    };
    let (relaxed, vibrating) = (at("optimize"), at("frequencies"));
    let golden = golden();
    let water = golden["molecules"].as_array().unwrap().iter();
    let water = water
        .clone()
        .find(|molecule| molecule["smiles"] == "O")
        .unwrap();
    let gain = water["hf_3_21g_hartree"].as_f64().unwrap() - relaxed.total_energy_hartree.unwrap();
    assert!((1e-6..0.01).contains(&gain), "{gain}");
    assert_eq!(relaxed.geometry.as_ref().unwrap().atoms.len(), 3);
    // PySCF, `goldens/simulate_vibrations.json`: 13.66 kcal/mol at HF/3-21G.
    let zero_point = vibrating.quantities[ZPE];
    assert!((zero_point - 0.021772).abs() < 1.5e-4, "{zero_point}");
    assert_eq!(
        [relaxed.level_of_theory, vibrating.level_of_theory],
        ["HF/3-21G", "HF/3-21G"]
    );
}

#[test]
fn a_free_atom_is_neither_relaxed_nor_made_to_vibrate() {
    let engine = engine(json!({"task": "frequencies"}));
    let input = prepare(&engine, "[O]").unwrap().files.remove(0).1;
    assert!(input.contains("task scf energy"), "{input}");
    assert!(!input.contains("frequencies"), "{input}");
}

#[test]
fn a_result_says_what_computed_it() {
    let result = compute(&Nwchem::default(), "O").unwrap();
    assert_eq!(result.engine, "nwchem");
    assert_eq!(result.level_of_theory, "HF/3-21G//MMFF94");
    assert!(
        result.version.starts_with(|c: char| c.is_ascii_digit()),
        "{}",
        result.version
    );
    let b3lyp = engine(json!({"method": "b3lyp", "basis": "6-31G*", "task": "optimize"}));
    assert_eq!(b3lyp.level("MMFF94"), "B3LYP/6-31G*");
}

#[test]
fn what_did_not_converge_is_no_result_although_an_energy_is_printed() {
    for settings in [
        json!({"max_iterations": 2}),
        json!({"max_iterations": 2, "method": "b3lyp"}),
        json!({"max_steps": 1, "task": "optimize"}),
    ] {
        let error = compute(&engine(settings.clone()), "O").unwrap_err();
        assert!(
            matches!(&error, SimError::NotConverged(message) if message.to_lowercase().contains("failed to converge")),
            "{settings}: {error:?}"
        );
    }
}

#[test]
fn impossible_states_are_refused_before_the_program_runs_and_known_when_it_complains() {
    for smiles in ["[O-]", "[H+]", "not smiles"] {
        let error = prepare(&Nwchem::default(), smiles).unwrap_err();
        assert!(
            matches!(error, SimError::Unsupported(_)),
            "{smiles}: {error:?}"
        );
    }
    for method in ["hf", "b3lyp"] {
        let engine = engine(json!({ "method": method }));
        let charged = |input: String| input.replace("charge 0", "charge 1");
        let error = compute_edited(&engine, "O", charged).unwrap_err();
        assert!(
            matches!(&error, SimError::Unsupported(message) if message.contains("electrons")),
            "{method}: {error:?}"
        );
    }
}

#[test]
fn other_failures_are_known_by_what_the_program_says() {
    let kind = |settings: Value, edit: &dyn Fn(String) -> String| {
        compute_edited(&engine(settings), "O", edit).unwrap_err()
    };
    let same = |input: String| input;
    let error = kind(json!({"basis": "no-such-basis"}), &same);
    assert!(matches!(error, SimError::Unsupported(_)), "{error:?}");
    let error = kind(json!({"method": "nosuch"}), &same);
    assert!(matches!(error, SimError::Unsupported(_)), "{error:?}");
    let error = kind(json!({}), &|input| {
        input.replace("_dir .", "_dir ./missing")
    });
    assert!(
        matches!(&error, SimError::Scratch(message) if message.contains("directory")),
        "{error:?}"
    );
    let error = kind(json!({}), &|input| input.replace("task scf", "tusk scf"));
    assert!(
        matches!(error, SimError::Exit(_) | SimError::Unreadable(_)),
        "{error:?}"
    );
}

#[test]
fn an_output_cut_short_is_unreadable() {
    let engine = Nwchem::default();
    let dir = tempfile::tempdir().unwrap();
    let mut outputs = run(&prepare(&engine, "O").unwrap(), dir.path());
    let whole = outputs.stdout.clone();
    for sign in [
        "NWChem Input Module",
        "Output coordinates",
        "Total SCF energy",
    ] {
        outputs.stdout = whole[..whole.find(sign).unwrap()].to_owned();
        let found = engine.parse(&request(&engine, "O"), &outputs);
        assert!(
            matches!(found, Err(SimError::Unreadable(_))),
            "{sign}: {found:?}"
        );
    }
    outputs.exit_code = None;
    let found = engine.parse(&request(&engine, "O"), &outputs);
    assert!(matches!(found, Err(SimError::Exit(_))), "{found:?}");
}

#[test]
fn no_setting_can_add_a_line_to_the_input() {
    for wrong in ["3-21G\nend", "a\"b", "x;y", "", "  ", "#"] {
        let settings = json!({ "basis": wrong });
        assert!(
            serde_json::from_value::<Nwchem>(settings).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn d_functions_are_those_that_the_basis_was_made_with() {
    for (basis, functions) in [
        ("3-21G", "cartesian"),
        ("6-31G*", "cartesian"),
        ("6-31++G(2d,2p)", "cartesian"),
        ("6-311G**", "spherical"),
        ("cc-pVDZ", "spherical"),
    ] {
        let input = prepare(&engine(json!({ "basis": basis })), "O")
            .unwrap()
            .files
            .remove(0)
            .1;
        assert!(
            input.contains(&format!("basis {functions}\n")),
            "{basis}: {input}"
        );
    }
    let input = prepare(&engine(json!({"functions": "spherical"})), "O").unwrap();
    assert!(input.files[0].1.contains("basis spherical\n"));
}

#[test]
fn a_campaign_of_two_and_two_molecules_is_computed_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    let mut command = assert_cmd::Command::cargo_bin("moldflow").unwrap();
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "run",
            "campaigns/qm9-nwchem.yml",
            "--quiet",
            "--json",
            "--run-dir",
        ])
        .arg(&dir)
        .args(["--set", "initial_count=2", "--set", "search_size=2"])
        .args([
            "--set",
            "max_heavy_atoms=4",
            "--set",
            "methods.propose.settings.episodes=1",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&outcome["evaluations"], &outcome["failures"]),
        (&json!(4), &json!(0)),
        "{outcome}"
    );
    let records = fs::read_to_string(dir.join("simulation_records.jsonl")).unwrap();
    for line in records.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(record.to_string().contains("HF/3-21G//MMFF94"), "{record}");
    }
}

/// Result of `moldflow task run` on this input for water, with a scratch folder.
fn task(input: Value) -> Value {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("input.json"), input.to_string()).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("moldflow").unwrap();
    command
        .current_dir(dir.path())
        .env("PLACE", dir.path())
        .env("MOLDFLOW_SCRATCH", "$PLACE/with a blank/run.1.1")
        .args(["task", "run", "input.json"]);
    let code = command.assert().get_output().status.code();
    let written = fs::read_to_string(dir.path().join("molecule.nw")).unwrap_or_default();
    let folder = fs::canonicalize(dir.path()).unwrap().join("with a blank");
    let is_told = written.contains("scratch_dir scratch\n");
    assert!(is_told || input["engine"] == "xtb", "{written}");
    let link = fs::read_link(dir.path().join("scratch")).unwrap();
    assert_eq!(link, folder.join("run.1.1"));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "it is deleted");
    let result: Value =
        serde_json::from_slice(&fs::read(dir.path().join("result.json")).unwrap()).unwrap();
    let failed = result["outcome"] == "failed";
    assert_eq!(code, Some(i32::from(failed)), "{result}");
    result
}

fn water(settings: Value, geometry: Value) -> Value {
    json!({"method": "simulate", "smiles": "O", "engine": "nwchem", "settings": settings, "seed": 42, "geometry": geometry})
}

#[test]
fn of_a_two_step_level_xtb_gives_the_geometry_and_nwchem_the_energy_there() {
    let relaxed = task(
        json!({"method": "simulate", "keep_geometry": true, "smiles": "O", "engine": "xtb", "seed": 42}),
    );
    assert_eq!(relaxed["outcome"], "simulated", "{relaxed}");
    assert_eq!(relaxed["simulation"]["level_of_theory"], "GFN2-xTB");
    // Without a launcher: NWChem runs as one process.
    let geometry = json!({"level_of_theory": "GFN2-xTB", "xyz": relaxed["xyz"]});
    let result = task(water(json!({}), geometry));
    assert_eq!(result["outcome"], "simulated", "{result}");
    let simulation = &result["simulation"];
    assert_eq!(simulation["level_of_theory"], "HF/3-21G//GFN2-xTB");
    let plain = task(water(json!({}), Value::Null));
    let golden = golden();
    let mut molecules = golden["molecules"].as_array().unwrap().iter();
    let water = molecules
        .find(|molecule| molecule["smiles"] == "O")
        .unwrap();
    let energy = |result: &Value| result["quantities"]["energy"].as_f64().unwrap();
    close(energy(&plain), &water["hf_3_21g_hartree"], 1e-5, "O");
    let difference = energy(&result) - energy(&plain);
    assert!((1e-6..1e-2).contains(&difference.abs()), "{difference}");
    let positions = |of: &Value| {
        serde_json::from_value::<Geometry>(of["simulation"]["geometry"].clone()).unwrap()
    };
    for ((_, given), (_, kept)) in positions(&relaxed)
        .atoms
        .iter()
        .zip(&positions(&result).atoms)
    {
        assert!(given.iter().zip(kept).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[test]
fn a_failure_of_the_program_is_told_with_its_kind() {
    let result = task(water(json!({"max_iterations": 2}), Value::Null));
    assert_eq!(
        (&result["outcome"], &result["kind"]),
        (&json!("failed"), &json!("not_converged")),
        "{result}"
    );
}
