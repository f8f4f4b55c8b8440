//! Molecule identity: the one definition of when two SMILES denote the same molecule.
//!
//! It is taken where molecules enter the program (source, command line). From there on a molecule
//! is known by its identity, so the draw, the queue, known results, the agent, cache keys and
//! exports compare plain strings.

use cosmolkit::SmilesWriteParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::molecule::write_smiles;
use super::{ChemError, Molecule};

/// Treatment of stereoisomers and isotopologues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stereo {
    /// No: a molecule is its graph, and its stereoisomers count as conformers.
    #[default]
    Ignore,
    /// Yes: a specified stereocentre, double bond or isotope is part of the molecule.
    Keep,
}

impl Molecule {
    /// Canonical SMILES that identifies the molecule in a campaign; parsed again, it is its own
    /// identity.
    ///
    /// Charges and hydrogens belong to it, atom map numbers never do.
    pub fn identity(&self, stereo: Stereo) -> String {
        match self.reduced(stereo) {
            Ok(molecule) => molecule.canonical_smiles(),
            Err(_) => self.canonical_smiles(),
        }
    }

    /// The same graph without what does not belong to its identity, its atoms in the order of its
    /// canonical SMILES.
    pub(super) fn reduced(&self, stereo: Stereo) -> Result<Self, ChemError> {
        let params = SmilesWriteParams {
            isomeric_smiles: stereo == Stereo::Keep,
            ignore_atom_map_numbers: true,
            ..SmilesWriteParams::default()
        };
        // Read again: without isotope or map, a bracket atom or a hydrogen may be an ordinary one.
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
