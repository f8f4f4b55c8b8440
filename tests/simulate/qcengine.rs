//! The engine `qcengine`, with the real QCEngine driving the real NWChem: these tests fail where
//! `scripts/test` has not installed them (tests/requirements.txt; Debian: `apt install nwchem`).

use std::path::Path;

use crate::support::programs::{computed, program_of, run_program};
use moldflow::chem::Geometry;
use moldflow::property::DIPOLE;
use moldflow::simulate::{
    Outputs, PreparedSimulation, Program, QcEngine, Qcengine, RelaxedGeometry, Request, SimError,
    SimResult, Simulator,
};
use serde_json::{Value, json};

fn engine(method: &str, basis: &str) -> Qcengine {
    let settings = json!({"program": "nwchem", "method": method, "basis": basis});
    serde_json::from_value(settings).unwrap()
}

fn request(engine: &Qcengine, smiles: &str) -> Request {
    let settings = engine.clone();
    Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Qcengine { settings },
        seed: 42,
        geometry: None,
    }
}

fn prepare(engine: &Qcengine, smiles: &str) -> Program {
    prepare_with(engine, smiles, None)
}

fn prepare_with(engine: &Qcengine, smiles: &str, scratch: Option<&Path>) -> Program {
    program_of(engine, &request(engine, smiles), scratch).unwrap()
}

fn compute(engine: &Qcengine, smiles: &str) -> Result<SimResult, SimError> {
    let dir = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let program = prepare_with(engine, smiles, Some(scratch.path()));
    let told = &program.argv[program.argv.len() - 2..];
    assert_eq!(told[0], "--scratch-directory");
    assert_eq!(Path::new(&told[1]), scratch.path());
    let outputs = run_program(&program, dir.path());
    engine.parse(&request(engine, smiles), &outputs)
}

#[test]
fn energies_through_qcengine_are_those_of_pyscf() {
    let golden: Value =
        serde_json::from_str(include_str!("../goldens/simulate_nwchem.json")).unwrap();
    let engine = engine("hf", "3-21g");
    let molecules = golden["molecules"].as_array().unwrap().iter();
    let molecules = molecules.map(|molecule| {
        (
            molecule["smiles"].as_str().unwrap().to_owned(),
            &molecule["hf_3_21g_hartree"],
        )
    });
    let carbon = ("[C]".to_owned(), &golden["atoms"]["C"]);
    for (smiles, expected) in molecules.take(1).chain([carbon]) {
        let result = compute(&engine, &smiles).unwrap();
        let error = result.total_energy_hartree.unwrap() - expected.as_f64().unwrap();
        assert!(error.abs() < 1e-5, "{smiles}: {error} hartree off");
        assert!(result.version.starts_with("NWChem "), "{}", result.version);
        assert_eq!(
            (result.engine.as_str(), result.level_of_theory.as_str()),
            ("qcengine", "hf/3-21g//MMFF94")
        );
    }
}

/// QCEngine's NWChem has no block `ecp`: with a basis set of the valence alone it treats all 53
/// electrons in it.
#[test]
fn a_calculation_without_the_core_potential_of_its_basis_set_is_no_result() {
    let engine = engine("hf", "def2-tzvp");
    let faults = engine.faults(&["C".to_owned(), "I".to_owned()]);
    assert!(faults[0].message.contains("`I`"), "{faults:?}");
    assert_eq!(engine.faults(&["C".to_owned(), "Br".to_owned()]), []);
    let error = compute(&engine, "[I]").unwrap_err();
    assert!(
        matches!(&error, SimError::Unsupported(m) if m.contains("53 electrons") && m.contains("25")),
        "{error:?}"
    );
}

/// As for the engine `xtb`; the energies are tblite's.
#[test]
fn free_atoms_at_gfn2_need_no_program() {
    let settings = json!({"program": "xtb", "method": "GFN2-xTB"});
    let engine: Qcengine = serde_json::from_value(settings).unwrap();
    let golden: Value =
        serde_json::from_str(include_str!("../goldens/simulate_gfn2.json")).unwrap();
    let prepared = engine.prepare(&request(&engine, "[N]"), None).unwrap();
    let PreparedSimulation::Done(result) = prepared else {
        panic!("{prepared:?}")
    };
    let error = result.total_energy_hartree.unwrap() - golden["atoms"]["N"].as_f64().unwrap();
    assert!(error.abs() < 1e-6, "{error}");
    assert_eq!(result.level_of_theory, "GFN2-xTB//MMFF94");
}

#[test]
fn a_failure_is_one_although_the_command_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine("no-such-method", "3-21g");
    let outputs = run_program(&prepare(&engine, "O"), dir.path());
    assert_eq!(outputs.exit_code, Some(0));
    let error = engine.parse(&request(&engine, "O"), &outputs).unwrap_err();
    assert!(
        matches!(&error, SimError::Unsupported(m) if m.contains("Method not recognized")),
        "{error:?}"
    );
}

