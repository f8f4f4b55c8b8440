//! `moldflow explain`: tells the whole story of a molecule or a task: where it came from, what was
//! predicted and computed, or why it was not computed.

mod absence;
mod attempts;
mod cache;
mod candidate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::subject::molecules_of;
use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::run_dir;
use crate::store::TaskRow;
use crate::task::TaskId;

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
    let (loaded, plan) = run_dir::load(&dir, &mut say).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let word = arguments.subject.trim();
    let mut tasks: BTreeMap<i64, TaskRow> = BTreeMap::new();
    if let Ok(number) = word.parse() {
        let found = store.task(TaskId(number)).await?;
        tasks.extend(found.map(|task| (task.task, task)));
    }
    let mut text = String::new();
    for smiles in &molecules_of(word, &loaded, &mut store).await? {
        let of_molecule = store.tasks_of(smiles).await?;
        let candidates = store.candidates_of(smiles).await?;
        // A number is also the name of a molecule in some sources, which may not be of this run.
        if candidates.is_empty() && of_molecule.is_empty() && tasks.is_empty() {
            absence::explain(smiles, &loaded, &mut store, &mut text).await?;
        }
        for row in &candidates {
            candidate::describe(row, &plan, &mut store, &mut text).await?;
        }
        tasks.extend(of_molecule.into_iter().map(|task| (task.task, task)));
    }
    for task in tasks.values() {
        let cache = loaded.campaign.cache.as_deref();
        attempts::describe(task, cache, &mut store, &mut text).await?;
    }
    if text.is_empty() {
        absence::explain_skipped(word, &loaded, &dir, &mut text);
    }
    if text.is_empty() {
        return Err(nothing_known(word));
    }
    print(&text)?;
    Ok(ExitStatus::Finished)
}

fn nothing_known(word: &str) -> CommandError {
    let message = match word.parse::<u64>() {
        Ok(number) => format!("this run has no task {number}, and no molecule of this name"),
        Err(_) => format!(
            "`{word}` is neither SMILES, nor a name of the run's source, nor the number of a task"
        ),
    };
    let hint = "`moldflow export` lists the molecules with their names";
    CommandError::with_hint(message, hint)
}
