//! Membership of molecules in the search space.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use super::campaign::SearchSpace;
use crate::chem::{HeavyAtom, Molecule};

/// Elements that molecules can be built with; hydrogen is implied.
pub const ELEMENTS: [&str; 10] = ["B", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"];

/// Elements without MMFF94 parameters.
pub const WITHOUT_MMFF94: [&str; 1] = ["B"];

/// Reason for which a molecule lies outside the search space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpaceViolation {
    /// An element that is not listed.
    Element,
    /// A single atom, which has no bonds.
    Atom,
    /// A net charge.
    Charge,
    /// Unpaired electrons.
    Radical,
    /// More heavy atoms than allowed.
    Size,
    /// No heavy atom: molecular hydrogen.
    Nothing,
    /// A ring of a size that is not listed.
    Ring,
}

impl fmt::Display for SpaceViolation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Element => "other element",
            Self::Atom => "single atom",
            Self::Charge => "charged",
            Self::Radical => "radical",
            Self::Size => "too large",
            Self::Nothing => "without heavy atoms",
            Self::Ring => "other ring size",
        })
    }
}

impl SearchSpace {
    /// Returns true if the molecule has only allowed elements and rings, is small enough, and is
    /// neutral and without unpaired electrons unless those are allowed.
    pub fn holds(&self, molecule: &Molecule) -> bool {
        self.violation(molecule).is_none()
    }

    /// Returns the first reason for which the molecule lies outside the search space.
    pub fn violation(&self, molecule: &Molecule) -> Option<SpaceViolation> {
        let atoms = molecule.heavy_atoms();
        let has_other_element = atoms
            .iter()
            .any(|atom| !self.elements.contains(&atom.symbol));
        let has_other_ring = || {
            ring_sizes(atoms)
                .iter()
                .any(|size| !self.allowed_ring_sizes.contains(size))
        };
        // Finding rings takes longest.
        match atoms.len() {
            _ if has_other_element => Some(SpaceViolation::Element),
            _ if molecule.charge() != 0 && !self.ions => Some(SpaceViolation::Charge),
            _ if molecule.radical_electrons() != 0 && !self.radicals => {
                Some(SpaceViolation::Radical)
            }
            // Engines take a single atom as the zero of atomization energies: neutral, whatever
            // the charge that is asked for.
            _ if molecule.free_atom().is_some() => Some(SpaceViolation::Atom),
            0 => Some(SpaceViolation::Nothing),
            size if size > self.max_heavy_atoms => Some(SpaceViolation::Size),
            _ => has_other_ring().then_some(SpaceViolation::Ring),
        }
    }
}

/// Sizes of the smallest rings of the bonds.
fn ring_sizes(atoms: &[HeavyAtom]) -> BTreeSet<usize> {
    let bonds = atoms.iter().enumerate();
    let bonds =
        bonds.flat_map(|(from, atom)| atom.neighbours.iter().map(move |(_, to)| (from, *to)));
    bonds
        .filter(|(from, to)| from < to)
        .filter_map(|(from, to)| ring_of(atoms, from, to))
        .collect()
}

/// Number of atoms of the smallest ring of a bond: shortest path around it, breadth first.
fn ring_of(atoms: &[HeavyAtom], from: usize, to: usize) -> Option<usize> {
    let mut size = vec![0; atoms.len()];
    size[from] = 1;
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for (_, next) in &atoms[at].neighbours {
            let is_the_bond = at == from && *next == to;
            if size[*next] == 0 && !is_the_bond {
                size[*next] = size[at] + 1;
                queue.push_back(*next);
            }
        }
    }
    (size[to] > 0).then_some(size[to])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::edit;

    #[test]
    fn every_element_can_be_added_by_the_agent() {
        assert!(
            ELEMENTS
                .iter()
                .all(|element| edit::valence(element).is_some())
        );
    }

    #[test]
    fn mmff94_treats_molecules_of_every_element_but_those_listed() {
        for element in ELEMENTS {
            let treated = Molecule::parse(&format!("C{element}")).unwrap();
            assert_ne!(
                treated.has_mmff94_parameters(),
                WITHOUT_MMFF94.contains(&element),
                "{element}"
            );
        }
    }

    #[test]
    fn the_rings_of_a_molecule_are_the_smallest() {
        let sizes =
            |smiles| Vec::from_iter(ring_sizes(Molecule::parse(smiles).unwrap().heavy_atoms()));
        assert_eq!(sizes("CCO"), [0; 0]);
        assert_eq!(sizes("c1ccccc1"), [6]);
        // Norbornane: two rings of five, not the six around them.
        assert_eq!(sizes("C1CC2CCC1C2"), [5]);
        assert_eq!(sizes("C1CC1C1CCC1"), [3, 4]);
    }
}
