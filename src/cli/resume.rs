//! `moldflow resume`: continues a run that was interrupted or killed, or a finished one with other
//! stop conditions.

use std::path::PathBuf;

use clap::Args;

use super::progress::Display;
use super::terminal::say;
use super::{ExitStatus, OutputArguments, outcome, wait};
use crate::app::error::CommandError;
use crate::app::remote_hosts::RemoteHosts;
use crate::app::run_dir;
use crate::app::session::{LockedRun, RunOptions};
use crate::config::duration::Duration;

#[derive(Args)]
pub(super) struct ResumeArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Resume with settings that were changed in the run directory
    #[arg(long)]
    pub accept_changes: bool,
    /// Change a value by its path: `--set stop.evaluations=500`; a finished run continues
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub output: OutputArguments,
    /// Resume as a job of `moldflow submit` that has this walltime
    #[arg(long, value_name = "WALLTIME", hide = true)]
    pub job: Option<Duration>,
}

pub(super) fn run(arguments: &ResumeArguments) -> Result<ExitStatus, CommandError> {
    run_dir::keep_private();
    let run = wait(LockedRun::open(
        &arguments.run_dir,
        &arguments.set,
        &mut say,
    ))?;
    let hosts = RemoteHosts::connect(run.site(), true)?;
    let options = RunOptions {
        accept_changes: arguments.accept_changes,
        job_walltime: arguments.job.map(Duration::get),
    };
    let mut display = Display::new(arguments.output.quiet, run.dir());
    let ended = wait(run.execute(hosts, options, &mut display))?;
    outcome::conclude(&ended, arguments.output)
}
