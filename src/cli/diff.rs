//! `moldflow diff`: shows in what two runs differ.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::runs::best;
use super::table::{hours, table, trimmed};
use super::terminal::say;
use super::{ExitStatus, print, wait};
use crate::app::error::CommandError;
use crate::app::run_difference::{self, CommonValues, RunDifference, RunResult};
use crate::app::run_dir;
use crate::app::settings_changes::SettingsDifference;
use crate::report::best_json;

#[derive(Args)]
pub(super) struct DiffArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub one: PathBuf,
    /// Another run directory
    #[arg(value_parser = super::path())]
    pub other: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &DiffArguments) -> Result<ExitStatus, CommandError> {
    let (one, other) = (
        run_dir::existing(&arguments.one)?,
        run_dir::existing(&arguments.other)?,
    );
    let difference = wait(run_difference::compare([&one, &other], &mut say))?;
    let text = match arguments.json {
        true => format!("{:#}\n", as_json(&difference, [&one, &other])),
        false => as_text(&difference, arguments),
    };
    print(&text)?;
    Ok(ExitStatus::Finished)
}

fn as_text(difference: &RunDifference, arguments: &DiffArguments) -> String {
    let names = [&arguments.one, &arguments.other].map(|dir| dir.display().to_string());
    let mut rows = table(["", &names[0], &names[1]]);
    let [one, other] = &difference.results;
    let mut row = |label: &str, of: &dyn Fn(&RunResult) -> String| {
        rows.add_row([label.to_owned(), of(one), of(other)]);
    };
    row("campaign", &|run| run.summary.run.campaign.clone());
    row("state", &|run| run.state.word().to_owned());
    row("evaluations", &|run| {
        run.summary.counts.evaluations.to_string()
    });
    row("failed", &|run| run.summary.counts.failures.to_string());
    row("batches", &|run| run.batches.to_string());
    row("core-hours", &|run| hours(run.core_hours));
    row("best", &|run| {
        best(&run.summary).unwrap_or_else(|| "-".to_owned())
    });
    let mut text = format!("{}\n\n", trimmed(&rows));
    for common in &difference.common {
        text.push_str(&values_text(common));
    }
    if !difference.common.is_empty() {
        text.push('\n');
    }
    if difference.settings.is_empty() {
        text.push_str("the settings are the same\n");
        return text;
    }
    let mut rows = table(["setting", &names[0], &names[1]]);
    for SettingsDifference { file, path, values } in &difference.settings {
        let [one, other] = values.each_ref().map(value_text);
        rows.add_row([format!("{file}: {path}"), one, other]);
    }
    let _ = writeln!(text, "{}", trimmed(&rows));
    text
}

/// Longest list that is shown entry by entry, bytes of its text.
const LONGEST_LIST: usize = 80;

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(entries) if value.to_string().len() > LONGEST_LIST => {
            format!("{} entries", entries.len())
        }
        value => value.to_string(),
    }
}

/// A line on the values that two runs have of the same molecules.
fn values_text(common: &CommonValues) -> String {
    let CommonValues {
        property,
        unit,
        molecules,
        different,
        largest,
    } = common;
    let told = match largest {
        None => String::new(),
        Some((smiles, [one, other])) => {
            let pair = format!("{one:.6} and {other:.6} {unit}");
            format!(
                ", the largest difference is that of {smiles}: {}",
                pair.trim_end()
            )
        }
    };
    format!(
        "{property}: {molecules} molecules have a value in both runs, of which {different} differ{told}\n"
    )
}

fn as_json(difference: &RunDifference, dirs: [&Path; 2]) -> Value {
    let runs = dirs.iter().zip(&difference.results).map(|(dir, run)| {
        json!({
            "run_dir": dir,
            "campaign": run.summary.run.campaign,
            "state": run.state.word(),
            "evaluations": run.summary.counts.evaluations,
            "failures": run.summary.counts.failures,
            "batches": run.batches,
            "core_hours": run.core_hours,
            "best": best_json(&run.summary),
        })
    });
    let settings = difference.settings.iter().map(
        |differs| json!({"file": differs.file, "path": differs.path, "values": differs.values}),
    );
    let common = difference.common.iter().map(|common| {
        let largest = common.largest.as_ref();
        json!({
            "property": common.property,
            "unit": common.unit,
            "molecules": common.molecules,
            "different": common.different,
            "largest": largest.map(|(smiles, values)| json!({"smiles": smiles, "values": values})),
        })
    });
    json!({
        "runs": runs.collect::<Vec<_>>(),
        "settings": settings.collect::<Vec<_>>(),
        "common": common.collect::<Vec<_>>(),
    })
}
