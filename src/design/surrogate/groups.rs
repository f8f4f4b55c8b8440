//! Atom-centred groups, the features of the group-contribution model.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::chem::{BondKind, HeavyAtom, Molecule};
use crate::learn::counts::counts;

/// Group of each heavy atom, in atom order: the atom, followed by its heavy neighbours with their
/// bonds, sorted.
///
/// An atom is written `[<symbol>D<degree>]`, its degree being the number of heavy neighbours; all
/// neighbours but the last are in parentheses. The carbonyl carbon of acetamide is
/// `[CD3](=[OD1])([CD1])[ND1]`.
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

/// Distinct groups of a set of molecules, sorted; each is a column of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    groups: Vec<String>,
}

/// Counts of the groups of a molecule.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupCounts {
    /// Groups of the vocabulary, as (column, count), by ascending column.
    pub known: Vec<(usize, f64)>,
    /// Count of each group that is not in the vocabulary.
    pub unknown: Vec<u32>,
}

/// Vocabulary with added groups.
pub(super) struct ExtendedVocabulary {
    pub vocabulary: Vocabulary,
    /// New column of each old column, ascending.
    pub places: Vec<usize>,
}

impl Vocabulary {
    /// Collects the groups of `molecules`.
    pub fn from_molecules<'a>(molecules: impl IntoIterator<Item = &'a Molecule>) -> Self {
        let groups: BTreeSet<String> = molecules.into_iter().flat_map(groups).collect();
        Self {
            groups: groups.into_iter().collect(),
        }
    }

    /// Vocabulary with the groups of `molecules` added.
    pub(super) fn extended<'a>(
        &self,
        molecules: impl IntoIterator<Item = &'a Molecule>,
    ) -> ExtendedVocabulary {
        let mut all = Self::from_molecules(molecules).groups;
        all.extend_from_slice(&self.groups);
        all.sort_unstable();
        all.dedup();
        let place = |group| all.partition_point(|other| other < group);
        ExtendedVocabulary {
            places: self.groups.iter().map(place).collect(),
            vocabulary: Self { groups: all },
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns true if there are no groups.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Counts of the groups of `molecule`.
    pub fn counts(&self, molecule: &Molecule) -> GroupCounts {
        let (mut columns, mut unknown) = (Vec::new(), Vec::new());
        for group in groups(molecule) {
            match self.groups.binary_search(&group) {
                Ok(column) => columns.push(column),
                Err(_) => unknown.push(group),
            }
        }
        columns.sort_unstable();
        let known = columns.chunk_by(|a, b| a == b);
        GroupCounts {
            known: known.map(|equal| (equal[0], equal.len() as f64)).collect(),
            unknown: counts(unknown)
                .into_iter()
                .map(|(_, count)| count)
                .collect(),
        }
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
