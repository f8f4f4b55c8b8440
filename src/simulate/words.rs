//! Names that are copied from a campaign into the input of a program: one line, without characters
//! that have a meaning there.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The `format` of such names in the JSON Schema.
pub(crate) const WORD_FORMAT: &str = "program-words";

/// Name of a basis set, functional, method or program: `6-31G*`, `HFexch 0.2 slater 0.8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Words(String);

/// Error for text that is not such a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no name: letters, digits, blanks and `+-*/(),._` may stand in it")]
pub struct InvalidWords;

impl TryFrom<String> for Words {
    type Error = InvalidWords;

    fn try_from(text: String) -> Result<Self, InvalidWords> {
        let plain = |c: char| c.is_ascii_alphanumeric() || " +-*/(),._".contains(c);
        match text.chars().all(plain) && !text.trim().is_empty() {
            true => Ok(Self(text)),
            false => Err(InvalidWords),
        }
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0
    }
}

impl Words {
    /// Name that is known to be valid.
    pub(super) fn fixed(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A name as the program knows it.",
            "type": "string",
            "format": WORD_FORMAT,
            "pattern": r"^[A-Za-z0-9 +\-*/(),._]*[A-Za-z0-9+\-*/(),._][A-Za-z0-9 +\-*/(),._]*$",
        })
    }
}
