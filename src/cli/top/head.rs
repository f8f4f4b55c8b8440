//! Head: campaign, state, counts, core-hours and time.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;

use super::style::Palette;
use crate::app::monitor::RunView;
use crate::cli::pace::{Pace, brief};
use crate::cli::table::hours;
use crate::cli::terminal::visible;
use crate::report::RunState;
use crate::task::StoppedBy;

pub(super) fn draw(view: &RunView, area: Rect, palette: Palette, buffer: &mut Buffer) {
    for (line, row) in lines(view, area.width, palette)
        .into_iter()
        .zip(area.rows())
    {
        line.render(row, buffer);
    }
}

/// Returns the lines for a terminal of this width: two, or three where the second would be cut.
pub(super) fn lines(view: &RunView, width: u16, palette: Palette) -> Vec<Line<'static>> {
    let state = match view.state {
        RunState::Running => palette.best(),
        RunState::Interrupted => palette.failure(),
        RunState::Finished => palette.bold(),
    };
    let counts = &view.summary.counts;
    let of = view
        .asked_for
        .map_or_else(String::new, |all| format!("/{all}"));
    let first = Line::from(vec![
        Span::styled(visible(&view.summary.run.campaign), palette.bold()),
        Span::raw("  "),
        Span::styled(view.state.word(), state),
        Span::raw(format!(
            "  {}{of} evaluations, {} failed, {} batches  {}",
            counts.evaluations,
            counts.failures,
            counts.batches,
            visible(&view.dir.file_name().unwrap_or_default().to_string_lossy())
        )),
    ]);
    let used = format!("{}; {}", core_hours(view), elapsed(view));
    let Some(end) = time_left(view).or_else(|| end(view)) else {
        return vec![first, Line::from(used)];
    };
    let second = Line::from(format!("{used}; {end}"));
    match second.width() <= usize::from(width) {
        true => vec![first, second],
        false => vec![first, Line::from(used), Line::from(end)],
    }
}

/// Returns why the run ended; None before it has.
fn end(view: &RunView) -> Option<String> {
    let stopped_by = view.summary.stopped_by.as_deref();
    let stopped_by = stopped_by.and_then(StoppedBy::of_word)?;
    Some(stopped_by.sentence().to_owned())
}

fn core_hours(view: &RunView) -> String {
    let used = view.core_hours;
    let left = view.core_hour_limit.map(|limit| (limit - used).max(0.0));
    match left {
        Some(left) => format!("{} core-hours used, {} left", hours(used), hours(left)),
        None => format!("{} core-hours used, no limit", hours(used)),
    }
}

fn elapsed(view: &RunView) -> String {
    let begun = view.summary.run.created;
    let time = brief(milliseconds(view.at - begun));
    match view.state {
        RunState::Running => format!("{time} since its start"),
        RunState::Interrupted | RunState::Finished => format!("took {time}"),
    }
}

/// Returns the time to the last evaluation asked for, in words.
fn time_left(view: &RunView) -> Option<String> {
    let asked_for = view.asked_for.filter(|_| view.state == RunState::Running)?;
    let left = asked_for.checked_sub(view.summary.counts.evaluations.unsigned_abs() as usize)?;
    let begun = view.summary.run.created;
    let ends = view.evaluations.iter().filter_map(|e| e.finished);
    let pace = Pace::of(ends.map(|end| milliseconds(end - begun)));
    let time = pace.time_left(milliseconds(view.at - begun), left)?;
    Some(format!("about {} to {asked_for} evaluations", brief(time)))
}

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(time.max(0).unsigned_abs())
}
