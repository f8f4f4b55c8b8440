//! `moldflow export`: prints the results of a run.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::run_dir;
use crate::report::{self, ExportFormat};

#[derive(Args)]
pub(super) struct ExportArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Format
    #[arg(long, value_parser = formats(), default_value = "csv")]
    pub format: &'static ExportFormat,
}

/// Parses the name of a format.
fn formats() -> impl TypedValueParser<Value = &'static ExportFormat> {
    let names = PossibleValuesParser::new(ExportFormat::names());
    names.try_map(|name| ExportFormat::of_name(&name).ok_or("no format has this name"))
}

pub(super) fn run(arguments: &ExportArguments) -> Result<ExitStatus, CommandError> {
    super::wait(write(arguments))
}

async fn write(arguments: &ExportArguments) -> Result<ExitStatus, CommandError> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let run = store.run_info().await?;
    let (rows, properties) = (store.candidates().await?, store.properties().await?);
    let geometries = match arguments.format.has_geometries {
        true => store.geometries().await?,
        false => HashMap::new(),
    };
    let mut out = Vec::new();
    let format = arguments.format;
    report::export(&rows, &run, &properties, &geometries, format, &mut out)?;
    print(&String::from_utf8_lossy(&out))?;
    Ok(ExitStatus::Finished)
}
