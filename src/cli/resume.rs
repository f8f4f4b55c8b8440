//! `moldflow resume`: continues a run that was interrupted or killed.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use crate::app::failure::Failure;
use crate::app::session::{self, Output, Told};
use crate::app::ways::Ways;
use crate::app::{requirements, run_dir};
use crate::config::duration::Duration;

#[derive(Args)]
pub(super) struct Arguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Go on with settings that were changed in the run directory
    #[arg(long)]
    pub accept_changes: bool,
    #[command(flatten)]
    pub output: Output,
    /// Go on as a job of `moldflow submit` that has this walltime
    #[arg(long, value_name = "WALLTIME", hide = true)]
    pub job: Option<Duration>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    run_dir::keep_private();
    let dir = run_dir::existing(&arguments.run_dir)?;
    let lock = run_dir::lock(&dir)?;
    let (loaded, plan) = requirements::programs(super::wait(run_dir::load(&dir))?)?;
    let ways = Ways::open(&loaded.site, true)?;
    let job = arguments.job.map(Duration::get);
    super::wait(session::work(
        &dir,
        lock,
        &loaded,
        &plan,
        arguments.output,
        ways,
        Told {
            accept_changes: arguments.accept_changes,
            job,
        },
    ))
}
