//! Molecules of a forecast with their energies: a part of QM9, copied as often as needed.

use std::collections::{BTreeMap, HashMap};

use crate::chem::Molecule;
use crate::chem::qm9::{FREE_ATOMS, Qm9, Qm9Entry};
use crate::config::campaign::SearchSpace;

/// Most molecules that are read: parsing a SMILES takes most of a millisecond.
const MOST: usize = 10_000;

/// Molecules of QM9 whose elements and size lie in the search space, evenly taken from all of
/// these. Each has several copies, which the engine takes for different molecules.
pub struct Table {
    rows: Vec<TableMolecule>,
    /// Indices in `rows`.
    by_smiles: HashMap<String, usize>,
    /// Copies of each molecule, itself included.
    copies: usize,
    /// Mean and standard deviation of the atomization energies, hartree.
    mean: f64,
    /// Standard deviation of the objective, hartree.
    deviation: f64,
}

/// A molecule of the table.
struct TableMolecule {
    smiles: String,
    /// Total energy.
    u0_hartree: f64,
    /// Number of atoms of each element of `FREE_ATOMS`.
    counts: [u32; FREE_ATOMS.len()],
    /// Atomization energy, hartree.
    value: f64,
}

/// Separator before the number of a copy; no SMILES contains it.
const COPY: char = '~';

impl Table {
    /// So many copies that `molecules` are no more than half of all; none if the search space has
    /// nothing of QM9. `per_atom`: atomization energies are divided by the number of atoms.
    pub fn open(space: &SearchSpace, per_atom: bool, molecules: usize) -> Option<Self> {
        let qm9 = Qm9::open();
        let (mut rows, mut by_smiles) = (Vec::new(), HashMap::new());
        let entries = qm9.molecules();
        let entries = entries.filter(|entry| lies_in(space, entry.smiles));
        let entries: Vec<Qm9Entry> = entries.collect();
        let every = entries.len().div_ceil(MOST).max(1);
        for entry in entries.into_iter().step_by(every) {
            let Ok(molecule) = Molecule::parse(entry.smiles) else {
                continue;
            };
            let row = TableMolecule::new(&molecule, entry, per_atom);
            by_smiles.entry(row.smiles.clone()).or_insert_with(|| {
                rows.push(row);
                rows.len() - 1
            });
        }
        if rows.is_empty() {
            return None;
        }
        let n = rows.len() as f64;
        let mean = rows.iter().map(|row| row.value).sum::<f64>() / n;
        let squares = rows.iter().map(|row| (row.value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / n).sqrt();
        Some(Self {
            copies: (2 * molecules).div_ceil(rows.len()).max(1),
            mean,
            deviation,
            rows,
            by_smiles,
        })
    }

    /// Returns the number of molecules, copies included.
    pub(super) fn size(&self) -> usize {
        self.rows.len() * self.copies
    }

    /// Returns the number of distinct molecules.
    pub(super) fn distinct(&self) -> usize {
        self.rows.len()
    }

    /// Returns the name of the molecule with this index: a SMILES, followed by the number of its
    /// copy from the second one on.
    pub(super) fn name(&self, molecule: usize) -> String {
        let smiles = &self.rows[molecule % self.rows.len()].smiles;
        match molecule / self.rows.len() {
            0 => smiles.clone(),
            copy => format!("{smiles}{COPY}{}", copy + 1),
        }
    }

    /// Atomization energy, hartree.
    pub fn value(&self, molecule: usize) -> f64 {
        self.rows[molecule % self.rows.len()].value
    }

    /// Standard deviation of the atomization energies, hartree.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// Mean of the atomization energies, hartree.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The lowest value of the atomization energies, hartree.
    pub fn lowest(&self) -> f64 {
        let values = self.rows.iter().map(|row| row.value);
        values.fold(f64::INFINITY, f64::min)
    }

    /// Returns total energy in hartree and number of atoms by element of `name`, a molecule of the
    /// table or a free atom in brackets; None for another name.
    pub(super) fn energy(&self, name: &str) -> Option<(f64, BTreeMap<String, u32>)> {
        let Some(row) = self.row(name) else {
            let symbol = name.strip_prefix('[')?.strip_suffix(']')?;
            let atom = FREE_ATOMS.iter().find(|(element, _)| *element == symbol);
            // Elements that QM9 lacks are in no molecule of the table.
            let energy = atom.map_or(0.0, |(_, energy)| *energy);
            return Some((energy, BTreeMap::from([(symbol.to_owned(), 1)])));
        };
        let atoms = FREE_ATOMS.iter().zip(row.counts);
        let atoms = atoms.filter(|(_, count)| *count > 0);
        let atoms = atoms.map(|((symbol, _), count)| ((*symbol).to_owned(), count));
        Some((row.u0_hartree, atoms.collect()))
    }

    /// Returns true if `name` is no molecule of the table.
    pub(super) fn is_atom(&self, name: &str) -> bool {
        self.row(name).is_none()
    }

    fn row(&self, name: &str) -> Option<&TableMolecule> {
        let smiles = name.split(COPY).next()?;
        Some(&self.rows[*self.by_smiles.get(smiles)?])
    }
}

impl TableMolecule {
    fn new(molecule: &Molecule, entry: Qm9Entry<'_>, per_atom: bool) -> Self {
        let u0_hartree = entry.u0_hartree;
        let of_molecule = molecule.element_counts();
        let counts = FREE_ATOMS.map(|(symbol, _)| of_molecule.get(symbol).map_or(0, |n| *n as u32));
        let apart: f64 = (FREE_ATOMS.iter().zip(counts))
            .map(|((_, energy), count)| energy * f64::from(count))
            .sum();
        let share = match per_atom {
            true => f64::from(counts.iter().sum::<u32>()),
            false => 1.0,
        };
        Self {
            smiles: entry.smiles.to_owned(),
            u0_hartree,
            counts,
            value: (u0_hartree - apart) / share,
        }
    }
}

/// Quick check of a QM9 SMILES, whose elements all have one letter: returns false if its size or
/// elements do not fit.
fn lies_in(space: &SearchSpace, smiles: &str) -> bool {
    let letters = smiles.bytes().filter(u8::is_ascii_alphabetic);
    let heavy = letters.filter(|letter| *letter != b'H');
    let listed = |letter: u8| {
        let symbol = [letter.to_ascii_uppercase()];
        let mut elements = space.elements.iter();
        elements.any(|element| element.as_bytes() == symbol)
    };
    (1..=space.max_heavy_atoms).contains(&heavy.clone().count()) && heavy.clone().all(listed)
}
