//! Repair of a database: a new one from the journal of the damaged one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::Connection;

use super::audit::DerivedDatabase;
use super::seal;
use super::settings::StoredSettings;
use super::{FILE, NOTE, StoreError, options};
use crate::task::{Event, Record};

/// Result of a repair.
#[derive(Debug)]
pub struct RepairReport {
    /// Facts of the new journal.
    pub facts: i64,
    /// Facts that are known to be lost; there may have been more that no note names.
    pub lost: i64,
    /// Succeeded simulations whose geometry and provenance are lost.
    pub results_lost: usize,
    /// Folder of the damaged files.
    pub kept: PathBuf,
}

/// Rebuilds the database of `dir` from its journal, as far as that can be read, with the versions
/// of its settings, the oldest first. `records` returns the records of a fact. The damaged files
/// are kept.
///
/// # Errors
///
/// Fails if a file cannot be read or written, or SQLite cannot open the damaged database.
pub async fn repair(
    dir: &Path,
    settings: &[StoredSettings],
    records: impl FnMut(i64, &Event) -> Vec<Record>,
) -> Result<RepairReport, StoreError> {
    let path = dir.join(FILE);
    let files = |source| StoreError::Open {
        path: path.clone(),
        source: sqlx::Error::Io(source),
    };
    let noted = seal::read(dir).ok().flatten();
    let kept = keep(dir).map_err(files)?;
    mend_file(&path).map_err(files)?;
    let new = dir.join(format!("{FILE}.new"));
    remove_database(&new).map_err(files)?;
    let mut derived = DerivedDatabase::beside(&path, options(&new).create_if_missing(true)).await?;
    derived.copy_run(settings).await?;
    let (facts, _) = derived.replay(records).await?;
    let results_lost = derived.copy_results().await?;
    let seal = derived.chain.seal;
    derived
        .db
        .close()
        .await
        .map_err(|source| StoreError::Write {
            path: new.clone(),
            source,
        })?;
    remove_database(&path).map_err(files)?;
    fs::rename(&new, &path).map_err(files)?;
    fs::remove_file(dir.join(NOTE))
        .or_else(ignore_missing)
        .map_err(files)?;
    if facts > 0 {
        let note = seal::Note::open(dir).and_then(|note| note.write(facts, &seal));
        note.map_err(files)?;
    }
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(files)?;
    Ok(RepairReport {
        facts,
        lost: noted.map_or(0, |noted| (noted.seq - facts).max(0)),
        results_lost,
        kept,
    })
}

/// Copies the files of the database into a directory of their own.
fn keep(dir: &Path) -> io::Result<PathBuf> {
    let names = (1..).map(|n| dir.join(format!("damaged-{n}")));
    let mut kept = PathBuf::new();
    for name in names {
        match fs::create_dir(&name) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                kept = name;
                break;
            }
        }
    }
    for name in [FILE.to_owned(), format!("{FILE}-wal"), NOTE.to_owned()] {
        fs::copy(dir.join(&name), kept.join(&name))
            .map(drop)
            .or_else(ignore_missing)?;
    }
    Ok(kept)
}

/// Bytes of a page, as the header says.
const PAGE: u64 = 4096;

/// First bytes of a database of this program: magic string, page size of 4096 bytes, write-ahead
/// log.
/// <https://www.sqlite.org/fileformat.html>, section 1.3.
const HEADER: &[u8; 24] = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20";

/// Writes the first bytes again and fills up a file that is too short: otherwise SQLite would not
/// read the rest.
fn mend_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut found = [0; 32];
    if file.read_exact_at(&mut found, 0).is_err() {
        return Ok(());
    }
    if found[..HEADER.len()] != HEADER[..] {
        file.write_all_at(HEADER, 0)?;
    }
    let pages = u32::from_be_bytes([found[28], found[29], found[30], found[31]]);
    let (length, full) = (file.metadata()?.len(), u64::from(pages) * PAGE);
    // A number of pages that is damaged itself is ignored.
    if length < full && full < 100 * length.max(PAGE) {
        file.set_len(full)?;
    }
    Ok(())
}

fn remove_database(path: &Path) -> io::Result<()> {
    // The logs first: one that is left would be taken for that of the new database.
    for end in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        fs::remove_file(name).or_else(ignore_missing)?;
    }
    Ok(())
}

fn ignore_missing(e: io::Error) -> io::Result<()> {
    if e.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(e)
    }
}
