//! Launchers: from a site's template of an MPI command to the words that go before the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::task::{Launch, Shape};
use crate::text::path::{HomeError, expanded, in_home};
use crate::text::template::{Piece, names, pieces};

/// The file in the directory of an attempt that names its nodes, one a line, where its executor
/// chose them.
pub const HOSTS: &str = "hosts";

impl Launch {
    /// Returns the words that go before the program's own.
    ///
    /// # Errors
    ///
    /// Fails if the template does not render.
    pub fn argv(&self) -> Result<Vec<String>, LauncherError> {
        render(&self.template, &self.shape)
    }

    /// Returns the same in the directory of an attempt, where the file `HOSTS` may name its nodes.
    ///
    /// # Errors
    ///
    /// Fails if the template does not render.
    pub fn argv_in(&self, dir: &Path) -> Result<Vec<String>, LauncherError> {
        let mut shape = self.shape.clone();
        if let Ok((path, text)) = read(&dir.join(HOSTS)) {
            shape.hosts = text.lines().map(str::to_owned).collect();
            shape.hostfile = Some(path);
        }
        render(&self.template, &shape)
    }
}

fn read(path: &Path) -> io::Result<(PathBuf, String)> {
    Ok((path.canonicalize()?, fs::read_to_string(path)?))
}

impl Shape {
    /// Returns the value of a variable of templates; None if it is not known here.
    fn value(&self, name: &str) -> Result<Option<String>, LauncherError> {
        let total = self.nodes.get().saturating_mul(self.ranks_per_node.get());
        Ok(match name {
            "total_ranks" => Some(total.to_string()),
            "nodes" => Some(self.nodes.to_string()),
            "ranks_per_node" => Some(self.ranks_per_node.to_string()),
            "cores_per_rank" => Some(self.cores_per_rank.to_string()),
            "hosts" => (!self.hosts.is_empty()).then(|| self.hosts.join(",")),
            "hostfile" => self
                .hostfile
                .as_ref()
                .map(|path| path.display().to_string()),
            "memory" => self.memory.map(|mebibytes| mebibytes.to_string()),
            // To `srun --mem` of a step none is what all steps share.
            "memory_per_task" => Some(self.memory_per_task.unwrap_or(0).to_string()),
            "gpus_per_task" => Some(self.gpus_per_task.to_string()),
            _ => return Err(LauncherError::UnknownVariable(name.to_owned())),
        })
    }
}

/// Error of a template of an MPI command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LauncherError {
    /// It has no words.
    #[error("the MPI command is empty")]
    Empty,
    /// A quotation mark is not closed: the template.
    #[error("a quotation mark in the MPI command `{0}` is never closed")]
    OpenQuote(String),
    /// The braces of a word do not match.
    #[error("`{word}` in the MPI command is no template: {reason}")]
    NoTemplate {
        /// The word.
        word: String,
        /// Reason that the template parser gave.
        reason: String,
    },
    /// There is no variable of this name.
    #[error("the MPI command does not know `{{{{{0}}}}}`")]
    UnknownVariable(String),
    /// The value of this variable is not known here.
    #[error("the MPI command wants `{{{{{0}}}}}`, which this site does not tell")]
    NotTold(String),
    /// The home directory is not known.
    #[error("the MPI command: {0}")]
    Home(#[from] HomeError),
}

/// Returns the words of a template with its variables filled in. It is split first, so no value
/// becomes two words, and no shell reads it.
///
/// # Errors
///
/// Fails if the template is malformed, or has a variable whose value is not known here.
pub fn render(template: &str, shape: &Shape) -> Result<Vec<String>, LauncherError> {
    let words = split(template)?;
    if words.is_empty() {
        return Err(LauncherError::Empty);
    }
    words.iter().map(|word| expand(word, shape)).collect()
}

/// Returns the variable of a template that names the nodes on which the launcher starts a program;
/// None if the launcher chooses them itself.
pub fn placed_by(template: &str) -> Option<&'static str> {
    let is_named = |variable: &&str| names(template, variable);
    ["hosts", "hostfile"].into_iter().find(is_named)
}

