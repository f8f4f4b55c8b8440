//! `moldflow sites`: lists, shows, checks and imports site profiles.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::table::{in_words, table, trimmed};
use super::terminal::say;
use super::{ExitStatus, print, sites_check};
use crate::app::error::CommandError;
use crate::app::host::is_here;
use crate::config::diagnostic::{Diagnostics, Text};
use crate::config::import::{self, ImportedSite};
use crate::config::profiles::{self, FoundProfile, Origin};
use crate::config::site::Site;

#[derive(Subcommand)]
pub(super) enum SitesCommand {
    /// List every profile found, its partitions, and whether it is this machine
    List(ListArguments),
    /// Show a profile with every default written out
    Show(ShowArguments),
    /// Check this machine against a profile, and say what to do where it differs
    Check(sites_check::SitesCheckArguments),
    /// Make a profile from a QCEngine file, and list what that file does not contain
    Import(ImportArguments),
}

#[derive(Args)]
pub(super) struct ListArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct ShowArguments {
    /// Name of a profile, or the path of its file
    name: String,
}

#[derive(Args)]
pub(super) struct ImportArguments {
    /// The `qcengine.yaml`
    #[arg(value_parser = super::path())]
    file: PathBuf,
    /// Name of the profile; of several machines in the file the one to take
    #[arg(long)]
    name: Option<String>,
    /// Write the profile to this file instead of standard output; no file is overwritten
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    out: Option<PathBuf>,
}

pub(super) fn run(command: &SitesCommand) -> Result<ExitStatus, CommandError> {
    match command {
        SitesCommand::List(arguments) => list(arguments),
        SitesCommand::Show(arguments) => show(arguments),
        SitesCommand::Check(arguments) => sites_check::run(arguments),
        SitesCommand::Import(arguments) => import(arguments),
    }
}

fn list(arguments: &ListArguments) -> Result<ExitStatus, CommandError> {
    let found = profiles::all(&profiles::search_path(Path::new(".")));
    print(&if arguments.json {
        as_json(&found)
    } else {
        as_table(&found)
    })?;
    Ok(ExitStatus::Finished)
}

fn show(arguments: &ShowArguments) -> Result<ExitStatus, CommandError> {
    let (site, origin) = profile(&arguments.name)?;
    let yaml = serde_saphyr::to_string(&site.resolved())
        .map_err(|error| CommandError::new(error.to_string()))?;
    print(&format!("# {origin}\n{yaml}"))?;
    Ok(ExitStatus::Finished)
}

/// Reads the profile of that name, or in that file.
pub(super) fn profile(name: &str) -> Result<(Site, Origin), Diagnostics> {
    match profiles::is_path(name) {
        true => profiles::path(name).and_then(|path| profiles::file(&path)),
        false => profiles::named(name, &profiles::search_path(Path::new("."))),
    }
}

fn import(arguments: &ImportArguments) -> Result<ExitStatus, CommandError> {
    let ImportedSite { site, notes } =
        import::qcengine(&Text::read(&arguments.file)?, arguments.name.as_deref())?;
    let yaml =
        serde_saphyr::to_string(&site).map_err(|error| CommandError::new(error.to_string()))?;
    let text = format!(
        "# From the QCEngine file {}.\n{yaml}",
        arguments.file.display()
    );
    match &arguments.out {
        None => print(&text)?,
        Some(path) => {
            let written =
                File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| {
                CommandError::new(format!("could not write `{}`: {error}", path.display()))
            })?;
        }
    }
    for note in notes {
        say(&format!("note: {note}"));
    }
    Ok(ExitStatus::Finished)
}

/// Returns true if an earlier profile has the same name.
fn is_shadowed(found: &[FoundProfile], index: usize) -> bool {
    found[..index]
        .iter()
        .any(|earlier| earlier.name == found[index].name)
}

fn as_table(found: &[FoundProfile]) -> String {
    let mut table = table([
        "site",
        "here",
        "partition",
        "executor",
        "nodes",
        "slots",
        "cores a task",
        "from",
    ]);
    let mut diagnostics = String::new();
    for (index, profile) in found.iter().enumerate() {
        let from = match is_shadowed(found, index) {
            true => format!("{} (hidden by the one above)", profile.origin),
            false => profile.origin.to_string(),
        };
        match &profile.site {
            Ok(site) => {
                let mut name = (
                    profile.name.as_str(),
                    if is_here(site) { "yes" } else { "no" },
                    from.as_str(),
                );
                for (partition, settings) in &site.partitions {
                    table.add_row([
                        name.0.to_owned(),
                        name.1.to_owned(),
                        partition.clone(),
                        settings.executor.name().to_owned(),
                        in_words(settings.executor.nodes()),
                        in_words(settings.slot_count(&site.node)),
                        settings.cores_per_task.to_string(),
                        name.2.to_owned(),
                    ]);
                    name = ("", "", "");
                }
            }
            Err(found) => {
                let row = [
                    profile.name.as_str(),
                    "",
                    "cannot be read",
                    "",
                    "",
                    "",
                    "",
                    from.as_str(),
                ];
                table.add_row(row.map(str::to_owned));
                diagnostics.push_str(&format!("\n{found}"));
            }
        }
    }
    format!("{}\n{diagnostics}", trimmed(&table))
}

fn as_json(found: &[FoundProfile]) -> String {
    let profiles = found.iter().enumerate().map(|(index, profile)| {
        let partitions = profile.site.as_ref().map(|site| {
            let partitions = site.partitions.iter().map(|(name, partition)| {
                json!({
                    "name": name,
                    "executor": partition.executor.name(),
                    "nodes": partition.executor.nodes(),
                    "slots": partition.slot_count(&site.node),
                    "cores_per_task": partition.cores_per_task,
                })
            });
            partitions.collect::<Vec<_>>()
        });
        json!({
            "name": profile.name,
            "from": profile.origin.to_string(),
            "here": profile.site.as_ref().is_ok_and(is_here),
            "hidden": is_shadowed(found, index),
            "description": profile.site.as_ref().map(|site| site.description.clone()).ok(),
            "partitions": partitions.ok(),
            "fault": profile.site.as_ref().err().map(|diagnostics| diagnostics.to_string()),
        })
    });
    format!("{:#}\n", serde_json::Value::from_iter(profiles))
}
