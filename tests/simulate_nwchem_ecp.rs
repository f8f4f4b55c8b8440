//! Effective core potentials and the electrons that are left, by the real NWChem: these tests fail where it is not installed
//! (Debian: `apt install nwchem openmpi-bin`).

use std::collections::BTreeMap;

use moldflow::chem::Geometry;
use moldflow::exec;
use moldflow::simulate::{
    Engine, Nwchem, Outputs, Prepared, Relaxed, Request, SimError, SimResult, Simulator,
};
use serde_json::{Value, json};

/// From PySCF; `goldens/simulate_ecp.py` says how.
const GOLDEN: &str = include_str!("goldens/simulate_ecp.json");

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
        engine: Engine::Nwchem {
            settings: engine.clone(),
        },
        seed: 42,
        geometry: geometry.map(|geometry| Relaxed {
            level: "given".into(),
            xyz: geometry.to_xyz(""),
        }),
    };
    let Prepared::Program(mut program) = engine.prepare(&request, None)? else {
        panic!("NWChem is not built in")
    };
    program.files[0].1 = edit(&program.files[0].1);
    let dir = tempfile::tempdir().unwrap();
    let run = exec::run(&program.argv, &program.env, &program.files, dir.path())
        .expect("NWChem is installed (`apt install nwchem openmpi-bin`)");
    let outputs = Outputs {
        dir: dir.path().to_owned(),
        stdout: run.stdout,
        stderr: run.stderr,
        exit_code: run.exit_code,
    };
    engine.parse(&request, &outputs)
}

fn energy(settings: Value, smiles: &str, geometry: Option<&Geometry>) -> f64 {
    let result = compute(settings, smiles, geometry, str::to_owned);
    result
        .unwrap_or_else(|e| panic!("{smiles}: {e}"))
        .total_energy_hartree
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
        let mut bound = total;
        let mut free = BTreeMap::new();
        for (symbol, _) in &geometry.atoms {
            bound -= *free
                .entry(symbol)
                .or_insert_with(|| energy(settings.clone(), &format!("[{symbol}]"), None));
        }
        let error = bound - molecule["atomization_energy_hartree"].as_f64().unwrap();
        assert!(
            error.abs() < 5e-5,
            "{smiles}, {basis}: atomization energy {error} hartree off"
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
    for method in ["hf", "pbe0"] {
        for smiles in ["CI", "[I]"] {
            let settings = json!({"method": method, "basis": "def2-tzvp"});
            let error = compute(settings, smiles, None, without).unwrap_err();
            assert!(
                matches!(&error, SimError::Unsupported(m) if m.contains("electrons") && m.contains("28")),
                "{method}, {smiles}: {error:?}"
            );
        }
    }
    let charged = |input: &str| input.replace("charge 0", "charge 2");
    let error = compute(json!({}), "O", None, charged).unwrap_err();
    assert!(
        matches!(&error, SimError::Unsupported(m) if m.contains("8 electrons") && m.contains("10")),
        "{error:?}"
    );
}
