//! Dipole moments, which depend on the origin if the molecule is charged.

use crate::chem::units::angstrom_to_bohr;
use crate::chem::{Geometry, atomic_mass};

/// Length of a dipole moment in atomic units about the centre of mass, from the moment about the
/// origin of the geometry; the charge is in elementary charges. None if the mass of an element is
/// not known.
pub(super) fn dipole_length(
    about_origin: [f64; 3],
    charge: i32,
    geometry: &Geometry,
) -> Option<f64> {
    let (mut total, mut centre) = (0.0, [0.0; 3]);
    for (symbol, position) in &geometry.atoms {
        let mass = atomic_mass(symbol)?;
        total += mass;
        for (sum, x) in centre.iter_mut().zip(position) {
            *sum += mass * angstrom_to_bohr(*x);
        }
    }
    let moved = about_origin
        .iter()
        .zip(centre)
        .map(|(moment, sum)| moment - f64::from(charge) * sum / total);
    Some(
        moved
            .map(|component| component * component)
            .sum::<f64>()
            .sqrt(),
    )
}
