//! Evaluations by batch.

use std::collections::BTreeMap;

use super::{ChartData, Figure, ReportChart, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::{BatchRow, CandidateRow};

pub(super) static CHART: ReportChart = ReportChart {
    id: "batches",
    heading: "Batches",
    empty: "None yet.",
    is_folded: false,
    draw: |data: &ChartData| {
        let drawn = batches(&data.evaluated, data.batches);
        drawn.map(Figure::of).into_iter().collect()
    },
};

/// Returns the chart of evaluations by batch; none without a batch.
fn batches(evaluated: &[&CandidateRow], batches: &[BatchRow]) -> Option<String> {
    let mut counts: BTreeMap<i64, usize> = batches.iter().map(|b| (b.batch, 0)).collect();
    for row in evaluated.iter().filter(|row| row.batch > 0) {
        *counts.entry(row.batch).or_default() += 1;
    }
    let newest = *counts.keys().next_back()? as usize;
    let most = counts.values().max().copied().unwrap_or(0);
    let points = counts.iter().map(|(b, n)| (*b as f64, *n as f64)).collect();
    let title = "evaluations of a batch";
    let chart = Chart {
        title,
        width: WIDTH,
        height: 200,
        x: Axis::counting("batch", newest),
        y: Axis::counting("evaluations", most),
        layers: vec![layer(title, "searched", Mark::Bar, points)],
    };
    Some(chart.figure())
}
