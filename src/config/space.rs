//! The search space: the molecules that may be proposed, and membership in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chem::{Molecule, Smarts, Stereo, StructureRules};

/// Elements that molecules can be built with; hydrogen is implied.
pub const ELEMENTS: [&str; 10] = ["B", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"];

/// Elements without MMFF94 parameters.
pub const WITHOUT_MMFF94: [&str; 1] = ["B"];

/// The molecules that may be proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSpace {
    /// `qm9`, or the path of a `.smi`, `.csv` or `.tsv` file, relative to the campaign file.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Element symbols of the heavy atoms; hydrogen is implied.
    #[schemars(length(min = 1))]
    pub elements: Vec<String>,
    /// Most atoms that are not hydrogen.
    #[schemars(range(min = 1, max = 100))]
    pub max_heavy_atoms: usize,
    /// Sizes that rings may have: those of molecules of the source and of proposals, and those that
    /// the agent closes.
    #[serde(default = "default_ring_sizes")]
    #[schemars(inner(range(min = 3, max = 20)))]
    pub allowed_ring_sizes: Vec<usize>,
    /// Net charge of every molecule, elementary charges.
    #[serde(default, skip_serializing_if = "is_neutral")]
    #[schemars(range(min = -10, max = 10))]
    pub charge: i32,
    /// Range of the molar mass.
    #[serde(default, skip_serializing_if = "MolarMassRange::is_open")]
    pub molar_mass: MolarMassRange,
    /// SMARTS patterns all of which a molecule must have: `["[OX2H]"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
    /// SMARTS patterns none of which a molecule may have: `["[N+](=O)[O-]"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbid: Vec<String>,
    /// Identity of molecules: stereoisomers and isotopologues are one molecule (`ignore`) or
    /// different molecules (`keep`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Stereo", default = "ignore")]
    pub stereo: Option<Stereo>,
    /// True to take the largest organic molecule of a salt, hydrate or mixture in the source, as
    /// neutral acid or base.
    #[serde(default)]
    pub largest_fragment: bool,
    /// True to compute ions in the source; zwitterions always are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ions: bool,
    /// True to compute molecules with unpaired electrons in the source.
    #[serde(default, skip_serializing_if = "is_false")]
    pub radicals: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Range of the molar mass of a molecule, g/mol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MolarMassRange {
    /// Lowest, g/mol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub min: Option<f64>,
    /// Highest, g/mol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub max: Option<f64>,
}

impl MolarMassRange {
    fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

fn is_neutral(charge: &i32) -> bool {
    *charge == 0
}

impl SearchSpace {
    /// Returns the identity of molecules. Version 0.1.0 wrote no such key, and kept stereo.
    pub fn stereo(&self) -> Stereo {
        self.stereo.unwrap_or(Stereo::Keep)
    }
}

/// Default identity of molecules, for the schema.
fn ignore() -> Option<Stereo> {
    Some(Stereo::Ignore)
}

fn default_ring_sizes() -> Vec<usize> {
    (3..=7).collect()
}

impl SearchSpace {
    /// Fills in what the file of a run states, unless version 0.1.0 wrote it.
    pub(super) fn fill_in_defaults(&mut self) {
        self.stereo.get_or_insert(Stereo::Ignore);
    }

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
