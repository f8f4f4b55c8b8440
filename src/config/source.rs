//! Sources of molecules: QM9, or a file of SMILES.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::campaign::{Campaign, SearchSpace};
use super::diagnostic::{Diagnostic, Diagnostics, Place, Text};
use super::table::{self, MoleculeRow, MoleculeTable};
use crate::chem::qm9::Qm9;
use crate::chem::{ChemError, Mixture, Molecule, SpaceViolation, StructureRules};

/// The name of the data set that comes with the program.
pub const QM9: &str = "qm9";

/// The molecules of a campaign's source.
#[derive(Debug)]
pub struct Source {
    entries: Entries,
    space: SearchSpace,
    rules: StructureRules,
}

enum Entries {
    Qm9(Qm9),
    File(SourceReport),
}

/// Content of a file: every entry is kept, a duplicate, or skipped.
#[derive(Debug)]
pub struct SourceReport {
    /// The path as the campaign names it.
    pub file: String,
    /// Layout that was assumed: delimiter and columns.
    pub layout: String,
    /// Number of entries, without blank lines and comments.
    pub read: usize,
    /// Distinct molecules of the search space, in the order of the file.
    pub kept: Vec<NamedMolecule>,
    /// Entries whose molecule an earlier entry has.
    pub duplicates: Vec<SourceEntry>,
    /// Valid SMILES outside the search space, by reason.
    pub skipped: BTreeMap<SkipReason, Vec<SourceEntry>>,
    /// Names with their molecules, in the order of the file, duplicates included.
    pub names: Vec<(String, String)>,
}

/// A molecule of a file: its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMolecule {
    /// Canonical SMILES that identifies the molecule.
    pub smiles: String,
    /// Name in the file; none if it has none.
    pub name: Option<String>,
}

/// An entry as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// SMILES as written.
    pub smiles: String,
    /// Name in the file; none if it has none.
    pub name: Option<String>,
    /// Counted from 1.
    pub line: usize,
}

/// Reason for which an entry was skipped; the first that applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The cell is empty.
    NoSmiles,
    /// A reaction SMILES.
    Reaction,
    /// A valence that its element does not have, or rings without a Kekulé structure.
    Impossible,
    /// An atom `*`.
    Wildcard,
    /// A bond that is neither single, double, triple nor aromatic: dative, quadruple, unspecified.
    Bond,
    /// Several molecules, one an ion or a hydrogen halide.
    Salt,
    /// Several molecules.
    Mixture,
    /// The molecule lies outside the search space.
    OutsideSpace(SpaceViolation),
    /// Neither MMFF94 nor the engine can relax it.
    NoMmff94,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NoSmiles => f.write_str("without SMILES"),
            Self::Reaction => f.write_str("reaction"),
            Self::Salt => f.write_str("salt"),
            Self::Mixture => f.write_str("mixture"),
            Self::Wildcard => f.write_str("wildcard"),
            Self::Bond => f.write_str("unusual bond"),
            Self::Impossible => f.write_str("impossible valence"),
            Self::OutsideSpace(reason) => reason.fmt(f),
            Self::NoMmff94 => f.write_str("without MMFF94 parameters"),
        }
    }
}

/// `30 read, 2 duplicates, 4 skipped: 2 charged, 1 salt, 1 wildcard`
impl fmt::Display for SourceReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let duplicates = self.duplicates.len();
        let s = if duplicates == 1 { "" } else { "s" };
        let skipped: usize = self.skipped.values().map(Vec::len).sum();
        write!(
            f,
            "{} read, {duplicates} duplicate{s}, {skipped} skipped",
            self.read
        )?;
        let mut before = ": ";
        for (reason, entries) in &self.skipped {
            write!(f, "{before}{} {reason}", entries.len())?;
            before = ", ";
        }
        Ok(())
    }
}

/// Opens the source of a campaign, reading all entries of a file; its path is relative to `base`.
///
/// # Errors
///
/// Fails if the file cannot be read, or has text that is not SMILES where SMILES are expected.
pub fn open(campaign: &Campaign, base: &Path) -> Result<Source, Diagnostics> {
    let space = campaign.search_space.clone();
    let entries = match space.source.as_str() {
        QM9 => Entries::Qm9(Qm9::open()),
        path => {
            let needs_mmff94 = campaign.at_mmff94_geometries().next().is_some();
            Entries::File(read(&base.join(path), &space, needs_mmff94)?)
        }
    };
    let rules = space.rules();
    Ok(Source {
        entries,
        space,
        rules,
    })
}

