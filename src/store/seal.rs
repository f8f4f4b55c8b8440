//! Evidence that the journal is whole: a checksum of each fact and all before it, and a note of the
//! last one beside the database.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::host::hash::{self, hex};

/// Name of the note in a run directory.
pub const NOTE: &str = "journal.head";

/// Checksum of a fact and of all facts before it.
pub type Seal = [u8; 16];

/// Checksum before the first fact.
pub const BEGINNING: Seal = [0; 16];

/// Returns the checksum of `event` and all facts before it, whose checksum is `before`.
pub fn next(before: &Seal, event: &str) -> Seal {
    digest(&[before, event.as_bytes()])
}

/// Returns the checksum of several texts: the first 16 bytes of a SHA-256.
pub fn digest(parts: &[&[u8]]) -> Seal {
    // Each part with its length: no two lists of parts are the same text.
    let lengths: Vec<_> = parts
        .iter()
        .map(|part| (part.len() as u64).to_le_bytes())
        .collect();
    let whole = lengths
        .iter()
        .zip(parts)
        .flat_map(|(length, part)| [&length[..], part]);
    let mut seal = BEGINNING;
    seal.copy_from_slice(&hash::digest(whole)[..16]);
    seal
}

/// File that names the last fact that was committed. It is not synced: it survives the engine, and
/// after a power cut it may be behind the database, but never ahead of it. So SQLite's log cannot
/// lose its end, or be left behind in a copy, unnoticed.
#[derive(Debug)]
pub struct Note(File);

impl Note {
    /// Opens the note of a run directory; creates it if it is missing.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        options.open(dir.join(NOTE)).map(Self)
    }

    /// Replaces the note in one write of a few bytes: a process that is killed has made it or not.
    pub fn write(&self, seq: i64, seal: &Seal) -> io::Result<()> {
        self.0.write_all_at(line(seq, seal).as_bytes(), 0)
    }
}

/// Fact that a note names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedFact {
    /// Number of the fact, from 1.
    pub seq: i64,
    /// Its checksum, 32 hexadecimal digits.
    pub seal: String,
}

/// Reads the note of a run directory. None if there is no note, or only half of one was written.
pub fn read(dir: &Path) -> io::Result<Option<NotedFact>> {
    let mut text = Vec::new();
    match File::open(dir.join(NOTE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?.take(2 * LENGTH).read_to_end(&mut text)?,
    };
    Ok(str::from_utf8(&text).ok().and_then(parsed))
}

fn parsed(text: &str) -> Option<NotedFact> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let (seq, seal, check) = (words.next()?, words.next()?, words.next());
    let is_whole = match check {
        Some(check) => check == check_of(&format!("{seq} {seal}")),
        // Notes of early versions have no checksum.
        None => true,
    };
    let has_shape = seq.len() == 20 && seal.len() == 32 && words.next().is_none();
    let noted = NotedFact {
        seq: seq.parse().ok()?,
        seal: seal.to_owned(),
    };
    (is_whole && has_shape).then_some(noted)
}

/// Bytes of a note.
const LENGTH: u64 = 20 + 1 + 32 + 1 + 8 + 1;

/// Text of a note, always of the same length. It ends with a checksum of its own, which reveals a
/// note that was written over another by half.
fn line(seq: i64, seal: &Seal) -> String {
    let text = format!("{seq:020} {}", hex(seal));
    let check = check_of(&text);
    format!("{text} {check}\n")
}

fn check_of(text: &str) -> String {
    hex(&digest(&[text.as_bytes()])[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_written_by_halves_says_nothing() {
        let (old, new) = (line(9, &[7; 16]), line(10, &[8; 16]));
        let noted = NotedFact {
            seq: 10,
            seal: "08".repeat(16),
        };
        assert_eq!(new.len() as u64, LENGTH);
        assert_eq!(parsed(&new), Some(noted.clone()));
        let of_0_1_0 = format!("{:020} {}\n", 10, "08".repeat(16));
        assert_eq!(parsed(&of_0_1_0), Some(noted));
        for written in 0..new.len() {
            assert_eq!(parsed(&new[..written]), None, "{written} bytes");
            let mixed = format!("{}{}", &new[..written], &old[written..]);
            let is_one_of_them = mixed == old || mixed == new;
            assert_eq!(
                parsed(&mixed).is_some(),
                is_one_of_them,
                "{written} bytes over the old one"
            );
        }
    }

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
