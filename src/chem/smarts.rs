//! SMARTS patterns: substructures that molecules must have or must not have.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ChemError;
use super::molecule::{Molecule, read_smiles};

/// A SMARTS pattern. Two are equal if their texts are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Smarts {
    text: String,
    query: Arc<cosmolkit::QueryGraph>,
}

/// The pattern of a charged atom, which is answered without the toolkit: a pool may have hundreds of
/// thousands of molecules.
const CHARGED_ATOM: &str = "[!+0]";

/// Molecule on which a new pattern is tried: the toolkit reads some patterns that it cannot match.
const TRIED_ON: &str = "C[C@H](N)C(=O)Oc1ccccc1";

impl Smarts {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// The text is not SMARTS, or has a feature that the toolkit cannot match.
    pub fn parse(text: &str) -> Result<Self, ChemError> {
        let unreadable = |reason: String| ChemError::Pattern {
            text: text.to_owned(),
            reason,
        };
        if text.trim().is_empty() || text.contains(char::is_whitespace) || !text.is_ascii() {
            let reason = "SMARTS is not empty and has neither blanks nor letters outside ASCII";
            return Err(unreadable(reason.to_owned()));
        }
        let query = cosmolkit::parse_smarts(text).map_err(|error| unreadable(error.to_string()))?;
        let tried = read_smiles(TRIED_ON)?.has_substruct_match(&query);
        tried.map_err(|error| unreadable(error.to_string()))?;
        Ok(Self {
            text: text.to_owned(),
            query: Arc::new(query),
        })
    }

    /// Returns true if the molecule has the pattern, as RDKit's `HasSubstructMatch`.
    pub fn matches(&self, molecule: &Molecule) -> bool {
        if self.text == CHARGED_ATOM {
            return molecule.has_charged_atoms();
        }
        let found = molecule.inner().has_substruct_match(&self.query);
        // `parse` has tried it.
        found.unwrap_or(false)
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Smarts {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Smarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smarts({})", self.text)
    }
}

impl TryFrom<String> for Smarts {
    type Error = ChemError;

    fn try_from(text: String) -> Result<Self, ChemError> {
        Self::parse(&text)
    }
}

impl From<Smarts> for String {
    fn from(pattern: Smarts) -> Self {
        pattern.text
    }
}
