//! A comparison as one page, HTML: table and charts, without script and network.

use handlebars::Handlebars;
use serde::Serialize;

use super::{Comparison, PolicyResult};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, ChartLayer, Mark};

const TEMPLATE: &str = include_str!("../../templates/comparison.html.hbs");
/// Classes of the policies in the style sheet; a ninth policy has the colour of the first.
const CLASSES: [&str; 8] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"];
/// Size of a chart, pixels.
const SIZE: (i32, i32) = (860, 380);

/// Data of the template.
#[derive(Serialize)]
struct PageData<'a> {
    title: String,
    summary: String,
    scale: String,
    rows: Vec<Row<'a>>,
    charts: Vec<Figure>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    class: &'static str,
    cells: Vec<String>,
}

#[derive(Serialize)]
struct Figure {
    heading: &'static str,
    svg: String,
}

/// Column headings of [`PolicyResult::cells`], that of the name first.
pub const COLUMNS: [&str; 6] = [
    "policy",
    "AUC",
    "95 % interval",
    "found",
    "evaluations",
    "best",
];

impl PolicyResult {
    /// Figures of the policy as texts, in the order of [`COLUMNS`] without the name: area and its
    /// interval, searches that found the best value, median evaluations until then, mean best value.
    pub fn cells(&self) -> [String; 5] {
        let last = |band: &[f64]| band.last().copied().unwrap_or(f64::NAN);
        [
            format!("{:.3}", self.auc.mean),
            format!("{:.3} to {:.3}", self.auc.low, self.auc.high),
            format!("{} of {}", self.found, self.searches.len()),
            self.median_evaluations
                .map_or_else(|| "-".to_owned(), |n| format!("{n}")),
            format!("{:.6}", last(&self.best.mean)),
        ]
    }
}

impl Comparison {
    /// Sentence on what was compared: objective, evaluations and seeds.
    pub fn summary(&self) -> String {
        let Self {
            sought,
            objective,
            evaluations,
            ..
        } = self;
        let seeds = self.seeds.len();
        let s = if seeds == 1 { "" } else { "s" };
        format!("{sought} {objective}, {evaluations} evaluations, {seeds} seed{s}")
    }

    /// Sentence on the scale of the scores.
    pub fn scale_in_words(&self) -> String {
        let scale = &self.scale;
        let unit = match self.unit.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let (best, median) = (scale.best, scale.median);
        match scale.known {
            true => format!(
                "best of {} molecules {best:.6}{unit}, median {median:.6}{unit}",
                scale.molecules
            ),
            false => format!(
                "the best possible value is not known: best of all searches {best:.6}{unit}, median of random search {median:.6}{unit}"
            ),
        }
    }
}

/// Returns the page of a comparison.
///
/// # Errors
///
/// Fails if the template cannot be filled in.
pub fn page(comparison: &Comparison) -> Result<String, Box<handlebars::RenderError>> {
    let unit = match comparison.unit.as_str() {
        "" => String::new(),
        unit => format!(" / {unit}"),
    };
    let label = format!("{}{unit}", comparison.objective);
    let rows = comparison.policies.iter().zip(CLASSES.iter().cycle());
    let rows = rows.map(|(policy, class)| Row {
        name: &policy.name,
        class,
        cells: policy.cells().to_vec(),
    });
    let charts = [
        (
            "Best value",
            chart(comparison, &label, "Best value so far", |p| &p.best),
        ),
        (
            "Ten best values",
            chart(
                comparison,
                &label,
                "Mean of the ten best values so far",
                |p| &p.top_ten,
            ),
        ),
    ];
    let filled = PageData {
        title: comparison.summary(),
        summary: "Lines are means over the seeds, areas their 95 % confidence intervals."
            .to_owned(),
        scale: comparison.scale_in_words(),
        rows: rows.collect(),
        charts: charts.map(|(heading, svg)| Figure { heading, svg }).into(),
    };
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars
        .render_template(TEMPLATE, &filled)
        .map_err(Box::new)
}

/// A line with its band for each policy.
fn chart(
    comparison: &Comparison,
    label: &str,
    title: &str,
    of: fn(&PolicyResult) -> &super::Band,
) -> String {
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let points = (1..).map(f64::from).zip(values.iter().copied());
        points.filter(|(_, value)| value.is_finite()).collect()
    };
    let policies = || comparison.policies.iter().zip(CLASSES.iter().cycle());
    let values = comparison.policies.iter().flat_map(|policy| {
        let band = of(policy);
        band.low.iter().chain(&band.high).copied()
    });
    let bands = policies().map(|(policy, class)| {
        let band = of(policy);
        let mut outline = points(&band.low);
        outline.extend(points(&band.high).into_iter().rev());
        layer(None, class, Mark::Area, outline)
    });
    let lines = policies().map(|(policy, class)| {
        layer(
            Some(&policy.name),
            class,
            Mark::Line,
            points(&of(policy).mean),
        )
    });
    let chart = Chart {
        title,
        width: SIZE.0,
        height: SIZE.1,
        x: Axis::counting(
            "evaluations, initial molecules included",
            comparison.evaluations,
        ),
        y: Axis::around(label, values.filter(|value| value.is_finite())),
        layers: bands.chain(lines).collect(),
    };
    chart.svg()
}

fn layer<'a>(
    name: Option<&'a str>,
    class: &'a str,
    mark: Mark,
    points: Vec<(f64, f64)>,
) -> ChartLayer<'a> {
    ChartLayer {
        name,
        class,
        mark,
        points,
        titles: Vec::new(),
    }
}
