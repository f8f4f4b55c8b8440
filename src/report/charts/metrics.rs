//! Learning curves: each metric of the generator loop, by batch.

use std::collections::BTreeMap;

use super::{ChartData, Figure, ReportChart, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::BatchRow;

pub(super) static CHART: ReportChart = ReportChart {
    id: "metrics",
    heading: "Learning curves",
    empty: "No stage of the generator loop has reported a number.",
    is_folded: true,
    draw: |data: &ChartData| {
        let newest = data.batches.iter().map(|row| row.batch).max();
        let newest = newest.map_or(0, |batch| batch as usize);
        let figure = |((stage, name), points): ((&str, &str), Vec<(f64, f64)>)| {
            let words = name.replace('_', " ");
            let title = format!("{words} ({stage})");
            let chart = Chart {
                title: &title,
                width: WIDTH,
                height: 200,
                x: Axis::counting("batch", newest),
                y: Axis::around(&words, points.iter().map(|point| point.1)),
                layers: vec![layer(&title, "searched", Mark::Line, points)],
            };
            Figure::of(chart.figure())
        };
        metrics(data.batches).into_iter().map(figure).collect()
    },
};

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
