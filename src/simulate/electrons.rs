//! Electronic states, and checks of a result: the number of electrons, and the magnitude of the
//! energy.

use std::num::NonZeroU32;

use super::{SimError, free_atom_spin};
use crate::chem::{Molecule, atomic_number};

/// Charge and multiplicity of a calculation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ElectronicState {
    /// Elementary charges added to those of the molecule.
    pub charge: i32,
    /// 2S + 1; the lowest possible if none is given.
    pub multiplicity: Option<NonZeroU32>,
}

impl ElectronicState {
    /// Number of unpaired electrons of a molecule in this state.
    ///
    /// # Errors
    ///
    /// The molecule has not so many electrons, or the multiplicity does not fit their number.
    pub fn unpaired_electrons(self, molecule: &Molecule) -> Result<u32, SimError> {
        let electrons = molecule.electrons() as i64 - i64::from(self.charge);
        let lowest = u32::from(electrons % 2 != 0);
        let unpaired = self.multiplicity.map_or(lowest, |m| m.get() - 1);
        if electrons > 0 && unpaired % 2 == lowest && i64::from(unpaired) <= electrons {
            return Ok(unpaired);
        }
        Err(SimError::Unsupported(format!(
            "`{}` with charge {:+} has {electrons} electrons, which cannot have the multiplicity {}",
            molecule.canonical_smiles(),
            self.charge,
            unpaired + 1
        )))
    }
}

/// Charge and lowest multiplicity of a molecule, or those of a free atom in its ground state.
pub(super) fn charge_and_multiplicity(smiles: &str) -> Result<(i32, u32), SimError> {
    let molecule = Molecule::parse(smiles)?;
    let unpaired = match molecule.free_atom() {
        Some(symbol) => free_atom_spin(&molecule, symbol)?,
        None => ElectronicState::default().unpaired_electrons(&molecule)?,
    };
    Ok((molecule.charge(), unpaired + 1))
}

/// Refuses a calculation of a neutral molecule of these elements whose number of electrons,
/// `reported`, is not that of the molecule without the `replaced` ones of effective core
/// potentials.
pub(super) fn compare<'s>(
    engine: &str,
    symbols: impl Iterator<Item = &'s str>,
    replaced: u32,
    reported: u32,
) -> Result<(), SimError> {
    let protons: u32 = symbols.filter_map(atomic_number).map(u32::from).sum();
    let expected = protons - replaced.min(protons);
    if reported == expected {
        return Ok(());
    }
    let cores = match replaced {
        0 => String::new(),
        replaced => format!(" beyond the {replaced} that core potentials replace"),
    };
    Err(SimError::Unsupported(format!(
        "{engine} treated {reported} electrons, but the molecule has {expected}{cores}: its energy is not that of the molecule"
    )))
}

/// Highest possible energy per atom, in hartree. Heats of formation, the highest numbers that
/// programs may report, are below 1.
const HIGHEST: f64 = 10.0;

/// Refuses a number that cannot be an energy of the molecule, whatever its zero is. xtb 6.5.1
/// prints 3595 hartree for fluorine in a quarter of identical runs (GFN1), and exits with 0.
pub(super) fn require_possible(
    engine: &str,
    molecule: &Molecule,
    energy_hartree: f64,
) -> Result<(), SimError> {
    if energy_hartree <= HIGHEST * molecule.atom_count() as f64 {
        return Ok(());
    }
    Err(SimError::NotANumber(format!(
        "{engine} computed {energy_hartree} hartree for `{}`, which is not a possible energy",
        molecule.canonical_smiles()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hartree-Fock energies of PySCF (`tests/goldens/simulate_nwchem.json`), GFN2-xTB's and
    /// GFN1-xTB's of xtb 6.5.1.
    #[test]
    fn energies_are_possible_and_what_xtb_makes_up_is_not() {
        let possible = |smiles: &str, energy: f64| {
            require_possible("x", &Molecule::parse(smiles).unwrap(), energy).is_ok()
        };
        for (smiles, energy) in [
            ("[H]", -0.4962),
            ("[F]", -98.845),
            ("[F]", -4.997),
            ("[I]", -6917.98),
            ("[C]", 0.2732),
            ("O", -75.585),
            ("CCO", 0.0),
        ] {
            assert!(possible(smiles, energy), "{smiles}: {energy}");
        }
        for (smiles, energy) in [
            ("[F]", 3595.003),
            ("[N]", 3597.105),
            ("CCO", 3588.6),
            ("[F]", f64::NAN),
        ] {
            assert!(!possible(smiles, energy), "{smiles}: {energy}");
        }
    }
}
