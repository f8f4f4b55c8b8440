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
        0 => "Every candidate was judged by a model that knew all results there were.".to_owned(),
        _ => format!(
            "When a candidate was submitted, its model lacked {median} of the results that were there by \
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::fixtures::{evaluated, gap};
    use crate::store::{BatchRow, CandidateRow};

    fn row(batch: i64, submitted: i64, finished: i64, value: Option<f64>) -> CandidateRow {
        CandidateRow {
            submitted: Some(submitted),
            finished: Some(finished),
            ..evaluated(batch, 0, "C", value)
        }
    }

    fn batch(batch: i64, started: i64) -> BatchRow {
        BatchRow {
            batch,
            started,
            finished: Some(started + 1),
            observations: 0,
            new_candidates: Some(1),
            metrics: BTreeMap::new(),
        }
    }

    fn drawn<T>(candidates: &[CandidateRow], use_of: impl FnOnce(&ChartData) -> T) -> T {
        use_of(&ChartData {
            objectives: &[gap()],
            candidates,
            evaluated: candidates.iter().collect(),
            batches: &[batch(1, 100), batch(2, 200)],
            spans: &[],
            pauses: &[],
            partitions: &[],
            has_ended: true,
            at: 1000,
        })
    }

    #[test]
    fn results_between_the_fit_and_the_submission_are_counted() {
        let candidates = [
            // The source: ends at 50, 110 and 120; the failure at 130 is no result.
            row(0, 0, 50, Some(1.0)),
            row(0, 0, 110, Some(1.0)),
            row(0, 0, 120, Some(1.0)),
            row(0, 0, 130, None),
            // The model of batch 1 was fitted at 100: nothing is newer at 105, one result at 115, and two
            // at 150; a candidate that failed was judged by a model too.
            row(1, 105, 210, Some(2.0)),
            row(1, 115, 300, Some(2.0)),
            row(1, 150, 400, None),
            // That of batch 2 at 200: one, that of 210.
            row(2, 220, 500, Some(3.0)),
        ];
        assert_eq!(drawn(&candidates, newer_results), [0, 1, 2, 1]);
        let caption = drawn(&candidates, |data| {
            draw(data).remove(0).caption.remove(0).text
        });
        assert!(
            caption.contains("its model lacked 1 of the results"),
            "{caption}"
        );
        assert!(
            caption.contains("2 at most; 1 of 4 candidates were"),
            "{caption}"
        );
    }

    #[test]
    fn molecules_of_the_source_have_no_model() {
        assert!(drawn(&[row(0, 0, 50, Some(1.0))], |data| draw(data).is_empty()));
    }
}
