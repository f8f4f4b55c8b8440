//! The host on which this program runs.

use crate::config::site::Site;

/// Whether this host is the site.
pub fn is_here(site: &Site) -> bool {
    site.is_here(&hostname(), |name| std::env::var_os(name).is_some())
}

/// What uname(2) reports; empty where there is no such file.
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
