//! Predicted and computed values of the candidates, by objective.

use super::{CaptionPart, ChartData, Figure, ReportChart, layer};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::store::{CandidateRow, ObjectiveInfo};
use crate::task::Prediction;

pub(super) static CHART: ReportChart = ReportChart {
    heading: "Predicted and computed",
    empty: "No candidate that a model proposed has been computed.",
    draw,
};

fn draw(data: &ChartData) -> Vec<Figure> {
    let is_one = data.only_objective().is_some();
    let figure = |objective: &ObjectiveInfo| {
        let predictions = predictions(data.candidates, &objective.property);
        (!predictions.is_empty()).then(|| Figure {
            heading: (!is_one).then(|| objective.label.clone()),
            svg: comparison(&predictions, &objective.unit),
            caption: quality(&predictions, &objective.unit),
        })
    };
    data.objectives.iter().filter_map(figure).collect()
}

/// The error of predictions in words.
fn quality(predictions: &[PredictedValue], unit: &str) -> Vec<CaptionPart> {
    let count = predictions.len();
    let errors = predictions.iter().map(PredictedValue::error);
    let error = errors.sum::<f64>() / count as f64;
    let in_kcal = match unit {
        "hartree" => format!(" ({:.2} kcal/mol)", hartree_to_kcal_per_mol(error)),
        _ => String::new(),
    };
    let is_within = |p: &&PredictedValue| p.error() <= p.prediction.std;
    let within = predictions.iter().filter(is_within).count();
    let part = |class, text| CaptionPart { class, text };
    vec![
        part("predictions", count.to_string()),
        part("", " candidates: mean absolute error ".to_owned()),
        part("error", format!("{error:.6}")),
        part(
            "",
            format!(" {unit}{in_kcal}; {within} came out within one predicted standard deviation."),
        ),
    ]
}

/// A prediction and the value that the evaluation gave, in the unit of the objective.
struct PredictedValue {
    /// Prediction at the time of its batch.
    prediction: Prediction,
    /// Computed value.
    value: f64,
}

impl PredictedValue {
    /// Returns |predicted mean - value|.
    fn error(&self) -> f64 {
        (self.prediction.mean - self.value).abs()
    }
}

/// Returns the candidates whose value of a property was both predicted and computed.
fn predictions(rows: &[CandidateRow], property: &str) -> Vec<PredictedValue> {
    let both = |row: &CandidateRow| {
        Some(PredictedValue {
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
