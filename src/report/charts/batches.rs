//! Evaluations, and each metric of the generator loop, by batch.

use std::collections::BTreeMap;

use super::{ChartData, Figure, ReportChart, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::{BatchRow, CandidateRow};

pub(super) static CHART: ReportChart = ReportChart {
    heading: "Batches",
    empty: "None yet.",
    draw: |data: &ChartData| {
        let drawn = batches(&data.evaluated, data.batches).into_iter();
        drawn.map(Figure::of).collect()
    },
};

/// Returns the charts of evaluations and of each metric by batch.
fn batches(evaluated: &[&CandidateRow], batches: &[BatchRow]) -> Vec<String> {
    let mut counts: BTreeMap<i64, usize> = batches.iter().map(|b| (b.batch, 0)).collect();
    for row in evaluated.iter().filter(|row| row.batch > 0) {
        *counts.entry(row.batch).or_default() += 1;
    }
    let newest = counts.keys().next_back().map_or(0, |batch| *batch as usize);
    let most = counts.values().max().copied().unwrap_or(0);
    let counts: Vec<(f64, f64)> = counts.iter().map(|(b, n)| (*b as f64, *n as f64)).collect();
    let chart = |title: &str, mark, y: Axis, points: Vec<(f64, f64)>| {
        let chart = Chart {
            title,
            width: WIDTH,
            height: 200,
            x: Axis::counting("batch", newest),
            y,
            layers: vec![layer(title, "searched", mark, points)],
        };
        chart.svg()
    };
    let mut charts = Vec::new();
    if !counts.is_empty() {
        let axis = Axis::counting("evaluations", most);
        charts.push(chart("evaluations of a batch", Mark::Bar, axis, counts));
    }
    for ((stage, name), points) in metrics(batches) {
        let words = name.replace('_', " ");
        let axis = Axis::around(&words, points.iter().map(|point| point.1));
        charts.push(chart(
            &format!("{words} ({stage})"),
            Mark::Line,
            axis,
            points,
        ));
    }
    charts
}

/// The metrics of batches, by stage and name: batch and value.
fn metrics(batches: &[BatchRow]) -> BTreeMap<(&str, &str), Vec<(f64, f64)>> {
    let mut metrics: BTreeMap<(&str, &str), Vec<(f64, f64)>> = BTreeMap::new();
    for row in batches {
        for (stage, of_stage) in &row.metrics {
            for (name, value) in of_stage {
                let points = metrics.entry((stage, name)).or_default();
                points.push((row.batch as f64, *value));
            }
        }
    }
    metrics
}
