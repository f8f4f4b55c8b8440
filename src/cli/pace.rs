//! Pace of the last evaluations, and the time that it leaves.

use std::collections::VecDeque;
use std::time::Duration;

/// Evaluations by which the pace is measured.
const WINDOW: usize = 20;
/// Fewest of them that give a pace.
const FEWEST: usize = 3;
/// A wait this many times longer than the longest between the last evaluations is a stall.
const STALL: u32 = 3;

/// Times at which the last evaluations ended, since any fixed moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    ends: VecDeque<Duration>,
}

impl Pace {
    /// Returns the pace of evaluations that ended at these times, in order.
    pub fn of(ends: impl DoubleEndedIterator<Item = Duration>) -> Self {
        let mut last: VecDeque<Duration> = ends.rev().take(WINDOW + 1).collect();
        last.make_contiguous().reverse();
        Self { ends: last }
    }

    /// Adds `count` evaluations that ended at `time`.
    pub fn add(&mut self, time: Duration, count: usize) {
        let added = std::iter::repeat_n(time, count.min(WINDOW + 1));
        self.ends.extend(added);
        while self.ends.len() > WINDOW + 1 {
            self.ends.pop_front();
        }
    }

    /// Returns the time that `left` evaluations will take at the pace of the last ones; None if there
    /// were too few, or if none ended for so long that the pace does not hold any more.
    pub fn time_left(&self, now: Duration, left: usize) -> Option<Duration> {
        let (first, last) = (*self.ends.front()?, *self.ends.back()?);
        let steps = self.ends.len() - 1;
        if steps < FEWEST || left == 0 || last <= first {
            return None;
        }
        let waits = self.ends.iter().zip(self.ends.iter().skip(1));
        let longest = waits.map(|(a, b)| b.saturating_sub(*a)).max()?;
        let since = now.saturating_sub(last);
        let one = last.saturating_sub(first).div_f64(steps as f64);
        (since <= longest * STALL).then(|| one.mul_f64(left as f64).saturating_sub(since))
    }
}

/// Returns a duration in words: `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn brief(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s @ 3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_last_evaluations_give_the_pace() {
        // A hundred evaluations of one second, then slower ones of ten.
        let ends = (0..100).chain((0..30).map(|n| 100 + 10 * n)).map(s);
        let pace = Pace::of(ends.clone());
        assert_eq!(pace.time_left(s(390), 6), Some(s(60)));
        assert_eq!(pace.time_left(s(395), 6), Some(s(55)));
        let mut added = Pace::default();
        ends.for_each(|end| added.add(end, 1));
        assert_eq!(added.time_left(s(390), 6), Some(s(60)));
    }

    #[test]
    fn there_is_no_estimate_that_nothing_supports() {
        let pace = Pace::of([0, 10, 20, 30].map(s).into_iter());
        assert_eq!(pace.time_left(s(30), 2), Some(s(20)));
        // Nothing is left, or no evaluation has ended for long.
        assert_eq!(pace.time_left(s(30), 0), None);
        assert_eq!(pace.time_left(s(61), 2), None);
        assert_eq!(
            Pace::of([0, 10, 20].map(s).into_iter()).time_left(s(20), 2),
            None
        );
        // All ended at once.
        let mut pace = Pace::default();
        pace.add(s(5), 8);
        assert_eq!(pace.time_left(s(6), 2), None);
    }

    #[test]
    fn durations_are_in_words() {
        let words = [59, 61, 3700, 90_000].map(|seconds| brief(s(seconds)));
        assert_eq!(words, ["59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }
}
