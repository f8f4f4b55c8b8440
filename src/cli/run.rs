//! `moldflow run`: runs a campaign.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::session::{self, Output};
use super::{CampaignArguments, Exit, run_dir};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub campaign: CampaignArguments,
    /// Folder in which the run directory is made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
    /// The run directory itself, instead of one named by the time and a hash
    #[arg(long, value_name = "DIR", conflicts_with = "runs_dir")]
    pub run_dir: Option<PathBuf>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    run_dir::keep_private();
    let (loaded, plan) = super::check::checked(&arguments.campaign)?;
    session::runnable(&loaded.site)?;
    let (dir, lock) = run_dir::create(&loaded, arguments.run_dir.clone(), &arguments.runs_dir)?;
    let output = Output {
        json: arguments.json,
        quiet: arguments.quiet,
    };
    super::wait(session::work(&dir, lock, &loaded, &plan, output, false))
}
