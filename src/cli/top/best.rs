//! Panel of the best molecules, or of the Pareto front of several objectives. Ranks count from 1.

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
use crate::store::{CandidateRow, ObjectiveInfo};

/// Width from which predictions are shown.
const WITH_PREDICTIONS: u16 = 70;

pub(super) fn draw(view: &RunView, context: PanelContext, buffer: &mut Buffer) {
    let objectives = &view.summary.run.objectives;
    if view.best.is_empty() {
        let text = Paragraph::new("no molecule yet").style(context.palette.dim());
        return text.render(context.area, buffer);
    }
    let has_predictions = context.area.width >= WITH_PREDICTIONS && objectives.len() == 1;
    let mut header = vec![Line::from("rank").right_aligned(), Line::from("molecule")];
    let mut widths = vec![Constraint::Length(4), Constraint::Min(12)];
    for objective in objectives {
        let heading = match context.is_alone {
            true => objective.heading(),
            false if objectives.len() == 1 && !objective.unit.is_empty() => objective.unit.clone(),
            false => objective.label.clone(),
        };
        let widest = if context.is_alone { 40 } else { 14 };
        let width = heading.chars().count().clamp(12, widest) as u16;
        header.push(Line::from(visible(&heading)).right_aligned());
        widths.push(Constraint::Length(width));
    }
    if has_predictions {
        header.push(Line::from("predicted").right_aligned());
        widths.push(Constraint::Length(20));
    }
    header.push(Line::from("batch").right_aligned());
    widths.push(Constraint::Length(6));
    let rows = (1..).zip(&view.best).skip(context.scrolled);
    let rows = rows.map(|(place, row)| {
        let cells = Row::new(cells(place, row, objectives, has_predictions));
        match place {
            1 if objectives.len() == 1 => cells.style(context.palette.best()),
            _ => cells,
        }
    });
    let table = Table::new(rows, widths).header(Row::new(header).style(context.palette.dim()));
    table.render(context.area, buffer);
}

fn cells(
    place: usize,
    row: &CandidateRow,
    objectives: &[ObjectiveInfo],
    has_predictions: bool,
) -> Vec<Line<'static>> {
    let right = |text: String| Line::from(text).right_aligned();
    let molecule = visible(&named(&row.smiles, row.name.as_deref()));
    let mut cells = vec![right(place.to_string()), Line::from(molecule)];
    for objective in objectives {
        let value = row.value(&objective.property).unwrap_or(f64::NAN);
        cells.push(right(format!("{value:.6}")));
    }
    if has_predictions {
        let prediction = objectives.first().and_then(|o| row.prediction(&o.property));
        cells.push(right(predicted(prediction)));
    }
    cells.push(right(match row.batch {
        0 => "source".to_owned(),
        batch => batch.to_string(),
    }));
    cells
}
