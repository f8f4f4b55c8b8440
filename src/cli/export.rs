//! `moldflow export`: prints the results of a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Exit;
use super::failure::Failure;

#[derive(Args)]
pub(super) struct Arguments {
    /// Run directory
    pub run_dir: PathBuf,
    #[arg(long, value_enum)]
    pub format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Csv,
    Jsonl,
}

pub(super) fn run(_arguments: &Arguments) -> Result<Exit, Failure> {
    Err(Failure::new("`moldflow export` is being written"))
}
