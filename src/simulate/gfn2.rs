//! Engine `gfn2//mmff94`, built in: GFN2-xTB at an MMFF94 geometry.
//!
//! C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use sci_form::xtb::gfn2_params::{EV_TO_HARTREE, get_gfn2_params, is_gfn2_supported};
use sci_form::xtb::{Gfn2Result, solve_gfn2};
use serde::{Deserialize, Serialize};

use super::conformer::{self, LowestConformer};
use super::electrons::require_neutral_closed_shell;
use super::prepared::{atom_at_origin, free_atom_spin};
use super::{CONFORMERS, ConformerSearch, EMBED_TIMEOUT, MMFF94, atoms};
use super::{Outputs, PreparedSimulation, Request, SimError, SimResult, Simulator};
use super::{default_conformers, require_same_bonds};
use crate::chem::units::angstrom_to_bohr;
use crate::chem::{Geometry, Molecule, atomic_number};
use crate::property::{DIPOLE, Dimension, ENERGY, GAP, HOMO, LUMO, Quantities};

pub(super) const NAME: &str = "gfn2//mmff94";
const LEVEL: &str = "GFN2-xTB//MMFF94";
/// Libraries that compute the energies; a test compares their versions with `Cargo.lock`.
pub(crate) const VERSION: &str = "cosmolkit 0.6.1, sci-form 0.15.2";

/// Settings of the engine `gfn2//mmff94`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gfn2 {
    /// Number of embeddings of a molecule, each relaxed with MMFF94; the conformer with the lowest
    /// GFN2-xTB energy is used. With the default, 98.5 % of 200 molecules of QM9 are within 0.001
    /// hartree of the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "default_conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings of a molecule together, in whole seconds. A molecule that
    /// exceeds it fails for want of a geometry.
    pub embed_timeout_seconds: NonZeroU32,
}

impl Default for Gfn2 {
    fn default() -> Self {
        Self {
            conformers: Some(CONFORMERS),
            embed_timeout_seconds: EMBED_TIMEOUT,
        }
    }
}

impl Simulator for Gfn2 {
    fn level(&self, _: &str) -> String {
        LEVEL.to_owned()
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        super::built_in_quantities(&[ENERGY, HOMO, LUMO, GAP, DIPOLE])
    }

    fn treats_open_shells_and_ions(&self) -> bool {
        false
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        Some(&mut self.conformers)
    }

    fn typical_time(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: true,
        }
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        let lowest = match molecule.free_atom() {
            Some(symbol) => {
                return free_atom(&molecule, symbol, NAME, LEVEL).map(PreparedSimulation::Done);
            }
            None => self.closed_shell(&molecule, request)?,
        };
        Ok(PreparedSimulation::Done(SimResult {
            quantities: lowest.quantities,
            total_energy_hartree: Some(lowest.energy_hartree),
            engine: NAME.to_owned(),
            version: VERSION.to_owned(),
            level_of_theory: LEVEL.to_owned(),
            geometry: Some(lowest.geometry),
        }))
    }

    fn parse(&self, _: &Request, _: &Outputs) -> Result<SimResult, SimError> {
        Err(SimError::Unreadable(format!(
            "{NAME} is built in and runs no program"
        )))
    }
}

impl Gfn2 {
    fn closed_shell(
        &self,
        molecule: &Molecule,
        request: &Request,
    ) -> Result<LowestConformer, SimError> {
        require_neutral_closed_shell(molecule, NAME)?;
        // Checked before the embeddings, which take longer.
        for symbol in molecule.element_counts().keys() {
            supported_number(symbol)?;
        }
        let lowest = conformer::lowest(self.conformer_search().run(molecule, request.seed)?)?;
        require_same_bonds(molecule, &lowest.geometry, MMFF94)?;
        Ok(lowest)
    }
}

/// Result for a free atom in closed form, for any engine whose level is GFN2-xTB.
pub(super) fn free_atom(
    molecule: &Molecule,
    symbol: &str,
    engine: &str,
    level: &str,
) -> Result<SimResult, SimError> {
    free_atom_spin(molecule, symbol)?;
    let energy = atoms::gfn2_energy(symbol).ok_or_else(|| no_parameters(symbol))?;
    Ok(SimResult {
        quantities: Default::default(),
        total_energy_hartree: Some(energy),
        engine: engine.to_owned(),
        version: VERSION.to_owned(),
        level_of_theory: level.to_owned(),
        geometry: Some(atom_at_origin(symbol)),
    })
}

