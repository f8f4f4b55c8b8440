//! `moldflow compare`: runs the searches of campaigns side by side on the same seeds.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;

use super::table::{align_numbers, table, trimmed};
use super::{ExitStatus, path, print, terminal::say, wait};
use crate::app::error::{CommandError, causes};
use crate::app::functions::new_folder;
use crate::app::host::host_environment;
use crate::app::interpreters::Interpreters;
use crate::app::recorded_results::{self, RecordedResults};
use crate::app::task;
use crate::compare::{COLUMNS, Comparison, Extent, Policy, TaskBody, compare, page};
use crate::config::campaign::Overrides;
use crate::config::source::Source;
use crate::plan::{self, Plan};

#[derive(Args)]
pub(super) struct CompareArguments {
    /// Campaign files, each a policy; random search is compared besides
    #[arg(value_parser = path(), required = true)]
    campaigns: Vec<PathBuf>,
    /// Seeds: so many from 1 on, or a range
    #[arg(long, value_name = "N|A-B", default_value = "10")]
    seeds: Seeds,
    /// Take the results of a finished run instead of computing: what would these policies have found
    /// among its molecules?
    #[arg(long, value_name = "RUN_DIR", value_parser = path())]
    on: Option<PathBuf>,
    /// Evaluations of each search, initial molecules included; as many as the first campaign has,
    /// if not given
    #[arg(long, value_name = "N")]
    evaluations: Option<usize>,
    /// Change a param or a value of all campaigns
    #[arg(long, value_name = "NAME|PATH=VALUE")]
    set: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with charts
    #[arg(long, value_name = "FILE", value_parser = path())]
    html: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// Seeds of searches.
#[derive(Clone, Debug, PartialEq)]
struct Seeds(Vec<u64>);

/// Most seeds of a comparison.
const MOST_SEEDS: u64 = 10_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<u64>()
                .map_err(|e| format!("`{text}`: {e}"))
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (1, number(text)?),
        };
        match last.checked_sub(first) {
            Some(more) if more < MOST_SEEDS => Ok(Self((first..=last).collect())),
            _ => Err(format!(
                "give 1 to {MOST_SEEDS} seeds, as `10` or `101-120`"
            )),
        }
    }
}

/// A campaign with its plan and source.
struct Read {
    name: String,
    plan: Plan,
    source: Arc<Source>,
}

pub(super) fn run(arguments: &CompareArguments) -> Result<ExitStatus, CommandError> {
    let on = arguments.on.as_deref();
    let on = on
        .map(|dir| wait(recorded_results::read(dir)))
        .transpose()?;
    let paths = arguments.campaigns.iter();
    let read = paths.map(|path| read(path, &arguments.set, on.as_ref()));
    let read: Vec<Read> = read.collect::<Result<_, _>>()?;
    let names = distinct(read.iter().map(|read| read.name.clone()));
    let policies = read.iter().zip(names).map(|(read, name)| Policy {
        name,
        plan: read.plan.clone(),
        source: &read.source,
    });
    let policies: Vec<Policy> = policies.collect();
    let extent = Extent {
        seeds: arguments.seeds.0.clone(),
        evaluations: arguments.evaluations,
        most: on.as_ref().map(|on| on.molecules.len()),
    };
    let comparison = compared(&policies, &extent, arguments.quiet)?;
    if let Some(file) = &arguments.html {
        let page = page(&comparison).map_err(|e| CommandError::new(causes(&e)))?;
        let what = format!("could not write `{}`", file.display());
        fs::write(file, page).map_err(|e| CommandError::io(&what, &e))?;
    }
    print(&match arguments.json {
        true => format!("{:#}\n", serde_json::json!(comparison)),
        false => text(&comparison),
    })?;
    Ok(ExitStatus::Finished)
}

fn read(path: &Path, set: &[String], on: Option<&RecordedResults>) -> Result<Read, CommandError> {
    let overrides = Overrides {
        set: set.to_vec(),
        drawn: on.is_some(),
        ..Overrides::default()
    };
    let (loaded, mut plan) = plan::load(path, &overrides, &host_environment())?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let source = match (on, loaded.source) {
        (Some(on), _) => {
            on.replace_methods(&mut plan)?;
            Arc::new(Source::of_list(&plan.search_space, on.molecules.clone()))
        }
        (None, Some(source)) => source,
        (None, None) => return Err(CommandError::new("the campaign has no source")),
    };
    Ok(Read {
        name: name.into_owned(),
        plan,
        source,
    })
}

/// Names of which the second of a kind ends in `-2`.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names {
        let others = (2..).map(|n| format!("{name}-{n}"));
        let mut free = [name.clone()]
            .into_iter()
            .chain(others)
            .filter(|n| !distinct.contains(n));
        distinct.extend(free.next());
    }
    distinct
}

/// Runs the searches in a temporary folder.
fn compared(policies: &[Policy], extent: &Extent, quiet: bool) -> Result<Comparison, CommandError> {
    let folder =
        new_folder("compare").map_err(|e| CommandError::io("could not make a folder", &e))?;
    let bodies = || -> Box<TaskBody> {
        let interpreters = Rc::new(Interpreters::default());
        Box::new(move |input, dir| match interpreters.begin(dir) {
            Ok(()) => task::perform(input, dir, &interpreters),
            Err(error) => task::not_begun(&error),
        })
    };
    let ended = |ended: usize, all: usize| {
        if !quiet {
            say(&format!("{ended} of {all} searches have ended"));
        }
    };
    let comparison = compare(policies, extent, &bodies, &folder, &ended);
    let _ = fs::remove_dir_all(&folder);
    comparison.map_err(|error| CommandError::new(causes(&error)))
}

fn text(comparison: &Comparison) -> String {
    let mut rows = table(COLUMNS);
    for policy in &comparison.policies {
        let cells = policy.cells();
        rows.add_row([&policy.name].into_iter().chain(&cells));
    }
    align_numbers(&mut rows);
    format!(
        "{}\n{}\n\n{}\n",
        comparison.summary(),
        comparison.scale_in_words(),
        trimmed(&rows)
    )
}
