//! The hypervolume of the Pareto front after every evaluation.

use super::{ChartData, Figure, NO_EVALUATION, ReportChart, SEARCH, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::{CandidateRow, ObjectiveInfo};

pub(super) static CHART: ReportChart = ReportChart {
    id: "search",
    heading: SEARCH,
    empty: NO_EVALUATION,
    is_folded: false,
    draw: |data: &ChartData| {
        let drawn = hypervolume(&data.evaluated, data.objectives);
        drawn.map(Figure::of).into_iter().collect()
    },
};

/// The hypervolume after every evaluation since there was a reference point; none before.
fn hypervolume(evaluated: &[&CandidateRow], objectives: &[ObjectiveInfo]) -> Option<String> {
    let numbered = (1..).zip(evaluated);
    let points: Vec<(f64, f64)> = numbered
        .filter_map(|(n, row)| Some((f64::from(n), row.hypervolume?)))
        .collect();
    let largest = points.iter().map(|point| point.1);
    let units: Vec<&str> = objectives.iter().map(|o| o.unit.as_str()).collect();
    let units: Vec<&str> = units.into_iter().filter(|unit| !unit.is_empty()).collect();
    let label = match units.is_empty() {
        true => "hypervolume".to_owned(),
        false => format!("hypervolume / ({})", units.join(" ")),
    };
    let chart = Chart {
        title: "Hypervolume of the Pareto front",
        width: WIDTH,
        height: 240,
        x: Axis::counting(
            "evaluations, in the order in which they ended",
            evaluated.len(),
        ),
        y: Axis::around(&label, largest.chain([0.0])),
        layers: vec![layer("hypervolume", "best", Mark::Line, points.clone())],
    };
    (!points.is_empty()).then(|| chart.figure())
}
