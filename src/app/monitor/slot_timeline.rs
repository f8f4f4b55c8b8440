//! Busy time of slots, in equal spans of time from the beginning of a run. The spans grow with the
//! run, so that their number stays small.

/// Most spans of a timeline.
const MOST: usize = 512;
/// First length of a span, milliseconds.
const FIRST: i64 = 250;

/// Time that slots were busy, in equal spans of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotTimeline {
    /// Beginning of the first span, milliseconds since the Unix epoch.
    begin: i64,
    /// Length of a span, milliseconds.
    span: i64,
    /// Busy time in each span, milliseconds of slots.
    busy: Vec<i64>,
}

impl SlotTimeline {
    /// Returns a timeline that begins at `begin`, milliseconds since the Unix epoch.
    pub fn new(begin: i64) -> Self {
        Self {
            begin,
            span: FIRST,
            busy: Vec::new(),
        }
    }

    /// Adds a slot that was busy between two times, milliseconds since the Unix epoch.
    pub fn add(&mut self, from: i64, to: i64) {
        let from = (from - self.begin).max(0);
        let to = to - self.begin;
        if to <= from {
            return;
        }
        while to > self.span * MOST as i64 {
            self.merge_spans();
        }
        let last = ((to - 1) / self.span) as usize;
        self.busy.resize(self.busy.len().max(last + 1), 0);
        for place in (from / self.span) as usize..=last {
            let begin = place as i64 * self.span;
            self.busy[place] += to.min(begin + self.span) - from.max(begin);
        }
    }

    /// Joins every two spans.
    fn merge_spans(&mut self) {
        self.span *= 2;
        self.busy = self.busy.chunks(2).map(|pair| pair.iter().sum()).collect();
    }

    /// Returns the mean number of busy slots in each of `count` equal parts of the time until `end`,
    /// milliseconds since the Unix epoch.
    pub fn mean_busy(&self, end: i64, count: usize) -> Vec<f64> {
        let all = (end - self.begin).max(1) as f64;
        let length = all / count as f64;
        let part = |place: usize| {
            let (from, to) = (place as f64 * length, (place + 1) as f64 * length);
            let first = (from / self.span as f64) as usize;
            let spans = self.busy.iter().enumerate().skip(first);
            let shares = spans.map_while(|(at, busy)| {
                let begin = at as f64 * self.span as f64;
                let common = to.min(begin + self.span as f64) - from.max(begin);
                (common > 0.0).then(|| *busy as f64 * common / self.span as f64)
            });
            // The sum of nothing is -0.
            (0.0 + shares.sum::<f64>()) / length
        };
        (0..count).map(part).collect()
    }

    /// Returns the sum of all busy time, milliseconds of slots.
    #[cfg(test)]
    fn total(&self) -> i64 {
        self.busy.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_busy_time_is_lost_or_invented(
            intervals in prop::collection::vec((0_i64..10_000_000, 1_i64..1_000_000), 1..40),
            count in 1_usize..200,
        ) {
            let mut timeline = SlotTimeline::new(1000);
            let mut expected = 0;
            let mut end = 0;
            for (from, length) in intervals {
                timeline.add(1000 + from, 1000 + from + length);
                expected += length;
                end = end.max(1000 + from + length);
            }
            prop_assert_eq!(timeline.total(), expected);
            prop_assert!(timeline.busy.len() <= MOST);
            // The parts hold all of it but what lies in the rest of the last span.
            let length = (end - 1000) as f64 / count as f64;
            let parts: f64 = timeline.mean_busy(end, count).iter().map(|mean| mean * length).sum();
            let rest = timeline.busy.last().copied().unwrap_or(0) as f64;
            prop_assert!(parts <= expected as f64 + 1.0);
            prop_assert!(parts >= expected as f64 - rest - 1.0);
        }
    }
}
