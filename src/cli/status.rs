//! `moldflow status`: shows how far a run is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::{Exit, print, run_dir};
use crate::engine::Config;
use crate::report::{self, RunState};

#[derive(Args)]
pub(super) struct Arguments {
    /// Run directory
    pub run_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<Exit, Failure> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let is_running = run_dir::is_locked(&dir);
    let (loaded, plan) = run_dir::load(&dir)?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let summary = store.summary().await?;
    let state = match (&summary.stopped_by, is_running) {
        (Some(_), _) => RunState::Finished,
        (None, true) => RunState::Running,
        (None, false) => RunState::Interrupted,
    };
    let mut busy: BTreeMap<&str, i64> = BTreeMap::new();
    if state == RunState::Running {
        for (stage, count) in store.running_by_stage().await? {
            let partition = plan
                .stages()
                .into_iter()
                .find(|s| s.stage == stage)
                .map(|s| s.partition.as_str());
            *busy.entry(partition.unwrap_or_default()).or_default() += count;
        }
    }
    let slots = loaded.site.partitions.iter().map(|(name, partition)| {
        let all = partition.slot_count(&loaded.site.node).unwrap_or(0);
        (
            name.clone(),
            busy.get(name.as_str()).copied().unwrap_or(0),
            all,
        )
    });
    let slots: Vec<_> = slots.collect();
    let level = Config::new(&loaded.campaign, &plan).evaluate.level();
    if arguments.json {
        print(&format!(
            "{:#}\n",
            report::status_json(&dir, &summary, state, &level, &slots)
        ))?;
    } else {
        let tasks = store.tasks_by_state().await?;
        print(&format!(
            "{}\n",
            report::status_text(&summary, state, &level, &slots, &tasks)
        ))?;
    }
    Ok(Exit::Finished)
}
