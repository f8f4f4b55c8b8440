//! The engine `nwchem` for ions, radicals and solutions, with orbital energies, dipole moments and
//! vibrations: by the real program, against PySCF.

use crate::support::programs::{computed, program_of, run_program};
use moldflow::chem::Geometry;
use moldflow::property::{DIPOLE, ENTHALPY, GAP, GIBBS, HOMO, LUMO, ZPE};
use moldflow::simulate::{
    Nwchem, QcEngine, RelaxedGeometry, Request, SimError, SimResult, Simulator,
};
use serde_json::{Value, json};

/// Results of PySCF 2.14.0, written by `goldens/simulate_nwchem_states.py`.
const GOLDEN: &str = include_str!("../goldens/simulate_nwchem_states.json");
/// Results of PySCF 2.14.0, written by `goldens/simulate_vibrations.py`.
const VIBRATIONS: &str = include_str!("../goldens/simulate_vibrations.json");

fn request(smiles: &str, settings: &Nwchem, geometry: &Value) -> Request {
    let geometry: Geometry = serde_json::from_value(geometry.clone()).unwrap();
    Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Nwchem {
            settings: settings.clone(),
        },
        seed: 42,
        geometry: Some(RelaxedGeometry {
            level_of_theory: "a guess".to_owned(),
            xyz: geometry.to_xyz(smiles),
        }),
    }
}

fn engine(settings: &Value) -> Nwchem {
    serde_json::from_value(settings.clone()).unwrap()
}

fn compute(smiles: &str, settings: &Value, geometry: &Value) -> Result<SimResult, SimError> {
    let engine = engine(settings);
    let request = request(smiles, &engine, geometry);
    computed(&engine, &request)
}

#[test]
fn ions_radicals_orbitals_and_dipoles_are_those_of_pyscf() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let states = golden["states"].as_array().unwrap();
    assert_eq!(states.len(), 14);
    for state in states {
        let (smiles, settings) = (state["smiles"].as_str().unwrap(), &state["settings"]);
        let what = format!("{smiles} {settings}");
        let found = compute(smiles, settings, &state["geometry"]).expect(&what);
        let number = |key: &str| state[key].as_f64().unwrap();
        let error = found.total_energy_hartree.unwrap() - number("energy_hartree");
        assert!(error.abs() < 1e-5, "{what}: {error} hartree off");
        let is_without_moments =
            settings["open_shells"] == "restricted" && settings["method"] == "b3lyp";
        let declares = engine(settings).quantities().contains_key(DIPOLE);
        assert_eq!(declares, !is_without_moments, "{what}");
        let (homo, lumo) = (number("homo_hartree"), number("lumo_hartree"));
        for (name, expected) in [
            (HOMO, Some(homo)),
            (LUMO, Some(lumo)),
            (GAP, Some(lumo - homo)),
            (DIPOLE, Some(number("dipole_atomic_units"))),
        ] {
            // NWChem prints none of restricted open-shell Kohn-Sham.
            let expected = expected.filter(|_| name != DIPOLE || !is_without_moments);
            match (found.quantities.get(name), expected) {
                (Some(found), Some(expected)) => {
                    let error = found - expected;
                    // The moments of a density functional depend on the grid.
                    let is_on_a_grid = name == DIPOLE && settings["method"] == "b3lyp";
                    let tolerance = if is_on_a_grid { 5e-4 } else { 5e-5 };
                    assert!(error.abs() < tolerance, "{what}, {name}: {error} off");
                }
                (None, None) => {}
                other => panic!("{what}, {name}: {other:?}"),
            }
        }
    }
}

/// The surfaces are cut into other pieces: 32 to an atom in NWChem, 302 in PySCF.
#[test]
fn energies_of_solvation_are_those_of_the_same_model_in_pyscf() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let molecules = golden["solvated"].as_array().unwrap();
    assert_eq!(molecules.len(), 4);
    for molecule in molecules {
        let (smiles, geometry) = (molecule["smiles"].as_str().unwrap(), &molecule["geometry"]);
        let energy = |settings: Value| {
            let found = compute(smiles, &settings, geometry).unwrap();
            found.total_energy_hartree.unwrap()
        };
        let found = energy(json!({"solvent": "water"})) - energy(json!({}));
        let expected = molecule["solvation_hartree"].as_f64().unwrap();
        let ratio = found / expected;
        assert!(
            (0.97..1.03).contains(&ratio),
            "{smiles}: {found}, {expected}"
        );
    }
}

