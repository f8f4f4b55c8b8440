//! Charts of a run, from its rows.

use std::collections::BTreeMap;

use super::axis::Axis;
use super::chart::{Chart, ChartLayer, Mark};
use crate::store::{BatchRow, CandidateRow, ObjectiveInfo};
use crate::task::Prediction;

/// Width of a chart, pixels.
pub(super) const WIDTH: i32 = 860;
/// Most improvements with a text under the pointer, the last ones: it bounds the size of the page.
pub(super) const TITLED: usize = 200;

/// Returns the candidates that were evaluated or failed, in the order in which they ended.
pub fn evaluated(rows: &[CandidateRow]) -> Vec<&CandidateRow> {
    let ended = |row: &&CandidateRow| matches!(row.status.as_str(), "evaluated" | "failed");
    let mut rows: Vec<_> = rows.iter().filter(ended).collect();
    rows.sort_by_key(|row| (row.finished, row.batch, row.rank));
    rows
}

/// A prediction and the value that the evaluation gave, in the unit of the objective.
pub struct PredictedValue {
    /// Prediction at the time of its batch.
    pub prediction: Prediction,
    /// Computed value.
    pub value: f64,
}

impl PredictedValue {
    /// Returns |predicted mean - value|.
    pub fn error(&self) -> f64 {
        (self.prediction.mean - self.value).abs()
    }
}

/// Returns the candidates whose value of a property was both predicted and computed.
pub fn predictions(rows: &[CandidateRow], property: &str) -> Vec<PredictedValue> {
    let both = |row: &CandidateRow| {
        Some(PredictedValue {
            prediction: row.prediction(property)?,
            value: row.value(property)?,
        })
    };
    let proposed = rows.iter().filter(|row| row.batch > 0);
    proposed.filter_map(both).collect()
}

/// Every evaluation, and the best value so far.
pub fn progress(evaluated: &[&CandidateRow], objective: &ObjectiveInfo) -> String {
    let values = evaluated.iter().filter_map(|row| row.objective);
    let y = Axis::around(&objective.heading(), values);
    let unit = &objective.unit;
    let is_better = |value: f64, before: f64| match objective.highest {
        true => value > before,
        false => value < before,
    };
    let (mut initial, mut searched, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut best, mut titles) = (Vec::new(), Vec::new());
    let mut steps = Vec::new();
    for (n, row) in (1..).zip(evaluated) {
        let n = f64::from(n);
        let Some(value) = row.objective else {
            if row.status == "failed" {
                failed.push((n, y.low()));
            }
            continue;
        };
        if row.batch == 0 {
            &mut initial
        } else {
            &mut searched
        }
        .push((n, value));
        let before = best.last().map(|(_, value)| *value);
        let is_best = before.is_none_or(|before| is_better(value, before));
        if is_best && row.feasible != Some(false) {
            steps.extend(before.map(|before| (n, before)));
            steps.push((n, value));
            best.push((n, value));
            let name = row.name.iter().map(|name| format!("{name}\n"));
            let name: String = name.collect();
            titles.push(format!(
                "{name}{}\nevaluation {n}: {value:.6} {unit}",
                row.smiles
            ));
        }
    }
    steps.extend(
        best.last()
            .map(|(_, value)| (evaluated.len() as f64, *value)),
    );
    let untitled = best.len().saturating_sub(TITLED);
    let chart = Chart {
        title: "Value of every evaluation, and the best so far",
        width: WIDTH,
        height: 360,
        x: Axis::counting(
            "evaluations, in the order in which they ended",
            evaluated.len(),
        ),
        y,
        // Improvements first: a mark that is drawn over one leaves a ring.
        layers: vec![
            layer("best so far", "best", Mark::Line, steps),
            ChartLayer {
                name: None,
                titles: titles.split_off(untitled),
                ..layer("", "best", Mark::Dot, best.split_off(untitled))
            },
            layer("of the source", "initial", Mark::Dot, initial),
            layer("proposed", "searched", Mark::Dot, searched),
            layer("failed", "failed", Mark::Cross, failed),
        ],
    };
    chart.svg()
}

/// Returns the chart of predicted and computed values. `unit`: of the objective.
pub fn foresight(predictions: &[PredictedValue], unit: &str) -> String {
    let values = || {
        predictions
            .iter()
            .flat_map(|p| [p.prediction.mean, p.value])
    };
    let x = Axis::around(&format!("predicted / {unit}"), values());
    let y = Axis::around(&format!("computed / {unit}"), values());
    let equal = vec![(x.low(), x.low()), (x.high(), x.high())];
    let points = predictions
        .iter()
        .map(|p| (p.prediction.mean, p.value))
        .collect();
    let chart = Chart {
        title: "Predicted and computed values of the candidates",
        width: 520,
        height: 500,
        x,
        y,
        layers: vec![
            layer("predicted = computed", "equal", Mark::Line, equal),
            layer("a candidate", "searched", Mark::Dot, points),
        ],
    };
    chart.svg()
}

/// Returns the charts of evaluations and of each metric by batch.
pub fn batches(evaluated: &[&CandidateRow], batches: &[BatchRow]) -> Vec<String> {
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

pub(super) fn layer<'a>(
    name: &'a str,
    class: &'a str,
    mark: Mark,
    points: Vec<(f64, f64)>,
) -> ChartLayer<'a> {
    ChartLayer {
        name: Some(name),
        class,
        mark,
        points,
        titles: vec![],
    }
}
