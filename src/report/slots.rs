//! Use of the slots of a partition over the time of a run: for what, and why some were idle. The times
//! at which a condition begins or ends are gone through in order, so that each use is exact.

use crate::store::{AttemptSpan, Pause};

/// Number of equal parts of the time of a run.
pub(super) const BINS: usize = 240;

/// Use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotUse {
    /// It calculates a molecule or a free atom.
    Simulation,
    /// It trains, generates or screens.
    Learning,
    /// It is idle, and no engine is at work.
    NoEngine,
    /// A slot for learning that is idle while simulations run.
    WaitsForResults,
    /// A slot for simulations that is idle, with an empty queue, while a batch is made.
    WaitsForModel,
    /// A slot for simulations that is idle, with an empty queue, while no batch is made.
    WaitsForCandidates,
    /// A slot for simulations that is idle although molecules wait: `parallel` or the time of the job
    /// limits them.
    HeldBack,
    /// It is idle because nothing will start in its partition any more.
    Draining,
}

impl SlotUse {
    /// Every use, in the order in which they are drawn from the foot of a chart.
    pub const ALL: [Self; 8] = [
        Self::Simulation,
        Self::Learning,
        Self::WaitsForModel,
        Self::WaitsForCandidates,
        Self::HeldBack,
        Self::WaitsForResults,
        Self::Draining,
        Self::NoEngine,
    ];

    /// Returns the words for it in a legend.
    pub fn words(self) -> &'static str {
        match self {
            Self::Simulation => "simulation",
            Self::Learning => "learning",
            Self::NoEngine => "idle: no engine at work",
            Self::WaitsForResults => "idle: waiting for results",
            Self::WaitsForModel => "idle: waiting for the model",
            Self::WaitsForCandidates => "idle: no candidates",
            Self::HeldBack => "idle: limited by `parallel` or the job",
            Self::Draining => "idle: nothing left to start",
        }
    }

    /// Returns its class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Simulation => "use-simulation",
            Self::Learning => "use-learning",
            Self::NoEngine => "use-none",
            Self::WaitsForResults => "use-results",
            Self::WaitsForModel => "use-model",
            Self::WaitsForCandidates => "use-candidates",
            Self::HeldBack => "use-held",
            Self::Draining => "use-draining",
        }
    }
}

/// Time of a run, from its first to its last attempt, in equal parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Milliseconds since the Unix epoch.
    pub begin: i64,
    /// Milliseconds since the Unix epoch, after `begin`.
    pub end: i64,
}

impl Clock {
    /// Adds to each part of the time the share of `uses`, which hold between two times.
    fn add(&self, bins: &mut [SlotCounts], (from, to): (i64, i64), uses: &SlotCounts) {
        let part = (self.end - self.begin) as f64 / BINS as f64;
        let place = |at: i64| (at.clamp(self.begin, self.end) - self.begin) as f64 / part;
        let (from, to) = (place(from), place(to));
        for (n, bin) in bins.iter_mut().enumerate().skip(from as usize) {
            let share = to.min(n as f64 + 1.0) - from.max(n as f64);
            if share <= 0.0 {
                break;
            }
            bin.iter_mut()
                .zip(uses)
                .for_each(|(sum, count)| *sum += share * count);
        }
    }
}

/// Numbers of slots in each use, in the order of [`SlotUse::ALL`].
pub(super) type SlotCounts = [f64; 8];

/// Facts about a run from which the reasons for idle slots follow.
pub(super) struct RunTimes<'a> {
    /// Time of the run.
    pub clock: Clock,
    /// All attempts.
    pub spans: &'a [AttemptSpan],
    /// Times without an engine.
    pub pauses: &'a [Pause],
    /// Times in which molecules waited; they may overlap.
    pub queued: &'a [(i64, i64)],
    /// True if the run has ended.
    pub has_ended: bool,
}

/// Partition of which the slots are drawn.
pub(super) struct PartitionSlots<'a> {
    /// Number of its slots; None if only an allocation tells.
    pub slots: Option<usize>,
    /// True for a method that runs in it.
    pub runs: &'a dyn Fn(&AttemptSpan) -> bool,
    /// True if its methods simulate.
    pub simulates: bool,
}

