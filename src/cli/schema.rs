//! `moldflow schema`: the JSON Schemas that editors can use.

use clap::{Args, ValueEnum};

use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::config::schema;

#[derive(Args)]
pub(super) struct Arguments {
    /// Which files it describes
    #[arg(value_enum)]
    of: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Campaign,
    Site,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, CommandError> {
    let schema = match arguments.of {
        Kind::Campaign => schema::campaign_with_params(),
        Kind::Site => schema::site(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(ExitStatus::Finished)
}
