//! Tables on the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::terminal::width;

use crate::config::campaign::Budget;

/// Returns an empty table with these column headings, without borders. It fits the terminal, if there
/// is one.
pub(super) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    if let Some(width) = width() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

/// Aligns all columns but the first to the right.
pub(super) fn align_numbers(table: &mut Table) {
    for column in 1..table.column_count() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Returns a number of nodes or slots in words; that of an allocation is not known before there is
/// one.
pub(super) fn in_words(count: Option<usize>) -> String {
    count.map_or_else(|| "the rest".to_owned(), |count| count.to_string())
}

/// Returns the text of a table without the blanks that end its lines.
pub(super) fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table
        .to_string()
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// Hours with two figures: `0.034`, `1.5`, `120`.
pub(super) fn hours(hours: f64) -> String {
    let digits = match hours {
        hours if !hours.is_finite() => return "unknown".to_owned(),
        hours if hours <= 0.0 => 0,
        hours => (1 - hours.log10().floor() as i64).clamp(0, 6) as usize,
    };
    format!("{hours:.digits$}")
}

/// A budget in words.
pub(super) fn budget_in_words(budget: Budget) -> String {
    let evaluations = budget.evaluations.map(|n| format!("{n} molecules"));
    let cores = budget.core_hours.map(|hours| format!("{hours} core-hours"));
    let nodes = budget.node_hours.map(|hours| format!("{hours} node-hours"));
    let time = budget.wall_time.map(|time| time.to_string());
    let target = budget.target.map(|value| format!("the value {value}"));
    let stale = budget.stale_evaluations;
    let stale = stale.map(|n| format!("{n} molecules in a row that are no better"));
    let limits = [evaluations, cores, nodes, time, target, stale];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    format!("up to {}", limits.join(" or "))
}
