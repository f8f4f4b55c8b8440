//! Models and agents as bytes: a line that names the kind and its layout, then the content.

/// SavedFormat of saved data, and the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedFormat {
    pub name: &'static str,
    pub layout: u32,
}

/// Error of reading saved bytes.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("this is no {0} saved by moldflow")]
    NotOfKind(&'static str),
    #[error("this {name} has layout {found}, this version of moldflow reads layout {known}")]
    Layout {
        name: &'static str,
        found: String,
        known: u32,
    },
    #[error("this {0} is damaged or cut short")]
    Damaged(&'static str),
    #[error(
        "this agent has layers of {saved:?} units, the settings ask for {asked:?}: \
         restore `fingerprint_bits` and `hidden`, or begin without it"
    )]
    Layers {
        saved: Vec<usize>,
        asked: Vec<usize>,
    },
    #[error("the network could not be rebuilt")]
    Network(#[from] candle_core::Error),
}

impl SavedFormat {
    /// The first line of what is saved.
    pub fn line(self) -> String {
        format!("moldflow {} {}\n", self.name, self.layout)
    }

    /// Rest of `bytes` after a valid first line.
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
