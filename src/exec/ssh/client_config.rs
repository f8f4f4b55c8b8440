//! Configuration of the user's own `ssh`, as `ssh -G` prints it.

use std::process::Command;
use std::time::Duration;

use crate::exec::child;

/// Longest time that `ssh -G` may take; it opens no connection.
const LIMIT: Duration = Duration::from_secs(10);

/// Jump hosts to a host, as the user's configuration names them; None if there are none, or if
/// `ssh` does not print them.
pub fn proxy_jump(host: &str) -> Option<String> {
    let mut command = Command::new("ssh");
    command.args(["-G", "--", host]);
    let text = child::run(command, &[], Some(LIMIT)).ok()?.stdout_text();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix("proxyjump "))?;
    (found != "none").then(|| found.to_owned())
}
