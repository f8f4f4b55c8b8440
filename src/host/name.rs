//! The name of the host.

/// Returns the host name as `uname(2)` reports it.
pub fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}
