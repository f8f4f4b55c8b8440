//! `moldflow schema`: the JSON Schemas that editors can use.

use clap::{Args, ValueEnum};

use super::{Exit, print};
use crate::app::failure::Failure;
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

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = match arguments.of {
        Kind::Campaign => schema::campaign_with_params(),
        Kind::Site => schema::site(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(Exit::Finished)
}