#[test]
fn vibrations_give_the_thermochemistry_of_pyscf() {
    let golden: Value = serde_json::from_str(VIBRATIONS).unwrap();
    let molecules = golden["molecules"].as_array().unwrap().iter();
    let chosen =
        molecules.filter(|m| ["O", "O=C=O", "[CH3]"].contains(&m["smiles"].as_str().unwrap()));
    let mut compared = 0;
    for molecule in chosen {
        let smiles = molecule["smiles"].as_str().unwrap();
        let bohr = molecule["geometries"][0]["bohr"].as_array().unwrap();
        let symbols: Vec<char> = match smiles {
            "O" => "OHH",
            "O=C=O" => "COO",
            _ => "CHHH",
        }
        .chars()
        .collect();
        let angstrom = bohr.iter().map(|position| {
            let numbers = position.as_array().unwrap().iter();
            numbers
                .map(|x| x.as_f64().unwrap() * 0.529_177_210_903)
                .collect::<Vec<_>>()
        });
        let geometry: Vec<Value> = symbols
            .iter()
            .zip(angstrom)
            .map(|(symbol, position)| json!([symbol.to_string(), position]))
            .collect();
        // Its atoms in the order of the golden file.
        let ordered = smiles.replace("O=C=O", "C(=O)=O");
        let settings = json!({"task": "frequencies"});
        let found = compute(&ordered, &settings, &json!(geometry)).unwrap();
        let number = |key: &str| molecule[key].as_f64().unwrap();
        let energy = found.total_energy_hartree.unwrap();
        let error = energy - number("energy_hartree");
        assert!(error.abs() < 1e-5, "{smiles}: {error} hartree off");
        for (name, expected) in [
            (ZPE, number("zero_point_hartree")),
            (ENTHALPY, energy + number("enthalpy")),
            (GIBBS, energy + number("gibbs")),
        ] {
            let error = found.quantities[name] - expected;
            assert!(error.abs() < 5e-5, "{smiles}, {name}: {error} hartree off");
        }
        assert_eq!(found.level_of_theory, "HF/3-21G");
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[test]
fn free_atoms_are_neutral_and_have_the_quantities_of_molecules() {
    let settings = json!({"task": "frequencies", "charge": 1});
    let engine = engine(&settings);
    let mut request = request("O", &engine, &json!([]));
    (request.smiles, request.geometry) = ("[O]".to_owned(), None);
    let program = program_of(&engine, &request, None).unwrap();
    let input = &program.files[0].1;
    assert!(
        input.contains("charge 0") && input.contains("nopen 2"),
        "{input}"
    );
    let dir = tempfile::tempdir().unwrap();
    let outputs = run_program(&program, dir.path());
    let atom = engine.parse(&request, &outputs).unwrap();
    let energy = atom.total_energy_hartree.unwrap();
    assert_eq!(atom.quantities[ZPE], 0.0);
    // 5/2 kT at 298.15 K.
    let thermal = atom.quantities[ENTHALPY] - energy;
    assert!((thermal - 2.360_47e-3).abs() < 1e-6, "{thermal}");
    assert!(atom.quantities[GIBBS] < energy);
}

#[test]
fn solvents_are_named_and_what_nwchem_cannot_do_with_them_is_refused() {
    let solvated = engine(&json!({"solvent": "dmso", "method": "pbe0", "task": "optimize"}));
    assert_eq!(solvated.level("MMFF94"), "PBE0/3-21G in dmso (COSMO)");
    assert_eq!(
        solvated.free_atoms_unknown().unwrap(),
        "free atoms in dmso are not known"
    );
    for (settings, setting) in [
        (
            json!({"task": "frequencies", "solvent": "water"}),
            "solvent",
        ),
        (
            json!({"task": "frequencies", "open_shells": "restricted"}),
            "open_shells",
        ),
    ] {
        let faults = engine(&settings).faults(&[]);
        let found: Vec<&str> = faults.iter().map(|fault| fault.setting).collect();
        assert_eq!(found, [setting]);
    }
}
