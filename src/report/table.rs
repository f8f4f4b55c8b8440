//! Tables for the terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::json::{RunState, SlotUse};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::store::{CandidateRow, NamedCount, ObjectiveInfo, Summary};
use crate::task::Prediction;

/// The best molecules: SMILES, values of the objective, and where each came from.
pub fn best_table(best: &[CandidateRow], objective: &ObjectiveInfo) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let is_named = best.iter().any(|row| row.name.is_some());
    let mut header = vec![String::new(), "SMILES".to_owned()];
    if is_named {
        header.push("name".to_owned());
    }
    let texts = header.len();
    header.push(objective.heading());
    let in_hartree = objective.unit == "hartree";
    if in_hartree {
        header.push("kcal/mol".to_owned());
    }
    header.extend(["batch", "rank", "predicted"].map(str::to_owned));
    let columns = header.len();
    table.set_header(header);
    for (place, row) in (1..).zip(best) {
        let value = row.objective.unwrap_or(f64::NAN);
        let mut cells = vec![place.to_string(), row.smiles.clone()];
        if is_named {
            cells.push(row.name.as_deref().map(short).unwrap_or_default());
        }
        cells.push(format!("{value:.6}"));
        if in_hartree {
            cells.push(format!("{:.2}", hartree_to_kcal_per_mol(value)));
        }
        cells.push(match row.batch {
            0 => "source".to_owned(),
            batch => batch.to_string(),
        });
        cells.push(row.rank.to_string());
        cells.push(prediction(row));
        table.add_row(cells);
    }
    for column in (0..columns).filter(|c| !(1..texts).contains(c)) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn prediction(row: &CandidateRow) -> String {
    match row.prediction() {
        Some(Prediction { mean, std }) => format!("{mean:.4} ± {std:.4}"),
        None => "-".to_owned(),
    }
}

/// Most letters of a name that are shown.
const NAME: usize = 40;

/// Returns the beginning of a name.
fn short(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// Returns a SMILES with the beginning of the molecule's name in parentheses, if it has one.
pub fn named(smiles: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{smiles} ({})", short(name)),
        None => smiles.to_owned(),
    }
}

/// Returns the text of `status`. `slots`: use of the partitions; `tasks`: numbers of tasks by
/// state.
pub fn status_text(
    summary: &Summary,
    state: RunState,
    level_of_theory: &str,
    slots: &[SlotUse],
    tasks: &[NamedCount],
) -> String {
    let counts = &summary.counts;
    let mut lines = vec![format!("{}: {}", summary.run.campaign, state.word())];
    if let Some(stopped_by) = &summary.stopped_by {
        lines.push(format!("stopped by    {stopped_by}"));
    }
    lines.push(format!("level         {level_of_theory}"));
    lines.push(format!(
        "evaluations   {} ({} failed{})",
        counts.evaluations,
        counts.failures,
        kinds(": ", &summary.failures_by_kind)
    ));
    if counts.failures > 0 {
        lines.push(format!(
            "quarantined   {}, never proposed again",
            counts.failures
        ));
    }
    if !summary.failed_attempts_by_kind.is_empty() {
        let attempts = kinds("", &summary.failed_attempts_by_kind);
        lines.push(format!("failed tries  {attempts}"));
    }
    if counts.cached > 0 {
        lines.push(format!(
            "cached        {} answers of earlier runs",
            counts.cached
        ));
    }
    lines.push(format!("batches       {}", counts.batches));
    let newest = counts
        .newest_batch
        .map_or_else(String::new, |b| format!(", newest batch {b}"));
    lines.push(format!("queue         {} waiting{newest}", counts.queued));
    lines.push(format!("in flight     {}", counts.in_flight));
    for SlotUse {
        partition,
        busy,
        slots,
    } in slots
    {
        let of = slots.map_or_else(String::new, |all| format!(" of {all}"));
        lines.push(format!("slots         {partition} {busy}{of} busy"));
    }
    let tasks: Vec<String> = tasks
        .iter()
        .map(|c| format!("{} {}", c.count, c.name))
        .collect();
    lines.push(format!("tasks         {}", tasks.join(", ")));
    lines.push(match &summary.best {
        Some(best) => format!(
            "best          {}  {:.6} {}",
            named(&best.smiles, best.name.as_deref()),
            best.objective.unwrap_or(f64::NAN),
            summary.run.objective.unit
        ),
        None => "best          none yet".to_owned(),
    });
    lines.join("\n")
}

/// Returns `before` with counts such as `3 exit, 1 timeout`; an empty text if there are none.
pub fn kinds(before: &str, counts: &[NamedCount]) -> String {
    let counts = counts.iter().map(|c| format!("{} {}", c.count, c.name));
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!("{before}{}", counts.join(", ")),
    }
}
