//! Charts of the report, from the rows of a run: a file of this folder each.

mod batches;
mod calibration;
mod front;
mod hypervolume;
mod metrics;
mod predictions;
mod progress;
mod slots;
mod staleness;

use serde::Serialize;

use super::chart::{ChartLayer, Mark};
use crate::store::{AttemptSpan, BatchRow, CandidateRow, ObjectiveInfo, Pause};

pub(super) use slots::ChartPartition;

/// Every chart, in the order of the report. A new one is a file of this folder, and an entry here
/// (with its `mod`).
static CHARTS: [&ReportChart; 8] = [
    &front::CHART,
    &hypervolume::CHART,
    &progress::CHART,
    &predictions::CHART,
    &slots::CHART,
    &staleness::CHART,
    &batches::CHART,
    &metrics::CHART,
];

/// A chart, or several of a kind.
struct ReportChart {
    /// Name of its section in the page.
    id: &'static str,
    /// Heading of its section, which it may share with the chart before.
    heading: &'static str,
    /// Sentence in place of a section without figures.
    empty: &'static str,
    /// True if its section is folded.
    is_folded: bool,
    /// Draws the figures; none if the run has no data for them.
    draw: fn(&ChartData) -> Vec<Figure>,
}

/// Rows from which charts are drawn.
pub(super) struct ChartData<'a> {
    /// Objectives of the run.
    pub objectives: &'a [ObjectiveInfo],
    /// All candidates.
    pub candidates: &'a [CandidateRow],
    /// Those that were evaluated or failed, in the order in which they ended.
    pub evaluated: Vec<&'a CandidateRow>,
    /// Batches of the generator loop, with the metrics of its stages.
    pub batches: &'a [BatchRow],
    /// Times of all attempts.
    pub spans: &'a [AttemptSpan],
    /// Times without an engine.
    pub pauses: &'a [Pause],
    /// Partitions of the site.
    pub partitions: &'a [ChartPartition],
    /// True if the run has ended.
    pub has_ended: bool,
    /// Present time, milliseconds since the Unix epoch.
    pub at: i64,
}

/// A chart with its texts.
#[derive(Serialize)]
struct Figure {
    /// Heading above it.
    heading: Option<String>,
    svg: String,
    /// Sentence below it, in parts.
    caption: Vec<CaptionPart>,
}

/// Part of a sentence, which the page escapes.
#[derive(Serialize)]
struct CaptionPart {
    /// Name by which the part can be found in the page; may be empty.
    class: &'static str,
    text: String,
}

/// A section of the report with charts.
#[derive(Serialize)]
pub(super) struct ChartSection {
    id: &'static str,
    heading: &'static str,
    empty: &'static str,
    #[serde(skip)]
    is_folded: bool,
    figures: Vec<Figure>,
}

impl ChartSection {
    /// Returns true if the section is shown on demand.
    pub fn is_folded(&self) -> bool {
        self.is_folded
    }
}

/// Draws all charts of a run.
pub(super) fn sections(data: &ChartData) -> Vec<ChartSection> {
    let mut sections: Vec<ChartSection> = Vec::new();
    for chart in CHARTS {
        let figures = (chart.draw)(data);
        match sections.last_mut() {
            Some(section) if section.heading == chart.heading => section.figures.extend(figures),
            _ => sections.push(ChartSection {
                id: chart.id,
                heading: chart.heading,
                empty: chart.empty,
                is_folded: chart.is_folded,
                figures,
            }),
        }
    }
    sections
}

/// Returns the candidates that were evaluated or failed, in the order in which they ended.
pub(super) fn evaluated(candidates: &[CandidateRow]) -> Vec<&CandidateRow> {
    let ended = |row: &&CandidateRow| matches!(row.status.as_str(), "evaluated" | "failed");
    let mut evaluated: Vec<_> = candidates.iter().filter(ended).collect();
    evaluated.sort_by_key(|row| (row.finished, row.batch, row.rank));
    evaluated
}

impl<'a> ChartData<'a> {
    /// The one objective of the run; none if it has several.
    fn only_objective(&self) -> Option<&'a ObjectiveInfo> {
        match self.objectives {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Figure {
    /// A chart without texts.
    fn of(svg: String) -> Self {
        Self {
            heading: None,
            svg,
            caption: Vec::new(),
        }
    }
}

/// Heading of the charts of the search.
const SEARCH: &str = "Search";
/// Sentence in place of them.
const NO_EVALUATION: &str = "No evaluation has ended.";
/// Width of a chart, pixels.
const WIDTH: i32 = 860;
/// Most improvements with a text under the pointer, the last ones: it bounds the size of the page.
const TITLED: usize = 200;

fn layer<'a>(name: &'a str, class: &'a str, mark: Mark, points: Vec<(f64, f64)>) -> ChartLayer<'a> {
    ChartLayer {
        name: Some(name),
        class,
        mark,
        points,
        titles: vec![],
    }
}
