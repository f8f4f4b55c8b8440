//! `moldflow schema`: the JSON Schemas that editors can use.

use clap::{Args, ValueEnum};

use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::config::schema;

#[derive(Args)]
pub(super) struct SchemaArguments {
    /// Kind of file that it describes
    #[arg(value_enum)]
    of: SchemaKind,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaKind {
    Campaign,
    Site,
}

pub(super) fn run(arguments: &SchemaArguments) -> Result<ExitStatus, CommandError> {
    let schema = match arguments.of {
        SchemaKind::Campaign => schema::campaign_with_params(),
        SchemaKind::Site => schema::site(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(ExitStatus::Finished)
}
