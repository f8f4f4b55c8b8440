//! A run as one who watches it sees it: it is read again when its database has changed, and only what
//! is new of the long tables.

mod slot_timeline;
mod view;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

pub use view::{RunView, SlotLane};

use super::core_hours::core_hours;
use super::error::CommandError;
use super::run_dir;
use crate::config::site::Site;
use crate::plan::Plan;
use crate::store::{self, EndedSince, Store};

/// Longest lists that are read.
const BEST: u32 = 50;
const QUEUE: u32 = 200;
const FAILURES: u32 = 50;
/// A look may take this share of a core.
const SHARE: u32 = 20;

/// Run that is watched.
pub struct Monitor {
    dir: PathBuf,
    plan: Plan,
    site: Site,
    /// Sizes and times of the files of the database at the last look.
    files: Vec<Option<(u64, SystemTime)>>,
    /// Last fact of the journal at the last look.
    seq: i64,
    /// Time before which there is no further look.
    rest: Option<Instant>,
    /// Candidates whose evaluation is in the view.
    seen: HashSet<(i64, i64)>,
    view: RunView,
}

impl Monitor {
    /// Begins to watch the run in `dir`. `notify` receives one line for each file that was restored.
    ///
    /// # Errors
    ///
    /// Fails if `dir` is no run directory, if its campaign or site is wrong, or if its database cannot
    /// be read.
    pub async fn open(dir: &Path, notify: &mut dyn FnMut(&str)) -> Result<Self, CommandError> {
        let dir = run_dir::existing(dir)?;
        let (loaded, plan) = run_dir::load(&dir, notify).await?;
        let mut store = run_dir::open_to_read(&dir).await?;
        let view = RunView::empty(&dir, store.summary().await?, &plan, &loaded.site);
        let mut monitor = Self {
            dir,
            plan,
            site: loaded.site,
            files: Vec::new(),
            seq: 0,
            rest: None,
            seen: HashSet::new(),
            view,
        };
        monitor.look().await?;
        Ok(monitor)
    }

    /// Returns the run as it was at the last look.
    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// Looks at the run again, unless its files are as they were or the last look was too costly to
    /// be repeated so soon.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn look(&mut self) -> Result<(), CommandError> {
        let is_at_work = run_dir::is_locked(&self.dir);
        self.view.settle_state(is_at_work);
        if self.rest.is_some_and(|rest| Instant::now() < rest) {
            return Ok(());
        }
        let files = [store::FILE, store::LOG].map(|name| signature(&self.dir.join(name)));
        if self.files == files {
            return Ok(());
        }
        let begun = Instant::now();
        let mut store = run_dir::open_to_read(&self.dir).await?;
        store.hold_still().await?;
        self.read(&mut store).await?;
        store.let_go().await?;
        self.view.settle_state(is_at_work);
        self.files = files.to_vec();
        let rest = begun.elapsed() * SHARE;
        self.rest = (rest > Duration::from_secs(1)).then(|| Instant::now() + rest);
        Ok(())
    }

    async fn read(&mut self, store: &mut Store) -> Result<(), CommandError> {
        let since = store.ended_since(self.seq).await?;
        self.seq = store.facts().await?;
        let view = &mut self.view;
        if since == EndedSince::Everything {
            self.seen.clear();
            view.forget_ended(&self.plan, &self.site);
        }
        for task in store.ended_tasks(&since).await? {
            let method = task.method.as_deref();
            view.add_ended(&self.plan, method, task.started, task.finished);
        }
        for evaluation in store.ended_evaluations(&since).await? {
            let has_value = evaluation.objective.is_some() || view.summary.run.objectives.len() > 1;
            if (has_value || evaluation.failed)
                && self.seen.insert((evaluation.batch, evaluation.rank))
            {
                view.evaluations.push(evaluation);
            }
        }
        view.summary = store.summary().await?;
        view.best = match view.summary.run.only_objective() {
            Some(objective) => store.best(BEST, objective.highest).await?,
            None => view.summary.front.clone(),
        };
        view.queue = store.queue(QUEUE).await?;
        view.failures = store.last_failed_attempts(FAILURES).await?;
        view.core_hours = core_hours(store, &self.plan).await?;
        let last_event = store.last_event().await?;
        view.last_event = last_event.unwrap_or(view.summary.run.created);
        view.set_running(&self.plan, store.running_tasks().await?);
        Ok(())
    }
}

/// Size and time of the last change of a file; None if there is none.
fn signature(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
