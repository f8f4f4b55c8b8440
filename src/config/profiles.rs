//! Search and loading of site profiles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Text, hint_for, nearest};
use super::site::Site;
use super::tree::{self, TreeNode};
use super::{partitions, resources, schema, scratch, validation};
use crate::text::path::{expanded, in_home};
use crate::text::template::{Piece, pieces};

/// Profiles that come with the program: file name and text.
const BUILT_IN: [(&str, &str); 8] = [
    ("flux.yml", include_str!("../../site-profiles/flux.yml")),
    ("local.yml", include_str!("../../site-profiles/local.yml")),
    (
        "perlmutter.yml",
        include_str!("../../site-profiles/perlmutter.yml"),
    ),
    (
        "polaris.yml",
        include_str!("../../site-profiles/polaris.yml"),
    ),
    ("slurm.yml", include_str!("../../site-profiles/slurm.yml")),
    (
        "slurm-ssh.yml",
        include_str!("../../site-profiles/slurm-ssh.yml"),
    ),
    ("theta.yml", include_str!("../../site-profiles/theta.yml")),
    (
        "theta-gpu.yml",
        include_str!("../../site-profiles/theta-gpu.yml"),
    ),
];

/// Variables of the template of an MPI command.
const LAUNCHER_NAMES: [&str; 9] = [
    "total_ranks",
    "ranks_per_node",
    "cores_per_rank",
    "nodes",
    "hosts",
    "hostfile",
    "memory",
    "memory_per_task",
    "gpus_per_task",
];

/// Origin of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// File at this path.
    File(PathBuf),
    /// Profile that comes with the program.
    BuiltIn,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}

/// A profile that was found.
#[derive(Debug)]
pub struct FoundProfile {
    /// Name of the profile, or of its file if it cannot be read.
    pub name: String,
    /// File of the profile, or the program itself.
    pub origin: Origin,
    /// The profile, or the errors in it.
    pub site: Result<Site, Diagnostics>,
}

/// Returns the folders that are searched, in order, for a campaign in the folder `base`.
pub fn search_path(base: &Path) -> Vec<PathBuf> {
    let beside = ["sites", "site-profiles", "../site-profiles"].map(|folder| base.join(folder));
    let config = match (
        std::env::var_os("XDG_CONFIG_HOME"),
        std::env::var_os("HOME"),
    ) {
        (Some(config), _) if !config.is_empty() => Some(PathBuf::from(config)),
        (_, Some(home)) => Some(Path::new(&home).join(".config")),
        _ => None,
    };
    beside
        .into_iter()
        .chain(config.map(|config| config.join("moldflow/sites")))
        .collect()
}

/// Returns all profiles in these folders and in the program; the first of several with one name is
/// used.
pub fn all(folders: &[PathBuf]) -> Vec<FoundProfile> {
    let mut found: Vec<FoundProfile> = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let mut files: Vec<PathBuf> = entries.filter(|path| is_profile(path)).collect();
        files.sort();
        for path in files {
            let site = Text::read(&path)
                .map_err(Diagnostics::from)
                .and_then(|text| parse(&text));
            found.push(FoundProfile {
                name: name_of(&site, &path),
                origin: Origin::File(path),
                site,
            });
        }
    }
    for (file, text) in BUILT_IN {
        let site = parse(&Arc::new(Text {
            name: format!("{file} (built in)"),
            text: text.into(),
        }));
        found.push(FoundProfile {
            name: name_of(&site, Path::new(file)),
            origin: Origin::BuiltIn,
            site,
        });
    }
    found
}

/// Reads the profile of that name in these folders or in the program.
///
/// # Errors
///
/// Fails if there is no profile of that name, or if the first one has errors.
pub fn named(name: &str, folders: &[PathBuf]) -> Result<(Site, Origin), Diagnostics> {
    let found = all(folders);
    let names: BTreeSet<String> = found.iter().map(|found| found.name.clone()).collect();
    match found.into_iter().find(|found| found.name == name) {
        Some(FoundProfile { origin, site, .. }) => site.map(|site| (site, origin)),
        None => {
            let names = names.iter().map(String::as_str);
            let hint = match nearest(name, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let folders = folders
                        .iter()
                        .map(|folder| format!("`{}`", folder.display()));
                    let (names, folders) = (
                        listed(names.map(|name| format!("`{name}`"))),
                        listed(folders),
                    );
                    format!("there are {names}; profiles are built in, or in the folders {folders}")
                }
            };
            Err(
                Diagnostic::new(format!("there is no site profile `{name}`"))
                    .hint(hint)
                    .into(),
            )
        }
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    Vec::from_iter(words).join(", ")
}

