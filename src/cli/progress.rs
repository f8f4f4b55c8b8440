//! Progress on stderr: a live display on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::pace::{Pace, brief};
use super::terminal::{is_dumb, say, visible};
use crate::app::observer::SessionObserver;
use crate::driver::{PartitionUsage, RunEnd, RunObserver};
use crate::engine::{Progress, RunPhase};
use crate::report;
use crate::task::HostFault;

/// Shortest time between two plain lines without news.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Shortest time between two plain lines of which the later one tells of another phase alone.
const PHASE_EVERY: Duration = Duration::from_secs(1);

/// Display of a run on stderr.
pub struct Display {
    kind: DisplayKind,
    /// Command that resumes the run.
    resume: String,
    /// Names of molecules by their SMILES.
    names: Names,
}

type Names = BTreeMap<String, String>;

enum DisplayKind {
    Quiet,
    Lines(Box<LineDisplay>),
    Live(Box<LiveDisplay>),
}

/// Plain lines: when the incumbent improves, the phase changes, or time has gone by.
struct LineDisplay {
    last: Option<(Instant, Progress)>,
    time: RunTime,
}

/// A bar with two lines below it.
struct LiveDisplay {
    all: MultiProgress,
    bar: ProgressBar,
    best: ProgressBar,
    queue: ProgressBar,
    time: RunTime,
}

/// Time since the display began, and the pace of the evaluations that ended meanwhile.
struct RunTime {
    began: Instant,
    evaluations: Option<usize>,
    pace: Pace,
}

impl Display {
    /// Returns the display that suits stderr: none if `quiet`, a live one on a terminal that can move
    /// its cursor, plain lines elsewhere.
    pub fn new(quiet: bool, run_dir: &Path) -> Self {
        let kind = if quiet {
            DisplayKind::Quiet
        } else if std::io::stderr().is_terminal() && !is_dumb() {
            DisplayKind::Live(Box::new(LiveDisplay::new()))
        } else {
            DisplayKind::Lines(Box::new(LineDisplay {
                last: None,
                time: RunTime::new(),
            }))
        };
        let resume = format!("moldflow resume {}", run_dir.display());
        Self {
            kind,
            resume,
            names: Names::new(),
        }
    }

    /// Prints a line that stays, unless the user asked for silence.
    fn say(&self, line: &str) {
        match &self.kind {
            DisplayKind::Quiet => {}
            DisplayKind::Lines(_) => say(line),
            DisplayKind::Live(live) => live.all.suspend(|| say(line)),
        }
    }

    /// Prints a line that stays, even if the user asked for silence.
    fn warn(&self, line: &str) {
        match &self.kind {
            DisplayKind::Quiet | DisplayKind::Lines(_) => say(line),
            DisplayKind::Live(live) => live.all.suspend(|| say(line)),
        }
    }
}

impl SessionObserver for Display {
    fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    fn notice(&mut self, line: &str) {
        self.say(line);
    }

    fn finish(&mut self) {
        if let DisplayKind::Live(live) = &self.kind {
            for bar in [&live.queue, &live.best, &live.bar] {
                bar.finish_and_clear();
            }
        }
    }
}

impl RunObserver for Display {
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage]) {
        match &mut self.kind {
            DisplayKind::Quiet => {}
            DisplayKind::Lines(lines) => lines.report_progress(progress, usage, &self.names),
            DisplayKind::Live(live) => live.report_progress(progress, usage, &self.names),
        }
    }

    fn halted(&mut self, fault: HostFault) {
        self.say(&format!("{fault}: no new tasks, waiting for running tasks"));
        self.say(&format!("`{}` resumes the run", self.resume));
    }

    fn left_behind(&mut self, what: &str) {
        self.warn(what);
    }

    fn draining(&mut self, why: RunEnd) {
        let why = match why {
            RunEnd::Interrupted => {
                "interrupted: no new tasks, waiting for running tasks; interrupt again to stop them"
            }
            RunEnd::NodesLost => {
                "a partition has lost all its nodes: waiting for tasks on other partitions"
            }
            RunEnd::JobOver | RunEnd::Stopped(_) => return,
        };
        self.say(why);
        self.say(&format!("`{}` resumes the run", self.resume));
    }
}

