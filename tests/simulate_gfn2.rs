//! The built-in engine, against tblite and against what it must refuse.

use moldflow::simulate::{Gfn2, PreparedSimulation, QcEngine, Request, SimError, SimResult};
use serde_json::Value;

/// From tblite; `goldens/simulate_gfn2.py` says how.
const GOLDEN: &str = include_str!("goldens/simulate_gfn2.json");

fn golden() -> Value {
    serde_json::from_str(GOLDEN).unwrap()
}

fn compute(smiles: &str) -> Result<SimResult, SimError> {
    let request = Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Gfn2 {
            // As the geometries of the golden file were made.
            settings: Gfn2 {
                conformers: None,
                ..Gfn2::default()
            },
        },
        seed: 7,
        geometry: None,
    };
    match request.engine.simulator().prepare(&request, None)? {
        PreparedSimulation::Done(result) => Ok(result),
        PreparedSimulation::Program(program) => {
            panic!("a built-in engine wants to run {program:?}")
        }
    }
}

#[test]
fn from_smiles_alone_come_the_energies_of_tblite() {
    for molecule in golden()["molecules"].as_array().unwrap() {
        let smiles = molecule["smiles"].as_str().unwrap();
        let expected = molecule["energy_hartree"].as_f64().unwrap();
        let error = compute(smiles).unwrap().total_energy_hartree - expected;
        assert!(error.abs() < 1e-3, "{smiles}: {error} hartree off");
    }
}

#[test]
fn energies_of_free_atoms_are_those_of_tblite() {
    for (symbol, expected) in golden()["atoms"].as_object().unwrap() {
        let result = compute(&format!("[{symbol}]")).unwrap();
        let error = result.total_energy_hartree - expected.as_f64().unwrap();
        assert!(error.abs() < 1e-6, "{symbol}: {error} hartree off");
        assert_eq!(result.geometry.atoms, [(symbol.clone(), [0.0; 3])]);
    }
}

#[test]
fn one_seed_gives_one_answer_to_the_last_bit() {
    for smiles in ["CC(=O)NC", "C1CC2OC2C1", "N"] {
        let (first, second) = (compute(smiles).unwrap(), compute(smiles).unwrap());
        assert_eq!(first, second);
        assert_eq!(
            first.total_energy_hartree.to_bits(),
            second.total_energy_hartree.to_bits()
        );
    }
}

#[test]
fn a_result_says_what_computed_it() {
    let result = compute("CCO").unwrap();
    assert_eq!(result.engine, "gfn2//mmff94");
    assert_eq!(result.level_of_theory, "GFN2-xTB//MMFF94");
    assert!(result.version.contains("cosmolkit") && result.version.contains("sci-form"));
    let symbols: String = result
        .geometry
        .atoms
        .iter()
        .map(|(symbol, _)| symbol.as_str())
        .collect();
    assert_eq!(symbols, "CCOHHHHHH");
}

#[test]
fn what_the_method_cannot_treat_is_refused() {
    for (smiles, what) in [
        ("[NH4+]", "charge +1"),
        ("[OH-]", "charge -1"),
        ("[CH3]", "9 electrons"),
        ("[H+]", "neutral"),
        ("[Na]Cl", "parameters for Na"),
        ("[U]", "main-group"),
        ("CC(", "not a molecule"),
        ("C.C", "2 molecules"),
    ] {
        match compute(smiles) {
            Err(SimError::Unsupported(message)) => {
                assert!(message.contains(what), "{smiles}: {message}")
            }
            other => panic!("{smiles}: {other:?}"),
        }
    }
}

#[test]
fn a_molecule_that_cannot_be_embedded_has_no_geometry() {
    assert!(matches!(
        compute("C1NC23C1NC1C2OC13"),
        Err(SimError::NoGeometry(_))
    ));
}
