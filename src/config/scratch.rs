//! The scratch directory of a site: a path, the first part of which may be an environment variable.

use std::path::{Component, Path};

use super::fault::{Fault, Faults};
use super::paths::{HomeError, in_home};
use super::site::Site;
use super::tree::TreeNode;

/// Variable with which a directory starts, and the path after it: `$NAME`, `${NAME}/folder`.
/// `~/folder` starts with HOME.
pub fn variable(dir: &Path) -> Option<(&str, &str)> {
    let text = dir.to_str()?;
    if let Some(rest) = in_home(text) {
        return Some(("HOME", rest.trim_start_matches('/')));
    }
    let text = text.strip_prefix('$')?;
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.find('/').unwrap_or(text.len())),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_end = rest.is_empty() || rest.starts_with('/');
    (is_name && is_end).then(|| (name, rest.trim_start_matches('/')))
}

/// Collects the faults of the scratch directory of a well-formed profile.
pub fn check(site: &Site, tree: &TreeNode, faults: &mut Faults) {
    let shown = site.scratch.display();
    let rest = variable(&site.scratch).map(|(_, rest)| Path::new(rest));
    let mut fault = |message: String, hint: &str| {
        let place = tree.find(&["scratch"]).clone();
        faults.push(Fault::new(message).at(place).hint(Some(hint.to_owned())));
    };
    if rest.is_none() && shown.to_string().starts_with('~') {
        let error = HomeError::OtherUser(shown.to_string());
        fault(error.to_string(), &error.hint());
    }
    let path = rest.unwrap_or(&site.scratch);
    if path.to_string_lossy().contains('$') {
        fault(
            format!("`scratch: {shown}` has a `$` that names no variable"),
            "a variable is the whole value or its first part: `$SLURM_TMPDIR`, `${TMPDIR}/moldflow`",
        );
    }
    if !path.is_absolute() && path.components().any(|part| part == Component::ParentDir) {
        fault(
            format!("`scratch: {shown}` leads out of where it begins"),
            "remove `..`: a relative one is inside the run directory",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_the_whole_value_or_its_first_part() {
        let variable = |text| variable(Path::new(text)).map(|(n, r)| (n.to_owned(), r.to_owned()));
        let some = |name: &str, rest: &str| Some((name.to_owned(), rest.to_owned()));
        assert_eq!(variable("$TMPDIR"), some("TMPDIR", ""));
        assert_eq!(variable("${TMPDIR}/a/b"), some("TMPDIR", "a/b"));
        assert_eq!(variable("$TMP_1//a"), some("TMP_1", "a"));
        assert_eq!(variable("~/a/b"), some("HOME", "a/b"));
        assert_eq!(variable("~"), some("HOME", ""));
        for not in [
            "./scratch",
            "a/$TMPDIR",
            "$",
            "$1",
            "${TMPDIR}a",
            "${TMPDIR",
            "$A-B",
            "~me/a",
        ] {
            assert_eq!(variable(not), None, "{not}");
        }
    }
}
