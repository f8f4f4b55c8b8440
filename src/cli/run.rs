//! `moldflow run`: runs a campaign.

use std::path::PathBuf;

use clap::Args;

use super::{CampaignArguments, Exit};
use crate::app::failure::Failure;
use crate::app::session::{self, Output, Told};
use crate::app::ways::Ways;
use crate::app::{allocation, requirements, run_dir};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub campaign: CampaignArguments,
    /// Folder in which the run directory is made
    #[arg(long, value_name = "DIR", default_value = "runs", value_parser = super::path())]
    pub runs_dir: PathBuf,
    /// The run directory itself, instead of one named by the time and a hash
    #[arg(long, value_name = "DIR", conflicts_with = "runs_dir", value_parser = super::path())]
    pub run_dir: Option<PathBuf>,
    /// File in which answers are kept for other runs, and looked for: instead of the campaign's `cache`
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    pub cache: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    run_dir::keep_private();
    let (mut loaded, plan) = requirements::checked(
        &arguments.campaign.campaign,
        &arguments.campaign.overrides(),
    )?;
    if let Some(cache) = &arguments.cache {
        let path = std::path::absolute(cache)
            .map_err(|e| Failure::new(format!("`--cache {}`: {e}", cache.display())))?;
        loaded.campaign.cache = Some(path.display().to_string());
    }
    allocation::shares(&loaded.site)?;
    let mut ways = Ways::open(&loaded.site, false)?;
    ways.ask_schedulers(&loaded)?;
    let (dir, lock) = run_dir::create(&loaded, arguments.run_dir.clone(), &arguments.runs_dir)?;
    super::wait(session::work(
        &dir,
        lock,
        &loaded,
        &plan,
        arguments.output,
        ways,
        Told::default(),
    ))
}
