//! Properties of runs that have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use moldflow::store::{BatchRow, CandidateRow, Store};
use moldflow::task::{Event, Fact, FailureKind, Outcome, TaskId};

use super::{EVALUATIONS, journal, processes, rows, run_name, wait_until};

/// Columns of an export that show the cost of a result.
const USAGE: [&str; 6] = [
    "attempts",
    "cached",
    "submitted",
    "started",
    "finished",
    "peak_memory_mib",
];

/// Rows of an export without the columns of [`USAGE`], which are equal in two runs of a campaign.
pub fn export_without_usage(run_dir: &Path) -> Vec<BTreeMap<String, String>> {
    let mut rows = rows(run_dir);
    for row in &mut rows {
        row.retain(|column, _| !USAGE.contains(&column.as_str()));
    }
    rows
}

/// Outcome of every task that succeeded. Panics if one was computed twice.
pub fn answers(journal: &[Event]) -> BTreeMap<TaskId, Outcome> {
    let mut answers = BTreeMap::new();
    for event in journal {
        if let Fact::Ended { task, outcome, .. } = &event.fact {
            assert!(!answers.contains_key(task), "task {task} was done before");
            if !matches!(outcome, Outcome::Failed(_)) {
                answers.insert(*task, outcome.clone());
            }
        }
    }
    answers
}

/// Kind of failure of each failed attempt.
pub fn failures(journal: &[Event]) -> Vec<FailureKind> {
    let failed = journal.iter().filter_map(|event| match &event.fact {
        Fact::Ended {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.kind),
        _ => None,
    });
    failed.collect()
}

pub fn molecules(rows: &[BTreeMap<String, String>]) -> Vec<&str> {
    rows.iter().map(|row| row["smiles"].as_str()).collect()
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return vec![];
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

pub fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Requires the properties of every run that was resumed to its end.
pub fn assert_whole(run_dir: &Path) {
    let rows = rows(run_dir);
    let evaluated: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .cloned()
        .collect();
    assert_eq!(evaluated.len(), EVALUATIONS);
    assert_eq!(
        molecules(&rows).iter().collect::<BTreeSet<_>>().len(),
        rows.len(),
        "a molecule is there twice"
    );
    let journal = journal(run_dir);
    answers(&journal);
    // Attempts are lost with the engine or the machine, but none failed by itself.
    assert!(
        failures(&journal)
            .iter()
            .all(|kind| *kind == FailureKind::Lost),
        "{:?}",
        failures(&journal)
    );
    wait_until("the end of all tasks", || {
        processes(&format!("{}.", run_name(run_dir))).is_empty()
    });
    assert!(
        // The generator's agent, and the statistics of its model.
        names(&run_dir.join("state")).len() <= 2,
        "{:?}",
        names(&run_dir.join("state"))
    );
    let tasks = run_dir.join("tasks");
    let kept: usize = names(&tasks)
        .iter()
        .map(|task| names(&tasks.join(task)).len())
        .sum();
    assert_eq!(
        kept,
        failures(&journal).len(),
        "only failed attempts are kept"
    );
}

/// Content of a run's database, without times and memory, and its state files.
pub fn contents(run_dir: &Path) -> String {
    let mut text = super::wait(async {
        let mut store = Store::open_to_read(run_dir).await.expect("a database");
        let candidates = store.candidates().await.expect("rows").into_iter();
        let candidates: Vec<_> = candidates
            .map(|row| CandidateRow {
                submitted: None,
                started: None,
                finished: None,
                peak_memory_kib: None,
                // Lost attempts are counted too.
                attempts: None,
                ..row
            })
            .collect();
        let batches = store.batches().await.expect("rows").into_iter();
        let batches: Vec<_> = batches
            .map(|row| BatchRow {
                started: 0,
                finished: row.finished.map(|_| 0),
                ..row
            })
            .collect();
        let summary = store.summary().await.expect("rows");
        format!(
            "{candidates:#?}\n{batches:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n",
            store.free_atoms().await.expect("rows"),
            store.tasks_by_state().await.expect("rows"),
            summary.counts,
            summary.stopped_by,
        )
    });
    for file in files_below(&run_dir.join("state")) {
        let name = file.file_name().expect("a name").display();
        text += &format!("{name} {:?}\n", fs::read(&file).expect("a file"));
    }
    text
}

pub fn assert_same(run_dir: &Path, calm: &Path) {
    assert_eq!(export_without_usage(run_dir), export_without_usage(calm));
    // This includes agents, models and predictions: files are named by their content.
    assert_eq!(answers(&journal(run_dir)), answers(&journal(calm)));
}