/// Reads the profile in a file.
///
/// # Errors
///
/// Fails if the file cannot be read or has errors.
pub fn file(path: &Path) -> Result<(Site, Origin), Diagnostics> {
    let site = parse(&Text::read(path)?)?;
    Ok((site, Origin::File(path.to_owned())))
}

/// Returns a path from the command line with `~/` expanded.
///
/// # Errors
///
/// Fails if the home directory is not known.
pub fn path(written: &str) -> Result<PathBuf, Diagnostics> {
    let expanded = expanded(written).map_err(Diagnostic::from)?;
    Ok(expanded.into())
}

/// Returns true if `site` is the path of a profile, not a name.
pub fn is_path(site: &str) -> bool {
    site.contains('/') || is_profile(Path::new(site))
}

/// Parses and checks a profile.
///
/// # Errors
///
/// Fails with all errors of the text.
pub fn parse(text: &Arc<Text>) -> Result<Site, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let Some(mut tree) = tree::parse(text, &mut diagnostics) else {
        return Err(diagnostics);
    };
    validation::validate(&schema::site(), &mut tree, &mut diagnostics);
    check_launcher(&tree, &mut diagnostics);
    match serde_json::from_value::<Site>(tree.to_json()) {
        Ok(mut site) => {
            at_home(&mut site, &tree, &mut diagnostics);
            partitions::check(&site, &tree, &mut diagnostics);
            resources::check(&site, &tree, &mut diagnostics);
            scratch::check(&site, &tree, &mut diagnostics);
            diagnostics.or(site)
        }
        Err(_) if !diagnostics.is_empty() => Err(diagnostics),
        Err(error) => Err(Diagnostic::new(error.to_string()).at(tree.place).into()),
    }
}

/// Replaces `~/` by the home directory in the variables of tasks, as a shell does. The other paths
/// of a profile belong to the host on which they are used, and are expanded there.
fn at_home(site: &mut Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    for (name, partition) in &mut site.partitions {
        let is_elsewhere = partition.transport.is_some();
        for (variable, value) in &mut partition.environment {
            if in_home(value).is_none() {
                continue;
            }
            let place = tree.find(&["partitions", name, "environment", variable]);
            let diagnostic = match expanded(value) {
                _ if is_elsewhere => {
                    let hint = "write the absolute path on that host".to_owned();
                    Diagnostic::new(format!(
                        "`{value}` would be in the home directory of this host, not of the host of `{name}`"
                    ))
                    .hint(hint)
                }
                Ok(expanded) => {
                    *value = expanded;
                    continue;
                }
                Err(error) => error.into(),
            };
            diagnostics.push(diagnostic.at(place.clone()));
        }
    }
}

fn check_launcher(tree: &TreeNode, diagnostics: &mut Diagnostics) {
    let Some(node) = tree.get("mpiexec_command") else {
        return;
    };
    let tree::Value::Text(command) = &node.value else {
        return;
    };
    match pieces(command) {
        Err(why) => diagnostics.push(
            Diagnostic::new(format!("`mpiexec_command` is not a valid template: {why}"))
                .at(node.place.clone()),
        ),
        Ok(pieces) => {
            for piece in pieces {
                match piece {
                    Piece::Reference(name) if !LAUNCHER_NAMES.contains(&name.as_str()) => {
                        let diagnostic = Diagnostic::new(format!(
                            "`mpiexec_command` has no variable `{{{{{name}}}}}`"
                        ));
                        diagnostics.push(
                            diagnostic
                                .at(node.place.clone())
                                .hint_if(hint_for(&name, LAUNCHER_NAMES)),
                        );
                    }
                    Piece::Reference(_) | Piece::Plain(_) => {}
                }
            }
        }
    }
}

fn is_profile(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml")
}

fn name_of(site: &Result<Site, Diagnostics>, path: &Path) -> String {
    match site {
        Ok(site) => site.name.clone(),
        Err(_) => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    }
}
