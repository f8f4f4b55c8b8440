//! The scratch directory of a site: a path, the first part of which may be an environment variable.

use std::path::{Component, Path};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::site::Site;
use super::tree::TreeNode;
use crate::text::path::{HomeError, variable};

/// Collects the errors of the scratch directory of a well-formed profile.
pub fn check(site: &Site, tree: &TreeNode, diagnostics: &mut Diagnostics) {
    let shown = site.scratch.display();
    let rest = variable(&site.scratch).map(|(_, rest)| Path::new(rest));
    let mut report = |message: String, hint: &str| {
        let place = tree.find(&["scratch"]).clone();
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    };
    if rest.is_none() && shown.to_string().starts_with('~') {
        let error = HomeError::OtherUser(shown.to_string());
        report(error.to_string(), &error.hint());
    }
    let path = rest.unwrap_or(&site.scratch);
    if path.to_string_lossy().contains('$') {
        report(
            format!("`scratch: {shown}` has a `$` that names no variable"),
            "a variable is the whole value or its first part: `$SLURM_TMPDIR`, `${TMPDIR}/moldflow`",
        );
    }
    if !path.is_absolute() && path.components().any(|part| part == Component::ParentDir) {
        report(
            format!("`scratch: {shown}` leads out of its base folder"),
            "remove `..`: a relative path is inside the run directory",
        );
    }
}
