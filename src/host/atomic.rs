//! Atomic file writes: a reader sees the old content or the new one, never a part of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Guarantee that a finished write gives against a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The content is on the disk before the file appears under its name.
    Synced,
    /// The write does not wait for the disk: after a power cut the file may be empty.
    Unsynced,
}

/// Writes a file of known content.
///
/// # Errors
///
/// The file cannot be created, written, synced or renamed; the old content then remains.
pub fn write(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(content)?;
    file.commit(durability)
}

/// A file that appears under its name when it is committed, and is deleted when it is dropped
/// before. Until then it is a hidden file beside its place, whose name holds the id of this
/// process, so two processes may write the same file.
#[derive(Debug)]
pub struct AtomicFile {
    out: BufWriter<File>,
    path: PathBuf,
    unfinished: PathBuf,
}

impl AtomicFile {
    /// Creates the hidden file.
    ///
    /// # Errors
    ///
    /// The hidden file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = path.with_file_name(format!(".{name}.{}", std::process::id()));
        Ok(Self {
            out: BufWriter::new(File::create(&unfinished)?),
            path: path.to_owned(),
            unfinished,
        })
    }

    /// Gives the file its name, in place of an older file.
    ///
    /// # Errors
    ///
    /// The file cannot be written, synced or renamed; an older file then remains.
    pub fn commit(mut self, durability: Durability) -> io::Result<()> {
        self.out.flush()?;
        if durability == Durability::Synced {
            self.out.get_ref().sync_all()?;
        }
        fs::rename(&self.unfinished, &self.path)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.out.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // Fails after a commit, when the file has its final name.
        let _ = fs::remove_file(&self.unfinished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_committed_leaves_the_old_content_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("list");
        write(&path, b"old", Durability::Synced).expect("a first write");
        let mut unfinished = AtomicFile::create(&path).expect("a hidden file");
        unfinished.write_all(b"ne").expect("a buffer");
        drop(unfinished);
        assert_eq!(fs::read(&path).expect("the file"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("a listing").count(), 1);
        write(&path, b"new", Durability::Unsynced).expect("a second write");
        assert_eq!(fs::read(&path).expect("the file"), b"new");
    }
}