/// Number of valence electrons of an element, which are those that GFN2-xTB treats; None for
/// elements without parameters.
pub(super) fn valence_electrons(symbol: &str) -> Option<u32> {
    let params = get_gfn2_params(atomic_number(symbol)?)?;
    Some(u32::from(params.n_valence))
}

/// GFN2-xTB calculation of a neutral closed-shell molecule.
pub(super) struct Solution {
    pub energy_hartree: f64,
    /// Orbital energies and dipole moment in atomic units.
    pub quantities: Quantities,
}

/// Solves GFN2-xTB for a neutral closed-shell molecule.
pub(super) fn solve(geometry: &Geometry) -> Result<Solution, SimError> {
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
    // The library's electronvolt (CODATA 2010), with which it converted from hartree.
    let energy_hartree = result.total_energy * EV_TO_HARTREE;
    if !result.converged || !energy_hartree.is_finite() {
        let steps = result.scc_iterations;
        return Err(SimError::NotConverged(format!(
            "the charges are not self-consistent after {steps} iterations"
        )));
    }
    let mut quantities = Quantities::from([(DIPOLE.to_owned(), dipole(&positions, &result))]);
    // Without a virtual orbital the library repeats the occupied one.
    if result.n_electrons / 2 < result.n_basis {
        let orbitals = [
            (HOMO, result.homo_energy),
            (LUMO, result.lumo_energy),
            (GAP, result.gap),
        ];
        let orbitals = orbitals.map(|(name, ev)| (name.to_owned(), ev * EV_TO_HARTREE));
        quantities.extend(orbitals);
    }
    Ok(Solution {
        energy_hartree,
        quantities,
    })
}

/// Length of the dipole moment, in atomic units, as the atomic dipoles are.
fn dipole(positions: &[[f64; 3]], result: &Gfn2Result) -> f64 {
    let atoms = positions.iter().zip(&result.mulliken_charges);
    let atoms = atoms.zip(&result.atomic_dipoles);
    let mut moment = [0.0; 3];
    for ((position, charge), dipole) in atoms {
        for k in 0..3 {
            moment[k] += charge * angstrom_to_bohr(position[k]) + dipole[k];
        }
    }
    moment
        .map(|component| component * component)
        .iter()
        .sum::<f64>()
        .sqrt()
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

    /// Results of tblite, written by `tests/goldens/simulate_tblite.py`.
    const GOLDEN: &str = include_str!("../../tests/goldens/simulate_gfn2.json");

    #[test]
    fn energies_of_twenty_molecules_of_qm9_are_those_of_tblite_at_the_same_geometries() {
        let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        let molecules = golden["molecules"].as_array().unwrap();
        assert_eq!(molecules.len(), 20);
        for molecule in molecules {
            let geometry: Geometry = serde_json::from_value(molecule["geometry"].clone()).unwrap();
            let expected = molecule["energy_hartree"].as_f64().unwrap();
            let error = solve(&geometry).unwrap().energy_hartree - expected;
            assert!(
                error.abs() < 1e-3,
                "{}: {error} hartree off",
                molecule["smiles"]
            );
        }
    }

    /// Results of tblite, written by `tests/goldens/simulate_tblite.py`.
    const STATES: &str = include_str!("../../tests/goldens/simulate_xtb_states.json");

    #[test]
    fn orbital_energies_and_dipole_moments_are_those_of_tblite_at_the_same_geometries() {
        let golden: serde_json::Value = serde_json::from_str(STATES).unwrap();
        for molecule in golden["molecules"].as_array().unwrap() {
            let golden = &molecule["embedded"];
            let geometry: Geometry = serde_json::from_value(golden["geometry"].clone()).unwrap();
            let found = solve(&geometry).unwrap().quantities;
            let number = |key: &str| golden[key].as_f64().unwrap();
            let (homo, lumo) = (number("homo_hartree"), number("lumo_hartree"));
            for (name, expected) in [
                (HOMO, homo),
                (LUMO, lumo),
                (GAP, lumo - homo),
                (DIPOLE, number("dipole_atomic_units")),
            ] {
                let error = found[name] - expected;
                assert!(
                    error.abs() < 1e-3,
                    "{}, {name}: {error} off",
                    molecule["smiles"]
                );
            }
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
