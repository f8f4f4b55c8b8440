//! The built-in engine: its energies compared with tblite, and refused molecules.

use crate::support::gfn2::compute_gfn2;
use moldflow::simulate::{SimError, SimResult};
use serde_json::Value;

/// Results of tblite, written by `goldens/simulate_tblite.py`.
const GOLDEN: &str = include_str!("../goldens/simulate_gfn2.json");

fn golden() -> Value {
    serde_json::from_str(GOLDEN).unwrap()
}

/// With the conformers of the golden file's geometries.
fn compute(smiles: &str) -> Result<SimResult, SimError> {
    compute_gfn2(smiles, None, 7)
}

#[test]
fn from_smiles_alone_come_the_energies_of_tblite() {
    for molecule in golden()["molecules"].as_array().unwrap() {
        let smiles = molecule["smiles"].as_str().unwrap();
        let expected = molecule["energy_hartree"].as_f64().unwrap();
        let error = compute(smiles).unwrap().total_energy_hartree.unwrap() - expected;
        assert!(error.abs() < 1e-3, "{smiles}: {error} hartree off");
    }
}

#[test]
fn energies_of_free_atoms_are_those_of_tblite() {
    for (symbol, expected) in golden()["atoms"].as_object().unwrap() {
        let result = compute(&format!("[{symbol}]")).unwrap();
        let error = result.total_energy_hartree.unwrap() - expected.as_f64().unwrap();
        assert!(error.abs() < 1e-6, "{symbol}: {error} hartree off");
        assert_eq!(
            result.geometry.as_ref().unwrap().atoms,
            [(symbol.clone(), [0.0; 3])]
        );
    }
}

#[test]
fn one_seed_gives_one_answer_to_the_last_bit() {
    for smiles in ["CC(=O)NC", "C1CC2OC2C1", "N"] {
        let (first, second) = (compute(smiles).unwrap(), compute(smiles).unwrap());
        assert_eq!(first, second);
        assert_eq!(
            first.total_energy_hartree.unwrap().to_bits(),
            second.total_energy_hartree.unwrap().to_bits()
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
        .as_ref()
        .unwrap()
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
        ("[CH3]", "unpaired electrons"),
        ("[O][O]", "unpaired electrons"),
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