fn expand(word: &str, shape: &Shape) -> Result<String, LauncherError> {
    let pieces = pieces(word).map_err(|reason| LauncherError::NoTemplate {
        word: word.to_owned(),
        reason,
    })?;
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => text.push_str(&plain),
            Piece::Reference(name) => {
                let value = shape.value(&name)?;
                text.push_str(&value.ok_or(LauncherError::NotTold(name))?);
            }
        }
    }
    match in_home(word) {
        // That of the host where the program is started.
        Some(_) => Ok(expanded(&text)?),
        None => Ok(text),
    }
}

/// Splits at blanks, but not within quotation marks or double braces.
fn split(template: &str) -> Result<Vec<String>, LauncherError> {
    let mut words = Vec::new();
    // None between words: `""` is a word without letters.
    let mut word: Option<String> = None;
    let (mut quote, mut braces) = (None, false);
    let mut rest = template.chars().peekable();
    while let Some(c) = rest.next() {
        if (c == '{' || c == '}') && rest.peek() == Some(&c) {
            rest.next();
            braces = c == '{';
            word.get_or_insert_default().extend([c, c]);
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && !braces && (c == '"' || c == '\'') {
            quote = Some(c);
            word.get_or_insert_default();
        } else if quote.is_none() && !braces && c.is_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    if quote.is_some() {
        return Err(LauncherError::OpenQuote(template.to_owned()));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use proptest::prelude::*;

    fn shape() -> Shape {
        let number = |n| NonZeroUsize::new(n).unwrap();
        Shape {
            hosts: vec!["n1".into(), "n2".into()],
            hostfile: Some("/a path/hosts; rm -rf".into()),
            ..Shape::new(number(2), number(4), number(8))
        }
    }

    #[test]
    fn the_line_of_theta_gives_its_words() {
        let template =
            "aprun -n {{total_ranks}} -N {{ranks_per_node}} -cc depth -d {{ cores_per_rank }} -j 1";
        let words = render(template, &shape()).unwrap();
        assert_eq!(words.join(" "), "aprun -n 8 -N 4 -cc depth -d 8 -j 1");
    }

    #[test]
    fn a_value_is_one_word_whatever_it_holds_and_quotes_hold_words_together() {
        let template =
            r#"mpirun --hostfile {{hostfile}} --host={{hosts}} -x 'A="b c"' "" -np "{{nodes}}""#;
        assert_eq!(
            render(template, &shape()).unwrap(),
            [
                "mpirun",
                "--hostfile",
                "/a path/hosts; rm -rf",
                "--host=n1,n2",
                "-x",
                "A=\"b c\"",
                "",
                "-np",
                "2"
            ]
        );
    }

    #[test]
    fn the_nodes_of_an_attempt_are_those_that_its_directory_names() {
        let launch = Launch {
            template: "mpirun --host {{hosts}} --hostfile {{hostfile}}".into(),
            shape: shape(),
        };
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(launch.argv_in(dir.path()), launch.argv());
        let hosts = dir.path().canonicalize().unwrap().join(HOSTS);
        fs::write(&hosts, "n3\nn4\n").unwrap();
        let hosts = hosts.to_str().unwrap();
        let words = ["mpirun", "--host", "n3,n4", "--hostfile", hosts];
        assert_eq!(launch.argv_in(dir.path()).unwrap(), words);
    }

    #[test]
    fn what_gives_no_command_is_named() {
        let error = |template: &str| render(template, &shape()).unwrap_err();
        assert_eq!(error("  "), LauncherError::Empty);
        assert!(matches!(error("mpirun 'a"), LauncherError::OpenQuote(_)));
        assert!(matches!(
            error("mpirun {{#if nodes}}"),
            LauncherError::NoTemplate { .. }
        ));
        assert_eq!(
            error("mpirun {{rank}}").to_string(),
            "the MPI command does not know `{{rank}}`"
        );
        assert_eq!(
            error("mpirun {{memory}}"),
            LauncherError::NotTold("memory".into())
        );
    }

    proptest! {
        #[test]
        fn no_template_panics_and_no_host_name_adds_a_word(
            template in "[a-z {}\"'\\-]{0,40}",
            host in ".{1,20}",
        ) {
            let _ = render(&template, &shape());
            let shape = Shape { hosts: vec![host.clone()], ..shape() };
            prop_assert_eq!(render("srun -w {{hosts}} -n 1", &shape).unwrap(), ["srun", "-w", &host, "-n", "1"]);
        }
    }
}
