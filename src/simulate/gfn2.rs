//! Engine `gfn2//mmff94`, built in: GFN2-xTB at an MMFF94 geometry.
//!
//! C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).

use sci_form::xtb::gfn2_params::{EV_TO_HARTREE, is_gfn2_supported};
use sci_form::xtb::solve_gfn2;

use super::{Outputs, Prepared, Request, Requirement, SimError, SimResult, Simulator, atoms};
use super::{atom_at_origin, free_atom_spin, require_neutral_closed_shell};
use crate::chem::{Geometry, Molecule, atomic_number, embed};

pub(super) const NAME: &str = "gfn2//mmff94";
const LEVEL: &str = "GFN2-xTB//MMFF94";
/// The libraries whose numbers these are; a test holds them to `Cargo.lock`.
const VERSION: &str = "cosmolkit 0.6.1, sci-form 0.15.2";

/// The engine.
pub(super) struct Gfn2;

impl Simulator for Gfn2 {
    fn level(&self, _: &Request) -> String {
        LEVEL.to_owned()
    }

    fn requirement(&self) -> Option<Requirement> {
        None
    }

    fn prepare(&self, request: &Request) -> Result<Prepared, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        let (geometry, total_energy_hartree) = match molecule.free_atom() {
            Some(symbol) => free_atom(&molecule, symbol)?,
            None => closed_shell(&molecule, request)?,
        };
        Ok(Prepared::Done(SimResult {
            total_energy_hartree,
            engine: NAME.to_owned(),
            version: VERSION.to_owned(),
            level: LEVEL.to_owned(),
            geometry,
        }))
    }

    fn parse(&self, _: &Request, _: &Outputs) -> Result<SimResult, SimError> {
        Err(SimError::Unreadable(format!(
            "{NAME} is built in and runs no program"
        )))
    }
}

fn free_atom(molecule: &Molecule, symbol: &str) -> Result<(Geometry, f64), SimError> {
    free_atom_spin(molecule, symbol)?;
    let energy = atoms::gfn2_energy(symbol).ok_or_else(|| no_parameters(symbol))?;
    Ok((atom_at_origin(symbol), energy))
}

fn closed_shell(molecule: &Molecule, request: &Request) -> Result<(Geometry, f64), SimError> {
    require_neutral_closed_shell(molecule, NAME)?;
    // Before the embedding, which is the longer part.
    for symbol in molecule.element_counts().keys() {
        supported_number(symbol)?;
    }
    let geometry = embed(molecule, request.seed, request.settings.embed_timeout())?;
    let energy = energy_hartree(&geometry)?;
    Ok((geometry, energy))
}

/// The GFN2-xTB energy of a neutral closed-shell molecule.
fn energy_hartree(geometry: &Geometry) -> Result<f64, SimError> {
    let symbols = geometry
        .atoms
        .iter()
        .map(|(symbol, _)| supported_number(symbol));
    let numbers = symbols.collect::<Result<Vec<u8>, _>>()?;
    let positions: Vec<[f64; 3]> = geometry
        .atoms
        .iter()
        .map(|(_, position)| *position)
        .collect();
    let result = solve_gfn2(&numbers, &positions).map_err(SimError::Unsupported)?;
    // The library's own electronvolt (CODATA 2010), which undoes exactly what it multiplied by.
    let energy = result.total_energy * EV_TO_HARTREE;
    if !result.converged || !energy.is_finite() {
        let steps = result.scc_iterations;
        return Err(SimError::NotConverged(format!(
            "the charges are not self-consistent after {steps} iterations"
        )));
    }
    Ok(energy)
}

fn supported_number(symbol: &str) -> Result<u8, SimError> {
    atomic_number(symbol)
        .filter(|z| is_gfn2_supported(*z))
        .ok_or_else(|| no_parameters(symbol))
}

fn no_parameters(symbol: &str) -> SimError {
    SimError::Unsupported(format!("{NAME} has no parameters for {symbol}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From tblite; `tests/goldens/simulate_gfn2.py` says how.
    const GOLDEN: &str = include_str!("../../tests/goldens/simulate_gfn2.json");

    #[test]
    fn energies_of_twenty_molecules_of_qm9_are_those_of_tblite_at_the_same_geometries() {
        let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        let molecules = golden["molecules"].as_array().unwrap();
        assert_eq!(molecules.len(), 20);
        for molecule in molecules {
            let geometry: Geometry = serde_json::from_value(molecule["geometry"].clone()).unwrap();
            let expected = molecule["energy_hartree"].as_f64().unwrap();
            let error = energy_hartree(&geometry).unwrap() - expected;
            assert!(
                error.abs() < 1e-3,
                "{}: {error} hartree off",
                molecule["smiles"]
            );
        }
    }

    #[test]
    fn the_version_is_that_of_the_libraries_in_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        for library in VERSION.split(", ") {
            let (name, version) = library.split_once(' ').unwrap();
            assert!(
                lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
                "{library}"
            );
        }
    }
}
