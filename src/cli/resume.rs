//! `moldflow resume`: continues a run that was interrupted or killed.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::failure::Failure;

#[derive(Args)]
pub(super) struct Arguments {
    /// Run directory
    pub run_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(_arguments: &Arguments) -> Result<Exit, Failure> {
    Err(Failure::new("`moldflow resume` is being written"))
}
