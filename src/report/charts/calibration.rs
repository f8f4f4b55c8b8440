//! Calibration of predictions: the share of computed values within the intervals of each level.

use super::predictions::PredictedValue;
use super::{CaptionPart, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};

/// Levels of intervals in percent, and the standard deviations on either side of the mean that hold
/// such a share of a normal distribution.
const LEVELS: [(f64, f64); 9] = [
    (10.0, 0.125_661),
    (20.0, 0.253_347),
    (30.0, 0.385_320),
    (40.0, 0.524_401),
    (50.0, 0.674_490),
    (60.0, 0.841_621),
    (70.0, 1.036_433),
    (80.0, 1.281_552),
    (90.0, 1.644_854),
];
/// Fewer predictions say little about intervals.
const FEW: usize = 20;

/// Returns the share of computed values within the intervals, percent.
fn share(predictions: &[PredictedValue], half: f64) -> f64 {
    let within = predictions.iter().filter(|p| p.deviations() <= half);
    100.0 * within.count() as f64 / predictions.len() as f64
}

/// Returns the chart of the share within the intervals of each level.
pub(super) fn calibration(predictions: &[PredictedValue]) -> String {
    let shares = LEVELS
        .iter()
        .map(|(level, half)| (*level, share(predictions, *half)));
    let shares: Vec<(f64, f64)> = shares.collect();
    let chart = Chart {
        title: "Share of computed values within the intervals of the predictions",
        width: 420,
        height: 360,
        x: Axis::around("level of the interval / %", [0.0, 100.0]),
        y: Axis::around("computed values within it / %", [0.0, 100.0]),
        layers: vec![
            layer(
                "calibrated",
                "equal",
                Mark::Line,
                vec![(0.0, 0.0), (100.0, 100.0)],
            ),
            layer("this run", "searched", Mark::Line, shares.clone()),
            layer_of_dots(shares),
        ],
    };
    chart.figure()
}

fn layer_of_dots(points: Vec<(f64, f64)>) -> crate::report::chart::ChartLayer<'static> {
    crate::report::chart::ChartLayer {
        name: None,
        ..layer("", "searched", Mark::Dot, points)
    }
}

/// Says how many computed values the intervals of 50 and of 90 % held.
pub(super) fn held(predictions: &[PredictedValue]) -> Vec<CaptionPart> {
    let part = |class, text| CaptionPart { class, text };
    let shown = |level: f64| {
        let (_, half) = LEVELS
            .into_iter()
            .find(|of| of.0 == level)
            .expect("a level of the table");
        format!("{:.0} %", share(predictions, half))
    };
    let few = match predictions.len() {
        count if count < FEW => {
            format!(" {count} predictions are too few to judge the intervals by.")
        }
        _ => String::new(),
    };
    vec![
        part("", "The 50 % intervals held ".to_owned()),
        part("held-50", shown(50.0)),
        part(
            "",
            " of the computed values, the 90 % intervals ".to_owned(),
        ),
        part("held-90", shown(90.0)),
        part(
            "",
            format!(". More means too wide intervals, less means too narrow ones.{few}"),
        ),
    ]
}
