//! Host on which this program runs.

use std::path::PathBuf;

use super::error::CommandError;
use crate::config::site::Site;
use crate::host::name::host_name;

/// Returns true if this host is the site.
pub fn is_here(site: &Site) -> bool {
    site.is_here(&host_name(), |name| std::env::var_os(name).is_some())
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
