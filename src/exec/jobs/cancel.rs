//! Cancelling jobs until none is left.

use std::time::{Duration, Instant};

use crate::scheduler::Unreachable;

/// Longest time that cancelled jobs are polled.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time from one poll to the next.
const POLL: Duration = Duration::from_millis(500);
/// Polls in a row that must find nothing to cancel where a job is in doubt: it may come into the
/// queue after its client gave up.
const CLEAN_POLLS: u32 = 2;

/// Cancels jobs by `cancel`, which returns the ids of those that it cancelled, repeatedly until
/// none is left. `doubtful`: a submission with an unknown result may still enter the queue.
///
/// # Errors
///
/// Returns the jobs that may still run.
pub fn cancel_all(
    doubtful: bool,
    mut cancel: impl FnMut() -> Result<Vec<String>, Unreachable>,
) -> Result<(), RemainingJobs> {
    let (begin, mut clean) = (Instant::now(), 0);
    loop {
        let asked = cancel();
        match &asked {
            Ok(ids) if ids.is_empty() => clean += 1,
            _ => clean = 0,
        }
        if clean >= if doubtful { CLEAN_POLLS } else { 1 } {
            return Ok(());
        }
        if begin.elapsed() >= TIMEOUT {
            return match asked {
                Ok(ids) if ids.is_empty() => Ok(()),
                Ok(ids) => Err(RemainingJobs { ids, why: None }),
                Err(Unreachable(why)) => Err(RemainingJobs {
                    ids: Vec::new(),
                    why: Some(why),
                }),
            };
        }
        std::thread::sleep(POLL);
    }
}

/// Jobs that may still run although they were cancelled.
pub struct RemainingJobs {
    /// Empty where the scheduler does not tell.
    pub ids: Vec<String>,
    /// Error of the last poll; None if the scheduler answered.
    pub why: Option<String>,
}

impl RemainingJobs {
    /// Returns a sentence for the user: `what` they are, and the command `cancel` that cancels
    /// them. `known`: ids to name where the scheduler does not tell which are left.
    pub fn sentence(self, what: &str, cancel: &str, known: Vec<String>) -> String {
        let why = self
            .why
            .map_or_else(String::new, |why| format!(" ({})", why.trim()));
        let ids = if self.ids.is_empty() { known } else { self.ids };
        let count = ids.len();
        match ids.is_empty() {
            true => format!("{what} may still run{why}: look for them and end them by `{cancel}`"),
            false => {
                let ids = ids.join(" ");
                format!("{count} {what} may still run{why}: `{cancel} {ids}` ends them")
            }
        }
    }
}
