//! Atom-centred groups: what the group-contribution model counts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::chem::{BondKind, HeavyAtom, Molecule};

/// The group of each heavy atom, in atom order: the atom, then its heavy neighbours, each with its
/// bond, sorted.
///
/// An atom is `[<symbol>D<degree>]` with the heavy neighbours as its degree; all neighbours but the
/// last stand in parentheses. The carbonyl carbon of acetamide is `[CD3](=[OD1])([CD1])[ND1]`.
pub fn groups(molecule: &Molecule) -> Vec<String> {
    let atoms = molecule.heavy_atoms();
    let group = |atom: &HeavyAtom| {
        let mut neighbours: Vec<String> = (atom.neighbours.iter())
            .map(|(kind, other)| format!("{}{}", bond(*kind), token(&atoms[*other])))
            .collect();
        neighbours.sort_unstable();
        let last = neighbours.pop().unwrap_or_default();
        let branches: String = neighbours
            .iter()
            .map(|token| format!("({token})"))
            .collect();
        format!("{}{branches}{last}", token(atom))
    };
    atoms.iter().map(group).collect()
}

/// The distinct groups of some molecules, sorted: the columns of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    groups: Vec<String>,
}

impl Vocabulary {
    /// All groups of `molecules`.
    pub fn of<'a>(molecules: impl IntoIterator<Item = &'a Molecule>) -> Self {
        let groups: BTreeSet<String> = molecules.into_iter().flat_map(groups).collect();
        Self {
            groups: groups.into_iter().collect(),
        }
    }

    /// This with the groups of `molecules` as well, and where each of its own columns is in it.
    pub fn with<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> (Self, Vec<usize>) {
        let mut all = Self::of(molecules).groups;
        all.extend_from_slice(&self.groups);
        all.sort_unstable();
        all.dedup();
        let place = |group| all.partition_point(|other| other < group);
        let places = self.groups.iter().map(place).collect();
        (Self { groups: all }, places)
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Counts of the groups of `molecule`, as (column, count), ascending; groups that are not
    /// listed are dropped.
    pub fn counts(&self, molecule: &Molecule) -> Vec<(usize, f64)> {
        let mut columns: Vec<usize> = groups(molecule)
            .iter()
            .filter_map(|group| self.groups.binary_search(group).ok())
            .collect();
        columns.sort_unstable();
        columns
            .chunk_by(|a, b| a == b)
            .map(|equal| (equal[0], equal.len() as f64))
            .collect()
    }
}

fn token(atom: &HeavyAtom) -> String {
    format!("[{}D{}]", atom.symbol, atom.neighbours.len())
}

fn bond(kind: BondKind) -> &'static str {
    match kind {
        BondKind::Single => "",
        BondKind::Double => "=",
        BondKind::Triple => "#",
        BondKind::Aromatic => ":",
    }
}
