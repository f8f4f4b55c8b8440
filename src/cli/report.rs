//! `moldflow report`: writes a page on a run, while an engine runs too.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::{Exit, print, run_dir};
use crate::config::campaign::Loaded;
use crate::engine::EngineConfig;
use crate::plan::Plan;
use crate::report::{self, About, FILE, RunState};
use crate::store::Store;

#[derive(Args)]
pub(super) struct Arguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Where the page goes; `-` is stdout [default: report.html in the run directory]
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    pub out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    super::wait(show(arguments))
}

async fn show(arguments: &Arguments) -> Result<Exit, Failure> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let is_at_work = run_dir::is_locked(&dir);
    let (loaded, plan) = run_dir::load(&dir).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    store.hold_still().await?;
    let state = RunState::of(&store.summary().await?, is_at_work);
    let page = report::page(&mut store, &about(&loaded, &plan, state)).await?;
    match &arguments.out {
        None => {
            run_dir::keep_private();
            report::write_page(&dir, &page)?;
            print(&format!("{}\n", dir.join(FILE).display()))?;
        }
        Some(out) if out.as_os_str() == "-" => print(&page)?,
        Some(out) => {
            let failed = |e| Failure::new(format!("could not write `{}`: {e}", out.display()));
            fs::write(out, page).map_err(failed)?;
        }
    }
    Ok(Exit::Finished)
}

/// Writes the page of a run that an engine leaves.
pub async fn leave(
    store: &mut Store,
    dir: &Path,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<(), Failure> {
    let state = RunState::of(&store.summary().await?, false);
    let page = report::page(store, &about(loaded, plan, state)).await?;
    Ok(report::write_page(dir, &page)?)
}

fn about<'a>(loaded: &'a Loaded, plan: &Plan, state: RunState) -> About<'a> {
    let stages = plan.stages().into_iter();
    About {
        state,
        objective: loaded.campaign.objective,
        level: EngineConfig::new(&loaded.campaign, plan).evaluate.level(),
        site: &loaded.site,
        partitions: stages
            .map(|planned| (planned.stage.clone(), planned.partition_name.clone()))
            .collect(),
        at: jiff::Timestamp::now().as_millisecond(),
    }
}
