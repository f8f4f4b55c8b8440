//! `moldflow completions` and `moldflow man`: what a shell and `man` want of the command line.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandLine, ExitStatus, print};
use crate::app::error::CommandError;

#[derive(Args)]
pub(super) struct CompletionsArguments {
    /// Shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub(super) struct ManArguments {
    /// Folder of the pages, such as `~/.local/share/man/man1`
    #[arg(value_parser = super::path())]
    dir: PathBuf,
}

/// Prints the script by which a shell completes commands and options.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<ExitStatus, CommandError> {
    let mut command = CommandLine::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Finished)
}

/// Writes a manual page for each command.
pub(super) fn man(arguments: &ManArguments) -> Result<ExitStatus, CommandError> {
    let dir = &arguments.dir;
    let written = fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(CommandLine::command(), dir));
    let failed = |e| CommandError::io(&format!("could not write to `{}`", dir.display()), &e);
    written.map_err(failed)?;
    Ok(ExitStatus::Finished)
}
