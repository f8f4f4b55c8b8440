//! Host on which this program runs: its name, its environment, and the path of the program.

use std::path::PathBuf;

use super::error::CommandError;
use crate::config::site::Site;
use crate::host::name::host_name;
use crate::plan::HostEnvironment;

/// Returns true if this host is the site.
pub fn is_here(site: &Site) -> bool {
    site.is_here(&host_name(), |name| std::env::var_os(name).is_some())
}

/// Returns the path of this program.
///
/// # Errors
///
/// Fails if the host does not report it.
pub fn own_executable() -> Result<PathBuf, CommandError> {
    std::env::current_exe()
        .map_err(|e| CommandError::io("could not find this program's own file", &e))
}

/// Returns the host name and the environment variables of this process.
pub fn host_environment() -> HostEnvironment {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    HostEnvironment {
        host_name: host_name(),
        variables: variables.collect(),
    }
}
