//! Time limits of a task, and what a job, a client or a block of nodes needs beyond them.

use std::time::Duration;

/// Time that a batch job, or the client that waits for a task on another node, gets beyond the
/// timeout of its task. The process beside the task terminates it at its timeout and writes that
/// down; with less time the scheduler could terminate both first, and a timeout would look like the
/// end of a walltime.
pub const RUNNER_MARGIN: Duration = Duration::from_secs(60);

/// Time that a block of nodes must last beyond the expected time of a step: to start the step and
/// to terminate it.
pub const STEP_MARGIN: Duration = Duration::from_secs(15);

/// Time limits of a task. The timeout is that of its method, from the campaign to the signal that
/// terminates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time from the start of its process after which it is terminated.
    pub timeout: Duration,
    /// Longest time that it is expected to take, `timeout` at most: what a job or block must last
    /// to begin it.
    pub expected: Duration,
}

impl Limits {
    /// Returns the limits of a task of which nothing but its timeout is known.
    pub const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            expected: timeout,
        }
    }

    /// Returns the walltime of a batch job that runs this task alone, `longest` at most.
    pub fn job_walltime(self, longest: Duration) -> Duration {
        self.timeout.saturating_add(RUNNER_MARGIN).min(longest)
    }

    /// Returns the limits of the client or launcher that waits for this task, which is terminated
    /// where it runs.
    pub fn of_client(self) -> Self {
        Self {
            timeout: self.timeout.saturating_add(RUNNER_MARGIN),
            ..self
        }
    }
}

/// Returns the time that a block of nodes with this walltime must still last to begin a step that
/// is `expected` to take so long. A step that may take longer than any block needs a block that has
/// used a tenth of its walltime at most.
pub fn block_time(expected: Duration, walltime: Duration) -> Duration {
    expected.saturating_add(STEP_MARGIN).min(walltime * 9 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_job_and_a_client_outlast_the_timeout_and_a_job_is_no_longer_than_allowed() {
        let limits = Limits::new(10 * MINUTE);
        assert_eq!(limits.job_walltime(60 * MINUTE), 11 * MINUTE);
        assert_eq!(limits.job_walltime(5 * MINUTE), 5 * MINUTE);
        assert_eq!(Limits::new(Duration::MAX).job_walltime(MINUTE), MINUTE);
        assert_eq!(limits.of_client().timeout, 11 * MINUTE);
        assert_eq!(limits.of_client().expected, limits.expected);
    }

    #[test]
    fn a_step_longer_than_every_block_needs_a_fresh_block() {
        assert_eq!(block_time(MINUTE, 60 * MINUTE), MINUTE + STEP_MARGIN);
        assert_eq!(block_time(600 * MINUTE, 60 * MINUTE), 54 * MINUTE);
    }
}
