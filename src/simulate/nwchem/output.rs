//! Parser of NWChem's output.

use std::fs;

use super::Nwchem;
use crate::chem::Geometry;
use crate::property::{DIPOLE, GAP, HOMO, LUMO, Quantities};
use crate::simulate::dipole::dipole_length;
use crate::simulate::program_error::error_sentence;
use crate::simulate::thermochemistry::{Thermochemistry, of_a_molecule};
use crate::simulate::vibrations::Nucleus;
use crate::simulate::{Outputs, SimError};

/// File of the Hessian, in NWChem's `permanent_dir`, named after `start molecule`.
const HESSIAN: &str = "molecule.hess";

impl Nwchem {
    /// Electronic energy in hartree, from the last line `Total SCF energy =    -75.585536585013`;
    /// an optimisation prints one for each step.
    pub(super) fn electronic_energy(&self, text: &str) -> Option<f64> {
        let label = match self.functional() {
            Some(_) => "Total DFT energy =",
            None => "Total SCF energy =",
        };
        let line = text.lines().rfind(|line| line.contains(label))?;
        line.split('=').nth(1)?.trim().parse().ok()
    }
}

/// Output of each task, in order.
pub(super) fn tasks(stdout: &str) -> Vec<&str> {
    // NWChem prints this heading before each task.
    stdout.split("NWChem Input Module").skip(1).collect()
}

/// Zero-point energy, enthalpy and Gibbs energy, from the Hessian. NWChem's own zero-point energy
/// lacks a vibration for molecules that are linear but for rounding errors, since it projects out
/// six motions, and its symmetry number is always 1 for geometries without `autosym`.
pub(super) fn thermochemistry(
    text: &str,
    outputs: &Outputs,
    multiplicity: u32,
) -> Result<Thermochemistry, SimError> {
    let unreadable = |what: String| SimError::Unreadable(format!("nwchem: {what}"));
    let nuclei = nuclei(text).ok_or_else(|| unreadable("no masses in its output".into()))?;
    let file = fs::read_to_string(outputs.dir.join(HESSIAN))
        .map_err(|e| unreadable(format!("{HESSIAN}: {e}")))?;
    let numbers = file.split_whitespace().map(fortran_number);
    let triangle = numbers.collect::<Option<Vec<f64>>>();
    let triangle = triangle.ok_or_else(|| unreadable(format!("{HESSIAN} holds no numbers")))?;
    of_a_molecule(&nuclei, &triangle, multiplicity)
        .map_err(|e| SimError::NotConverged(format!("nwchem: {e}")))
}

/// Masses and positions from the last table `Atom information`, whose columns are symbol, number,
/// x, y, z in bohr, and mass in dalton.
fn nuclei(text: &str) -> Option<Vec<Nucleus>> {
    let (_, table) = text.rsplit_once("Atom information")?;
    let rows = table.lines().skip(3).map_while(|line| {
        let [_, _, x, y, z, mass] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Nucleus {
            mass: fortran_number(mass)?,
            position: [fortran_number(x)?, fortran_number(y)?, fortran_number(z)?],
        })
    });
    let nuclei: Vec<_> = rows.collect();
    (!nuclei.is_empty()).then_some(nuclei)
}

/// A finite number in Fortran syntax: `1.2D+01` is 12.
fn fortran_number(word: &str) -> Option<f64> {
    let number: f64 = word.replace(['D', 'd'], "e").parse().ok()?;
    number.is_finite().then_some(number)
}

/// Orbital energies and dipole moment of the last calculation of a task, in atomic units; missing
/// ones are left out. The charge is the total one.
///
/// With unpaired electrons the highest occupied and the lowest unoccupied orbital are those of
/// either spin.
pub(super) fn quantities(text: &str, charge: i32, geometry: &Geometry) -> Quantities {
    let (homo, lumo) = frontier(text);
    let gap = homo.zip(lumo).map(|(homo, lumo)| lumo - homo);
    let found = [
        (HOMO, homo),
        (LUMO, lumo),
        (GAP, gap),
        (DIPOLE, dipole(text, charge, geometry)),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Energies of the highest occupied and the lowest unoccupied orbital, from the last tables `Final
/// Molecular Orbital Analysis`, of each spin where there are two.
fn frontier(text: &str) -> (Option<f64>, Option<f64>) {
    let titles = [
        "Final Molecular",
        "Final Alpha Molecular",
        "Final Beta Molecular",
    ];
    let tables = titles.iter().filter_map(|title| {
        let title = format!("{title} Orbital Analysis");
        let (_, table) = text.rsplit_once(&title)?;
        // The table ends where another one begins.
        Some(table.split("Orbital Analysis").next().unwrap_or(table))
    });
    let (mut homo, mut lumo) = (None, None);
    for line in tables.flat_map(str::lines) {
        let Some((occupation, energy)) = orbital(line) else {
            continue;
        };
        if occupation > 0.5 {
            homo = Some(homo.map_or(energy, |highest: f64| highest.max(energy)));
        } else {
            lumo = Some(lumo.map_or(energy, |lowest: f64| lowest.min(energy)));
        }
    }
    (homo, lumo)
}

/// Occupation and energy in `Vector    5  Occ=2.000000D+00  E=-7.448940D-01`.
fn orbital(line: &str) -> Option<(f64, f64)> {
    let rest = line.trim_start().strip_prefix("Vector")?;
    let (_, rest) = rest.split_once("Occ=")?;
    let (occupation, rest) = rest.split_once("E=")?;
    let energy = rest.split_whitespace().next()?;
    Some((fortran_number(occupation.trim())?, fortran_number(energy)?))
}

/// From the first moments in the last table `Multipole analysis of the density`, which are about the
/// origin of the geometry.
fn dipole(text: &str, charge: i32, geometry: &Geometry) -> Option<f64> {
    let (_, table) = text.rsplit_once("Multipole analysis of the density")?;
    let rows = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["1", "1" | "0", "1" | "0", "1" | "0", total, ..] => fortran_number(total),
            _ => None,
        }
    });
    let moments: Vec<f64> = rows.take(3).collect();
    dipole_length(moments.try_into().ok()?, charge, geometry)
}

