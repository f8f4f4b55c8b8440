//! Quantities in the output of xtb.

use crate::chem::units::ev_to_hartree;
use crate::property::{DIPOLE, GAP, HOMO, LUMO, Quantities, Unit};

/// Orbital energies and dipole moment of the last calculation that xtb printed, in atomic units.
/// Missing ones are left out: a molecule may have no virtual orbital in the minimal basis.
pub(super) fn quantities(stdout: &str) -> Quantities {
    let orbital = |mark: &str| last_line(stdout, mark).and_then(orbital_hartree);
    let gap = last_line(stdout, "HOMO-LUMO GAP").and_then(|line| after(line, "HOMO-LUMO GAP"));
    let found = [
        (HOMO, orbital("(HOMO)")),
        (LUMO, orbital("(LUMO)")),
        (GAP, gap.map(ev_to_hartree)),
        (DIPOLE, dipole(stdout)),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
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

/// From the last column of `full:  x  y  z  tot (Debye)`, which has three decimals.
fn dipole(stdout: &str) -> Option<f64> {
    let (_, rest) = stdout.rsplit_once("molecular dipole:")?;
    let line = rest
        .lines()
        .find(|line| line.trim_start().starts_with("full:"))?;
    let debye: f64 = line.split_whitespace().last()?.parse().ok()?;
    let unit: Unit = "debye".parse().ok()?;
    Some(unit.to_atomic(debye))
}
