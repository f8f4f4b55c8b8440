//! Modules of a function: its own, and those that it imports from the same folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most bytes of all modules of a function together: each task is given them.
const LONGEST: usize = 1 << 20;

/// Modules of a function by their dotted names, as they were when the campaign was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PythonCode {
    /// The modules; empty if the function is in none of the folders of `path`.
    pub modules: BTreeMap<String, PythonModule>,
}

/// A module: its file and the text of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonModule {
    /// Path of the file that it was read from, its `__file__`.
    pub file: PathBuf,
    /// The program text.
    pub text: String,
}

/// Error of modules that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// A file exists and could not be read as text.
    #[error("`{}` cannot be read: {source}", file.display())]
    Unreadable {
        /// Path of the file.
        file: PathBuf,
        /// Error of the host.
        #[source]
        source: io::Error,
    },
    /// The modules are longer than tasks are given.
    #[error("the modules of the function are longer than {} KiB", LONGEST >> 10)]
    TooLong,
}

impl PythonCode {
    /// Reads modules and what they import, as far as it is below `folders`. An import is found by
    /// its statement; one by `importlib` is not.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the modules are too long.
    pub fn read(folders: &[&Path], modules: &[String]) -> Result<Self, CodeError> {
        let mut read: BTreeMap<String, PythonModule> = BTreeMap::new();
        let mut wanted: Vec<String> = modules.to_vec();
        let mut bytes = 0;
        while let Some(name) = wanted.pop() {
            // Importing `a.b` runs `a` first.
            wanted.extend(name.rsplit_once('.').map(|(parent, _)| parent.to_owned()));
            if read.contains_key(&name) {
                continue;
            }
            let Some(file) = folders.iter().find_map(|folder| file_of(folder, &name)) else {
                continue;
            };
            let text = fs::read_to_string(&file).map_err(|source| CodeError::Unreadable {
                file: file.clone(),
                source,
            })?;
            bytes += text.len();
            if bytes > LONGEST {
                return Err(CodeError::TooLong);
            }
            let package = match file.ends_with("__init__.py") {
                true => name.as_str(),
                false => name.rsplit_once('.').map_or("", |(package, _)| package),
            };
            wanted.extend(imports(&text, package));
            read.insert(name, PythonModule { file, text });
        }
        Ok(Self { modules: read })
    }
}

/// File of a module in a folder; none if it is not there.
fn file_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = folder.join(name.replace('.', "/"));
    let files = [path.join("__init__.py"), path.with_extension("py")];
    files.into_iter().find(|file| file.is_file())
}

/// Modules that the import statements of a text in `package` may mean; some are not modules.
fn imports(text: &str, package: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(names) = line.strip_prefix("import ") {
            found.extend(names.split(',').map(first_word));
        } else if let Some((from, names)) = line
            .strip_prefix("from ")
            .and_then(|rest| rest.split_once(" import"))
        {
            let mut names = names.trim().to_owned();
            while names.starts_with('(') && !names.contains(')') {
                let Some(more) = lines.next() else { break };
                names += more;
            }
            let module = absolute(from.trim(), package);
            let names = names.trim_matches(['(', ')']).split(',').map(first_word);
            found.extend(names.map(|name| joined(&module, &name)));
            found.push(module);
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// `b as c` imports `b`.
fn first_word(text: &str) -> String {
    let mut words = text.split_whitespace();
    words
        .next()
        .unwrap_or_default()
        .trim_matches(['(', ')', ';'])
        .to_owned()
}

fn joined(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        module => format!("{module}.{name}"),
    }
}

/// Absolute name of a module in a `from` statement: `.b` in the package `a` is `a.b`.
fn absolute(from: &str, package: &str) -> String {
    let name = from.trim_start_matches('.');
    let mut base = package;
    match from.len() - name.len() {
        0 => return name.to_owned(),
        dots => {
            for _ in 1..dots {
                base = base.rsplit_once('.').map_or("", |(parent, _)| parent);
            }
        }
    }
    match name {
        "" => base.to_owned(),
        name => joined(base, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_that_a_function_imports_are_found_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "potentials.py",
            "import json, constants as c  # import unused\nfrom models import (\n  ridge,\n  tree as t)\n",
        );
        write("constants.py", "x = 1\n");
        write("unused.py", "");
        write("models/__init__.py", "from . import base\n");
        write("models/base.py", "from ..other import thing\n");
        write("models/ridge.py", "from .base import x\n");
        write("models/tree.py", "def f():\n    import late\n");
        write("models/unused.py", "");
        write("late.py", "");
        let code = PythonCode::read(&[dir.path()], &["potentials".to_owned()]).unwrap();
        let names: Vec<&str> = code.modules.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "constants",
                "late",
                "models",
                "models.base",
                "models.ridge",
                "models.tree",
                "potentials"
            ]
        );
        write("big.py", &"#".repeat(LONGEST + 1));
        let long = PythonCode::read(&[dir.path()], &["big".to_owned()]);
        assert!(matches!(long, Err(CodeError::TooLong)));
        let elsewhere = PythonCode::read(&[dir.path()], &["numpy".to_owned()]).unwrap();
        assert!(elsewhere.modules.is_empty());
    }
}
