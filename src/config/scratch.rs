//! The scratch directory of a site: a path, the first part of which may be an environment variable.

use std::path::{Component, Path};

use super::fault::{Fault, Faults};
use super::paths::HomeError;
use super::site::Site;
use super::tree::TreeNode;
pub use crate::text::path::variable;

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
