//! `moldflow explain`: shows what happened to a molecule or a task, and why the cache was hit or
//! not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::{CommandError, causes};
use crate::app::run_dir;
use crate::chem::Molecule;
use crate::report::{named, timestamp};
use crate::store::{Cache, CachedAnswer, CandidateRow, KeyParts, Store, TaskRow};
use crate::task::TaskId;

/// Entries of the cache that are shown beside a task that was not found in it.
const NEAREST: usize = 3;

#[derive(Args)]
pub(super) struct ExplainArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// SMILES or name of a molecule, or the number of a task
    pub subject: String,
}

pub(super) fn run(arguments: &ExplainArguments) -> Result<ExitStatus, CommandError> {
    super::wait(explain(arguments))
}

async fn explain(arguments: &ExplainArguments) -> Result<ExitStatus, CommandError> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let (loaded, _) = run_dir::load(&dir, &mut say).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let subject = arguments.subject.trim();
    // A number may be a name, too, and so may a SMILES: everything that it can mean is shown.
    let mut tasks: BTreeMap<i64, TaskRow> = BTreeMap::new();
    if let Ok(number) = subject.parse() {
        let found = store.task(TaskId(number)).await?;
        tasks.extend(found.map(|task| (task.task, task)));
    }
    let mut molecules = store.molecules_named(subject).await?;
    let stereo = loaded.campaign.search_space.stereo();
    let of_smiles = Molecule::parse(subject).map(|molecule| molecule.identity(stereo));
    molecules.extend(of_smiles.iter().cloned());
    for smiles in &molecules {
        let found = store.tasks_of(smiles).await?.into_iter();
        tasks.extend(found.map(|task| (task.task, task)));
    }
    if tasks.is_empty() {
        let is_number = subject.parse::<u64>().is_ok();
        let message = match molecules.first() {
            Some(smiles) if of_smiles.is_err() => {
                format!("`{subject}` is {smiles}, for which this run has no task")
            }
            None if !is_number => {
                format!(
                    "`{subject}` is neither SMILES, nor a name of the run's source, nor the \
                     number of a task"
                )
            }
            _ => format!("this run has no task of this number or molecule: `{subject}`"),
        };
        let hint =
            "`moldflow export` lists the molecules with their names; a superseded one has no task";
        return Err(CommandError::with_hint(message, hint));
    }
    let mut text = String::new();
    let units: BTreeMap<String, String> = (store.properties().await?.into_iter())
        .map(|property| (property.name, property.unit))
        .collect();
    for smiles in &molecules {
        for row in store.candidates_of(smiles).await? {
            candidate(&row, &units, &mut text);
        }
    }
    for task in tasks.into_values() {
        describe(&task, &mut store, &mut text).await?;
        match loaded.campaign.cache.as_deref() {
            _ if task.cached => {}
            Some(cache) => not_found(&task, Path::new(cache), &mut text).await,
            None if task.smiles.is_some() => {
                text.push_str("  cache: the campaign has none\n");
            }
            None => {}
        }
    }
    print(&text)?;
    Ok(ExitStatus::Finished)
}

/// Appends what was predicted and computed of a candidate. `units`: of the properties.
fn candidate(row: &CandidateRow, units: &BTreeMap<String, String>, text: &mut String) {
    let from = match row.batch {
        0 => "of the source".to_owned(),
        batch => format!("batch {batch}, rank {}", row.rank),
    };
    let name = named(&row.smiles, row.name.as_deref());
    let verdict = match (row.feasible, row.on_front) {
        (_, true) => ", on the Pareto front",
        (Some(false), _) => ", infeasible",
        (Some(true), _) => ", feasible",
        (None, _) => "",
    };
    let _ = writeln!(text, "{name}, {from}: {}{verdict}", row.status);
    let predictions = row.all_predictions();
    for (property, unit) in units {
        let unit = match unit.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let value = row.value(property);
        let value = value.map(|value| format!("{value:.6}{unit}"));
        let predicted = predictions.get(property);
        let predicted =
            predicted.map(|[mean, std]| format!("predicted {mean:.6} ± {std:.6}{unit}"));
        let known: Vec<String> = value.into_iter().chain(predicted).collect();
        if !known.is_empty() {
            let _ = writeln!(text, "  {property}: {}", known.join(", "));
        }
    }
}

async fn describe(
    task: &TaskRow,
    store: &mut Store,
    text: &mut String,
) -> Result<(), CommandError> {
    let name = task.name.as_deref();
    let of = task
        .smiles
        .as_ref()
        .map_or_else(String::new, |s| format!(" of {}", named(s, name)));
    let method = task.method.as_ref();
    let by = method.map_or_else(String::new, |method| format!(" by {method}"));
    let batch = task
        .batch
        .map_or_else(String::new, |b| format!(", batch {b}"));
    let _ = writeln!(
        text,
        "task {}{of}{by}, stage {}{batch}: {}, {}",
        task.task,
        task.stage,
        task.state,
        match (task.cached, task.attempt) {
            (true, _) => "no attempt".to_owned(),
            (false, 1) => "1 attempt".to_owned(),
            (false, n) => format!("{n} attempts"),
        }
    );
    for failed in store.failed_attempts(task.task).await? {
        let first = failed.message.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "  attempt {} failed at {} ({}): {first}",
            failed.attempt,
            timestamp(failed.at),
            failed.kind
        );
    }
    if task.cached {
        text.push_str("  cache: hit, the result is that of an earlier run\n");
    }
    Ok(())
}

/// Appends the reason for a cache miss: the parts of the key that differ from those of the entries.
async fn not_found(task: &TaskRow, path: &Path, text: &mut String) {
    let (Some(parts), Some(at), Some(smiles)) = (&task.parts, task.looked_up, &task.smiles) else {
        if task.smiles.is_some() {
            text.push_str("  cache: not queried (runtime.log says why)\n");
        }
        return;
    };
    let parts: KeyParts = serde_json::from_str(parts).unwrap_or_default();
    let kept = async {
        Cache::open_to_read(path)
            .await?
            .of_molecule(smiles, at)
            .await
    };
    match kept.await {
        Err(error) => {
            let _ = writeln!(
                text,
                "  cache: not found; now it cannot be read: {}",
                causes(&error)
            );
        }
        Ok(kept) if kept.is_empty() => {
            let _ = writeln!(
                text,
                "  cache: not found; {} had no entry for this molecule",
                path.display()
            );
        }
        Ok(kept) => nearest(&parts, kept, text),
    }
}

fn nearest(parts: &KeyParts, kept: Vec<CachedAnswer>, text: &mut String) {
    let mut near: Vec<_> = kept
        .into_iter()
        .map(|kept| (differences(parts, &kept.parts), kept))
        .collect();
    near.sort_by_key(|(differences, _)| differences.len());
    text.push_str("  cache: not found; the nearest entries of this molecule:\n");
    for (differences, kept) in near.into_iter().take(NEAREST) {
        let _ = writeln!(text, "    of run {}, {}", kept.run, timestamp(kept.at));
        if differences.is_empty() {
            text.push_str(
                "      no part differs: the entry was damaged, or the cache could not be read\n",
            );
        }
        for name in differences {
            let shown = |parts: &KeyParts| match parts.get(name.as_str()) {
                Some(value) => value.to_string(),
                None => "nothing".to_owned(),
            };
            let _ = writeln!(
                text,
                "      {name}: {} in the cache, {} in this run",
                shown(&kept.parts),
                shown(parts)
            );
        }
    }
}

/// Names of the parts in which two keys differ.
fn differences(one: &KeyParts, other: &KeyParts) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    differ.cloned().collect()
}
