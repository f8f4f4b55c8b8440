//! What shows that the journal is whole: a checksum of each fact and all before it, and a note of the last one beside
//! the database.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Name of the note in a run directory.
pub const NOTE: &str = "journal.head";

/// Checksum of a fact and of all facts before it.
pub type Seal = [u8; 16];

/// Before the first fact.
pub const BEGINNING: Seal = [0; 16];

/// The checksum after `before`.
pub fn next(before: &Seal, event: &str) -> Seal {
    digest(&[before, event.as_bytes()])
}

/// A checksum of several texts.
pub fn digest(parts: &[&[u8]]) -> Seal {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts are the same text.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut seal = BEGINNING;
    seal.copy_from_slice(&hash.finalize()[..16]);
    seal
}

/// The last fact that was committed, as a file. It is not synced: it survives the engine, and after a power cut it may be
/// behind the database, but never before it. So SQLite's log cannot lose its end, or be left behind in a copy, unnoticed.
#[derive(Debug)]
pub struct Note(File);

impl Note {
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        options.open(dir.join(NOTE)).map(Self)
    }

    /// One write of a few bytes: a process that is killed has made it or not.
    pub fn write(&self, seq: i64, seal: &Seal) -> io::Result<()> {
        self.0.write_all_at(line(seq, seal).as_bytes(), 0)
    }
}

/// What the note says, if there is one; an error when it cannot be understood.
pub fn read(dir: &Path) -> io::Result<Option<(i64, String)>> {
    let text = match fs::read_to_string(dir.join(NOTE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Made, and not yet written.
        Ok(text) if text.is_empty() => return Ok(None),
        text => text?,
    };
    let parsed = text.split_once(' ').and_then(|(seq, seal)| {
        let seq: i64 = seq.parse().ok()?;
        Some((seq, seal.trim_end().to_owned()))
    });
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, format!("`{NOTE}` is garbled"));
    parsed.ok_or_else(garbled).map(Some)
}

pub fn hex(seal: &[u8]) -> String {
    seal.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Always of the same length.
fn line(seq: i64, seal: &Seal) -> String {
    format!("{seq:020} {}\n", hex(seal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_every_fact_before_reaches_the_checksum() {
        let seal = |events: &[&str]| events.iter().fold(BEGINNING, |seal, e| next(&seal, e));
        let whole = seal(&["a", "b", "c"]);
        for other in [
            &["a", "c", "b"][..],
            &["a", "b"],
            &["ab", "c"],
            &["a", "b", "b"],
            &["c"],
        ] {
            assert_ne!(seal(other), whole, "{other:?}");
        }
    }
}
