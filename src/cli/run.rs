//! `moldflow run`: runs a campaign.

use std::path::PathBuf;

use clap::Args;

use super::progress::Display;
use super::terminal::say;
use super::{CampaignArguments, ExitStatus, OutputArguments, outcome, wait};
use crate::app::error::{CommandError, Topic};
use crate::app::inheritance::Inheritance;
use crate::app::remote_hosts::RemoteHosts;
use crate::app::session::{LockedRun, RunOptions};
use crate::app::{allocation, functions, requirements, run_dir};

#[derive(Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub campaign: CampaignArguments,
    /// Folder in which the run directory is made
    #[arg(long, value_name = "DIR", default_value = "runs", value_parser = super::path())]
    pub runs_dir: PathBuf,
    /// The run directory itself, instead of one named by the time and a hash
    #[arg(long, value_name = "DIR", conflicts_with = "runs_dir", value_parser = super::path())]
    pub run_dir: Option<PathBuf>,
    /// Cache of results that runs share, instead of the campaign's `cache`
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    pub cache: Option<PathBuf>,
    /// Begin with the results of another run, as far as they fit
    #[arg(long, value_name = "RUN_DIR", value_parser = super::path())]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArguments,
}

pub(super) fn run(arguments: &RunArguments) -> Result<ExitStatus, CommandError> {
    run_dir::keep_private();
    let (mut loaded, plan) = requirements::checked(
        &arguments.campaign.campaign,
        &arguments.campaign.overrides(),
    )?;
    if let Some(cache) = &arguments.cache {
        let path = std::path::absolute(cache).map_err(|e| {
            CommandError::new(format!("`--cache {}`: {e}", cache.display())).about(Topic::Cache)
        })?;
        loaded.campaign.cache = Some(path.display().to_string());
    }
    functions::load(&loaded, &plan)
        .map_err(|faults| CommandError::from(faults).about(Topic::Python))?;
    allocation::shares(&loaded.site)?;
    let mut hosts = RemoteHosts::connect(&loaded.site, false)?;
    hosts.check_schedulers(&loaded)?;
    let inheritance = match &arguments.from {
        Some(from) => Some(wait(Inheritance::read(from, &loaded, &plan, &mut say))?),
        None => None,
    };
    let run = wait(LockedRun::create(
        loaded,
        plan,
        arguments.run_dir.clone(),
        &arguments.runs_dir,
        inheritance.as_ref(),
    ))?;
    for line in inheritance.iter().flat_map(Inheritance::report) {
        say(&line);
    }
    let mut display = Display::new(arguments.output.quiet, run.dir());
    let ended = wait(run.execute(hosts, RunOptions::default(), &mut display))?;
    outcome::conclude(&ended, arguments.output)
}
