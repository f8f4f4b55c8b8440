//! The values of two objectives, and the Pareto front.

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
        let drawn = front(&data.evaluated, data.objectives);
        drawn.map(Figure::of).into_iter().collect()
    },
};

/// Values of the two objectives of every evaluated molecule, and the front; none unless there are
/// two objectives.
fn front(evaluated: &[&CandidateRow], objectives: &[ObjectiveInfo]) -> Option<String> {
    let [first, second] = objectives else {
        return None;
    };
    let point = |row: &CandidateRow| {
        let (x, y) = (row.value(&first.property)?, row.value(&second.property)?);
        Some((x, y))
    };
    let (mut initial, mut searched, mut infeasible) = (Vec::new(), Vec::new(), Vec::new());
    let mut members: Vec<((f64, f64), String)> = Vec::new();
    for row in evaluated {
        let Some(at) = point(row) else { continue };
        match (row.feasible, row.batch) {
            (Some(false), _) => infeasible.push(at),
            (_, 0) => initial.push(at),
            _ => searched.push(at),
        }
        if row.on_front {
            let name = row.name.iter().map(|name| format!("{name}\n"));
            let name: String = name.collect();
            let title = format!(
                "{name}{}\n{:.6} {}, {:.6} {}",
                row.smiles, at.0, first.unit, at.1, second.unit
            );
            members.push((at, title));
        }
    }
    members.sort_by(|a, b| a.0.0.total_cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)));
    let all = || initial.iter().chain(&searched).chain(&infeasible);
    let (x, y) = (
        Axis::around(&first.heading(), all().map(|point| point.0)),
        Axis::around(&second.heading(), all().map(|point| point.1)),
    );
    let border = border(&members, !first.highest);
    let (mut points, mut titles): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    points.truncate(TITLED);
    titles.truncate(TITLED);
    let chart = Chart {
        title: "Values of the two objectives, and the Pareto front",
        width: WIDTH,
        height: 460,
        x,
        y,
        layers: vec![
            layer("Pareto front", "best", Mark::Line, border),
            ChartLayer {
                name: None,
                titles,
                ..layer("", "best", Mark::Dot, points)
            },
            layer("of the source", "initial", Mark::Dot, initial),
            layer("proposed", "searched", Mark::Dot, searched),
            layer("infeasible", "failed", Mark::Cross, infeasible),
        ],
    };
    Some(chart.figure())
}

/// Border of what a front dominates, in order of x: from a member to the next along the objective in
/// which that one is worse.
fn border(members: &[((f64, f64), String)], first_is_lowered: bool) -> Vec<(f64, f64)> {
    let mut border = Vec::new();
    for ((x, y), _) in members {
        if let Some((before_x, before_y)) = border.last().copied() {
            border.push(match first_is_lowered {
                // The next is worse in x: what the one before dominates reaches to its x.
                true => (*x, before_y),
                false => (before_x, *y),
            });
        }
        border.push((*x, *y));
    }
    border
}
