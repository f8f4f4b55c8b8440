//! Record files of a run directory, written from the database when an engine leaves.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::export::{JSON_LINES, export};
use super::page::FILE;
use super::{ReportError, timestamp};
use crate::host::atomic::{AtomicFile, Durability};
use crate::store::Store;
use crate::task::{Event, Fact, Outcome};

/// Writes `simulation_records.jsonl` (candidates), `rl_records.jsonl` (batches) and
/// `screening_records.jsonl` (predictions) into a run directory.
///
/// # Errors
///
/// Fails if the database cannot be read or a file cannot be written.
pub async fn write_records(store: &mut Store, run_dir: &Path) -> Result<(), ReportError> {
    let path = run_dir.join("simulation_records.jsonl");
    let failed = |source| ReportError::Write {
        what: path.display().to_string(),
        source,
    };
    let mut out = AtomicFile::create(&path).map_err(failed)?;
    export(store, JSON_LINES, &|_, _| None, &mut out).await?;
    out.commit(Durability::Unsynced).map_err(failed)?;
    let batches = store.batches().await?;
    replace(run_dir, "rl_records.jsonl", |out| lines(out, &batches))?;
    let mut screened = Vec::new();
    store
        .replay(|_, Event { at, fact }| {
            if let Fact::Ended {
                task,
                outcome: Outcome::Screened { ranked },
                ..
            } = fact
            {
                screened.push(json!({"task": task, "at": timestamp(at), "ranked": ranked}));
            }
        })
        .await?;
    replace(run_dir, "screening_records.jsonl", |out| {
        lines(out, &screened)
    })
}

/// Writes `page` to `report.html` in a run directory.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub fn write_page(run_dir: &Path, page: &str) -> Result<(), ReportError> {
    replace(run_dir, FILE, |out| {
        out.write_all(page.as_bytes())
            .map_err(|source| ReportError::Write {
                what: FILE.into(),
                source,
            })
    })
}

fn lines<T: serde::Serialize>(out: &mut dyn Write, rows: &[T]) -> Result<(), ReportError> {
    let mut write = || -> std::io::Result<()> {
        for row in rows {
            serde_json::to_writer(&mut *out, row)?;
            writeln!(out)?;
        }
        out.flush()
    };
    write().map_err(|source| ReportError::Write {
        what: "a record file".into(),
        source,
    })
}

/// Writes a file atomically, since `moldflow report` may write while an engine leaves.
fn replace(
    dir: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let path = dir.join(name);
    let failed = |source| ReportError::Write {
        what: path.display().to_string(),
        source,
    };
    let mut out = AtomicFile::create(&path).map_err(failed)?;
    write(&mut out)?;
    out.commit(Durability::Unsynced).map_err(failed)
}
