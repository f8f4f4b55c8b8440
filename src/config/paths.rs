//! Paths in input files: `~/` is the home directory; relative paths of a campaign stay below the
//! folder of its file.

use std::path::{Component, Path, PathBuf};

use super::diagnostic::Diagnostic;
use crate::text::path::HomeError;

/// Relative path that leads out of its base folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` leads out of the folder of the campaign", written.display())]
pub struct PathEscape {
    /// Path as the file has it.
    pub written: PathBuf,
}

impl PathEscape {
    /// Hint for the user.
    pub const HINT: &str = "`..` and symbolic links may not leave that folder; if this is what you want, write the absolute path";
}

impl From<HomeError> for Diagnostic {
    fn from(error: HomeError) -> Self {
        Self::new(error.to_string()).hint(error.hint())
    }
}

/// Resolves a path below `base`, which need not exist.
///
/// # Errors
///
/// Fails if `..` or a symbolic link in a relative path leads out of `base`.
pub fn below(base: &Path, written: &Path) -> Result<PathBuf, PathEscape> {
    if written.is_absolute() {
        return Ok(written.to_owned());
    }
    let outside = || PathEscape {
        written: written.to_owned(),
    };
    let base = match base.as_os_str().is_empty() {
        true => Path::new("."),
        false => base,
    };
    let root = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    let mut path = root.clone();
    for component in written.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if !path.pop() => return Err(outside()),
            Component::ParentDir | Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
        match path.canonicalize() {
            Ok(real) => path = real,
            // A link that leads to nothing yet may lead anywhere later.
            Err(_) if path.is_symlink() => return Err(outside()),
            Err(_) => {}
        }
        if !path.starts_with(&root) {
            return Err(outside());
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn neither_dots_nor_links_lead_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let base = dir.join("base");
        fs::create_dir_all(base.join("inner")).unwrap();
        fs::write(dir.join("secret"), "").unwrap();
        symlink("../secret", base.join("link")).unwrap();
        symlink("..", base.join("inner/up")).unwrap();
        symlink("../nowhere", base.join("dangling")).unwrap();
        symlink("inner", base.join("other")).unwrap();
        let below = |path: &str| below(&base, Path::new(path)).map_err(drop);
        for outside in [
            "../secret",
            "inner/../../secret",
            "link",
            "inner/up/../secret",
            "dangling",
            "../base/inner",
        ] {
            assert_eq!(below(outside), Err(()), "{outside}");
        }
        assert_eq!(
            below("inner/../inner/new/file"),
            Ok(base.join("inner/new/file"))
        );
        assert_eq!(below("./other/new"), Ok(base.join("inner/new")));
        assert_eq!(below("inner/up/inner"), Ok(base.join("inner")));
        assert_eq!(below("/etc/../etc/passwd"), Ok("/etc/../etc/passwd".into()));
    }
}
