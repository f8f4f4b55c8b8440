//! `moldflow clean`: deletes the files of runs that neither a resume nor the results need.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::terminal::say;
use super::{ExitStatus, print, wait};
use crate::app::cleaning::{self, Removable};
use crate::app::error::CommandError;
use crate::app::run_dir;

#[derive(Args)]
pub(super) struct CleanArguments {
    /// Run directories
    #[arg(required = true, value_parser = super::path())]
    pub run_dirs: Vec<PathBuf>,
    /// Delete without asking
    #[arg(long)]
    pub yes: bool,
    /// List what would be deleted; delete nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

pub(super) fn run(arguments: &CleanArguments) -> Result<ExitStatus, CommandError> {
    // All are looked at before anything is deleted: a mistyped one changes nothing.
    let mut runs = Vec::new();
    for dir in &arguments.run_dirs {
        let dir = run_dir::existing(dir)?;
        let lock = run_dir::lock(&dir)?;
        runs.push((wait(cleaning::removable(&dir))?, lock));
    }
    let found: Vec<&Removable> = runs.iter().flat_map(|(found, _)| found).collect();
    if found.is_empty() {
        print("nothing to delete: everything here is needed for the results or a resume\n")?;
        return Ok(ExitStatus::Finished);
    }
    for Removable { path, bytes, holds } in &found {
        print(&format!("{}  {holds}, {}\n", path.display(), size(*bytes)))?;
    }
    let all = found.iter().map(|one| one.bytes).sum();
    let sum = format!("{} folders, {}", found.len(), size(all));
    if arguments.dry_run {
        print(&format!("{sum} would be deleted\n"))?;
        return Ok(ExitStatus::Finished);
    }
    if !arguments.yes && !confirmed(&sum)? {
        print("nothing was deleted\n")?;
        return Ok(ExitStatus::Refused);
    }
    for (found, _lock) in &runs {
        cleaning::remove(found)?;
    }
    print(&format!("{sum} deleted\n"))?;
    Ok(ExitStatus::Finished)
}

/// Asks on the terminal; only a yes is one.
fn confirmed(sum: &str) -> Result<bool, CommandError> {
    if !io::stdin().is_terminal() {
        let message = "standard input is no terminal, so that nobody can be asked";
        let hint = "`--yes` deletes without asking, `--dry-run` only lists";
        return Err(CommandError::with_hint(message.to_owned(), hint));
    }
    say(&format!("delete {sum}? [y/N]"));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|e| CommandError::io("could not read the answer", &e))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