/// Condition of a run that begins and ends.
#[derive(Clone, Copy)]
enum Condition {
    /// A slot of the partition simulates.
    Simulates,
    /// A slot of the partition learns.
    Learns,
    /// A batch is made, in any partition.
    MakesBatch,
    /// A candidate waits.
    Queued,
    /// No engine is at work.
    Stopped,
    /// Nothing will start in the partition any more.
    Drained,
}

const CONDITIONS: usize = 6;

impl RunTimes<'_> {
    /// Returns the mean numbers of slots in each use, for each part of the time.
    pub fn uses(&self, partition: &PartitionSlots) -> Vec<SlotCounts> {
        let mut bins = vec![SlotCounts::default(); BINS];
        let mut open = [0_usize; CONDITIONS];
        let mut before = self.clock.begin;
        for (at, condition, begins) in self.changes(partition) {
            if before < at {
                self.clock
                    .add(&mut bins, (before, at), &partition.uses(&open));
                before = at;
            }
            let open = &mut open[condition as usize];
            *open = if begins { *open + 1 } else { *open - 1 };
        }
        bins
    }

    /// Returns the times at which a condition begins or ends, in order.
    fn changes(&self, partition: &PartitionSlots) -> Vec<(i64, Condition, bool)> {
        let mut changes = Vec::new();
        let mut note = |condition, from: i64, to: i64| {
            if from < to {
                changes.extend([(from, condition, true), (to, condition, false)]);
            }
        };
        let mut last_start = None;
        for span in self.spans {
            let (from, to) = (span.started, span.finished.unwrap_or(self.clock.end));
            if !span.is_simulation {
                note(Condition::MakesBatch, from, to);
            }
            if (partition.runs)(span) {
                last_start = last_start.max(Some(from));
                match span.is_simulation {
                    true => note(Condition::Simulates, from, to),
                    false => note(Condition::Learns, from, to),
                }
            }
        }
        let queued = self.queued.iter();
        queued.for_each(|(from, to)| note(Condition::Queued, *from, *to));
        let pauses = self.pauses.iter();
        pauses.for_each(|pause| note(Condition::Stopped, pause.from, pause.to));
        if let Some(last) = last_start.filter(|_| self.has_ended) {
            note(Condition::Drained, last, self.clock.end);
        }
        changes.sort_by_key(|(at, ..)| *at);
        changes
    }
}

