//! Predicted and computed values of the candidates, by objective: each with its interval, and the
//! errors by batch.

use super::calibration::{calibration, held};
use super::{CaptionPart, ChartData, Figure, ReportChart, WIDTH, layer};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::{CandidateRow, ObjectiveInfo};
use crate::task::Prediction;

/// Standard deviations of a normal distribution on either side that hold 90 % of it.
const NINETY: f64 = 1.644_854;

pub(super) static CHART: ReportChart = ReportChart {
    id: "predicted",
    heading: "Predicted and computed",
    empty: "No candidate that a model proposed has been computed.",
    is_folded: false,
    draw,
};

fn draw(data: &ChartData) -> Vec<Figure> {
    let is_one = data.only_objective().is_some();
    let figures = |objective: &ObjectiveInfo| {
        let predictions = predictions(data.candidates, &objective.property);
        if predictions.is_empty() {
            return vec![];
        }
        let figure = |svg, caption| Figure {
            heading: None,
            svg,
            caption,
        };
        vec![
            Figure {
                heading: (!is_one).then(|| objective.label.clone()),
                ..figure(
                    comparison(&predictions, &objective.unit),
                    quality(&predictions, &objective.unit),
                )
            },
            figure(errors(&predictions, &objective.unit), vec![]),
            figure(calibration(&predictions), held(&predictions)),
        ]
    };
    data.objectives.iter().flat_map(figures).collect()
}

/// The error of predictions in words.
fn quality(predictions: &[PredictedValue], unit: &str) -> Vec<CaptionPart> {
    let count = predictions.len();
    let errors = predictions.iter().map(|p| p.error().abs());
    let error = errors.sum::<f64>() / count as f64;
    let in_kcal = match unit {
        "hartree" => format!(" ({:.2} kcal/mol)", hartree_to_kcal_per_mol(error)),
        _ => String::new(),
    };
    let part = |class, text| CaptionPart { class, text };
    vec![
        part("predictions", count.to_string()),
        part("", " candidates: mean absolute error ".to_owned()),
        part("error", format!("{error:.6}")),
        part(
            "",
            format!(" {unit}{in_kcal}. Bars: 90 % intervals of the predictions."),
        ),
    ]
}

/// A prediction and the value that the evaluation gave, in the unit of the objective.
pub(super) struct PredictedValue {
    /// Batch of the candidate.
    batch: i64,
    /// Prediction at the time of its batch.
    prediction: Prediction,
    /// Computed value.
    value: f64,
}

impl PredictedValue {
    /// Returns value - predicted mean.
    fn error(&self) -> f64 {
        self.value - self.prediction.mean
    }

    /// Returns |value - predicted mean| in predicted standard deviations.
    pub fn deviations(&self) -> f64 {
        self.error().abs() / self.prediction.std
    }

    /// Returns the ends of the interval that holds 90 % of a normal distribution.
    fn interval(&self) -> [f64; 2] {
        let half = NINETY * self.prediction.std;
        [self.prediction.mean - half, self.prediction.mean + half]
    }
}

/// Returns the candidates whose value of a property was both predicted and computed.
fn predictions(rows: &[CandidateRow], property: &str) -> Vec<PredictedValue> {
    let both = |row: &CandidateRow| {
        Some(PredictedValue {
            batch: row.batch,
            prediction: row.prediction(property)?,
            value: row.value(property)?,
        })
    };
    let proposed = rows.iter().filter(|row| row.batch > 0);
    proposed.filter_map(both).collect()
}

/// Returns the chart of predicted and computed values. `unit`: of the objective.
fn comparison(predictions: &[PredictedValue], unit: &str) -> String {
    let values = || {
        predictions
            .iter()
            .flat_map(|p| [p.prediction.mean, p.value])
    };
    let x = Axis::around(&labelled("predicted", unit), values());
    let y = Axis::around(&labelled("computed", unit), values());
    let equal = vec![(x.low(), x.low()), (x.high(), x.high())];
    // An interval may be longer than the axis.
    let (low, high) = (x.low(), x.high());
    let ends = |p: &PredictedValue| p.interval().map(|end| (end.clamp(low, high), p.value));
    let intervals = predictions.iter().flat_map(ends).collect();
    let points = predictions.iter();
    let points = points.map(|p| (p.prediction.mean, p.value)).collect();
    let chart = Chart {
        title: "Predicted and computed values of the candidates",
        width: 520,
        height: 500,
        x,
        y,
        layers: vec![
            layer("predicted = computed", "equal", Mark::Line, equal),
            layer("90 % interval", "interval", Mark::Segments, intervals),
            layer("candidate", "searched", Mark::Dot, points),
        ],
    };
    chart.figure()
}

/// Returns the chart of errors by batch, with the 90 % intervals around zero.
fn errors(predictions: &[PredictedValue], unit: &str) -> String {
    let newest = predictions.iter().map(|p| p.batch).max().unwrap_or(1);
    let x = Axis::counting("batch", newest as usize);
    let values = predictions.iter().map(PredictedValue::error);
    let y = Axis::around(&labelled("computed - predicted", unit), values.chain([0.0]));
    let (low, high) = (y.low(), y.high());
    let points = predictions.iter();
    let points = points.map(|p| (p.batch as f64, p.error())).collect();
    let ends = |p: &PredictedValue| {
        let half = NINETY * p.prediction.std;
        [-half, half].map(|end| (p.batch as f64, end.clamp(low, high)))
    };
    let intervals = predictions.iter().flat_map(ends).collect();
    let zero = vec![(0.0, 0.0), (x.high(), 0.0)];
    let chart = Chart {
        title: "Errors of the predictions by batch",
        width: WIDTH,
        height: 280,
        x,
        y,
        layers: vec![
            layer("no error", "equal", Mark::Line, zero),
            layer("90 % interval", "interval", Mark::Segments, intervals),
            layer("candidate", "searched", Mark::Dot, points),
        ],
    };
    chart.figure()
}

fn labelled(text: &str, unit: &str) -> String {
    match unit {
        "" => text.to_owned(),
        unit => format!("{text} / {unit}"),
    }
}