impl Source {
    /// A source of these molecules of a search space, canonical SMILES.
    pub fn of_list(space: &SearchSpace, molecules: Vec<String>) -> Self {
        let kept = molecules.into_iter();
        let kept = kept.map(|smiles| NamedMolecule { smiles, name: None });
        let kept: Vec<NamedMolecule> = kept.collect();
        Self {
            entries: Entries::File(SourceReport {
                file: String::new(),
                layout: String::new(),
                read: kept.len(),
                kept,
                duplicates: Vec::new(),
                skipped: BTreeMap::new(),
                names: Vec::new(),
            }),
            space: space.clone(),
            rules: space.rules(),
        }
    }

    /// Draws up to `n` molecules that `accept` accepts from the search space, without replacement;
    /// returns their identities.
    pub fn draw(&self, seed: u64, n: usize, accept: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut seen = BTreeSet::new();
        // Molecules are only parsed as they come up: all of QM9 takes seconds.
        let drawn = order
            .into_iter()
            .filter_map(|index| self.molecule(index))
            .filter(|smiles| seen.insert(smiles.clone()) && accept(smiles));
        drawn.take(n).collect()
    }

    /// Returns all distinct molecules of the search space, in the order of the source.
    pub fn all(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let entries = (0..self.len()).filter_map(|entry| self.molecule(entry));
        entries
            .filter(|smiles| known.insert(smiles.clone()))
            .collect()
    }

    fn len(&self) -> usize {
        match &self.entries {
            Entries::Qm9(data) => data.len(),
            Entries::File(reading) => reading.kept.len(),
        }
    }

    /// Number of distinct molecules that can be drawn, counted up to `most`.
    pub fn count(&self, most: usize) -> usize {
        match &self.entries {
            Entries::Qm9(_) => self.draw(0, most, &|_| true).len(),
            Entries::File(reading) => reading.kept.len().min(most),
        }
    }

    /// Content of the file, if the source is one.
    pub fn reading(&self) -> Option<&SourceReport> {
        match &self.entries {
            Entries::Qm9(_) => None,
            Entries::File(reading) => Some(reading),
        }
    }

    fn molecule(&self, index: usize) -> Option<String> {
        match &self.entries {
            Entries::Qm9(data) => {
                let smiles = data.get(index).smiles;
                let molecule =
                    may_hold(&self.space, smiles).then(|| Molecule::from_canonical(smiles));
                let molecule = molecule.and_then(Result::ok);
                // Its SMILES is the identity.
                molecule
                    .filter(|molecule| self.rules.violation(molecule).is_none())
                    .map(|_| smiles.to_owned())
            }
            Entries::File(reading) => reading.kept.get(index).map(|named| named.smiles.clone()),
        }
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Qm9(_) => f.write_str("Qm9"),
            Self::File(reading) => reading.fmt(f),
        }
    }
}

/// Quick check of a QM9 SMILES, whose elements all have one letter: returns false if its size or
/// elements do not fit.
fn may_hold(space: &SearchSpace, smiles: &str) -> bool {
    let mut symbols = smiles
        .bytes()
        .filter(|byte| byte.is_ascii_alphabetic() && *byte != b'H')
        .map(|byte| byte.to_ascii_uppercase());
    let known = |symbol: u8| {
        space
            .elements
            .iter()
            .any(|element| element.as_bytes() == [symbol])
    };
    let mut size = 0;
    symbols.all(|symbol| {
        size += 1;
        size <= space.max_heavy_atoms && known(symbol)
    })
}

/// Reads the entries of a `.smi`, `.csv` or `.tsv` file. `mmff94`: skips molecules for which MMFF94
/// has no parameters.
///
/// # Errors
///
/// Fails if the file cannot be read, or has text that is not SMILES where SMILES are expected.
pub fn read(path: &Path, space: &SearchSpace, mmff94: bool) -> Result<SourceReport, Diagnostics> {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let read: fn(&Arc<Text>) -> Result<MoleculeTable, Diagnostics> = match extension.as_str() {
        "smi" => table::lines,
        "csv" | "tsv" => table::table,
        _ => {
            let message = format!(
                "the source `{}` is neither `qm9` nor a `.smi`, `.csv` or `.tsv` file",
                space.source
            );
            let hint = "write `qm9`, or the path of a file with one SMILES per line (`.smi`) or a column `smiles` (`.csv`, `.tsv`)";
            return Err(Diagnostic::new(message).hint(hint).into());
        }
    };
    let text = Text::read(path)?;
    let reading = judge(&text, read(&text)?, space, mmff94)?;
    if !reading.kept.is_empty() {
        return Ok(reading);
    }
    let message = match reading.read {
        0 => format!("the source `{}` has no molecules", space.source),
        count => format!(
            "none of the {count} molecules of `{}` lies in the search space ({reading})",
            space.source
        ),
    };
    let hint = "molecules must have the elements, ring sizes, molar mass and patterns that `search_space` asks for, no more than its heavy atoms, its charge unless `ions` allows any, and no unpaired electrons unless `radicals` allows them; where the engine does not relax them, MMFF94 must have parameters for them";
    Err(Diagnostic::new(message).hint(hint).into())
}

