//! Results of earlier runs: looked up before a simulation is started, stored after it has
//! succeeded. If their file fails, the run continues without it.

use std::collections::BTreeMap;

use crate::engine::{SimulateInput, TaskResult};
use crate::simulate::{SimResult, key_parts};
use crate::store::{Cache, CacheEntry, CacheError, KeyParts};
use crate::task::{Outcome, TaskId};

/// The cache of results that runs share, as one run uses it.
pub struct ResultCache {
    /// The open cache; None without one, or once it has failed.
    cache: Option<Cache>,
    /// Random name of the run.
    run: String,
    /// Versions of the programs of each method; a method is missing if they are not known.
    versions: BTreeMap<String, BTreeMap<String, String>>,
}

impl ResultCache {
    /// Returns the cache of the run named `run`. `versions`: versions of programs, by stage and
    /// program. Without `cache`, nothing is found and nothing is stored.
    pub fn new(
        cache: Option<Cache>,
        run: &str,
        versions: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Self {
        Self {
            cache,
            run: run.to_owned(),
            versions,
        }
    }

    /// Returns the key of a simulation by a method; none if its result cannot be kept.
    pub fn key(&self, method: &str, input: &SimulateInput) -> Option<KeyParts> {
        self.cache.as_ref()?;
        Some(key_parts(&input.request, self.versions.get(method)?))
    }

    /// Returns the cached result, if there is one.
    pub(super) async fn find(&mut self, key: &KeyParts) -> Option<SimResult> {
        let found = self.cache.as_mut()?.find(key).await;
        let answer = self.used(found)??;
        serde_json::from_str(&answer).ok().filter(is_sound)
    }

    /// Returns the entry of a result of the task that ended at `at`; None if it is not to be
    /// stored.
    pub(super) fn entry(
        &self,
        task: TaskId,
        key: KeyParts,
        result: &TaskResult,
        at: i64,
    ) -> Option<CacheEntry> {
        let simulation = result.simulation.as_ref().filter(|s| is_sound(s))?;
        if matches!(result.outcome, Outcome::Failed(_)) {
            return None;
        }
        Some(CacheEntry {
            parts: key,
            answer: serde_json::to_string(simulation).ok()?,
            run: self.run.clone(),
            task,
            at,
        })
    }

    /// Writes entries to the cache.
    pub(super) async fn keep(&mut self, entries: &[CacheEntry]) {
        if let (Some(cache), false) = (&mut self.cache, entries.is_empty()) {
            let kept = cache.keep(entries).await;
            self.used(kept);
        }
    }

    /// Drops the cache after its first failure, since each may take seconds.
    fn used<T>(&mut self, answer: Result<T, CacheError>) -> Option<T> {
        answer
            .inspect_err(|error| {
                let source = std::error::Error::source(error);
                let why = source.map_or_else(|| error.to_string(), |why| why.to_string());
                tracing::warn!("the cache is not used any more: {why}");
                self.cache = None;
            })
            .ok()
    }
}

fn is_sound(simulation: &SimResult) -> bool {
    let quantities = simulation.all_quantities();
    let geometry = simulation.geometry.as_ref();
    quantities.values().all(|value| value.is_finite())
        && geometry.is_none_or(|geometry| !geometry.atoms.is_empty())
}
