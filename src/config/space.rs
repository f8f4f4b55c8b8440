//! Membership of molecules in the search space.

use super::campaign::SearchSpace;
use crate::chem::{Molecule, Smarts, StructureRules};

/// Elements that molecules can be built with; hydrogen is implied.
pub const ELEMENTS: [&str; 10] = ["B", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"];

/// Elements without MMFF94 parameters.
pub const WITHOUT_MMFF94: [&str; 1] = ["B"];

impl SearchSpace {
    /// Returns the rules that its molecules keep. Patterns that are not SMARTS, which `check`
    /// refuses, are left out.
    pub fn rules(&self) -> StructureRules {
        let patterns = |texts: &[String]| {
            let texts = texts.iter();
            texts.filter_map(|text| Smarts::parse(text).ok()).collect()
        };
        StructureRules {
            elements: self.elements.clone(),
            max_heavy_atoms: self.max_heavy_atoms,
            ring_sizes: self.allowed_ring_sizes.clone(),
            charge: self.allowed_charge(),
            radicals: self.radicals,
            least_mass: self.molar_mass.min,
            most_mass: self.molar_mass.max,
            require: patterns(&self.require),
            forbid: patterns(&self.forbid),
        }
    }

    /// The net charge of every molecule; none if any is allowed.
    pub fn allowed_charge(&self) -> Option<i32> {
        (self.charge != 0 || !self.ions).then_some(self.charge)
    }

    /// Returns true if the molecule keeps all rules.
    pub fn holds(&self, molecule: &Molecule) -> bool {
        self.rules().violation(molecule).is_none()
    }
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
}
