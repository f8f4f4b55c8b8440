//! Files of a run that nothing needs any more: neither a resume nor the results.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::run_dir;
use crate::store::{self, Store};

/// Files that can be deleted.
pub struct Removable {
    /// A folder.
    pub path: PathBuf,
    /// Sum of the sizes of its files.
    pub bytes: u64,
    /// What it holds, for people.
    pub holds: String,
}

/// Returns what can be deleted of the run in `dir`: the files of failed attempts and the damaged
/// files that a repair kept. Those of attempts that are submitted or running stay, as do the
/// database, the settings, the files in `state` and the log.
///
/// # Errors
///
/// Fails if the database or a folder cannot be read.
pub async fn removable(dir: &Path) -> Result<Vec<Removable>, CommandError> {
    let live = match dir.join(store::FILE).exists() {
        true => live_folders(&mut run_dir::open_to_read(dir).await?).await?,
        false => Vec::new(),
    };
    let found = find(dir, &live);
    found.map_err(|e| CommandError::io(&format!("could not read `{}`", dir.display()), &e))
}

/// Folders of the attempts that are submitted or running, below `tasks`.
async fn live_folders(store: &mut Store) -> Result<Vec<PathBuf>, CommandError> {
    let attempts = store.live_attempts().await?.into_iter();
    let folder =
        |(task, attempt): (i64, i64)| Path::new(&task.to_string()).join(attempt.to_string());
    Ok(attempts.map(folder).collect())
}

fn find(dir: &Path, live: &[PathBuf]) -> io::Result<Vec<Removable>> {
    let mut found = Vec::new();
    let tasks = dir.join("tasks");
    for task in folders(&tasks)? {
        for attempt in folders(&task)? {
            let place = attempt.strip_prefix(&tasks).unwrap_or(&attempt);
            if !live.iter().any(|live| live == place) {
                let holds = format!("files of attempt {}", place.display());
                found.push(Removable::new(attempt, holds)?);
            }
        }
    }
    for folder in folders(dir)? {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("damaged-") {
            found.push(Removable::new(
                folder,
                "damaged files that a repair kept".to_owned(),
            )?);
        }
    }
    Ok(found)
}

/// Deletes files that [`removable`] found, and the folder of a task that is empty then. The caller
/// holds the lock of the run since before they were found.
///
/// # Errors
///
/// Fails at the first that cannot be deleted; those before it are.
pub fn remove(found: &[Removable]) -> Result<(), CommandError> {
    for Removable { path, .. } in found {
        fs::remove_dir_all(path)
            .map_err(|e| CommandError::io(&format!("could not delete `{}`", path.display()), &e))?;
        if let Some(task) = path.parent() {
            // Fails where it holds another attempt.
            let _ = fs::remove_dir(task);
        }
    }
    Ok(())
}

impl Removable {
    fn new(path: PathBuf, holds: String) -> io::Result<Self> {
        let bytes = size(&path)?;
        Ok(Self { path, bytes, holds })
    }
}

/// Folders in a folder, sorted; none if it does not exist. Links are left out.
fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(of) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// Sum of the sizes of the files in a folder; links count nothing.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += match () {
            () if kind.is_dir() => size(&entry.path())?,
            () if kind.is_file() => entry.metadata()?.len(),
            () => 0,
        };
    }
    Ok(bytes)
}