impl PartitionSlots<'_> {
    /// Returns the numbers of slots in each use, while so many of each condition hold.
    fn uses(&self, open: &[usize; CONDITIONS]) -> SlotCounts {
        let count = |condition: Condition| open[condition as usize];
        let (simulating, learning) = (count(Condition::Simulates), count(Condition::Learns));
        let idle = self
            .slots
            .unwrap_or(0)
            .saturating_sub(simulating + learning);
        let reason = if count(Condition::Stopped) > 0 {
            SlotUse::NoEngine
        } else if count(Condition::Drained) > 0 {
            SlotUse::Draining
        } else if !self.simulates {
            SlotUse::WaitsForResults
        } else if count(Condition::Queued) > 0 {
            SlotUse::HeldBack
        } else if count(Condition::MakesBatch) > 0 {
            SlotUse::WaitsForModel
        } else {
            SlotUse::WaitsForCandidates
        };
        SlotUse::ALL.map(|slot_use| match slot_use {
            SlotUse::Simulation => simulating as f64,
            SlotUse::Learning => learning as f64,
            other if other == reason => idle as f64,
            _ => 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempt of a method of the partition's name, between two times.
    fn span(method: &str, started: i64, finished: Option<i64>) -> AttemptSpan {
        AttemptSpan {
            method: Some(method.to_owned()),
            is_simulation: method == "qc",
            started,
            finished,
        }
    }

    /// Sums over the time of a run from 0 to 240 ms, in milliseconds of slots, of the uses that occur.
    fn sums(run: &RunTimes, partition: &str, slots: usize) -> Vec<(SlotUse, f64)> {
        let uses = run.uses(&PartitionSlots {
            slots: Some(slots),
            runs: &|span| span.method.as_deref() == Some(partition),
            simulates: partition == "qc",
        });
        assert_eq!(uses.len(), BINS);
        for part in &uses {
            assert!(
                (part.iter().sum::<f64>() - slots as f64).abs() < 1e-9,
                "{part:?}"
            );
        }
        let sum = |n: usize| uses.iter().map(|part| part[n]).sum::<f64>();
        let sums = SlotUse::ALL.into_iter().enumerate();
        let sums = sums.map(|(n, slot_use)| (slot_use, (1e6 * sum(n)).round() / 1e6));
        sums.filter(|(_, sum)| *sum > 0.0).collect()
    }

    fn run<'a>(
        spans: &'a [AttemptSpan],
        pauses: &'a [Pause],
        queued: &'a [(i64, i64)],
    ) -> RunTimes<'a> {
        RunTimes {
            clock: Clock { begin: 0, end: 240 },
            spans,
            pauses,
            queued,
            has_ended: true,
        }
    }

    #[test]
    fn each_reason_for_idling_has_its_time() {
        // Two slots for simulations. 0-40: one of them; 40-100: none, a batch is made from 50 to 90;
        // 100-160: one, while candidates wait; 160-200: no engine; 200-240: one, the last.
        let spans = [
            span("qc", 0, Some(40)),
            span("ml", 50, Some(90)),
            span("qc", 100, Some(160)),
            span("qc", 200, Some(240)),
        ];
        let pauses = [Pause { from: 160, to: 200 }];
        // Many candidates that wait at once are no longer time.
        let queued = [(100, 160), (100, 160), (100, 130), (230, 240)];
        let run = run(&spans, &pauses, &queued);
        assert_eq!(
            sums(&run, "qc", 2),
            [
                (SlotUse::Simulation, 140.0),
                (SlotUse::WaitsForModel, 80.0),
                (SlotUse::WaitsForCandidates, 80.0),
                (SlotUse::HeldBack, 60.0),
                (SlotUse::Draining, 40.0),
                (SlotUse::NoEngine, 80.0),
            ]
        );
        assert_eq!(
            sums(&run, "ml", 1),
            [
                (SlotUse::Learning, 40.0),
                (SlotUse::WaitsForResults, 50.0),
                (SlotUse::Draining, 110.0),
                (SlotUse::NoEngine, 40.0),
            ]
        );
    }

    #[test]
    fn short_waits_of_many_candidates_do_not_fill_a_part_of_the_time() {
        // A part of the time has 1 ms.
        let spans = [span("qc", 0, Some(1000)), span("qc", 1001, Some(2400))];
        let queued: Vec<(i64, i64)> = (0..50).map(|_| (1000, 1001)).collect();
        let run = RunTimes {
            clock: Clock {
                begin: 0,
                end: 2400,
            },
            ..run(&spans, &[], &queued)
        };
        let partition = PartitionSlots {
            slots: Some(1),
            runs: &|_| true,
            simulates: true,
        };
        let held = run.uses(&partition).iter().map(|part| part[4]).sum::<f64>();
        assert_eq!(SlotUse::ALL[4], SlotUse::HeldBack);
        assert!(
            (held - 0.1).abs() < 1e-9,
            "1 of 2400 ms in 240 parts: {held}"
        );
    }

    #[test]
    fn a_task_that_runs_is_busy_until_now_and_nothing_is_over_in_a_run_that_goes_on() {
        let spans = [span("qc", 0, Some(60)), span("qc", 120, None)];
        let run = RunTimes {
            has_ended: false,
            ..run(&spans, &[], &[])
        };
        let expected = [
            (SlotUse::Simulation, 180.0),
            (SlotUse::WaitsForCandidates, 60.0),
        ];
        assert_eq!(sums(&run, "qc", 1), expected);
    }

    #[test]
    fn slots_that_only_an_allocation_tells_are_never_idle() {
        let spans = [span("qc", 0, Some(120)), span("qc", 60, Some(240))];
        let partition = PartitionSlots {
            slots: None,
            runs: &|_| true,
            simulates: true,
        };
        let uses = run(&spans, &[], &[]).uses(&partition);
        let sum: f64 = uses.iter().flatten().sum();
        assert!((sum - 300.0).abs() < 1e-9, "{sum}");
        assert!(
            uses.iter()
                .all(|part| part[1..].iter().all(|count| *count == 0.0))
        );
    }
}
