//! Staleness of the models: results that came after the model of a candidate was fitted and before
//! the candidate was computed.

use std::collections::BTreeMap;

use super::{CaptionPart, ChartData, Figure, ReportChart, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};

pub(super) static CHART: ReportChart = ReportChart {
    id: "staleness",
    heading: "Staleness of the models",
    empty: "No candidate that a model proposed has been computed.",
    is_folded: false,
    draw,
};

fn draw(data: &ChartData) -> Vec<Figure> {
    let mut newer = newer_results(data);
    if newer.is_empty() {
        return vec![];
    }
    newer.sort_unstable();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    newer
        .iter()
        .for_each(|n| *counts.entry(*n).or_default() += 1);
    let (all, most) = (newer.len(), newer[newer.len() - 1]);
    let (median, fresh) = (newer[all / 2], counts.get(&0).copied().unwrap_or(0));
    let points = counts.iter().map(|(n, count)| (*n as f64, *count as f64));
    let highest = counts.values().max().copied().unwrap_or(1);
    let chart = Chart {
        title: "Candidates by the number of results that were newer than their model",
        width: WIDTH,
        height: 220,
        x: Axis::counting("results newer than the model", most),
        y: Axis::counting("candidates", highest),
        layers: vec![layer("candidates", "searched", Mark::Bar, points.collect())],
    };
    let text = match most {
        0 => format!("Each of the {all} candidates was sent off before its model missed a result."),
        _ => format!(
            "When a candidate was sent off, its model lacked {median} of the results that were there by \
             then (median), {most} at most; {fresh} of {all} candidates were judged by a model that knew all."
        ),
    };
    vec![Figure {
        heading: None,
        svg: chart.figure(),
        caption: vec![CaptionPart {
            class: "staleness",
            text,
        }],
    }]
}

/// Number of results that came between the fit of the model and the submission, for each candidate
/// that was submitted.
fn newer_results(data: &ChartData) -> Vec<usize> {
    let begun: BTreeMap<i64, i64> = data.batches.iter().map(|b| (b.batch, b.started)).collect();
    let evaluated = data
        .evaluated
        .iter()
        .filter(|row| row.status == "evaluated");
    let mut ends: Vec<i64> = evaluated.filter_map(|row| row.finished).collect();
    ends.sort_unstable();
    let before = |at: i64| ends.partition_point(|end| *end <= at);
    let newer = data.evaluated.iter().filter_map(|row| {
        let begun = begun.get(&row.batch)?;
        Some(before(row.submitted?).saturating_sub(before(*begun)))
    });
    newer.collect()
}
