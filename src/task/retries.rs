//! Retries of a task, by the kind of its failures, and the wait before each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::FailureKind::{self, Cancelled, Memory, NoGeometry, NotANumber, Timeout, Unsupported};

/// Further attempts after those that the machine, not the method, cost a task, unless a campaign
/// says otherwise.
const AFTER_THE_MACHINE: u32 = 19;
/// Further attempts after a result that is not a number, unless a campaign says otherwise: programs
/// that read memory that they never wrote come to another one next time.
const AFTER_NOT_A_NUMBER: u32 = 4;
/// Further attempts at a free atom after a failure that is the same next time, or that may take
/// long.
const AT_ATOM_IN_VAIN: u32 = 2;
/// A backoff is doubled up to this, or stays what it is if it is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// The retries of a method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// Further attempts after failures of this kind.
    pub named: BTreeMap<FailureKind, u32>,
    /// Further attempts after all other failures together that count against the retries.
    pub others: u32,
    /// Further attempts whatever the failure: for the free atoms, on which everything depends.
    pub at_least: u32,
    /// Wait before the second attempt, doubled before each further one.
    pub backoff: Duration,
}

/// Kinds of failure that share their attempts.
#[derive(PartialEq)]
enum RetryPool {
    Named(FailureKind),
    Machine,
    NotANumber,
    Others,
    Hopeless,
}

impl Retries {
    /// Returns `others` further attempts after any failure that counts.
    pub fn of(others: u32) -> Self {
        Self {
            others,
            ..Self::default()
        }
    }

    /// Returns the same with `at_least` further attempts whatever the failure.
    pub fn at_least(&self, at_least: u32) -> Self {
        Self {
            at_least,
            ..self.clone()
        }
    }

    /// Returns true if a task may be retried whose attempts failed like this, the last of them just
    /// now.
    pub fn allow(&self, failed: &[FailureKind]) -> bool {
        let Some(last) = failed.last() else {
            return true;
        };
        let in_vain = matches!(
            last,
            Timeout | Memory | NoGeometry | Unsupported | Cancelled
        );
        let whatever = if in_vain {
            AT_ATOM_IN_VAIN.min(self.at_least)
        } else {
            self.at_least
        };
        if failed.len() <= whatever as usize {
            return true;
        }
        let pool = self.pool(*last);
        let limit = match pool {
            RetryPool::Named(kind) => self.named[&kind],
            RetryPool::Machine => AFTER_THE_MACHINE,
            RetryPool::NotANumber => AFTER_NOT_A_NUMBER.max(self.others),
            RetryPool::Others => self.others,
            RetryPool::Hopeless => 0,
        };
        let spent = failed.iter().filter(|kind| self.pool(**kind) == pool);
        spent.count() <= limit as usize
    }

    /// Returns the wait before the next attempt after `failed` failed ones.
    pub fn wait(&self, failed: usize) -> Duration {
        let doublings = failed.saturating_sub(1).min(31) as u32;
        let longest = self.backoff.max(LONGEST_BACKOFF);
        self.backoff.saturating_mul(1 << doublings).min(longest)
    }

    fn pool(&self, kind: FailureKind) -> RetryPool {
        if self.named.contains_key(&kind) {
            RetryPool::Named(kind)
        } else if kind == NotANumber {
            RetryPool::NotANumber
        } else if !kind.may_pass_next_time() {
            RetryPool::Hopeless
        } else if kind.counts_against_retries() {
            RetryPool::Others
        } else {
            RetryPool::Machine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{Exit, Lost, NotConverged};

    #[test]
    fn a_named_kind_has_attempts_of_its_own_and_the_others_share_theirs() {
        let retries = Retries {
            named: BTreeMap::from([(Timeout, 1), (NotConverged, 1), (Lost, 0)]),
            ..Retries::of(1)
        };
        assert!(retries.allow(&[Timeout]));
        assert!(retries.allow(&[Timeout, Exit, NotConverged]));
        assert!(!retries.allow(&[Timeout, Exit, Timeout]));
        assert!(!retries.allow(&[Exit, FailureKind::Launch]));
        assert!(!retries.allow(&[Lost]));
        assert!(!retries.allow(&[FailureKind::Unsupported]));
    }

    #[test]
    fn not_a_number_is_tried_again_by_default() {
        let retries = Retries::default();
        assert!(retries.allow(&[NotANumber; 4]));
        assert!(!retries.allow(&[NotANumber; 5]));
        assert!(!retries.allow(&[Exit]));
    }

    #[test]
    fn a_free_atom_is_tried_again_whatever_the_failure() {
        let retries = Retries::default().at_least(19);
        for kind in [Exit, NotConverged, NotANumber, FailureKind::Unreadable] {
            assert!(retries.allow(&[kind; 19]), "{kind:?}");
            assert!(!retries.allow(&[kind; 20]), "{kind:?}");
        }
        for kind in [Timeout, Unsupported] {
            assert!(retries.allow(&[kind; 2]), "{kind:?}");
            assert!(!retries.allow(&[kind; 3]), "{kind:?}");
        }
    }

    #[test]
    fn a_backoff_doubles_up_to_an_hour() {
        let seconds = Duration::from_secs;
        let retries = Retries {
            backoff: seconds(30),
            ..Retries::of(9)
        };
        assert_eq!(
            [1, 2, 3].map(|n| retries.wait(n)),
            [30, 60, 120].map(seconds)
        );
        assert_eq!(retries.wait(1000), seconds(3600));
        assert_eq!(Retries::of(9).wait(5), Duration::ZERO);
    }
}
