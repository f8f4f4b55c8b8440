//! `moldflow report`: writes a page on a run, while an engine runs too.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::{report_page, run_dir};
use crate::report::{self, FILE, RunState};

#[derive(Args)]
pub(super) struct ReportArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// File of the page; `-` is stdout [default: report.html in the run directory]
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    pub out: Option<PathBuf>,
}

pub(super) fn run(arguments: &ReportArguments) -> Result<ExitStatus, CommandError> {
    super::wait(show(arguments))
}

async fn show(arguments: &ReportArguments) -> Result<ExitStatus, CommandError> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let is_at_work = run_dir::is_locked(&dir);
    let (loaded, plan) = run_dir::load(&dir, &mut say).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    store.hold_still().await?;
    let state = RunState::of(&store.summary().await?, is_at_work);
    let page = report::page(
        &mut store,
        &report_page::page_context(&dir, &loaded, &plan, state),
    )
    .await?;
    match &arguments.out {
        None => {
            run_dir::keep_private();
            report::write_page(&dir, &page)?;
            print(&format!("{}\n", dir.join(FILE).display()))?;
        }
        Some(out) if out.as_os_str() == "-" => print(&page)?,
        Some(out) => {
            let failed = |e| CommandError::new(format!("could not write `{}`: {e}", out.display()));
            fs::write(out, page).map_err(failed)?;
        }
    }
    Ok(ExitStatus::Finished)
}
