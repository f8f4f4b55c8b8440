//! Use of the slots of a partition over the time of a run: for what, and why some were idle.

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
    /// A slot for simulations that is idle although candidates are queued: `parallel` or the time of
    /// the job limits them.
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
    /// Returns for each part the mean number of `spans` (from, to) that are open in it.
    pub fn open(&self, spans: impl Iterator<Item = (i64, i64)>) -> Vec<f64> {
        let mut bins = vec![0.0; BINS];
        let part = (self.end - self.begin) as f64 / BINS as f64;
        for (from, to) in spans {
            let place = |at: i64| (at.clamp(self.begin, self.end) - self.begin) as f64 / part;
            let (from, to) = (place(from), place(to));
            for (n, bin) in
                (from as usize..BINS).zip(&mut bins[from.min(BINS as f64 - 1.0) as usize..])
            {
                if n as f64 >= to {
                    break;
                }
                *bin += (to.min(n as f64 + 1.0) - from.max(n as f64)).max(0.0);
            }
        }
        bins
    }
}

/// Facts about a run from which the reasons for idle slots follow.
pub(super) struct RunTimes<'a> {
    /// Time of the run.
    pub clock: Clock,
    /// All attempts.
    pub spans: &'a [AttemptSpan],
    /// Times without an engine.
    pub pauses: &'a [Pause],
    /// Times in which candidates were queued.
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

impl RunTimes<'_> {
    /// Returns the mean number of slots in each use, for each part of the time: a row of
    /// [`SlotUse::ALL`] for each.
    pub fn uses(&self, partition: &PartitionSlots) -> Vec<[f64; 8]> {
        let clock = self.clock;
        let here = || self.spans.iter().filter(|span| (partition.runs)(span));
        let times = |is_simulation: bool| {
            let kind = here().filter(move |span| span.is_simulation == is_simulation);
            clock.open(kind.map(|span| (span.started, self.end_of(span))))
        };
        let (simulating, learning) = (times(true), times(false));
        let last_start = here().map(|span| span.started).max().unwrap_or(clock.end);
        let drained = match self.has_ended {
            true => clock.open([(last_start, clock.end)].into_iter()),
            false => vec![0.0; BINS],
        };
        let stopped = clock.open(self.pauses.iter().map(|pause| (pause.from, pause.to)));
        let queued = clock.open(self.queued.iter().copied());
        let elsewhere = self.spans.iter().filter(|span| !span.is_simulation);
        let training = clock.open(elsewhere.map(|span| (span.started, self.end_of(span))));
        let slots = partition.slots.map(|slots| slots as f64);
        let part = |n: usize| {
            let busy = simulating[n] + learning[n];
            let mut idle = slots.map_or(0.0, |slots| (slots - busy).max(0.0));
            let mut take = |share: f64| {
                let taken = idle * share.min(1.0);
                idle -= taken;
                taken
            };
            let (no_engine, draining) = (take(stopped[n]), take(drained[n]));
            let (held, model) = match partition.simulates {
                true => (take(queued[n]), take(training[n])),
                false => (0.0, 0.0),
            };
            let (candidates, results) = match partition.simulates {
                true => (idle, 0.0),
                false => (0.0, idle),
            };
            [
                simulating[n],
                learning[n],
                model,
                candidates,
                held,
                results,
                draining,
                no_engine,
            ]
        };
        (0..BINS).map(part).collect()
    }

    fn end_of(&self, span: &AttemptSpan) -> i64 {
        span.finished.unwrap_or(self.clock.end)
    }
}
