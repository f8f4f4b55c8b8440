//! The nodes of the batch job that this process is in, from the sources that schedulers name.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{NodeSource, SCHEDULERS};

/// The most nodes of a job: more is a list that was read wrongly.
const MOST: usize = 1_000_000;

/// Nodes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Their names, each once, in the scheduler's order.
    Named(Vec<String>),
    /// Only how many there are.
    Counted(usize),
}

/// Reason for which the nodes are not known.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    #[error(
        "this is no batch job: none of {} is set",
        variables().join(", ")
    )]
    /// No variable of a scheduler is set.
    NoJob,
    /// The file that names the nodes cannot be read.
    #[error("could not read `{}`, which `{variable}` names", path.display())]
    File {
        /// Variable that holds its path.
        variable: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of the host.
        #[source]
        source: io::Error,
    },
    /// The command that prints the nodes failed.
    #[error("`{command}` does not name the nodes of this job")]
    Command {
        /// Command line.
        command: String,
        /// Its error.
        #[source]
        source: io::Error,
    },
    /// The list of nodes is malformed, empty or too long.
    #[error("`{variable}` names no nodes: `{value}`")]
    List {
        /// Variable that was read.
        variable: &'static str,
        /// Its value.
        value: String,
    },
}

fn sources() -> impl Iterator<Item = NodeSource> {
    SCHEDULERS
        .into_iter()
        .flat_map(|dialect| dialect.nodes)
        .copied()
}

fn variables() -> Vec<&'static str> {
    sources().map(NodeSource::variable).collect()
}

/// Returns the nodes of the job with these environment variables; `read` reads a file and `run`
/// returns what a command prints.
///
/// # Errors
///
/// Returns an error outside a job, and where its nodes cannot be read.
pub fn nodes_of_job(
    variable: impl Fn(&str) -> Option<String>,
    read: impl Fn(&Path) -> io::Result<String>,
    run: impl Fn(&[&str]) -> io::Result<String>,
) -> Result<Nodes, NodesError> {
    let set = |source: NodeSource| {
        let value = variable(source.variable()).filter(|value| !value.is_empty())?;
        Some((source, value))
    };
    let (source, value) = sources().find_map(set).ok_or(NodesError::NoJob)?;
    let variable = source.variable();
    let nodes = match source {
        NodeSource::HostList(_) => hostlist(&value).map(Nodes::Named),
        NodeSource::Numbers(_) => numbers(&value).map(Nodes::Named),
        NodeSource::Count(_) => value.trim().parse().ok().map(Nodes::Counted),
        NodeSource::File(_) => {
            let path = PathBuf::from(&value);
            let text = read(&path).map_err(|source| NodesError::File {
                variable,
                path,
                source,
            })?;
            Some(Nodes::Named(lines(&text)))
        }
        NodeSource::Command { argv, .. } => {
            let text = run(argv).map_err(|source| NodesError::Command {
                command: argv.join(" "),
                source,
            })?;
            hostlist(&text).map(Nodes::Named)
        }
    };
    let nodes = nodes.filter(|nodes| (1..=MOST).contains(&nodes.count()));
    nodes.ok_or(NodesError::List { variable, value })
}

impl Nodes {
    /// Returns the number of nodes.
    pub fn count(&self) -> usize {
        match self {
            Self::Named(names) => names.len(),
            Self::Counted(count) => *count,
        }
    }
}

/// A line a rank, so that a node may have several.
fn lines(text: &str) -> Vec<String> {
    let words = text.lines().filter_map(|l| l.split_whitespace().next());
    distinct(words.map(str::to_owned).collect())
}

fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let new = |name: &String| seen.insert(name.clone());
    names.into_iter().filter(new).collect()
}

/// Slurm's `n[1-4,07-09]-x,m2`; None where it is no such list.
fn hostlist(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for item in items(list.trim())? {
        names.extend(expand(item)?);
        if names.len() > MOST {
            return None;
        }
    }
    Some(distinct(names))
}

