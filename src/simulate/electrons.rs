//! Electronic states, and checks of a result: the number of electrons, and the magnitude of the
//! energy.

use std::num::NonZeroU32;

use super::SimError;
use super::prepared::free_atom_spin;
use crate::chem::{Molecule, atomic_number};

/// Charge and multiplicity of a calculation, relative to the molecule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ElectronicState {
    /// Elementary charges added to those of the molecule.
    pub charge: i32,
    /// 2S + 1; None for that of the molecule.
    pub multiplicity: Option<NonZeroU32>,
}

impl ElectronicState {
    /// Charge of a molecule in this state, in elementary charges.
    pub fn total_charge(self, molecule: &Molecule) -> i32 {
        molecule.charge() + self.charge
    }

    /// Charge and multiplicity of a molecule in this state.
    ///
    /// # Errors
    ///
    /// Those of [`Self::unpaired_electrons`].
    pub fn of_molecule(self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        let unpaired = self.unpaired_electrons(molecule)?;
        Ok((self.total_charge(molecule), unpaired + 1))
    }

    /// Number of unpaired electrons of a molecule in this state.
    ///
    /// Unless the multiplicity is given, the unpaired electrons that the SMILES shows are parallel:
    /// `[O][O]` is a triplet. An electron that is removed is one of them, and one that is added
    /// pairs with one of them, as long as there are any; without any the multiplicity is the lowest
    /// possible.
    ///
    /// # Errors
    ///
    /// The molecule has not so many electrons, or the multiplicity does not fit their number.
    pub fn unpaired_electrons(self, molecule: &Molecule) -> Result<u32, SimError> {
        let electrons = molecule.electrons() as i64 - i64::from(self.charge);
        let lowest = u32::from(electrons % 2 != 0);
        let shown = u32::try_from(molecule.radical_electrons()).unwrap_or(u32::MAX);
        let unpaired = match self.multiplicity {
            Some(multiplicity) => multiplicity.get() - 1,
            None => match shown.saturating_sub(self.charge.unsigned_abs()) {
                left if left % 2 == lowest => left,
                _ => lowest,
            },
        };
        if electrons > 0 && unpaired % 2 == lowest && i64::from(unpaired) <= electrons {
            return Ok(unpaired);
        }
        Err(SimError::Unsupported(format!(
            "`{}` with charge {:+} has {electrons} electrons, which cannot have the multiplicity {}",
            molecule.canonical_smiles(),
            self.total_charge(molecule),
            unpaired + 1
        )))
    }
}

/// Returns true for a charge that a campaign need not state.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn is_zero(charge: &i32) -> bool {
    *charge == 0
}

/// Refuses ions and molecules with unpaired electrons.
pub(super) fn require_neutral_closed_shell(
    molecule: &Molecule,
    engine: &str,
) -> Result<(), SimError> {
    let (charge, unpaired) = (molecule.charge(), molecule.radical_electrons());
    let reason = if charge != 0 {
        format!("has charge {charge:+}, and {engine} computes neutral molecules only")
    } else if unpaired != 0 || molecule.electrons() % 2 == 1 {
        format!("has unpaired electrons, and {engine} computes closed shells only")
    } else {
        return Ok(());
    };
    let smiles = molecule.canonical_smiles();
    Err(SimError::Unsupported(format!("`{smiles}` {reason}")))
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

/// Refuses a calculation of a molecule of these elements and this charge whose number of electrons,
/// `reported`, is not that of the molecule without the `replaced` ones of effective core
/// potentials.
pub(super) fn compare<'s>(
    engine: &str,
    symbols: impl Iterator<Item = &'s str>,
    charge: i32,
    replaced: u32,
    reported: u32,
) -> Result<(), SimError> {
    let protons: u32 = symbols.filter_map(atomic_number).map(u32::from).sum();
    let expected = i64::from(protons) - i64::from(replaced) - i64::from(charge);
    if i64::from(reported) == expected {
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

    #[test]
    fn the_spin_follows_from_the_unpaired_electrons_of_the_smiles_and_the_charge() {
        let unpaired = |smiles: &str, charge: i32| {
            let state = ElectronicState {
                charge,
                multiplicity: None,
            };
            let molecule = Molecule::parse(smiles).unwrap();
            let unpaired = state.unpaired_electrons(&molecule).unwrap();
            (state.total_charge(&molecule), unpaired)
        };
        for (smiles, charge, expected) in [
            ("C", 0, (0, 0)),
            ("C", 1, (1, 1)),
            ("C", -1, (-1, 1)),
            ("C", 2, (2, 0)),
            ("[CH3]", 0, (0, 1)),
            ("[CH3]", 1, (1, 0)),
            ("[CH3]", -1, (-1, 0)),
            ("[CH3]", 2, (2, 1)),
            ("[O][O]", 0, (0, 2)),
            ("[O][O]", -1, (-1, 1)),
            ("[O][O]", -2, (-2, 0)),
            ("O=O", 0, (0, 0)),
            ("[NH4+]", 0, (1, 0)),
            ("[NH4+]", -1, (0, 1)),
            ("C[O-]", 0, (-1, 0)),
            ("C[O-]", 1, (0, 1)),
            ("[NH3+]CC(=O)[O-]", 0, (0, 0)),
        ] {
            assert_eq!(unpaired(smiles, charge), expected, "{smiles}, {charge:+}");
        }
    }

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
