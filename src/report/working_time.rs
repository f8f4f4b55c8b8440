//! Time of a run without the pauses in which no task ran. A night between an interruption and the
//! resume would leave no room for the rest on a chart.

use crate::store::{AttemptSpan, Pause};

/// Times of a run, moved together where nothing ran. Milliseconds since the Unix epoch.
pub(super) struct WorkingTime {
    /// Left out: disjoint, in order.
    cuts: Vec<(i64, i64)>,
}

impl WorkingTime {
    /// Leaves out of `pauses` what no span covers. Spans are in the order of their start; those
    /// that are not over last until `now`.
    pub fn new(pauses: &[Pause], spans: &[AttemptSpan], now: i64) -> Self {
        let mut cuts = Vec::new();
        for pause in pauses {
            let mut idle_from = pause.from;
            for span in spans {
                let (started, finished) = (span.started, span.finished.unwrap_or(now));
                if started >= pause.to {
                    break;
                }
                if idle_from < started {
                    cuts.push((idle_from, started));
                }
                idle_from = idle_from.max(finished);
            }
            if idle_from < pause.to {
                cuts.push((idle_from, pause.to));
            }
        }
        Self { cuts }
    }

    /// Returns where a time lies once everything before it has moved together.
    pub fn of(&self, at: i64) -> i64 {
        let cuts = self.cuts.iter().filter(|(from, _)| *from < at);
        at - cuts.map(|(from, to)| at.min(*to) - from).sum::<i64>()
    }

    /// Returns all that is left out, milliseconds.
    pub fn left_out(&self) -> i64 {
        self.cuts.iter().map(|(from, to)| to - from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(started: i64, finished: Option<i64>) -> AttemptSpan {
        AttemptSpan {
            method: None,
            is_simulation: true,
            started,
            finished,
        }
    }

    #[test]
    fn a_pause_is_left_out_but_for_the_tasks_that_outlived_the_engine() {
        let pauses = [Pause { from: 100, to: 200 }, Pause { from: 300, to: 310 }];
        // Until 120 one that began before the pause; 150 to 160 one that a scheduler started.
        let spans = [
            span(0, Some(90)),
            span(50, Some(120)),
            span(150, Some(160)),
            span(155, Some(158)),
            span(200, Some(290)),
        ];
        let time = WorkingTime::new(&pauses, &spans, 400);
        assert_eq!(time.cuts, [(120, 150), (160, 200), (300, 310)]);
        assert_eq!(time.left_out(), 80);
        for (at, moved) in [
            (0, 0),
            (120, 120),
            (130, 120),
            (155, 125),
            (250, 180),
            (400, 320),
        ] {
            assert_eq!(time.of(at), moved, "{at}");
        }
    }

    #[test]
    fn nothing_is_left_out_where_a_task_runs_on() {
        let pauses = [Pause { from: 100, to: 200 }];
        let time = WorkingTime::new(&pauses, &[span(50, None)], 400);
        assert_eq!((time.left_out(), time.of(300)), (0, 300));
    }
}
