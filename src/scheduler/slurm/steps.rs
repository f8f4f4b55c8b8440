//! Steps of jobs, in which the tasks of a block run.

use super::{AT_ONCE, CANCEL};
use crate::scheduler::{CommandHost, CommandRequest, Unreachable, checked};

/// A running step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmStep {
    /// Its id: `7.0`.
    pub id: String,
    /// Its name, the token of its attempt.
    pub name: String,
}

/// Lists the running steps of this user.
///
/// # Errors
///
/// Returns [`Unreachable`] if Slurm does not answer.
pub fn steps(host: &mut dyn CommandHost) -> Result<Vec<SlurmStep>, Unreachable> {
    let call = CommandRequest::new([
        "squeue",
        "--steps",
        "--noheader",
        "--me",
        "--format",
        "%i|%j",
    ]);
    let text = checked(host.run(&call)?)?;
    let step = |line: &str| {
        let (id, name) = line.split_once('|')?;
        Some(SlurmStep {
            id: id.trim().to_owned(),
            name: name.trim().to_owned(),
        })
    };
    Ok(text.lines().filter_map(step).collect())
}

/// Cancels the steps of these names.
///
/// # Errors
///
/// Returns [`Unreachable`] if Slurm does not answer.
pub fn cancel_steps(
    host: &mut dyn CommandHost,
    which: impl Fn(&str) -> bool,
) -> Result<(), Unreachable> {
    let ours = steps(host)?.into_iter().filter(|step| which(&step.name));
    let ids: Vec<String> = ours.map(|step| step.id).collect();
    for ids in ids.chunks(AT_ONCE) {
        let output = host.run(&CommandRequest::new([CANCEL]).args(ids.iter().cloned()))?;
        // It is no failure if a step has ended meanwhile.
        if !output.succeeded() && !output.stderr.contains("Invalid job") {
            checked(output)?;
        }
    }
    Ok(())
}
