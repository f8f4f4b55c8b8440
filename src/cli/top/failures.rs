//! Panel of the last failed attempts, with what their programs wrote to stderr.

use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;
use ratatui_widgets::paragraph::{Paragraph, Wrap};

use super::screen::PanelContext;
use super::style::Palette;
use crate::app::monitor::RunView;
use crate::cli::pace::brief;
use crate::cli::terminal::visible;
use crate::report::named;
use crate::store::FailureRow;

pub(super) fn draw(view: &RunView, context: PanelContext, buffer: &mut Buffer) {
    if view.failures.is_empty() {
        let text = Paragraph::new("no attempt has failed").style(context.palette.dim());
        return text.render(context.area, buffer);
    }
    let skipped = if context.is_alone {
        0
    } else {
        context.scrolled
    };
    let failures = view.failures.iter().skip(skipped);
    let lines = failures.flat_map(|failure| lines(failure, view.at, context));
    // Alone, the panel scrolls through the lines of long messages.
    let lines = lines.skip(context.scrolled - skipped);
    let lines: Vec<Line> = lines.take(usize::from(context.area.height)).collect();
    let text = Paragraph::new(lines);
    match context.is_alone {
        true => text.wrap(Wrap { trim: false }).render(context.area, buffer),
        false => text.render(context.area, buffer),
    }
}

/// Returns the number of rows by which the panel can be scrolled: lines if it is alone, else failures.
pub(super) fn length(view: &RunView, is_alone: bool) -> usize {
    match is_alone {
        true => view
            .failures
            .iter()
            .map(|failure| 1 + message(failure).len())
            .sum(),
        false => view.failures.len(),
    }
}

/// Returns the lines of a message that are not empty.
fn message(failure: &FailureRow) -> Vec<&str> {
    let lines = failure.message.lines();
    lines.filter(|line| !line.trim().is_empty()).collect()
}

/// Returns a line about the attempt and its message: all of it, or its last line beside other
/// panels.
fn lines(failure: &FailureRow, now: i64, context: PanelContext) -> Vec<Line<'static>> {
    let message = message(failure);
    let shown = match context.is_alone {
        true => message.as_slice(),
        false => &message[message.len().saturating_sub(1)..],
    };
    let mut lines = vec![head(failure, now, context.palette)];
    lines.extend(
        shown
            .iter()
            .map(|line| Line::from(format!("  {}", visible(line)))),
    );
    lines
}

fn head(failure: &FailureRow, now: i64, palette: Palette) -> Line<'static> {
    let molecule = failure.smiles.as_deref();
    let molecule = molecule.map_or_else(
        || failure.stage.clone(),
        |smiles| named(smiles, failure.name.as_deref()),
    );
    let ago = brief(Duration::from_millis(
        (now - failure.at).max(0).unsigned_abs(),
    ));
    Line::from(vec![
        Span::styled(visible(&failure.kind), palette.failure()),
        Span::raw(visible(&format!(
            " {molecule}, task {}, attempt {}, {ago} ago",
            failure.task, failure.attempt
        ))),
    ])
}
