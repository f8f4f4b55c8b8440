//! Panel of the search: the objective of each evaluation, and the best so far. With several
//! objectives it shows the hypervolume of the front.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::symbols::Marker;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;
use ratatui_widgets::chart::{Axis, Chart, Dataset, GraphType};
use ratatui_widgets::paragraph::Paragraph;

use super::screen::PanelContext;
use super::style::Palette;
use crate::app::monitor::RunView;
use crate::cli::terminal::visible;
use crate::report::named;
use crate::store::EndedEvaluation;

/// Most points of a curve that are drawn.
const MOST: usize = 4000;

type Points = Vec<(f64, f64)>;

/// Curves over the number of evaluations.
#[derive(Default)]
struct Curves {
    values: Points,
    best: Points,
    failed: Vec<f64>,
}

impl Curves {
    /// Returns the curves of a run. `highest`: high values are better; None with several objectives.
    fn of(evaluations: &[EndedEvaluation], highest: Option<bool>) -> Self {
        let mut curves = Self::default();
        let mut best: Option<f64> = None;
        for (x, evaluation) in (1..).map(f64::from).zip(evaluations) {
            if evaluation.failed {
                curves.failed.push(x);
            }
            let value = match highest {
                Some(_) => evaluation.objective,
                None => evaluation.hypervolume,
            };
            if let Some(value) = value {
                if highest.is_some() {
                    curves.values.push((x, value));
                }
                let is_better = best.is_none_or(|best| match highest {
                    Some(false) => value < best,
                    Some(true) | None => value > best,
                });
                if is_better && evaluation.feasible {
                    // A step: the best was the one before until now.
                    curves.best.extend(best.map(|before| (x, before)));
                    curves.best.push((x, value));
                    best = Some(value);
                }
            }
        }
        curves
            .best
            .extend(best.map(|best| (evaluations.len() as f64, best)));
        curves
    }

    /// Returns the lowest and the highest value, some room around them; None without values.
    fn bounds(&self) -> Option<[f64; 2]> {
        let values = self.values.iter().chain(&self.best).map(|(_, y)| *y);
        let low = values.clone().reduce(f64::min)?;
        let high = values.reduce(f64::max)?;
        let room = match high > low {
            true => 0.05 * (high - low),
            false => 0.05 * low.abs().max(1.0),
        };
        Some([low - room, high + room])
    }
}

pub(super) fn draw(view: &RunView, context: PanelContext, buffer: &mut Buffer) {
    let rows = [Constraint::Length(1), Constraint::Min(0)];
    let [first, rest] = Layout::vertical(rows).areas(context.area);
    Line::styled(incumbent(view), context.palette.bold()).render(first, buffer);
    let objective = view.summary.run.only_objective();
    let curves = Curves::of(&view.evaluations, objective.map(|o| o.highest));
    let Some(bounds) = curves.bounds() else {
        let text = match view.evaluations.len() {
            0 => "no evaluation has ended yet",
            _ if objective.is_some() => "all evaluations have failed",
            _ => "the front has no hypervolume yet",
        };
        return Paragraph::new(text)
            .style(context.palette.dim())
            .render(rest, buffer);
    };
    chart(
        &curves,
        bounds,
        view.evaluations.len(),
        rest,
        context.palette,
        buffer,
    );
}

/// Returns the best molecule with its value, or the size of the front.
fn incumbent(view: &RunView) -> String {
    let summary = &view.summary;
    let Some(objective) = summary.run.only_objective() else {
        let volume = summary.hypervolume;
        let volume = volume.map_or_else(String::new, |v| format!(", hypervolume {v:.6}"));
        return format!("Pareto front: {} molecules{volume}", summary.front.len());
    };
    match &summary.best {
        Some(best) => {
            let value = best.objective.unwrap_or(f64::NAN);
            let molecule = named(&best.smiles, best.name.as_deref());
            visible(&format!("best {value:.6} {} {molecule}", objective.unit))
        }
        None => "no molecule yet".to_owned(),
    }
}

fn chart(
    curves: &Curves,
    [low, high]: [f64; 2],
    count: usize,
    area: Rect,
    palette: Palette,
    buffer: &mut Buffer,
) {
    let values = thinned(&curves.values);
    let failed: Points = curves.failed.iter().map(|x| (*x, low)).collect();
    let failed = thinned(&failed);
    let points = |data, style| Dataset::default().data(data).style(style);
    let line = points(&curves.best, palette.best());
    let dots = points(&values, palette.value());
    let blocks = points(&failed, palette.failure());
    let data = vec![
        line.marker(Marker::Braille).graph_type(GraphType::Line),
        dots.marker(Marker::Dot).graph_type(GraphType::Scatter),
        blocks.marker(Marker::Block).graph_type(GraphType::Scatter),
    ];
    let label = |value: f64| Span::styled(format!("{value:.4}"), palette.dim());
    let last = Span::styled(format!("{count} evaluations"), palette.dim());
    let x = Axis::default()
        .bounds([1.0, (count as f64).max(2.0)])
        .labels([Span::styled("1", palette.dim()), last]);
    let y = Axis::default()
        .bounds([low, high])
        .labels([label(low), label(high)]);
    let chart = Chart::new(data).x_axis(x).y_axis(y).legend_position(None);
    chart.render(area, buffer);
}

/// Returns every so many of the points, so that there are no more than can be drawn.
fn thinned(points: &[(f64, f64)]) -> Points {
    let step = points.len().div_ceil(MOST).max(1);
    points.iter().step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(objective: Option<f64>, feasible: bool) -> EndedEvaluation {
        EndedEvaluation {
            batch: 0,
            rank: 0,
            failed: objective.is_none(),
            objective,
            feasible,
            hypervolume: None,
            finished: None,
        }
    }

    #[test]
    fn the_best_so_far_is_a_step_of_feasible_values() {
        let values = [Some(2.0), None, Some(0.5), Some(1.0)].map(|v| evaluation(v, v != Some(0.5)));
        let curves = Curves::of(&values, Some(false));
        assert_eq!(
            curves.best,
            [(1.0, 2.0), (4.0, 2.0), (4.0, 1.0), (4.0, 1.0)]
        );
        assert_eq!(curves.failed, [2.0]);
        assert_eq!(curves.values.len(), 3);
        let highest = Curves::of(&values, Some(true));
        assert_eq!(highest.best, [(1.0, 2.0), (4.0, 2.0)]);
    }

    #[test]
    fn few_enough_points_are_drawn() {
        let points: Points = (0..100_000).map(|n| (f64::from(n), 0.0)).collect();
        assert!(thinned(&points).len() <= MOST);
        assert_eq!(thinned(&points[..10]).len(), 10);
    }
}
