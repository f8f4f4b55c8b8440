//! Outcome of a run, or of the part of it that this process executed.

use std::path::{Path, PathBuf};

use super::error::CommandError;
use crate::driver::RunEnd;
use crate::store::{CandidateRow, FailureRow, Store, Summary};

/// Molecules in the list of the best.
const BEST: u32 = 10;

/// End of a run and its results.
pub struct RunOutcome {
    /// Run directory.
    pub dir: PathBuf,
    pub ending: RunEnd,
    /// Counts of the whole run.
    pub summary: Summary,
    /// Best molecules, the best first; the Pareto front of several objectives.
    pub best: Vec<CandidateRow>,
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
        store: &mut Store,
        ending: RunEnd,
        next: Option<String>,
    ) -> Result<Self, CommandError> {
        let summary = store.summary().await?;
        let best = match summary
            .run
            .only_objective()
            .map(|objective| objective.highest)
        {
            Some(highest) => store.best(BEST, highest).await?,
            None => summary.front.clone(),
        };
        let mut outcome = Self {
            dir: dir.to_owned(),
            ending,
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

    /// Returns true if the run has ended as its campaign asks, with at least one molecule computed.
    pub fn has_molecules(&self) -> bool {
        let counts = &self.summary.counts;
        matches!(self.ending, RunEnd::Stopped(stopped_by) if stopped_by.is_success())
            && counts.evaluations > counts.failures
    }
}