/// Sorts the rows of a file into molecules, duplicates and skipped entries; text that is not SMILES
/// is an error.
fn judge(
    text: &Arc<Text>,
    table: MoleculeTable,
    space: &SearchSpace,
    mmff94: bool,
) -> Result<SourceReport, Diagnostics> {
    let MoleculeTable { rows, layout } = table;
    let mut reading = SourceReport {
        file: space.source.clone(),
        layout,
        read: rows.len(),
        kept: Vec::new(),
        duplicates: Vec::new(),
        skipped: BTreeMap::new(),
        names: Vec::new(),
    };
    let mut diagnostics = Diagnostics::default();
    let rules = space.rules();
    let mut seen = BTreeSet::new();
    for row in rows {
        let smiles = match molecule(&row.smiles, space, &rules, mmff94) {
            Ok(Ok(molecule)) => molecule.identity(space.stereo()),
            Ok(Err(reason)) => {
                reading.skipped.entry(reason).or_default().push(row.into());
                continue;
            }
            Err(error) => {
                diagnostics.push(unreadable(&error, row.place(text), &reading.layout));
                continue;
            }
        };
        if let Some(name) = &row.name {
            reading.names.push((smiles.clone(), name.clone()));
        }
        if seen.insert(smiles.clone()) {
            let name = row.name;
            reading.kept.push(NamedMolecule { smiles, name });
        } else {
            reading.duplicates.push(row.into());
        }
    }
    diagnostics.or(reading)
}

impl From<MoleculeRow> for SourceEntry {
    fn from(row: MoleculeRow) -> Self {
        Self {
            smiles: row.smiles,
            name: row.name,
            line: row.line,
        }
    }
}

fn unreadable(error: &ChemError, place: Place, layout: &str) -> Diagnostic {
    let hint = format!(
        "correct or remove this line, or put `#` in front of the SMILES to leave it out; the file was read as {layout}"
    );
    Diagnostic::new(error.to_string()).at(place).hint(hint)
}

/// Molecule of an entry, or the reason for skipping it; an error if it is not SMILES.
fn molecule(
    smiles: &str,
    space: &SearchSpace,
    rules: &StructureRules,
    mmff94: bool,
) -> Result<Result<Molecule, SkipReason>, ChemError> {
    if smiles.is_empty() {
        return Ok(Err(SkipReason::NoSmiles));
    }
    let molecule = match Molecule::parse(smiles) {
        Err(ChemError::SeveralFragments { .. }) => {
            let Ok(mixture) = Mixture::parse(smiles) else {
                return Ok(Err(SkipReason::Impossible));
            };
            match mixture.parent().filter(|_| space.largest_fragment) {
                Some(parent) => parent,
                None if mixture.is_salt() => return Ok(Err(SkipReason::Salt)),
                None => return Ok(Err(SkipReason::Mixture)),
            }
        }
        parsed => parsed,
    };
    Ok(match molecule {
        Ok(molecule) => match rules.violation(&molecule) {
            None if mmff94 && !molecule.has_mmff94_parameters() => Err(SkipReason::NoMmff94),
            None => Ok(molecule),
            Some(reason) => Err(SkipReason::OutsideSpace(reason)),
        },
        Err(ChemError::Wildcard { .. }) => Err(SkipReason::Wildcard),
        Err(ChemError::Unsupported { .. }) => Err(SkipReason::Bond),
        Err(ChemError::Impossible { .. }) => Err(SkipReason::Impossible),
        Err(ChemError::TooLong { .. }) => Err(SkipReason::OutsideSpace(SpaceViolation::Size)),
        Err(_) if is_reaction(smiles) => Err(SkipReason::Reaction),
        Err(error) => return Err(error),
    })
}

/// Returns true for reaction SMILES, `reactants>agents>products`, each of which is SMILES or empty.
fn is_reaction(smiles: &str) -> bool {
    // `->` is a dative bond.
    let arrow = |at: usize| smiles[..at].ends_with('-');
    let ends: Vec<usize> = smiles
        .match_indices('>')
        .map(|(at, _)| at)
        .filter(|at| !arrow(*at))
        .collect();
    let [first, second] = ends.as_slice() else {
        return false;
    };
    let parts = [
        &smiles[..*first],
        &smiles[first + 1..*second],
        &smiles[second + 1..],
    ];
    let reads = |part: &&str| {
        part.is_empty() || !matches!(Molecule::parse(part), Err(ChemError::Unreadable { .. }))
    };
    parts.iter().any(|part| !part.is_empty()) && parts.iter().all(reads)
}