impl LineDisplay {
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage], names: &Names) {
        self.time.note(progress);
        let is_news = match &self.last {
            None => true,
            Some((at, last)) => {
                let is_better = last.incumbent != progress.incumbent
                    || last.hypervolume != progress.hypervolume;
                let is_over = progress.phase == RunPhase::Ended && last.phase != progress.phase;
                let phase_changed = last.phase != progress.phase && at.elapsed() >= PHASE_EVERY;
                let is_due = last != progress && at.elapsed() >= LINE_EVERY;
                is_better || is_over || phase_changed || is_due
            }
        };
        if is_news {
            let left = self.time.left(progress);
            say(&format!(
                "{}/{} evaluations, {} failed; {}; {}; {}; {}{}",
                progress.evaluations,
                progress.asked_for,
                progress.failures,
                best(progress, names),
                queue(progress),
                busy(usage),
                progress.phase,
                left.map_or_else(String::new, |left| format!("; {left}"))
            ));
            self.last = Some((Instant::now(), progress.clone()));
        }
    }
}

impl LiveDisplay {
    fn new() -> Self {
        let all = MultiProgress::new();
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let bar = all.add(ProgressBar::new(0));
        bar.set_style(style("{pos}/{len} evaluations {wide_bar} {msg}"));
        let line = || all.add(ProgressBar::new_spinner().with_style(style("{msg}")));
        Self {
            best: line(),
            queue: line(),
            bar,
            all: all.clone(),
            time: RunTime::new(),
        }
    }

    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage], names: &Names) {
        self.time.note(progress);
        self.bar.set_length(progress.asked_for as u64);
        self.bar.set_position(progress.evaluations as u64);
        self.bar
            .set_message(self.time.left(progress).unwrap_or_default());
        let best = format!("{}; {} failed", best(progress, names), progress.failures);
        self.best.set_message(visible(&best));
        let queue = format!("{}; {}; {}", progress.phase, queue(progress), busy(usage));
        self.queue.set_message(visible(&queue));
    }
}

impl RunTime {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            evaluations: None,
            pace: Pace::default(),
        }
    }

    /// Notes the evaluations that have ended since the last progress.
    fn note(&mut self, progress: &Progress) {
        let before = self.evaluations.replace(progress.evaluations);
        let count = before.map_or(0, |before| progress.evaluations.saturating_sub(before));
        self.pace.add(self.began.elapsed(), count);
    }

    /// Returns the time that the evaluations asked for will take, in words; None if nothing
    /// supports an estimate. Another stop condition may hold before.
    fn left(&self, progress: &Progress) -> Option<String> {
        let left = progress.asked_for.checked_sub(progress.evaluations)?;
        let time = self.pace.time_left(self.began.elapsed(), left)?;
        let all = progress.asked_for;
        Some(format!("about {} to {all} evaluations", brief(time)))
    }
}

fn best(progress: &Progress, names: &Names) -> String {
    if let Some(front) = progress.front {
        let volume = progress.hypervolume;
        let volume = volume.map_or_else(String::new, |v| format!(", hypervolume {v:.6}"));
        let molecules = if front == 1 { "molecule" } else { "molecules" };
        return format!("front of {front} {molecules}{volume}");
    }
    match &progress.incumbent {
        Some(i) => {
            let name = names.get(&i.smiles).map(String::as_str);
            let molecule = visible(&report::named(&i.smiles, name));
            format!("best {molecule} {:.6} {}", i.value(), progress.unit)
        }
        None => "best none yet".to_owned(),
    }
}

fn queue(progress: &Progress) -> String {
    match progress.newest_batch {
        Some(batch) => format!("{} queued, newest batch {batch}", progress.queued),
        None => "queue empty".to_owned(),
    }
}

fn busy(usage: &[PartitionUsage]) -> String {
    let each = usage
        .iter()
        .map(|p| format!("{} {}/{} busy", p.partition, p.busy, p.slots));
    each.collect::<Vec<_>>().join(", ")
}
