//! Panel of the slots: how many of each partition were busy over time, with computing and learning
//! apart, and the tasks that run now.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;

use super::screen::PanelContext;
use crate::app::monitor::{RunView, SlotLane};
use crate::cli::pace::brief;
use crate::cli::terminal::visible;
use crate::config::campaign::Topic;
use crate::report::{RunState, named};

/// Cells filled by so many eighths from below.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Most rows of the bars of a lane.
const TALLEST: u16 = 6;

pub(super) fn draw(view: &RunView, context: PanelContext, buffer: &mut Buffer) {
    let area = context.area;
    let (shown, skipped) = scrolled(view, context);
    let lanes = shown.len().max(1) as u16;
    let tasks = match view.state {
        RunState::Running => (view.running.len() as u16).min(area.height / 3),
        RunState::Interrupted | RunState::Finished => 0,
    };
    let room = area.height.saturating_sub(tasks + 1);
    let tall = (room / lanes).saturating_sub(1).clamp(1, TALLEST);
    let mut row = area.y;
    for lane in shown {
        if row + tall >= area.bottom() {
            break;
        }
        draw_lane(
            lane,
            view,
            Rect::new(area.x, row, area.width, tall + 1),
            context,
            buffer,
        );
        row += tall + 1;
    }
    if row < area.bottom() {
        let time =
            Duration::from_millis((view.at - view.summary.run.created).max(0).unsigned_abs());
        let end = match view.state {
            RunState::Running => "now".to_owned(),
            RunState::Interrupted | RunState::Finished => brief(time),
        };
        let width = usize::from(area.width).saturating_sub(5);
        let axis = Line::styled(format!("start{end:>width$}"), context.palette.dim());
        axis.render(Rect::new(area.x, row, area.width, 1), buffer);
        row += 1;
    }
    if view.state == RunState::Running {
        draw_running(view, context, row, skipped, buffer);
    }
}

/// Returns the number of rows by which the panel can be scrolled: lanes, then tasks.
pub(super) fn length(view: &RunView) -> usize {
    view.lanes.len() + view.running.len()
}

/// Returns the lanes that are shown, and the number of tasks that are skipped. Lanes that have room
/// stay; where they have none, they are scrolled before the tasks are.
fn scrolled(view: &RunView, context: PanelContext) -> (&[SlotLane], usize) {
    let has_room = usize::from(context.area.height) > 2 * view.lanes.len();
    let lanes = match has_room {
        true => 0,
        false => context.scrolled.min(view.lanes.len().saturating_sub(1)),
    };
    (&view.lanes[lanes..], context.scrolled - lanes)
}

fn draw_lane(
    lane: &SlotLane,
    view: &RunView,
    area: Rect,
    context: PanelContext,
    buffer: &mut Buffer,
) {
    let (work, style) = match lane.topic {
        Topic::Simulator => ("simulation", context.palette.simulation()),
        Topic::Ml => ("learning", context.palette.learning()),
    };
    let history = lane.history(view, usize::from(area.width));
    let busy = lane.busy(view.state);
    let mean = history.iter().sum::<f64>() / history.len().max(1) as f64;
    let now = match lane.slots {
        Some(slots) => {
            let share = 100.0 * mean / slots.max(1) as f64;
            format!("{busy}/{slots} busy ({share:.0} %)")
        }
        None => format!("{busy} busy ({mean:.1})"),
    };
    let label = Line::from(vec![
        Span::styled(format!("{} {work} ", visible(&lane.partition)), style),
        Span::raw(now),
    ]);
    let [label_row, bars] = [
        Rect { height: 1, ..area },
        Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        },
    ];
    label.render(label_row, buffer);
    let most = history.iter().copied().fold(1.0, f64::max);
    let full = lane.slots.map_or(most, |slots| (slots as f64).max(most));
    draw_bars(&history, full, bars, style, buffer);
}

/// Draws a bar for each column; `full` reaches the top.
fn draw_bars(values: &[f64], full: f64, area: Rect, style: Style, buffer: &mut Buffer) {
    for (x, value) in (area.x..area.right()).zip(values) {
        let share = (value / full).clamp(0.0, 1.0);
        let mut eighths = (share * 8.0 * f64::from(area.height)).round() as usize;
        if eighths == 0 && *value > 0.0 {
            eighths = 1;
        }
        for y in (area.y..area.bottom()).rev() {
            let here = eighths.min(8);
            buffer[(x, y)].set_symbol(EIGHTHS[here]).set_style(style);
            eighths -= here;
        }
    }
}

/// Draws a line for each task that runs, the one that has run longest first.
fn draw_running(
    view: &RunView,
    context: PanelContext,
    first: u16,
    skipped: usize,
    buffer: &mut Buffer,
) {
    let area = context.area;
    let tasks = view.running.iter().skip(skipped);
    for (y, task) in (first..area.bottom()).zip(tasks) {
        let started = task.started.unwrap_or(view.at);
        let time = brief(Duration::from_millis(
            (view.at - started).max(0).unsigned_abs(),
        ));
        let of = task.smiles.as_ref();
        let of = of.map_or_else(String::new, |smiles| named(smiles, task.name.as_deref()));
        let line = visible(&format!("{} {time} {of}", task.stage));
        Line::from(line).render(Rect::new(area.x, y, area.width, 1), buffer);
    }
}
