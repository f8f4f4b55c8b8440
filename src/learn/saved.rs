//! Format of saved models and agents: a line with the kind of content and its layout, then the
//! content.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Format of one kind of saved content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedFormat {
    /// Kind of content, one word.
    pub name: &'static str,
    /// Version of the layout.
    pub layout: u32,
}

/// Error of reading saved bytes.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Bytes of another kind.
    #[error("this is no {0} saved by moldflow")]
    NotOfKind(&'static str),
    /// Layout of another version.
    #[error("this {name} has layout {found}, this version of moldflow reads layout {known}")]
    Layout {
        /// Kind of content.
        name: &'static str,
        /// Layout of the bytes.
        found: String,
        /// Layout of this version.
        known: u32,
    },
    /// Content that cannot be decoded.
    #[error("this {0} is damaged or cut short")]
    Damaged(&'static str),
    /// Agent with another network.
    #[error(
        "this agent has layers of {saved:?} units, the settings ask for {asked:?}: \
         restore `fingerprint_bits` and `hidden`, or begin without it"
    )]
    Layers {
        /// Widths of the saved input and hidden layers.
        saved: Vec<usize>,
        /// Widths of the requested input and hidden layers.
        asked: Vec<usize>,
    },
}

impl SavedFormat {
    /// Encodes `value` after the first line.
    pub fn encode<T: Serialize>(self, value: &T) -> Result<Vec<u8>, SavedError> {
        let line = format!("moldflow {} {}\n", self.name, self.layout);
        postcard::to_extend(value, line.into_bytes()).map_err(|_| SavedError::Damaged(self.name))
    }

    /// Decodes all of `bytes`.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, SavedError> {
        match postcard::take_from_bytes(self.content(bytes)?) {
            Ok((value, [])) => Ok(value),
            _ => Err(SavedError::Damaged(self.name)),
        }
    }

    /// Content of `bytes`, behind a valid first line.
    pub fn content(self, bytes: &[u8]) -> Result<&[u8], SavedError> {
        let not_of_kind = || SavedError::NotOfKind(self.name);
        let start = format!("moldflow {} ", self.name);
        let rest = bytes
            .strip_prefix(start.as_bytes())
            .ok_or_else(not_of_kind)?;
        let end = (rest.iter().position(|byte| *byte == b'\n')).ok_or_else(not_of_kind)?;
        let found = String::from_utf8_lossy(&rest[..end]);
        if found == self.layout.to_string() {
            return Ok(&rest[end + 1..]);
        }
        Err(SavedError::Layout {
            name: self.name,
            found: found.into_owned(),
            known: self.layout,
        })
    }
}
