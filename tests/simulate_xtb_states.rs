//! The engine `xtb` for ions, in a solvent, and with orbital energies and dipole moments: by the
//! real program, against tblite.

use std::fs;
use std::process::Command;

use moldflow::chem::Geometry;
use moldflow::property::{DIPOLE, GAP, HOMO, LUMO};
use moldflow::simulate::{
    Outputs, PreparedSimulation, QcEngine, RelaxedGeometry, Request, SimError, SimResult,
    Simulator, Xtb, XtbSolvent, XtbTask,
};
use serde_json::Value;

/// Results of tblite 0.8.0, written by `goldens/simulate_xtb_states.py`.
const GOLDEN: &str = include_str!("goldens/simulate_xtb_states.json");

fn request(smiles: &str, settings: Xtb, geometry: &Geometry) -> Request {
    Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Xtb { settings },
        seed: 7,
        geometry: Some(RelaxedGeometry {
            level_of_theory: "MMFF94".to_owned(),
            xyz: geometry.to_xyz(smiles),
        }),
    }
}

fn compute(smiles: &str, settings: Xtb, geometry: &Geometry) -> Result<SimResult, SimError> {
    let request = request(smiles, settings.clone(), geometry);
    let program = match settings.prepare(&request, None)? {
        PreparedSimulation::Program(program) => program,
        other => panic!("xtb is not built in: {other:?}"),
    };
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in &program.files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let output = Command::new(&program.argv[0])
        .args(&program.argv[1..])
        .envs(program.env.iter().cloned())
        .current_dir(&dir)
        .output()
        .expect("xtb is installed (`apt install xtb`)");
    let outputs = Outputs {
        dir: dir.path().to_owned(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        exit_code: output.status.code(),
    };
    settings.parse(&request, &outputs)
}

/// A single point of this charge.
fn single_point(charge: i32, solvent: Option<XtbSolvent>) -> Xtb {
    Xtb {
        task: XtbTask::Energy,
        charge,
        solvent,
        ..Xtb::default()
    }
}

#[test]
fn ions_solvation_orbitals_and_dipoles_of_ten_molecules_are_those_of_tblite() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let molecules = golden["molecules"].as_array().unwrap();
    assert_eq!(molecules.len(), 10);
    let acetonitrile = Some(XtbSolvent::Acetonitrile);
    for molecule in molecules {
        let smiles = molecule["smiles"].as_str().unwrap();
        let geometry: Geometry = serde_json::from_value(molecule["geometry"].clone()).unwrap();
        for (state, charge, solvent, tolerance) in [
            ("neutral", 0, None, 1e-5),
            ("cation", 1, None, 1e-5),
            ("anion", -1, None, 1e-5),
            ("neutral_acetonitrile", 0, acetonitrile, 2e-4),
            ("cation_acetonitrile", 1, acetonitrile, 2e-4),
        ] {
            let found = compute(smiles, single_point(charge, solvent), &geometry).unwrap();
            let expected = molecule["energy_hartree"][state].as_f64().unwrap();
            let error = found.total_energy_hartree.unwrap() - expected;
            assert!(
                error.abs() < tolerance,
                "{smiles}, {state}: {error} hartree off"
            );
        }
        let neutral = compute(smiles, single_point(0, None), &geometry).unwrap();
        let number = |key: &str| molecule[key].as_f64().unwrap();
        let (homo, lumo) = (number("homo_hartree"), number("lumo_hartree"));
        for (name, expected, tolerance) in [
            (HOMO, homo, 1e-5),
            (LUMO, lumo, 1e-5),
            (GAP, lumo - homo, 1e-5),
            // xtb prints three decimals of debye.
            (DIPOLE, number("dipole_atomic_units"), 1e-3),
        ] {
            let error = neutral.quantities[name] - expected;
            assert!(error.abs() < tolerance, "{smiles}, {name}: {error} off");
        }
    }
}

#[test]
fn impossible_states_and_solvated_atoms_are_refused_by_name() {
    let water = Geometry {
        atoms: vec![
            ("O".to_owned(), [0.0, 0.0, 0.1173]),
            ("H".to_owned(), [0.0, 0.7572, -0.4692]),
            ("H".to_owned(), [0.0, -0.7572, -0.4692]),
        ],
    };
    let doublet = Xtb {
        multiplicity: std::num::NonZeroU32::new(2),
        ..single_point(0, None)
    };
    let error = compute("O", doublet, &water).unwrap_err().to_string();
    assert_eq!(
        error,
        "`O` with charge +0 has 10 electrons, which cannot have the multiplicity 2"
    );
    let solvated = single_point(0, Some(XtbSolvent::Water));
    let mut request = request("O", solvated.clone(), &water);
    (request.smiles, request.geometry) = ("[O]".to_owned(), None);
    let error = solvated.prepare(&request, None).unwrap_err().to_string();
    assert_eq!(error, "the free atom O in water is not known");
}

#[test]
fn the_level_of_theory_names_solvent_and_geometry() {
    let level = |settings: Xtb| settings.level("GFN2-xTB");
    assert_eq!(level(Xtb::default()), "GFN2-xTB");
    assert_eq!(level(single_point(1, None)), "GFN2-xTB//GFN2-xTB");
    let solvated = single_point(0, Some(XtbSolvent::Dmso));
    assert_eq!(level(solvated), "GFN2-xTB in dmso (ALPB)//GFN2-xTB");
}
