//! Panel of the queue: the candidates in the order in which they are taken. Ranks count from 1.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Constraint;
use ratatui_core::text::Line;
use ratatui_core::widgets::Widget;
use ratatui_widgets::paragraph::Paragraph;
use ratatui_widgets::table::{Row, Table};

use super::screen::PanelContext;
use crate::app::monitor::RunView;
use crate::cli::terminal::visible;
use crate::report::{named, predicted};
use crate::store::QueuedCandidate;
use crate::task::Prediction;

/// Width from which predictions are shown.
const WITH_PREDICTIONS: u16 = 50;

pub(super) fn draw(view: &RunView, context: PanelContext, buffer: &mut Buffer) {
    if view.queue.is_empty() {
        let text = Paragraph::new("empty").style(context.palette.dim());
        return text.render(context.area, buffer);
    }
    let has_predictions = context.area.width >= WITH_PREDICTIONS;
    let right = |text: &'static str| Line::from(text).right_aligned();
    let mut header = vec![
        right("batch"),
        right("rank"),
        Line::from(format!("{} wait", view.summary.counts.queued)),
    ];
    let mut widths = vec![
        Constraint::Length(5),
        Constraint::Length(4),
        Constraint::Min(10),
    ];
    if has_predictions {
        header.push(right("predicted"));
        widths.push(Constraint::Length(20));
    }
    let rows = view.queue.iter().skip(context.scrolled);
    let rows = rows.map(|candidate| Row::new(cells(candidate, has_predictions)));
    let table = Table::new(rows, widths).header(Row::new(header).style(context.palette.dim()));
    table.render(context.area, buffer);
}

fn cells(candidate: &QueuedCandidate, has_predictions: bool) -> Vec<Line<'static>> {
    let right = |text: String| Line::from(text).right_aligned();
    let molecule = visible(&named(&candidate.smiles, candidate.name.as_deref()));
    let mut cells = vec![
        right(candidate.batch.to_string()),
        right((candidate.rank + 1).to_string()),
        Line::from(molecule),
    ];
    if has_predictions {
        let prediction = candidate.mean.zip(candidate.std);
        let prediction = prediction.map(|(mean, std)| Prediction { mean, std });
        cells.push(right(predicted(prediction)));
    }
    cells
}
