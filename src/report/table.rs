//! Tables for the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::json::{BusySlots, RunState};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::store::{CandidateRow, NamedCount, ObjectiveInfo, Summary};
use crate::task::Prediction;

/// Optional columns of the table of the best molecules.
#[derive(Clone, Copy)]
struct Columns {
    predictions: bool,
    kcal: bool,
    names: bool,
    places: bool,
}

/// Columns that are left out, the first first, until a table is narrow enough.
const FEWER: [Columns; 5] = {
    let all = Columns {
        predictions: true,
        kcal: true,
        names: true,
        places: true,
    };
    let measured = Columns {
        predictions: false,
        ..all
    };
    let plain = Columns {
        kcal: false,
        ..measured
    };
    let nameless = Columns {
        names: false,
        ..plain
    };
    let least = Columns {
        places: false,
        ..nameless
    };
    [all, measured, plain, nameless, least]
};

/// The best molecules, or those of the Pareto front: SMILES, values of the objectives, and where
/// each came from; ranks count from 1. `width`: columns of the terminal, if they are limited; what
/// fits no longer is left out: predictions, kcal/mol, names, batch and rank.
pub fn best_table(
    best: &[CandidateRow],
    objectives: &[ObjectiveInfo],
    width: Option<u16>,
) -> String {
    let mut text = String::new();
    for columns in FEWER {
        text = table_of(best, objectives, columns).trim_fmt();
        let widest = text.lines().map(|line| line.chars().count()).max();
        if width.is_none_or(|width| widest.unwrap_or(0) <= usize::from(width)) {
            return text;
        }
    }
    let (Some(width), [.., least]) = (width, FEWER) else {
        return text;
    };
    let mut table = table_of(best, objectives, least);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.trim_fmt()
}

fn table_of(best: &[CandidateRow], objectives: &[ObjectiveInfo], shown: Columns) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let is_named = shown.names && best.iter().any(|row| row.name.is_some());
    let texts = if is_named { 3 } else { 2 };
    let header = header(objectives, is_named, shown);
    let columns = header.len();
    table.set_header(header);
    for (place, row) in (1..).zip(best) {
        let mut cells = vec![place.to_string(), row.smiles.clone()];
        if is_named {
            cells.push(row.name.as_deref().map(short).unwrap_or_default());
        }
        for objective in objectives {
            let value = row.value(&objective.property).unwrap_or(f64::NAN);
            cells.push(format!("{value:.6}"));
            if shown.kcal && objective.unit == "hartree" {
                cells.push(format!("{:.2}", hartree_to_kcal_per_mol(value)));
            }
        }
        if shown.places {
            cells.push(match row.batch {
                0 => "source".to_owned(),
                batch => batch.to_string(),
            });
            cells.push((row.rank + 1).to_string());
        }
        if shown.predictions {
            let predictions = objectives.iter();
            cells.extend(predictions.map(|o| predicted(row.prediction(&o.property))));
        }
        table.add_row(cells);
    }
    for column in (0..columns).filter(|c| !(1..texts).contains(c)) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn header(objectives: &[ObjectiveInfo], is_named: bool, shown: Columns) -> Vec<String> {
    let mut header = vec![String::new(), "SMILES".to_owned()];
    if is_named {
        header.push("name".to_owned());
    }
    for objective in objectives {
        header.push(objective.heading());
        if shown.kcal && objective.unit == "hartree" {
            header.push("kcal/mol".to_owned());
        }
    }
    if shown.places {
        header.extend(["batch", "rank"].map(str::to_owned));
    }
    if shown.predictions {
        header.extend(objectives.iter().map(|objective| match objectives.len() {
            1 => "predicted".to_owned(),
            _ => format!("predicted {}", objective.label),
        }));
    }
    header
}

/// Text of a prediction in a table.
pub fn predicted(prediction: Option<Prediction>) -> String {
    prediction.map_or_else(|| "-".to_owned(), |prediction| prediction.to_string())
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
/// state; `width`: columns that a table may take, if they are limited.
pub fn status_text(
    summary: &Summary,
    state: RunState,
    level_of_theory: &str,
    slots: &[BusySlots],
    tasks: &[NamedCount],
    width: Option<u16>,
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
    for BusySlots {
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
    lines.extend(result_lines(summary, width));
    lines.join("\n")
}

/// The best molecule, or the Pareto front.
fn result_lines(summary: &Summary, width: Option<u16>) -> Vec<String> {
    let Some(objective) = summary.run.only_objective() else {
        let volume = summary.hypervolume;
        let volume = volume.map_or_else(String::new, |v| format!(", hypervolume {v:.6}"));
        let front = match summary.front.len() {
            0 => return vec!["front         none yet".to_owned()],
            1 => "1 molecule".to_owned(),
            count => format!("{count} molecules"),
        };
        let table = best_table(&summary.front, &summary.run.objectives, width);
        return vec![format!("front         {front}{volume}"), table];
    };
    vec![match &summary.best {
        Some(best) => format!(
            "best          {}  {:.6} {}",
            named(&best.smiles, best.name.as_deref()),
            best.objective.unwrap_or(f64::NAN),
            objective.unit
        ),
        None => "best          none yet".to_owned(),
    }]
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