/// Number of electrons in the calculation, as printed by the modules `scf` (restricted,
/// unrestricted) and `dft`.
pub(super) fn reported_electrons(text: &str) -> Option<u32> {
    let number = |label: &str| -> Option<u32> {
        let mut lines = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(label));
        let rest = lines.next()?.trim_start();
        let word = rest
            .trim_start_matches(['=', ':'])
            .split_whitespace()
            .next()?;
        word.parse().ok()
    };
    if let Some(electrons) = number("No. of electrons") {
        return Some(electrons);
    }
    if let (Some(alpha), Some(beta)) = (number("alpha electrons"), number("beta  electrons")) {
        return Some(alpha + beta);
    }
    Some(2 * number("closed shells")? + number("open shells")?)
}

/// Geometry from the last table `Output coordinates in angstroms`, whose columns are number,
/// symbol, charge, x, y, z.
pub(super) fn last_geometry(text: &str) -> Option<Geometry> {
    let (_, table) = text.rsplit_once("Output coordinates in angstroms")?;
    let rows = table
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("----"));
    let atoms = rows.skip(1).map_while(|line| {
        let [_, symbol, _, x, y, z] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let position = [x.parse().ok()?, y.parse().ok()?, z.parse().ok()?];
        Some((symbol.to_owned(), position))
    });
    let atoms: Vec<_> = atoms.collect();
    (!atoms.is_empty()).then_some(Geometry { atoms })
}

/// Version, from `Northwest Computational Chemistry Package (NWChem) 7.0.2`.
pub(super) fn version(stdout: &str) -> Option<String> {
    let (_, rest) = stdout.split_once("Chemistry Package (NWChem)")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// A phrase in the output and the error that it indicates.
type FailurePhrase = (&'static str, fn(String) -> SimError);

/// Phrases of failed runs, in lower case, in the order of the search.
const FAILURES: [FailurePhrase; 15] = [
    // First, since an energy may be printed too.
    ("failed to converge", SimError::NotConverged),
    ("closed-shell electrons is not even", SimError::Unsupported),
    ("odd number of electrons", SimError::Unsupported),
    ("failed opening basis file", SimError::Unsupported),
    ("no such basis available", SimError::Unsupported),
    ("xc_input", SimError::Unsupported),
    ("memory limit unreasonable", SimError::Memory),
    ("out of memory", SimError::Memory),
    ("insufficient memory", SimError::Memory),
    ("not enough memory", SimError::Memory),
    ("ma_push", SimError::Memory),
    ("ma_init", SimError::Memory),
    ("ma_alloc", SimError::Memory),
    ("ga_create failed", SimError::Memory),
    ("could not open a file in", SimError::Scratch),
];

/// Refuses the output of a failed run.
pub(super) fn require_success(outputs: &Outputs) -> Result<(), SimError> {
    let lines = || outputs.stdout.lines().chain(outputs.stderr.lines());
    // The exit code may be 0 after an optimisation that did not converge.
    let unconverged = lines().find(|line| line.to_lowercase().contains(FAILURES[0].0));
    if let Some(line) = unconverged {
        return Err(SimError::NotConverged(format!("nwchem: {}", line.trim())));
    }
    if outputs.exit_code == Some(0) {
        return Ok(());
    }
    for (phrase, error) in FAILURES {
        if let Some(line) = lines().find(|line| line.to_lowercase().contains(phrase)) {
            return Err(error(format!("nwchem: {}", message(line))));
        }
    }
    let exit = match outputs.exit_code {
        Some(code) => format!("nwchem ended with exit code {code}"),
        None => "nwchem was ended by a signal".to_owned(),
    };
    let armci = lines().find(|line| line.contains("ARMCI Error"));
    let sentence = armci.map(|line| message(line).to_owned());
    Err(SimError::Exit(
        match sentence.or_else(|| error_sentence(&outputs.stderr)) {
            Some(sentence) => format!("{exit}: {sentence}"),
            None => exit,
        },
    ))
}

/// Message of a line such as `[0] ARMCI Error: 0:guess_dens: ma_push failed:`.
fn message(line: &str) -> &str {
    let text = line
        .split_once("ARMCI Error: ")
        .map_or(line, |(_, text)| text);
    text.trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_matches([':', ' ', '-'])
}
