//! Rules on the structure of whole molecules, which decide what lies in a search space.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::molecule::{Molecule, atomic_mass};
use super::rings::ring_sizes;
use super::smarts::Smarts;

/// Rules that a whole molecule keeps or breaks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StructureRules {
    /// Symbols of the elements that it may have, hydrogen excepted.
    pub elements: Vec<String>,
    /// Most atoms that are not hydrogen.
    pub max_heavy_atoms: usize,
    /// Sizes that its rings may have.
    pub ring_sizes: Vec<usize>,
    /// Its net charge, elementary charges; none for any.
    pub charge: Option<i32>,
    /// True if it may have unpaired electrons.
    pub radicals: bool,
    /// Its lowest molar mass, g/mol.
    pub least_mass: Option<f64>,
    /// Its highest molar mass, g/mol.
    pub most_mass: Option<f64>,
    /// Patterns all of which it must have.
    pub require: Vec<Smarts>,
    /// Patterns none of which it may have.
    pub forbid: Vec<Smarts>,
}

/// Reason for which a molecule lies outside the search space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpaceViolation {
    /// An element that is not listed.
    Element,
    /// A single atom, which has no bonds.
    Atom,
    /// Another net charge than asked for.
    Charge,
    /// Unpaired electrons.
    Radical,
    /// More heavy atoms than allowed.
    Size,
    /// No heavy atom: molecular hydrogen.
    Nothing,
    /// A molar mass outside the range.
    Mass,
    /// A ring of a size that is not listed.
    Ring,
    /// It lacks a pattern that is required.
    Lacks(String),
    /// It has a pattern that is forbidden.
    Has(String),
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
            Self::Mass => "other molar mass",
            Self::Ring => "other ring size",
            Self::Lacks(pattern) => return write!(f, "without required {pattern}"),
            Self::Has(pattern) => return write!(f, "with forbidden {pattern}"),
        })
    }
}

impl StructureRules {
    /// Returns the first reason for which a molecule breaks the rules.
    pub fn violation(&self, molecule: &Molecule) -> Option<SpaceViolation> {
        let atoms = molecule.heavy_atoms();
        let has_other_element = atoms
            .iter()
            .any(|atom| !self.elements.contains(&atom.symbol));
        match atoms.len() {
            _ if has_other_element => Some(SpaceViolation::Element),
            _ if self
                .charge
                .is_some_and(|charge| charge != molecule.charge()) =>
            {
                Some(SpaceViolation::Charge)
            }
            _ if molecule.radical_electrons() != 0 && !self.radicals => {
                Some(SpaceViolation::Radical)
            }
            // Engines take a single atom as the zero of atomization energies: neutral, whatever
            // the charge that is asked for.
            _ if molecule.free_atom().is_some() => Some(SpaceViolation::Atom),
            0 => Some(SpaceViolation::Nothing),
            size if size > self.max_heavy_atoms => Some(SpaceViolation::Size),
            _ if !self.allows_mass(molecule) => Some(SpaceViolation::Mass),
            // The slowest checks come last.
            _ => self.ring_or_pattern(molecule),
        }
    }

    fn ring_or_pattern(&self, molecule: &Molecule) -> Option<SpaceViolation> {
        if self.has_other_ring(molecule) {
            return Some(SpaceViolation::Ring);
        }
        let lacks = |pattern: &&Smarts| !pattern.matches(molecule);
        if let Some(lacking) = self.require.iter().find(lacks) {
            return Some(SpaceViolation::Lacks(lacking.text().to_owned()));
        }
        let mut forbidden = self.forbid.iter();
        let found = forbidden.find(|pattern| pattern.matches(molecule))?;
        Some(SpaceViolation::Has(found.text().to_owned()))
    }

    fn has_other_ring(&self, molecule: &Molecule) -> bool {
        let is_other = |size: &usize| !self.ring_sizes.contains(size);
        // Rings need not be found where every size is allowed that the molecule has atoms for.
        let mut possible = 3..=molecule.heavy_atoms().len();
        possible.any(|size| is_other(&size)) && ring_sizes(molecule).iter().any(is_other)
    }

    fn allows_mass(&self, molecule: &Molecule) -> bool {
        if self.least_mass.is_none() && self.most_mass.is_none() {
            return true;
        }
        let counts = molecule.element_counts().into_iter();
        let masses = counts.map(|(symbol, n)| atomic_mass(&symbol).unwrap_or(0.0) * n as f64);
        let mass: f64 = masses.sum();
        self.least_mass.is_none_or(|least| least <= mass)
            && self.most_mass.is_none_or(|most| mass <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_a_molecule_breaks_is_named() {
        let rules = StructureRules {
            elements: ["C", "O", "N"].map(str::to_owned).to_vec(),
            max_heavy_atoms: 9,
            ring_sizes: vec![5, 6],
            charge: Some(0),
            radicals: false,
            least_mass: None,
            // 4-aminophenol, C6H7NO: 109.128 g/mol.
            most_mass: Some(109.2),
            require: vec![Smarts::parse("[OX2H]").unwrap()],
            forbid: vec![
                Smarts::parse("[NX3;H2]").unwrap(),
                Smarts::parse("C#C").unwrap(),
            ],
        };
        let broken = |smiles| {
            let violation = rules.violation(&Molecule::parse(smiles).unwrap());
            violation.map(|violation| violation.to_string())
        };
        assert_eq!(broken("Oc1ccccc1"), None);
        let said = [
            ("CF", "other element"),
            ("C[O-]", "charged"),
            ("CC(C)CCCCCCCO", "too large"),
            ("OC1CCCCCCC1", "other molar mass"),
            ("OC1CC1", "other ring size"),
            ("COC", "without required [OX2H]"),
            ("Nc1ccc(O)cc1", "with forbidden [NX3;H2]"),
            ("OCC#C", "with forbidden C#C"),
        ];
        for (smiles, reason) in said {
            assert_eq!(broken(smiles).as_deref(), Some(reason), "{smiles}");
        }
    }
}
