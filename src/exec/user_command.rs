//! Commands of the user that are told something: run without a shell, with an input, for a limited
//! time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::child;

/// Runs a command in `dir` with the environment of this process and further `variables`; a process
/// group of its own is killed after `limit`.
///
/// # Errors
///
/// Returns the reason for which it did not succeed: it did not start, took too long, or ended with
/// another exit status than 0; then with the end of what it wrote to stderr.
pub fn run_user_command(
    argv: &[String],
    variables: &[(&str, String)],
    input: &[u8],
    dir: &Path,
    limit: Duration,
) -> Result<(), String> {
    let [program, arguments @ ..] = argv else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(dir);
    let output = child::run_group(command, input, limit);
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = output.stderr_text();
    let last = text.trim().lines().next_back().unwrap_or_default();
    Err(format!("`{program}` ended with {}: {last}", output.status))
}
