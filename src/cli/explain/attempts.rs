//! The attempts of a task: hosts, durations, failures, and its lookup in the cache.

use std::fmt::Write;
use std::path::Path;

use super::cache::explain_miss;
use crate::app::error::CommandError;
use crate::report::{named, timestamp};
use crate::store::{Store, TaskRow};

/// Appends a task with its attempts. `cache`: that of the campaign.
pub(super) async fn describe(
    task: &TaskRow,
    cache: Option<&str>,
    store: &mut Store,
    text: &mut String,
) -> Result<(), CommandError> {
    let name = task.name.as_deref();
    let of = task.smiles.as_ref();
    let of = of.map_or_else(String::new, |smiles| format!(" of {}", named(smiles, name)));
    let by = task.method.as_ref();
    let by = by.map_or_else(String::new, |method| format!(" by {method}"));
    let batch = task.batch;
    let batch = batch.map_or_else(String::new, |batch| format!(", batch {batch}"));
    let attempts = match (task.cached, task.attempt) {
        (true, _) => "no attempt".to_owned(),
        (false, 1) => "1 attempt".to_owned(),
        (false, n) => format!("{n} attempts"),
    };
    let _ = writeln!(
        text,
        "  task {}{of}{by}, stage {}{batch}: {}, {attempts}",
        task.task, task.stage, task.state
    );
    for failed in store.failed_attempts(task.task).await? {
        let first = failed.message.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "    attempt {}{}, failed ({}): {first}",
            failed.attempt,
            place_and_time(failed.host.as_deref(), failed.started, Some(failed.at)),
            failed.kind
        );
    }
    if task.cached {
        text.push_str("    cache: hit, the result is that of an earlier run\n");
        return Ok(());
    }
    if task.state == "succeeded" {
        let memory = task
            .peak_memory_kib
            .map(|kib| format!(", {} MiB", kib / 1024));
        let _ = writeln!(
            text,
            "    attempt {}{}{}",
            task.attempt,
            place_and_time(task.host.as_deref(), task.started, task.finished),
            memory.unwrap_or_default()
        );
    }
    match cache {
        Some(cache) => explain_miss(task, Path::new(cache), text).await,
        None if task.smiles.is_some() => text.push_str("    cache: the campaign has none\n"),
        None => {}
    }
    Ok(())
}

/// Host, begin and duration of an attempt, as far as they are known.
fn place_and_time(host: Option<&str>, started: Option<i64>, ended: Option<i64>) -> String {
    let mut told = host.map_or_else(String::new, |host| format!(" on {host}"));
    if let Some(started) = started {
        let _ = write!(told, ", started {}", timestamp(started));
        if let Some(ended) = ended {
            // A clock may have been set back.
            let seconds = (ended - started).max(0) as f64 / 1000.0;
            let _ = write!(told, ", {seconds:.1} s");
        }
    }
    told
}
