//! Slots of each partition over the time of the run.

use super::{CaptionPart, ChartData, Figure, ReportChart, WIDTH, layer};
use crate::report::axis::Axis;
use crate::report::chart::{Chart, Mark};
use crate::report::places::duration;
use crate::report::slots::{BINS, Clock, PartitionSlots, RunTimes, SlotCounts, SlotUse};
use crate::report::working_time::WorkingTime;
use crate::store::{AttemptSpan, Pause};

pub(super) static CHART: ReportChart = ReportChart {
    id: "slots",
    heading: "Slots over time",
    empty: "No task has run.",
    is_folded: false,
    draw,
};

/// A partition of the site, and what runs there.
pub(in crate::report) struct ChartPartition {
    /// Its name.
    pub name: String,
    /// Number of its slots; None if only an allocation tells.
    pub slots: Option<usize>,
    /// Methods whose tasks it runs.
    pub methods: Vec<String>,
}

fn draw(data: &ChartData) -> Vec<Figure> {
    let time = WorkingTime::new(data.pauses, data.spans, data.at);
    let spans = data.spans.iter().map(|span| AttemptSpan {
        started: time.of(span.started),
        finished: Some(time.of(span.finished.unwrap_or(data.at))),
        ..span.clone()
    });
    let spans: Vec<AttemptSpan> = spans.collect();
    let ends = spans.iter().filter_map(|span| span.finished);
    let (Some(begin), Some(end)) = (spans.iter().map(|span| span.started).min(), ends.max()) else {
        return vec![];
    };
    let clock = Clock {
        begin,
        end: end.max(begin + 1),
    };
    let pauses = data.pauses.iter().map(|pause| Pause {
        from: time.of(pause.from),
        to: time.of(pause.to),
    });
    let times = RunTimes {
        clock,
        spans: &spans,
        pauses: &pauses.collect::<Vec<_>>(),
        queued: &queued(data, &time),
        has_ended: data.has_ended,
    };
    let figure = |partition: &ChartPartition| {
        let runs = |span: &AttemptSpan| {
            let method = span.method.as_ref();
            method.is_some_and(|method| partition.methods.contains(method))
        };
        let here = || spans.iter().filter(|span| runs(span));
        here().next()?;
        let uses = times.uses(&PartitionSlots {
            slots: partition.slots,
            runs: &runs,
            simulates: here().any(|span| span.is_simulation),
        });
        Some(Figure {
            heading: Some(heading(partition)),
            svg: chart(&uses, clock, &time),
            caption: shares(&uses).into_iter().chain(left_out(&time)).collect(),
        })
    };
    data.partitions.iter().filter_map(figure).collect()
}

fn heading(partition: &ChartPartition) -> String {
    match partition.slots {
        Some(1) => format!("Partition {}: 1 slot", partition.name),
        Some(slots) => format!("Partition {}: {slots} slots", partition.name),
        None => format!("Partition {}: slots as allocated", partition.name),
    }
}

/// Times in which molecules waited. Candidates: from the end of their batch to their submission, or to
/// the next batch if that superseded them. Molecules of the source: from the first submission to their
/// own.
fn queued(data: &ChartData, time: &WorkingTime) -> Vec<(i64, i64)> {
    let ends = data
        .batches
        .iter()
        .filter(|batch| batch.new_candidates > Some(0));
    let ends: Vec<(i64, i64)> = ends.filter_map(|b| Some((b.batch, b.finished?))).collect();
    let place = |batch| ends.binary_search_by_key(&batch, |end| end.0).ok();
    let of_source = data.candidates.iter().filter(|row| row.batch == 0);
    let first = of_source.filter_map(|row| row.submitted).min();
    let waited = data.candidates.iter().filter_map(|row| {
        if row.batch == 0 {
            return Some((first?, row.submitted?));
        }
        let place = place(row.batch)?;
        let superseded = || ends.get(place + 1).map(|end| end.1);
        let to = match row.status.as_str() {
            "superseded" => superseded(),
            _ => row.submitted,
        };
        Some((ends[place].1, to.unwrap_or(data.at)))
    });
    let waited = waited.map(|(from, to)| (time.of(from), time.of(to)));
    waited.filter(|(from, to)| from < to).collect()
}

/// Areas of the uses, one upon the other.
fn chart(uses: &[SlotCounts], clock: Clock, time: &WorkingTime) -> String {
    let most = uses.iter().map(|part| part.iter().sum::<f64>());
    let most = most.fold(0.0, f64::max).ceil() as usize;
    let seconds = (clock.end - clock.begin) as f64 / 1000.0;
    let (unit, span) = match seconds {
        s if s < 180.0 => ("s", s),
        s if s < 10_800.0 => ("min", s / 60.0),
        s => ("h", s / 3600.0),
    };
    let without = match time.left_out() {
        0 => "",
        _ => ", without pauses",
    };
    let mut foot = vec![0.0; BINS];
    let mut layers = Vec::new();
    for (n, slot_use) in SlotUse::ALL.into_iter().enumerate() {
        if uses.iter().all(|part| part[n] == 0.0) {
            continue;
        }
        let top: Vec<f64> = uses
            .iter()
            .zip(&foot)
            .map(|(part, foot)| foot + part[n])
            .collect();
        let edge = |heights: &[f64]| -> Vec<(f64, f64)> {
            let at = |n: usize| span * n as f64 / BINS as f64;
            let parts = heights.iter().enumerate();
            parts
                .flat_map(|(n, y)| [(at(n), *y), (at(n + 1), *y)])
                .collect()
        };
        let mut outline = edge(&top);
        outline.extend(edge(&foot).into_iter().rev());
        layers.push(layer(
            slot_use.words(),
            slot_use.class(),
            Mark::Area,
            outline,
        ));
        foot = top;
    }
    let chart = Chart {
        title: "Slots by use, over the time of the run",
        width: WIDTH,
        height: 240,
        x: Axis::around(
            &format!("time since the first task began{without} / {unit}"),
            [0.0, span],
        ),
        y: Axis::counting("slots", most),
        layers,
    };
    chart.figure()
}

/// The pauses that the chart leaves out, in words.
fn left_out(time: &WorkingTime) -> Option<CaptionPart> {
    let left_out = time.left_out();
    (left_out > 0).then(|| CaptionPart {
        class: "pauses",
        text: format!(
            " Left out: pauses of {} in all, in which no task ran.",
            duration(left_out as f64)
        ),
    })
}

/// Share of each use in words.
fn shares(uses: &[SlotCounts]) -> Vec<CaptionPart> {
    let sum = |n: usize| uses.iter().map(|part| part[n]).sum::<f64>();
    let all: f64 = (0..SlotUse::ALL.len()).map(sum).sum();
    let shares = SlotUse::ALL.into_iter().enumerate();
    let shares = shares.map(|(n, slot_use)| (100.0 * sum(n) / all, slot_use));
    let shares = shares.filter(|(share, _)| *share >= 0.5);
    let words = shares.map(|(share, slot_use)| format!("{share:.0} % {}", slot_use.words()));
    let words = words.collect::<Vec<_>>().join(", ");
    // Tasks that took no time, in slots that only an allocation tells.
    match words.as_str() {
        "" => vec![],
        words => vec![CaptionPart {
            class: "shares",
            text: format!("Of the time of the slots: {words}."),
        }],
    }
}
