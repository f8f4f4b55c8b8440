//! Every evaluation, and the best value so far.

use super::{ChartData, Figure, NO_EVALUATION, ReportChart, SEARCH, TITLED, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, ChartLayer, Mark};
use crate::store::{CandidateRow, ObjectiveInfo};

pub(super) static CHART: ReportChart = ReportChart {
    id: "search",
    heading: SEARCH,
    empty: NO_EVALUATION,
    is_folded: false,
    draw: |data: &ChartData| {
        let objective = data.only_objective().filter(|_| !data.evaluated.is_empty());
        let drawn = objective.map(|objective| Figure::of(progress(&data.evaluated, objective)));
        drawn.into_iter().collect()
    },
};

/// Every evaluation, and the best value so far.
fn progress(evaluated: &[&CandidateRow], objective: &ObjectiveInfo) -> String {
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
    chart.figure()
}
