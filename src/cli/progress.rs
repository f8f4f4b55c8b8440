//! Progress on stderr: a live display on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::terminal::{say, visible};
use crate::app::observer::SessionObserver;
use crate::driver::{PartitionUsage, RunEnd, RunObserver};
use crate::engine::Progress;
use crate::report;
use crate::task::HostFault;

/// Shortest time between two plain lines without news.
const LINE_EVERY: Duration = Duration::from_secs(10);

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
#[derive(Default)]
struct LineDisplay {
    last: Option<(Instant, Progress)>,
}

/// A bar with two lines below it.
struct LiveDisplay {
    all: MultiProgress,
    bar: ProgressBar,
    best: ProgressBar,
    queue: ProgressBar,
    began: Option<(Instant, usize)>,
}

impl Display {
    /// Returns the display that suits stderr: none if `quiet`, a live one on a terminal, plain
    /// lines elsewhere.
    pub fn new(quiet: bool, run_dir: &Path) -> Self {
        let kind = if quiet {
            DisplayKind::Quiet
        } else if std::io::stderr().is_terminal() {
            DisplayKind::Live(Box::new(LiveDisplay::new()))
        } else {
            DisplayKind::Lines(Box::default())
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
        let is_news = match &self.last {
            None => true,
            Some((at, last)) => {
                let changed = last.phase != progress.phase
                    || last.incumbent != progress.incumbent
                    || last.hypervolume != progress.hypervolume;
                changed || (last != progress && at.elapsed() >= LINE_EVERY)
            }
        };
        if is_news {
            say(&format!(
                "{}/{} evaluations, {} failed; {}; {}; {}; {}",
                progress.evaluations,
                progress.asked_for,
                progress.failures,
                best(progress, names),
                queue(progress),
                busy(usage),
                progress.phase
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
            began: None,
        }
    }

    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage], names: &Names) {
        let (began, before) = *self
            .began
            .get_or_insert((Instant::now(), progress.evaluations));
        self.bar.set_length(progress.asked_for as u64);
        self.bar.set_position(progress.evaluations as u64);
        let left = time_left(
            began.elapsed(),
            progress.evaluations - before,
            progress.asked_for - progress.evaluations,
        );
        self.bar.set_message(left.map_or_else(
            || "time left unknown".into(),
            |t| format!("{} left", brief(t)),
        ));
        let best = format!("{}; {} failed", best(progress, names), progress.failures);
        self.best.set_message(visible(&best));
        let queue = format!("{}; {}; {}", progress.phase, queue(progress), busy(usage));
        self.queue.set_message(visible(&queue));
    }
}

/// Estimates the time left from the pace so far.
fn time_left(elapsed: Duration, done: usize, left: usize) -> Option<Duration> {
    (done > 0).then(|| elapsed.mul_f64(left as f64 / done as f64))
}

fn brief(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
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
