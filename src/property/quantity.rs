//! Quantities: the numbers that a method returns for a molecule, in atomic units.

use std::collections::BTreeMap;

use super::dimension::Dimension;

/// Quantities of one calculation by their names, in atomic units.
pub type Quantities = BTreeMap<String, f64>;

/// Total energy.
pub const ENERGY: &str = "energy";
/// Energy of the highest occupied molecular orbital.
pub const HOMO: &str = "homo";
/// Energy of the lowest unoccupied molecular orbital.
pub const LUMO: &str = "lumo";
/// `lumo - homo`.
pub const GAP: &str = "gap";
/// Length of the electric dipole moment; of an ion about its centre of mass, with standard atomic
/// weights.
pub const DIPOLE: &str = "dipole";
/// Isotropic polarizability.
pub const POLARIZABILITY: &str = "polarizability";
/// Vibrational zero-point energy.
pub const ZPE: &str = "zpe";
/// Enthalpy at 298.15 K, total energy included.
pub const ENTHALPY: &str = "enthalpy";
/// Gibbs energy at 298.15 K and 1 atm, total energy included.
pub const GIBBS: &str = "gibbs";

/// The quantities that follow from the vibrations of a molecule.
pub const THERMOCHEMICAL: [&str; 3] = [ZPE, ENTHALPY, GIBBS];

/// The quantities that engines of this program return, by name.
pub const BUILT_IN: [&str; 9] = [
    ENERGY,
    HOMO,
    LUMO,
    GAP,
    DIPOLE,
    POLARIZABILITY,
    ZPE,
    ENTHALPY,
    GIBBS,
];

/// Quantities that do not add up over the atoms of a molecule.
pub(super) const OF_NO_SUM: [&str; 5] = [HOMO, LUMO, GAP, DIPOLE, POLARIZABILITY];

/// Returns the dimension of a quantity that engines of this program return.
pub fn built_in(name: &str) -> Option<Dimension> {
    match name {
        DIPOLE => Some(Dimension::DIPOLE),
        POLARIZABILITY => Some(Dimension::VOLUME),
        name if BUILT_IN.contains(&name) => Some(Dimension::ENERGY),
        _ => None,
    }
}
