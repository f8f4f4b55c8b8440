//! Host on which this program runs.

use std::path::PathBuf;

use super::error::CommandError;
use crate::config::site::Site;

/// Returns true if this host is the site.
pub fn is_here(site: &Site) -> bool {
    site.is_here(&hostname(), |name| std::env::var_os(name).is_some())
}

/// Returns the name that uname(2) reports; empty where /proc does not have it.
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Returns the path of this program.
///
/// # Errors
///
/// Fails if the host does not tell it.
pub fn own_executable() -> Result<PathBuf, CommandError> {
    std::env::current_exe()
        .map_err(|e| CommandError::io("could not find this program's own file", &e))
}
