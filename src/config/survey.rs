//! The search space that the molecules of a file span.

use std::collections::BTreeSet;
use std::path::Path;

use super::diagnostic::Diagnostics;
use super::source::{self, SourceReport};
use super::space::{ELEMENTS, SearchSpace, WITHOUT_MMFF94};
use crate::chem::{Molecule, Smarts, ring_sizes};

/// What the molecules of a file have.
#[derive(Debug)]
pub struct Survey {
    /// Number of distinct molecules.
    pub molecules: usize,
    /// Symbols of their heavy atoms, in the order of the periodic table.
    pub elements: Vec<String>,
    /// Heavy atoms of the largest.
    pub max_heavy_atoms: usize,
    /// Sizes of their rings, smallest first.
    pub ring_sizes: Vec<usize>,
    /// Those of the given patterns, SMARTS, that none of them has.
    pub absent: Vec<&'static str>,
    /// Content of the file; None for a data set that comes with the program.
    pub reading: Option<SourceReport>,
}

/// Largest molecule and largest ring that a campaign may allow.
const MOST: (usize, usize) = (100, 20);

/// Reads the molecules of a file that a campaign can compute: neutral ones, of known elements, with
/// `mmff94` those that MMFF94 has parameters for. `patterns`: SMARTS that are looked for in them.
///
/// # Errors
///
/// The file cannot be read, has text that is not SMILES where SMILES are expected, or has no
/// molecule that can be computed.
pub fn survey(path: &Path, mmff94: bool, patterns: &[&'static str]) -> Result<Survey, Diagnostics> {
    let is_possible = |element: &&str| !(mmff94 && WITHOUT_MMFF94.contains(element));
    let elements: Vec<&str> = ELEMENTS.into_iter().filter(is_possible).collect();
    let space = serde_json::json!({
        "source": path,
        "elements": elements,
        "max_heavy_atoms": MOST.0,
        "allowed_ring_sizes": (3..=MOST.1).collect::<Vec<_>>(),
    });
    let space: SearchSpace = serde_json::from_value(space).expect("a valid search space");
    let reading = source::read(path, &space, mmff94)?;
    let molecules = reading.kept.iter();
    let molecules = molecules.filter_map(|kept| Molecule::from_canonical(&kept.smiles).ok());
    let molecules: Vec<Molecule> = molecules.collect();
    let found: BTreeSet<String> = molecules
        .iter()
        .flat_map(|molecule| molecule.element_counts().into_keys())
        .collect();
    let elements = elements
        .into_iter()
        .filter(|element| found.contains(*element));
    let sizes = molecules
        .iter()
        .map(|molecule| molecule.heavy_atoms().len());
    let rings: BTreeSet<usize> = molecules.iter().flat_map(ring_sizes).collect();
    let is_absent = |pattern: &&&str| {
        let pattern = Smarts::parse(pattern).expect("SMARTS of this program");
        !molecules.iter().any(|molecule| pattern.matches(molecule))
    };
    let absent = patterns.iter().filter(is_absent).copied().collect();
    Ok(Survey {
        absent,
        molecules: molecules.len(),
        elements: elements.map(str::to_owned).collect(),
        max_heavy_atoms: sizes.max().unwrap_or_default(),
        ring_sizes: rings.into_iter().collect(),
        reading: Some(reading),
    })
}
