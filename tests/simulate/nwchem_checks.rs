//! Checks of the results of the real NWChem, on one process: electrons, core potentials,
//! vibrations, memory. These tests fail if it is not installed (Debian: `apt install nwchem
//! openmpi-bin`).

use crate::support::programs::{program_of, run_program};
use moldflow::chem::Geometry;
use moldflow::property::ZPE;
use moldflow::simulate::{
    Nwchem, QcEngine, RelaxedGeometry, Request, SimError, SimResult, Simulator,
};
use serde_json::{Value, json};

/// Results of PySCF, written by `goldens/simulate_ecp.py`.
const GOLDEN: &str = include_str!("../goldens/simulate_ecp.json");

/// The answer to an input that was changed by hand.
fn compute(
    settings: Value,
    smiles: &str,
    geometry: Option<&Geometry>,
    edit: impl Fn(&str) -> String,
) -> Result<SimResult, SimError> {
    let engine: Nwchem = serde_json::from_value(settings).unwrap();
    let request = Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Nwchem {
            settings: engine.clone(),
        },
        seed: 42,
        geometry: geometry.map(|geometry| RelaxedGeometry {
            level_of_theory: "given".into(),
            xyz: geometry.to_xyz(""),
        }),
    };
    let mut program = program_of(&engine, &request, None)?;
    program.files[0].1 = edit(&program.files[0].1);
    let dir = tempfile::tempdir().unwrap();
    let outputs = run_program(&program, dir.path());
    engine.parse(&request, &outputs)
}

fn energy(settings: Value, smiles: &str, geometry: Option<&Geometry>) -> f64 {
    let result = compute(settings, smiles, geometry, str::to_owned);
    result
        .unwrap_or_else(|e| panic!("{smiles}: {e}"))
        .total_energy_hartree
        .unwrap()
}

#[test]
fn halomethanes_with_the_potentials_of_five_basis_sets_have_the_energies_of_pyscf() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let molecules = golden["molecules"].as_array().unwrap();
    assert_eq!(molecules.len(), 8);
    for molecule in molecules {
        let (smiles, basis) = (molecule["smiles"].as_str().unwrap(), &molecule["basis"]);
        let geometry: Geometry = serde_json::from_value(molecule["geometry"].clone()).unwrap();
        let settings = json!({"basis": basis});
        let total = energy(settings.clone(), smiles, Some(&geometry));
        let error = total - molecule["total_energy_hartree"].as_f64().unwrap();
        assert!(error.abs() < 2e-5, "{smiles}, {basis}: {error} hartree off");
        let halogen = &geometry.atoms[1].0;
        let free = energy(settings, &format!("[{halogen}]"), None);
        let error = free - molecule["atoms_hartree"][halogen].as_f64().unwrap();
        assert!(
            error.abs() < 2e-5,
            "{halogen}, {basis}: {error} hartree off"
        );
    }
}

#[test]
fn functionals_take_the_potentials_too() {
    let settings = json!({"method": "pbe0", "basis": "def2-svp"});
    // Without the 28 electrons of the core; with them it is near -6900.
    let iodine = energy(settings, "[I]", None);
    assert!((-298.5..-296.5).contains(&iodine), "{iodine}");
}

#[test]
fn a_calculation_of_other_electrons_than_the_molecule_has_is_no_result() {
    let without = |input: &str| {
        let (before, rest) = input.split_once("\necp\n").unwrap();
        let (_, after) = rest.split_once("end\n").unwrap();
        format!("{before}\n{after}")
    };
    let settings = json!({"basis": "def2-tzvp"});
    let error = compute(settings, "[I]", None, without).unwrap_err();
    assert!(
        matches!(&error, SimError::Unsupported(m) if m.contains("53 electrons") && m.contains("28")),
        "{error:?}"
    );
    let charged = |input: &str| input.replace("charge 0", "charge 2");
    for method in ["hf", "pbe0"] {
        let error = compute(json!({"method": method}), "O", None, charged).unwrap_err();
        assert!(
            matches!(&error, SimError::Unsupported(m) if m.contains("8 electrons") && m.contains("10")),
            "{method}: {error:?}"
        );
    }
}

/// PySCF's analytic Hessians at its own relaxed geometries: `goldens/simulate_vibrations.py`.
#[test]
fn energies_with_zero_point_vibrations_are_those_of_pyscf() {
    let golden = include_str!("../goldens/simulate_vibrations.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    for molecule in golden["molecules"].as_array().unwrap() {
        let smiles = molecule["smiles"].as_str().unwrap();
        // MMFF94 has no parameters for hydrogen fluoride.
        let given = (smiles == "F").then(|| Geometry {
            atoms: vec![("F".into(), [0.0; 3]), ("H".into(), [0.0, 0.0, 0.94])],
        });
        let settings = json!({"task": "frequencies"});
        let found = compute(settings, smiles, given.as_ref(), str::to_owned);
        let found = found.unwrap_or_else(|e| panic!("{smiles}: {e}"));
        let total = found.total_energy_hartree.unwrap() + found.quantities[ZPE];
        let number = |key: &str| molecule[key].as_f64().unwrap();
        let error = total - number("energy_hartree") - number("zero_point_hartree");
        // 0.1 kcal/mol, since NWChem relaxes less tightly; a lost bend is 0.2 kcal/mol of C3O2 and
        // 1 of the others.
        assert!(error.abs() < 1.5e-4, "{smiles}: {error} hartree off");
    }
}

/// From what it refuses at once to what is too little for its guess, and for the grid of a
/// functional.
#[test]
fn too_little_memory_is_known_however_little_it_is() {
    for memory in [1, 3, 10, 20] {
        for method in ["hf", "b3lyp"] {
            let settings = json!({"memory_mb": memory, "method": method, "basis": "6-31G*"});
            let error = compute(settings, "c1ccccc1", None, str::to_owned).unwrap_err();
            assert!(
                matches!(error, SimError::Memory(_)),
                "{memory}, {method}: {error:?}"
            );
        }
    }
}

/// Every name that `check` offers for one of another program is accepted by the program, upper and
/// lower case alike.
#[test]
fn functionals_that_check_accepts_are_run_and_those_that_it_refuses_are_not() {
    let faults = |method: &str| {
        let engine: Nwchem = serde_json::from_value(json!({"method": method})).unwrap();
        engine.faults(&["O".to_owned()])
    };
    for method in [
        "B3LYP",
        "xpbe96 cpbe96",
        "becke88 lyp",
        "slater vwn_5",
        "HFexch 0.2 slater 0.8 becke88 nonlocal 0.72 vwn_1_rpa 0.19 lyp 0.81",
        "m06-2x",
    ] {
        assert_eq!(faults(method), [], "{method}");
        energy(json!({"method": method}), "O", None);
    }
    for method in [
        "pbe",
        "blyp",
        "b3lyp-d3",
        "wb97x-d",
        "svwn",
        "b3lyp disp vdw 3",
        "b3ly",
        "0.5 slater",
    ] {
        assert_eq!(faults(method).len(), 1, "{method}");
        let error = compute(json!({"method": method}), "O", None, str::to_owned).unwrap_err();
        assert!(
            matches!(error, SimError::Unsupported(_)),
            "{method}: {error:?}"
        );
    }
    // The program runs these, but not for what they are named after.
    for method in ["lyp", "hse03", "b2plyp", "xcamb88 lyp"] {
        assert_eq!(faults(method).len(), 1, "{method}");
    }
}
