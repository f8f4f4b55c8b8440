//! Partitions in which the tasks of a run ran, and their utilisation.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::site::{PartitionConfig, Site};
use crate::store::StageRow;

/// Row of the page's table of stages.
#[derive(Debug, Serialize)]
pub struct StageEntry {
    stage: String,
    method: String,
    partition: String,
    tasks: i64,
    failed: i64,
    cached: i64,
    mean: String,
}

/// Row of the page's table of partitions.
#[derive(Debug, Serialize)]
pub struct PartitionEntry {
    partition: String,
    executor: &'static str,
    slots: String,
    took: String,
    /// Share of the time of all slots from the first submission of the run to its last end,
    /// percent.
    share: String,
}

/// Returns a row for each stage that has tasks. `partitions`: partition of each stage.
pub fn stages(rows: &[StageRow], partitions: &BTreeMap<String, String>) -> Vec<StageEntry> {
    let stage = |row: &StageRow| StageEntry {
        stage: row.stage.clone(),
        method: row.method.clone().unwrap_or_default(),
        partition: partition_of(row, partitions).cloned().unwrap_or_default(),
        tasks: row.tasks,
        failed: row.failed,
        cached: row.cached,
        mean: row.mean_ms.map_or_else(unknown, duration),
    };
    rows.iter().map(stage).collect()
}

/// Returns a row for each partition of `site`. `partitions`: partition of each stage.
pub fn places(
    site: &Site,
    rows: &[StageRow],
    partitions: &BTreeMap<String, String>,
) -> Vec<PartitionEntry> {
    let begin = rows.iter().map(|row| row.first).min();
    let end = rows.iter().filter_map(|row| row.last).max();
    let span = begin.zip(end).map_or(0, |(begin, end)| end - begin);
    let place = |(name, partition): (&String, &PartitionConfig)| {
        let here = rows
            .iter()
            .filter(|row| partition_of(row, partitions) == Some(name));
        let busy: i64 = here.filter_map(|row| row.busy_ms).sum();
        let slots = partition.slot_count(&site.node);
        let share = slots.filter(|_| span > 0).map(|slots| {
            let share = busy as f64 / (slots as f64 * span as f64);
            format!("{:.0} %", 100.0 * share)
        });
        PartitionEntry {
            partition: name.clone(),
            executor: partition.executor.name(),
            slots: slots.map_or_else(unknown, |slots| slots.to_string()),
            took: duration(busy as f64),
            share: share.unwrap_or_else(unknown),
        }
    };
    site.partitions.iter().map(place).collect()
}

fn partition_of<'p>(
    row: &StageRow,
    partitions: &'p BTreeMap<String, String>,
) -> Option<&'p String> {
    partitions.get(row.method.as_ref()?)
}

fn unknown() -> String {
    "-".to_owned()
}

/// Text of a duration in seconds, minutes or hours.
pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds / 1000.0 {
        seconds if seconds < 60.0 => format!("{seconds:.2} s"),
        seconds if seconds < 3600.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.2} h", seconds / 3600.0),
    }
}
