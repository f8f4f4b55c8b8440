//! Thermochemistry of an ideal gas of rigid rotors and harmonic oscillators, at 298.15 K and 1 atm.
//!
//! D. A. McQuarrie, J. D. Simon, Molecular Thermodynamics (1999), chapters 3 and 4.

use std::f64::consts::PI;

use super::symmetry::symmetry_number;
use super::vibrations::{
    ELECTRON_MASSES_PER_DALTON, Nucleus, RigidRotor, VibrationError, vibrations,
};
use crate::property::{ENTHALPY, GIBBS, Quantities, ZPE};

/// Boltzmann's constant in hartree/K, CODATA 2018.
const BOLTZMANN: f64 = 3.166_811_563_455_6e-6;
/// Temperature in kelvin.
const TEMPERATURE: f64 = 298.15;
/// One atmosphere, 101325 Pa, in hartree/bohr^3.
const PRESSURE: f64 = 101_325.0 / 2.942_101_569_7e13;
/// Thermal energy in hartree.
const THERMAL: f64 = BOLTZMANN * TEMPERATURE;

/// Contributions to enthalpy and Gibbs energy, in hartree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Thermochemistry {
    /// Zero-point energy of the vibrations.
    pub zero_point: f64,
    /// Enthalpy above the zero-point level.
    thermal_enthalpy: f64,
    /// Temperature times entropy.
    entropy_term: f64,
}

impl Thermochemistry {
    /// The quantities of a molecule with this electronic energy in hartree.
    pub fn quantities(&self, energy: f64) -> Quantities {
        let enthalpy = energy + self.zero_point + self.thermal_enthalpy;
        let found = [
            (ZPE, self.zero_point),
            (ENTHALPY, enthalpy),
            (GIBBS, enthalpy - self.entropy_term),
        ];
        found
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn add(&mut self, energy: f64, entropy_term: f64) {
        self.thermal_enthalpy += energy;
        self.entropy_term += entropy_term;
    }
}

/// Thermochemistry of a molecule of this spin multiplicity, from the lower triangle of its Hessian
/// in hartree/bohr^2, row by row. Its symmetry number is that of the geometry.
///
/// # Errors
///
/// The Hessian has another size, or the geometry is a saddle point.
pub(super) fn of_a_molecule(
    nuclei: &[Nucleus],
    hessian: &[f64],
    multiplicity: u32,
) -> Result<Thermochemistry, VibrationError> {
    let quanta = vibrations(nuclei, hessian)?;
    let rotor = RigidRotor::new(nuclei).ok_or(VibrationError::Eigenvalues)?;
    let mass = nuclei.iter().map(|nucleus| nucleus.mass).sum();
    let mut sum = of_an_atom(mass, multiplicity);
    if nuclei.len() > 1 {
        let symmetry = f64::from(symmetry_number(nuclei, &rotor));
        // Moments of inertia in units of hbar^2 / 2 kT.
        let moments = rotor.moments;
        let [a, b, c] = moments.map(|i| 2.0 * i * ELECTRON_MASSES_PER_DALTON * THERMAL);
        let (degrees, states) = match rotor.is_linear {
            true => (2.0, (b * c).sqrt() / symmetry),
            false => (3.0, (PI * a * b * c).sqrt() / symmetry),
        };
        let energy = degrees / 2.0 * THERMAL;
        sum.add(energy, THERMAL * states.ln() + energy);
    }
    for quantum in quanta {
        sum.zero_point += quantum / 2.0;
        let ratio = quantum / THERMAL;
        let energy = quantum / ratio.exp_m1();
        sum.add(energy, energy - THERMAL * (-(-ratio).exp()).ln_1p());
    }
    Ok(sum)
}

/// Thermochemistry of an atom of this mass in dalton: its translation, and the degeneracy of its
/// spin.
pub(super) fn of_an_atom(mass: f64, multiplicity: u32) -> Thermochemistry {
    let mass = mass * ELECTRON_MASSES_PER_DALTON;
    let states = (mass * THERMAL / (2.0 * PI)).powf(1.5) * THERMAL / PRESSURE;
    // 3/2 kT of the motion, kT of the volume.
    let enthalpy = 2.5 * THERMAL;
    let spin = f64::from(multiplicity).ln();
    Thermochemistry {
        zero_point: 0.0,
        thermal_enthalpy: enthalpy,
        entropy_term: THERMAL * (states.ln() + spin) + enthalpy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard molar entropies at 298.15 K and 1 bar in J/(K mol): M. W. Chase, NIST-JANAF
    /// Thermochemical Tables, 4th edition (1998); 0.1094 of them less at 1 atm.
    #[test]
    fn entropies_of_atoms_are_those_of_the_janaf_tables() {
        const J_PER_MOL: f64 = 2_625_499.639;
        for (symbol, mass, multiplicity, expected) in [
            ("He", 4.0026, 1, 126.152),
            ("Ar", 39.948, 1, 154.845),
            ("H", 1.008, 2, 114.716),
            ("N", 14.007, 4, 153.300),
        ] {
            let atom = of_an_atom(mass, multiplicity);
            let entropy = atom.entropy_term / TEMPERATURE * J_PER_MOL + 0.1094;
            assert!((entropy - expected).abs() < 0.01, "{symbol}: {entropy}");
        }
    }
}
