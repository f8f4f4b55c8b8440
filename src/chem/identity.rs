//! Molecule identity: the one definition of when two SMILES denote the same molecule.
//!
//! It is computed where molecules enter the program (source, command line). Everything behind that,
//! the draw, the queue, known results, the agent, cache keys and exports, compares identities as
//! plain strings.

use cosmolkit::SmilesWriteParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::molecule::write_smiles;
use super::{ChemError, Molecule};

/// Treatment of stereoisomers and isotopologues in a molecule's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stereo {
    /// A molecule is its graph; its stereoisomers count as conformers.
    #[default]
    Ignore,
    /// A specified stereocentre, double bond or isotope makes another molecule.
    Keep,
}

impl Molecule {
    /// Canonical SMILES that identifies the molecule in a campaign. It contains charges and
    /// hydrogens, but no atom map numbers. The identity of a parsed identity is the same text.
    pub fn identity(&self, stereo: Stereo) -> String {
        match self.reduced(stereo) {
            Ok(molecule) => molecule.canonical_smiles(),
            Err(_) => self.canonical_smiles(),
        }
    }

    /// Molecule of the identity, its atoms in the order of its canonical SMILES.
    pub(super) fn reduced(&self, stereo: Stereo) -> Result<Self, ChemError> {
        let params = SmilesWriteParams {
            isomeric_smiles: stereo == Stereo::Keep,
            ignore_atom_map_numbers: true,
            ..SmilesWriteParams::default()
        };
        // Parsed again: without isotope or map, a bracket atom or a hydrogen may be an ordinary
        // one.
        Self::parse(&without_maps(&write_smiles(self.inner(), &params)))
    }
}

/// Removes the atom map numbers: `[CH3:1]` becomes `[CH3]`.
fn without_maps(smiles: &str) -> String {
    let mut text = String::with_capacity(smiles.len());
    let mut in_bracket = false;
    let mut letters = smiles.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '[' => in_bracket = true,
            ']' => in_bracket = false,
            // Outside of brackets it is an aromatic bond.
            ':' if in_bracket => {
                while letters.next_if(char::is_ascii_digit).is_some() {}
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    text
}
