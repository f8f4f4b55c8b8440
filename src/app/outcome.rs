//! Outcome of a run, or of the part of it that this process executed.

use std::path::{Path, PathBuf};

use super::core_hours::core_hours;
use super::error::CommandError;
use crate::driver::RunEnd;
use crate::plan::Plan;
use crate::report::{self, RunState};
use crate::store::{CandidateRow, FailureRow, SearchCounts, Store, Summary};

/// Molecules in the list of the best.
const BEST: u32 = 10;

/// End of a run and its results.
pub struct RunOutcome {
    /// Run directory.
    pub dir: PathBuf,
    pub ending: RunEnd,
    /// Counts of the whole run.
    pub summary: Summary,
    /// Core-hours of all attempts.
    pub core_hours: f64,
    /// Best molecules, the best first; the Pareto front of several objectives.
    pub best: Vec<CandidateRow>,
    /// Numbers of molecules by where they came from.
    pub found: SearchCounts,
    /// Sentence on the jobs that follow; none outside of a job, or if none follows a run that has
    /// ended.
    pub next: Option<String>,
    /// Last task that failed; none if the run found molecules.
    pub last_failure: Option<FailureRow>,
}

impl RunOutcome {
    /// Reads the outcome of the run in `dir` from its database.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn read(
        dir: &Path,
        plan: &Plan,
        store: &mut Store,
        ending: RunEnd,
        next: Option<String>,
    ) -> Result<Self, CommandError> {
        let summary = store.summary().await?;
        let highest = summary.run.only_objective().map(|o| o.highest);
        let best = match highest {
            Some(highest) => store.best(BEST, highest).await?,
            None => summary.front.clone(),
        };
        let highest = highest.unwrap_or_default();
        let mut outcome = Self {
            found: store.search_counts(highest).await?,
            dir: dir.to_owned(),
            ending,
            core_hours: core_hours(store, plan).await?,
            best,
            summary,
            next,
            last_failure: None,
        };
        if !outcome.has_molecules() {
            outcome.last_failure = store.last_failure().await?;
        }
        Ok(outcome)
    }

    /// Returns a sentence that says what the run has found.
    pub fn verdict(&self) -> String {
        let state = RunState::of(&self.summary, false);
        report::verdict(&self.summary, state, &self.found)
    }

    /// Returns true if the run has ended as its campaign asks, with at least one molecule computed.
    pub fn has_molecules(&self) -> bool {
        let counts = &self.summary.counts;
        matches!(self.ending, RunEnd::Stopped(stopped_by) if stopped_by.is_success())
            && counts.evaluations > counts.failures
    }
}
