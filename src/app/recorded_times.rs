//! Durations of the tasks of a run, for forecasts of another one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::error::CommandError;
use super::run_dir;
use crate::plan::Plan;

/// Durations of the tasks of a method: a log-normal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordedTime {
    /// Median.
    pub median: Duration,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// Tasks of a method from which their durations say something.
const ENOUGH: usize = 3;

/// Returns the durations of the tasks of the run in `dir`, for the methods of a plan that have the
/// names and kinds of methods there.
///
/// # Errors
///
/// Fails if `dir` is no run directory or cannot be read, or if no method has enough tasks there.
pub async fn read(dir: &Path, plan: &Plan) -> Result<BTreeMap<String, RecordedTime>, CommandError> {
    let dir = run_dir::existing(dir)?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let mut recorded = BTreeMap::new();
    for method in plan.methods.values() {
        let mut took = store.durations(&method.name).await?;
        took.sort_unstable();
        if took.len() >= ENOUGH {
            recorded.insert(method.name.clone(), distribution(&took));
        }
    }
    if recorded.is_empty() {
        let message = format!(
            "the run in `{}` has not {ENOUGH} tasks of any method of this campaign",
            dir.display()
        );
        let hint = "give a time with `--task-time`";
        return Err(CommandError::with_hint(message, hint));
    }
    Ok(recorded)
}

/// The distribution of durations in milliseconds, which are sorted.
fn distribution(took: &[i64]) -> RecordedTime {
    let logarithms: Vec<f64> = took.iter().map(|ms| (*ms.max(&1) as f64).ln()).collect();
    let count = logarithms.len() as f64;
    let mean = logarithms.iter().sum::<f64>() / count;
    let variance = logarithms.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / count;
    let median = took.get(took.len() / 2).copied().unwrap_or(1).max(1);
    RecordedTime {
        median: Duration::from_millis(median.cast_unsigned()),
        sigma: variance.sqrt(),
    }
}
