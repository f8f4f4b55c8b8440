//! Results that a run took over from an earlier one, in a file of its directory.

use std::path::Path;

use serde_json::json;

use crate::simulate::SimResult;
use crate::store::{Cache, CacheEntry, CacheError, KeyParts};
use crate::task::TaskId;

/// The results by method and molecule.
pub struct InheritedResults(Cache);

impl InheritedResults {
    /// Makes the file.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub async fn create(path: &Path) -> Result<Self, CacheError> {
        Cache::open(path).await.map(Self)
    }

    /// Opens the file; none if the run took over nothing.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub async fn open(path: &Path) -> Result<Option<Self>, CacheError> {
        match path.exists() {
            true => Cache::open_to_read(path)
                .await
                .map(|cache| Some(Self(cache))),
            false => Ok(None),
        }
    }

    /// Stores results of the run named `run`: method, canonical SMILES, result, and end of its task
    /// in milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub async fn keep(
        &mut self,
        run: &str,
        results: Vec<(String, String, SimResult, i64)>,
    ) -> Result<(), CacheError> {
        let entries = results
            .into_iter()
            .filter_map(|(method, smiles, result, at)| {
                Some(CacheEntry {
                    parts: key(&method, &smiles),
                    answer: serde_json::to_string(&result).ok()?,
                    run: run.to_owned(),
                    task: TaskId(0),
                    at,
                })
            });
        self.0.keep(&entries.collect::<Vec<_>>()).await
    }

    /// Returns the result of a method for a molecule or a free atom, `[C]`.
    pub(super) async fn find(&mut self, method: &str, smiles: &str) -> Option<SimResult> {
        let found = self.0.find(&key(method, smiles)).await;
        let answer = found.inspect_err(|error| {
            tracing::warn!("a result of the earlier run could not be read: {error}");
        });
        serde_json::from_str(&answer.ok()??).ok()
    }
}

fn key(method: &str, smiles: &str) -> KeyParts {
    KeyParts::from([
        ("method".to_owned(), json!(method)),
        ("molecule".to_owned(), json!(smiles)),
    ])
}