#[test]
fn a_program_that_qcengine_does_not_know_is_unsupported() {
    let settings = json!({"program": "nosuch", "method": "hf", "basis": "3-21g"});
    let error = compute(&serde_json::from_value(settings).unwrap(), "O").unwrap_err();
    assert!(
        matches!(&error, SimError::Unsupported(m) if m.contains("not registered")),
        "{error:?}"
    );
}

/// Result of parsing an output; the shapes are those of QCElemental 0.51 (`AtomicResult`,
/// `FailedOperation`).
fn parse(stdout: &str, exit_code: Option<i32>) -> Result<SimResult, SimError> {
    let engine = engine("hf", "3-21g");
    let outputs = Outputs {
        dir: ".".into(),
        stdout: stdout.to_owned(),
        stderr: "Traceback\nImportError: no module\n".to_owned(),
        exit_code,
    };
    engine.parse(&request(&engine, "O"), &outputs)
}

fn failed(kind: &str, message: &str) -> SimError {
    let answer = json!({"success": false, "error": {"error_type": kind, "error_message": message}});
    parse(&format!("a warning\n{answer}\n"), Some(0)).unwrap_err()
}

#[test]
fn failures_have_the_kinds_that_qcengine_tells() {
    assert!(matches!(
        failed("convergence_error", "SCF"),
        SimError::NotConverged(_)
    ));
    let error = failed(
        "unknown_error",
        "Convergence threshold\n Calculation failed to converge",
    );
    assert!(matches!(error, SimError::NotConverged(_)));
    let error = failed(
        "unknown_error",
        "memory 1342177\nguess_dens: ma_push failed",
    );
    assert!(matches!(error, SimError::Memory(_)));
    // NWChem's input contains the words memory and convergence, whatever the error.
    let error = failed("unknown_error", "memory 1342177\nConvergence threshold");
    assert!(matches!(error, SimError::Exit(_)));
    let long = failed("random_error", &"x".repeat(100_000)).to_string();
    assert!(long.len() < 1000, "{}", long.len());
}

#[test]
fn an_output_that_is_no_result_is_unreadable() {
    let molecule = json!({"symbols": ["O", "H"], "geometry": [0.0, 0.0, 0.0]});
    let provenance = json!({"creator": "NWChem"});
    for answer in [
        json!({}),
        json!({"success": true}),
        json!({"success": true, "return_result": -1.0, "molecule": molecule, "provenance": provenance}),
        json!({"success": true, "return_result": [-1.0], "molecule": molecule}),
    ] {
        let found = parse(&answer.to_string(), Some(0));
        assert!(
            matches!(found, Err(SimError::Unreadable(_))),
            "{answer}: {found:?}"
        );
    }
    assert!(matches!(parse("", Some(0)), Err(SimError::Unreadable(_))));
    let found = parse("", Some(1));
    assert!(
        matches!(&found, Err(SimError::Exit(m)) if m.contains("no module")),
        "{found:?}"
    );
}

/// GFN2-xTB by xtb-python 22.1, whose dipole moments are about the origin.
#[test]
fn ions_and_dipole_moments_through_qcengine_are_those_of_tblite() {
    let golden: Value =
        serde_json::from_str(include_str!("../goldens/simulate_xtb_states.json")).unwrap();
    for molecule in golden["molecules"].as_array().unwrap().iter().take(2) {
        let (smiles, golden) = (molecule["smiles"].as_str().unwrap(), &molecule["embedded"]);
        let geometry: Geometry = serde_json::from_value(golden["geometry"].clone()).unwrap();
        for (charge, energy, dipole) in [
            (0, "neutral", "dipole_atomic_units"),
            (1, "cation", "cation_dipole_atomic_units"),
        ] {
            let settings = json!({"program": "xtb", "method": "GFN2-xTB", "charge": charge});
            let engine: Qcengine = serde_json::from_value(settings).unwrap();
            let request = Request {
                geometry: Some(RelaxedGeometry {
                    level_of_theory: "MMFF94".to_owned(),
                    xyz: geometry.to_xyz(smiles),
                }),
                ..request(&engine, smiles)
            };
            let found = computed(&engine, &request).unwrap();
            let expected = golden["energy_hartree"][energy].as_f64().unwrap();
            let error = found.total_energy_hartree.unwrap() - expected;
            assert!(
                error.abs() < 1e-5,
                "{smiles}, {energy}: {error} hartree off"
            );
            let error = found.quantities[DIPOLE] - golden[dipole].as_f64().unwrap();
            assert!(error.abs() < 3e-3, "{smiles}, {energy}: {error} off");
        }
    }
}
