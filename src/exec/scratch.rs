//! Scratch folders: one an attempt, for temporary files of the programs of tasks.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use crate::task::Token;
use crate::text::path::variable;

/// Environment variable with the path of the scratch folder, for a task and for its programs.
pub const SCRATCH: &str = "MOLDFLOW_SCRATCH";
/// Path from the directory of an attempt to that of its run.
pub const RUN_DIR: &str = "../../..";

/// The scratch directory of a site, for one run.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// `scratch` of the profile.
    dir: PathBuf,
    run_dir: PathBuf,
}

/// Error of a scratch folder that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// This variable is not set.
    #[error("the scratch directory is in `${0}`, a variable that is not set where the task runs")]
    NotSet(String),
    /// The folder could not be created or linked.
    #[error("could not make the scratch folder `{}`", path.display())]
    Make {
        /// Path of the folder.
        path: PathBuf,
        /// Error of the host.
        #[source]
        source: io::Error,
    },
}

impl Scratch {
    /// Creates the scratch directory `dir` of a site for the run in `run_dir`.
    pub fn new(dir: PathBuf, run_dir: PathBuf) -> Self {
        Self { dir, run_dir }
    }

    /// Returns the value of `SCRATCH` for an attempt. Its variables are expanded only where the
    /// task runs, and the run directory may have another path there.
    pub fn told(&self, token: &Token) -> String {
        let is_elsewhere = self.dir.is_absolute() || variable(&self.dir).is_some();
        let base = Path::new(if is_elsewhere { "" } else { RUN_DIR });
        let folder = base.join(&self.dir).join(token.to_string());
        folder.to_string_lossy().into_owned()
    }

    /// Returns the folder of an attempt that ran on this host; None if a variable is not set here.
    pub fn here(&self, token: &Token) -> Option<PathBuf> {
        Some(self.dir_here()?.join(token.to_string()))
    }

    /// Deletes the folders on this host that attempts of `run` other than `keep` left.
    pub fn sweep(&self, run: &str, keep: &[Token]) {
        let entries = self.dir_here().and_then(|dir| fs::read_dir(dir).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let token: Option<Token> = entry.file_name().to_str().and_then(|t| t.parse().ok());
            if token.is_some_and(|token| token.run == run && !keep.contains(&token)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn dir_here(&self) -> Option<PathBuf> {
        scratch_path(&self.dir, &self.run_dir, inherited).ok()
    }
}

/// The scratch folder of a task, deleted with all that is in it when this is dropped.
#[derive(Debug)]
pub struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Makes, for its owner alone, the scratch folder of the task whose directory is `dir`,
    /// if its environment names one, and the symbolic link `link` to it in `dir`.
    ///
    /// # Errors
    ///
    /// Fails if a variable of the path is not set, or if the folder cannot be made.
    pub fn make(dir: &Path, link: &str) -> Result<Option<Self>, ScratchError> {
        let Some(told) = inherited(SCRATCH) else {
            return Ok(None);
        };
        let path = scratch_path(Path::new(&told), dir, inherited)?;
        let make = || {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).recursive(true);
            builder.create(path.parent().unwrap_or(Path::new(".")))?;
            // It is left if the same attempt was run before, by hand.
            let _ = fs::remove_dir_all(&path);
            builder.recursive(false).create(&path)?;
            let folder = path.canonicalize()?;
            let _ = fs::remove_file(dir.join(link));
            symlink(&folder, dir.join(link))?;
            Ok(folder)
        };
        make()
            .map(|folder| Some(Self(folder)))
            .map_err(|source| ScratchError::Make {
                path: path.clone(),
                source,
            })
    }

    /// Returns its absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Deletes the scratch folder, named in `env`, of a task that was killed in `dir`.
pub fn remove(env: &[(String, String)], dir: &Path) {
    let value = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    if let Some(told) = value(SCRATCH)
        && let Ok(folder) = scratch_path(Path::new(&told), dir, |name| {
            value(name).or_else(|| inherited(name))
        })
    {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Returns the path of a scratch directory, its variable replaced by the value from `var`; a
/// relative one is below `base`.
///
/// # Errors
///
/// Returns [`ScratchError::NotSet`] if the variable is not set or empty.
pub fn scratch_path(
    dir: &Path,
    base: &Path,
    var: impl Fn(&str) -> Option<String>,
) -> Result<PathBuf, ScratchError> {
    match variable(dir) {
        None => Ok(base.join(dir)),
        Some((name, rest)) => match var(name) {
            Some(value) if !value.is_empty() => Ok(base.join(value).join(rest)),
            _ => Err(ScratchError::NotSet(name.to_owned())),
        },
    }
}

fn inherited(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
