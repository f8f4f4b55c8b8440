//! `moldflow show`: prints what was computed of a molecule.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::subject::molecules_of;
use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::run_dir;
use crate::plan::Plan;
use crate::report::named;
use crate::store::{CandidateRow, MoleculeResult, PropertyInfo};

#[derive(Args)]
pub(super) struct ShowArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// SMILES or name of a molecule
    pub molecule: String,
    /// Print its geometry alone, in the XYZ format
    #[arg(long)]
    pub geometry: bool,
    /// Method whose results are shown; the default is all, and the last one's geometry
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
}

pub(super) fn run(arguments: &ShowArguments) -> Result<ExitStatus, CommandError> {
    super::wait(show(arguments))
}

async fn show(arguments: &ShowArguments) -> Result<ExitStatus, CommandError> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let (loaded, plan) = run_dir::load(&dir, &mut say).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let word = arguments.molecule.trim();
    let properties = store.properties().await?;
    let mut text = String::new();
    for smiles in molecules_of(word, &loaded, &mut store).await? {
        let mut results = store.results_for(&smiles).await?;
        results.retain(|result| {
            let wanted = arguments.method.as_ref();
            wanted.is_none_or(|wanted| result.method.as_ref() == Some(wanted))
        });
        if arguments.geometry {
            let geometry = results.iter().rev().find(|result| !result.xyz.is_empty());
            text.push_str(geometry.map_or("", |result| &result.xyz));
        } else if !results.is_empty() {
            let rows = store.candidates_of(&smiles).await?;
            describe(&smiles, &rows, &properties, &mut text);
            for result in &results {
                quantities(result, &plan, &mut text);
            }
        }
    }
    if text.is_empty() {
        return Err(nothing(arguments));
    }
    print(&text)?;
    Ok(ExitStatus::Finished)
}

/// Error for a molecule without the results that were asked for.
fn nothing(arguments: &ShowArguments) -> CommandError {
    let ShowArguments {
        run_dir,
        molecule,
        geometry,
        method,
    } = arguments;
    let what = if *geometry { "geometry" } else { "result" };
    let by = method.as_ref();
    let by = by.map_or_else(String::new, |method| format!(" by the method `{method}`"));
    let message = format!("this run has no {what} of `{molecule}`{by}");
    let dir = run_dir.display();
    let hint = format!(
        "`moldflow explain {dir} '{molecule}'` tells what became of it, `moldflow export {dir}` \
         lists the molecules"
    );
    CommandError::with_hint(message, hint)
}

/// Appends a molecule with the values of its properties.
fn describe(smiles: &str, rows: &[CandidateRow], properties: &[PropertyInfo], text: &mut String) {
    let name = rows.iter().find_map(|row| row.name.as_deref());
    let _ = writeln!(text, "{}", named(smiles, name));
    for property in properties {
        let value = rows.iter().find_map(|row| row.value(&property.name));
        if let Some(value) = value {
            line(&property.label, value, &property.unit, text);
        }
    }
}

/// Appends the quantities of a result.
fn quantities(result: &MoleculeResult, plan: &Plan, text: &mut String) {
    let MoleculeResult {
        method,
        engine,
        version,
        level_of_theory,
        xyz,
        quantities,
    } = result;
    let name = method.as_deref().unwrap_or_default();
    let _ = writeln!(text, "{name}: {level_of_theory}, {engine} {version}");
    let method = plan.methods.get(name);
    let values: BTreeMap<String, f64> = serde_json::from_str(quantities).unwrap_or_default();
    for (quantity, value) in values {
        let unit = method.and_then(|method| method.atomic_unit(&quantity));
        line(
            &quantity,
            value,
            unit.as_ref().map_or("", |unit| unit.name()),
            text,
        );
    }
    if let Some(atoms) = xyz.lines().next() {
        let _ = writeln!(
            text,
            "  {:<24} {atoms} atoms, `--geometry` prints it",
            "geometry"
        );
    }
}

fn line(label: &str, value: f64, unit: &str, text: &mut String) {
    let line = format!("  {label:<24} {value:.10} {unit}");
    let _ = writeln!(text, "{}", line.trim_end());
}