/// Parts between commas that stand in no bracket.
fn items(list: &str) -> Option<Vec<&str>> {
    let (mut items, mut begin, mut within) = (Vec::new(), 0, false);
    for (at, c) in list.char_indices() {
        match c {
            '[' if within => return None,
            ']' if !within => return None,
            '[' | ']' => within = !within,
            ',' if !within => {
                items.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[begin..]);
    (!within && items.iter().all(|item| !item.is_empty())).then_some(items)
}

/// All names of an item, each of whose brackets multiplies them: `r[1-2]n[1-4]`.
fn expand(item: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = item.split_once('[') else {
        return Some(vec![item.to_owned()]);
    };
    let (within, after) = rest.split_once(']')?;
    let (numbers, ends) = (numbers(within)?, expand(after)?);
    if numbers.len().saturating_mul(ends.len()) > MOST {
        return None;
    }
    let of = |number: &String| {
        let name = |end| format!("{before}{number}{end}");
        ends.iter().map(name).collect::<Vec<_>>()
    };
    Some(numbers.iter().flat_map(of).collect())
}

/// `3-8,10`, leading zeros kept.
fn numbers(list: &str) -> Option<Vec<String>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if [first, last]
            .iter()
            .any(|end| !end.bytes().all(|b| b.is_ascii_digit()))
        {
            return None;
        }
        let (from, to): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if to < from || to - from >= MOST - numbers.len() {
            return None;
        }
        let width = first.len();
        numbers.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Some(distinct(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(name: &str, value: &str) -> Result<Nodes, NodesError> {
        let variable = |asked: &str| (asked == name).then(|| value.to_owned());
        // A line a rank, as PBS Pro writes it.
        let read = |path: &Path| match path.to_str() {
            Some("nodes") => Ok("x3001c0\nx3001c0\nx3002c0\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let run = |_: &[&str]| Ok("n[1-2]\n".to_owned());
        nodes_of_job(variable, read, run)
    }

    fn named(names: &[&str]) -> Nodes {
        Nodes::Named(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn each_scheduler_tells_its_nodes() {
        let nodes = |name, value| told(name, value).unwrap();
        assert_eq!(
            nodes("SLURM_JOB_NODELIST", "n[1-4,07-09]-x,m2"),
            named(&[
                "n1-x", "n2-x", "n3-x", "n4-x", "n07-x", "n08-x", "n09-x", "m2"
            ])
        );
        assert_eq!(
            nodes("SLURM_JOB_NODELIST", "r[1-2]n[09-10]"),
            named(&["r1n09", "r1n10", "r2n09", "r2n10"])
        );
        assert_eq!(
            nodes("PBS_NODEFILE", "nodes"),
            named(&["x3001c0", "x3002c0"])
        );
        assert_eq!(
            nodes("COBALT_NODEFILE", "nodes"),
            named(&["x3001c0", "x3002c0"])
        );
        assert_eq!(
            nodes("COBALT_PARTNAME", "3-5,10"),
            named(&["3", "4", "5", "10"])
        );
        assert_eq!(nodes("COBALT_JOBSIZE", "8"), Nodes::Counted(8));
        assert_eq!(nodes("FLUX_ENCLOSING_ID", "f4CV"), named(&["n1", "n2"]));
    }

    #[test]
    fn what_tells_no_nodes_is_named() {
        for (name, value) in [
            ("SLURM_JOB_NODELIST", "n[1-4"),
            ("SLURM_JOB_NODELIST", "n[4-1]"),
            ("SLURM_JOB_NODELIST", "n[1-99999999999]"),
            ("SLURM_JOB_NODELIST", "n[1-1000]m[1-1000]k[1-1000]"),
            ("SLURM_JOB_NODELIST", "n1,,n2"),
            ("COBALT_PARTNAME", "+3"),
            ("COBALT_JOBSIZE", "0"),
        ] {
            let error = told(name, value).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}` names no nodes: `{value}`"));
        }
        let error = told("PBS_NODEFILE", "gone").unwrap_err().to_string();
        assert_eq!(error, "could not read `gone`, which `PBS_NODEFILE` names");
        let error = told("HOME", "/root").unwrap_err();
        assert!(matches!(error, NodesError::NoJob), "{error}");
    }

    proptest! {
        #[test]
        fn no_list_panics_and_no_name_comes_twice(list in "[a-c0-9,\\-\\[\\]]{0,24}") {
            for name in ["SLURM_JOB_NODELIST", "COBALT_PARTNAME", "COBALT_JOBSIZE"] {
                if let Ok(Nodes::Named(names)) = told(name, &list) {
                    prop_assert!(!names.is_empty());
                    let distinct: HashSet<&String> = names.iter().collect();
                    prop_assert_eq!(distinct.len(), names.len());
                }
            }
        }
    }
}
