//! The MPI launcher of a site: its template, filled in for the nodes and ranks of a task.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use handlebars::Handlebars;
use serde::Serialize;

/// Where the ranks of a task go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub nodes: NonZeroUsize,
    pub ranks_per_node: NonZeroUsize,
    pub cores_per_rank: NonZeroUsize,
    pub hosts: Vec<String>,
    /// A file with a host a line.
    pub hostfile: PathBuf,
    /// Of a node, in GiB.
    pub memory: u64,
}

/// Why a launcher cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    #[error("the launcher has no program")]
    Empty,
    #[error("a quote of the launcher is not closed")]
    Quote,
    #[error("the launcher cannot be filled in")]
    Template(#[source] Box<handlebars::RenderError>),
}

#[derive(Serialize)]
struct Filled {
    total_ranks: usize,
    nodes: usize,
    ranks_per_node: usize,
    cores_per_rank: usize,
    hosts: String,
    hostfile: String,
    memory: u64,
}

/// The words that go before an MPI program.
///
/// The template is split into words before it is filled in, so that no value becomes two.
pub fn render(template: &str, shape: &Shape) -> Result<Vec<String>, LauncherError> {
    let filled = Filled {
        total_ranks: shape.nodes.get().saturating_mul(shape.ranks_per_node.get()),
        nodes: shape.nodes.get(),
        ranks_per_node: shape.ranks_per_node.get(),
        cores_per_rank: shape.cores_per_rank.get(),
        hosts: shape.hosts.join(","),
        hostfile: shape.hostfile.to_string_lossy().into_owned(),
        memory: shape.memory,
    };
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    let words = words(template)?;
    if words.is_empty() {
        return Err(LauncherError::Empty);
    }
    let render = |word: String| handlebars.render_template(&word, &filled);
    let words: Result<Vec<String>, _> = words.into_iter().map(render).collect();
    words.map_err(|error| LauncherError::Template(Box::new(error)))
}

/// Words with blanks between them; what stands in quotes is one.
fn words(text: &str) -> Result<Vec<String>, LauncherError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    match quote {
        None => Ok(words),
        Some(_) => Err(LauncherError::Quote),
    }
}
