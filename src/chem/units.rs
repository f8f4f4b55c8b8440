//! Conversions between the units of energy and length, after CODATA 2018.
//!
//! E. Tiesinga et al., Rev. Mod. Phys. 93, 025010 (2021).

/// kcal/mol in one hartree (with the thermochemical calorie of 4.184 J).
pub const KCAL_PER_MOL_PER_HARTREE: f64 = 627.509_474;
/// kJ in one thermochemical kcal.
pub const KJ_PER_KCAL: f64 = 4.184;
/// Electronvolts in one hartree.
pub const EV_PER_HARTREE: f64 = 27.211_386_245_988;
/// Angstrom in one bohr.
pub const ANGSTROM_PER_BOHR: f64 = 0.529_177_210_903;

/// Hartree to kcal/mol.
pub fn hartree_to_kcal_per_mol(hartree: f64) -> f64 {
    hartree * KCAL_PER_MOL_PER_HARTREE
}

/// Electronvolt to hartree.
pub fn ev_to_hartree(ev: f64) -> f64 {
    ev / EV_PER_HARTREE
}

/// Bohr to angstrom.
pub fn bohr_to_angstrom(bohr: f64) -> f64 {
    bohr * ANGSTROM_PER_BOHR
}

/// Angstrom to bohr.
pub fn angstrom_to_bohr(angstrom: f64) -> f64 {
    angstrom / ANGSTROM_PER_BOHR
}
