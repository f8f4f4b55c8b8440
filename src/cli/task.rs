//! `moldflow task`: the hidden command that every task's process runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Exit;
use super::failure::Failure;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Do the task whose input is in a file
    Run(RunArguments),
}

#[derive(Args)]
pub(super) struct RunArguments {
    /// The task's `input.json`
    pub input: PathBuf,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(_) => Err(Failure::new("`moldflow task run` is being written")),
    }
}
