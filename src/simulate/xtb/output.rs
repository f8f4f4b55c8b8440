//! Quantities in the output of xtb.

use std::fs;

use crate::chem::units::{angstrom_to_bohr, ev_to_hartree};
use crate::chem::{Geometry, atomic_mass};
use crate::property::{DIPOLE, GAP, HOMO, LUMO, Quantities, Unit};
use crate::simulate::dipole::dipole_length;
use crate::simulate::thermochemistry::{Thermochemistry, of_a_molecule};
use crate::simulate::vibrations::Nucleus;
use crate::simulate::{Outputs, SimError};

/// File of the Hessian, in hartree/bohr^2.
const HESSIAN: &str = "hessian";

/// Orbital energies and dipole moment of the last calculation that xtb printed, in atomic units.
/// Missing ones are left out: a molecule may have no virtual orbital in the minimal basis. The
/// charge is the total one.
pub(super) fn quantities(stdout: &str, charge: i32, geometry: &Geometry) -> Quantities {
    let orbital = |mark: &str| last_line(stdout, mark).and_then(orbital_hartree);
    let gap = last_line(stdout, "HOMO-LUMO GAP").and_then(|line| after(line, "HOMO-LUMO GAP"));
    let found = [
        (HOMO, orbital("(HOMO)")),
        (LUMO, orbital("(LUMO)")),
        (GAP, gap.map(ev_to_hartree)),
        (DIPOLE, dipole(stdout, charge, geometry)),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Zero-point energy, enthalpy and Gibbs energy, from the Hessian: xtb's own are of another model
/// below 50/cm, and lack the degeneracy of the spin.
///
/// # Errors
///
/// There is no Hessian of the geometry, or the geometry is a saddle point.
pub(super) fn thermochemistry(
    outputs: &Outputs,
    geometry: &Geometry,
    multiplicity: u32,
) -> Result<Thermochemistry, SimError> {
    let unreadable = |what: &str| SimError::Unreadable(format!("xtb: {HESSIAN}: {what}"));
    let nuclei = geometry.atoms.iter().map(|(symbol, position)| {
        Some(Nucleus {
            mass: atomic_mass(symbol)?,
            position: position.map(angstrom_to_bohr),
        })
    });
    let nuclei: Option<Vec<Nucleus>> = nuclei.collect();
    let nuclei = nuclei.ok_or_else(|| unreadable("an element has no mass"))?;
    let text = fs::read_to_string(outputs.dir.join(HESSIAN))
        .map_err(|e| SimError::from_file_error(format!("xtb: {HESSIAN}"), &e))?;
    let size = 3 * nuclei.len();
    let triangle = lower_triangle(&text, size).ok_or_else(|| unreadable("not its numbers"))?;
    of_a_molecule(&nuclei, &triangle, multiplicity)
        .map_err(|e| SimError::NotConverged(format!("xtb: {e}")))
}

/// Lower triangle, row by row, of the matrix in the file, which is written after the line
/// `$hessian`; each element is the mean of the two that should be equal.
fn lower_triangle(text: &str, size: usize) -> Option<Vec<f64>> {
    let (_, numbers) = text.split_once("$hessian")?;
    let numbers = numbers.split_whitespace().map(|word| word.parse().ok());
    let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
    if numbers.len() != size * size || numbers.iter().any(|number| !number.is_finite()) {
        return None;
    }
    let rows = (0..size).flat_map(|row| (0..=row).map(move |column| (row, column)));
    let mean = |(row, column)| (numbers[row * size + column] + numbers[column * size + row]) / 2.0;
    Some(rows.map(mean).collect())
}

fn last_line<'s>(stdout: &'s str, mark: &str) -> Option<&'s str> {
    stdout.lines().rfind(|line| line.contains(mark))
}

/// The number after a mark: `| HOMO-LUMO GAP   14.384586480752 eV   |`.
fn after(line: &str, mark: &str) -> Option<f64> {
    let (_, rest) = line.split_once(mark)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The energy of `5    0.0822625    2.2385 (LUMO)` or, with an occupation in between, of an
/// occupied orbital.
fn orbital_hartree(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mark = words.iter().position(|word| word.starts_with('('))?;
    words.get(mark.checked_sub(2)?)?.parse().ok()
}

/// From `full:  x  y  z  tot (Debye)` with three decimals, whose first columns are in atomic units
/// and about the origin of the geometry.
fn dipole(stdout: &str, charge: i32, geometry: &Geometry) -> Option<f64> {
    let (_, rest) = stdout.rsplit_once("molecular dipole:")?;
    let line = rest
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("full:"))?;
    let words = line.split_whitespace().map(|word| word.parse().ok());
    let [x, y, z, debye] = words.collect::<Option<Vec<f64>>>()?[..] else {
        return None;
    };
    if charge == 0 {
        let unit: Unit = "debye".parse().ok()?;
        return Some(unit.to_atomic(debye));
    }
    dipole_length([x, y, z], charge, geometry)
}
