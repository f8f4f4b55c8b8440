//! `moldflow check`: validates a campaign and changes nothing.

use std::fmt::Write;
use std::path::Path;

use clap::Args;

use super::failure::Failure;
use super::start::host_environment;
use super::terminal::say;
use super::{CampaignArguments, Exit, print};
use crate::config::campaign::{Campaign, Loaded, MethodKind, Objective};
use crate::config::fault::{Fault, Faults};
use crate::config::site::Site;
use crate::config::source::{Entry, Reading};
use crate::exec::{LauncherError, doctor};
use crate::plan::{self, Plan, PlannedStage};
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    campaign: CampaignArguments,
    /// List every duplicate and every skipped entry of the source
    #[arg(long)]
    verbose: bool,
    /// Make the database of a damaged run anew from its journal; the damaged files are kept
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let path = &arguments.campaign.campaign;
    if path.is_dir() || arguments.repair {
        return super::audit::run(path, arguments.repair);
    }
    let (loaded, plan) = checked(&arguments.campaign)?;
    warn_of_crowding(&loaded, &plan);
    print(&summary(&arguments.campaign.campaign, &loaded, &plan))?;
    if let Some(reading) = loaded.source.as_ref().and_then(|source| source.reading()) {
        print(&entries(reading, arguments.verbose))?;
    }
    Ok(Exit::Finished)
}

/// A campaign in which everything is right, the programs it needs included.
pub(crate) fn checked(arguments: &CampaignArguments) -> Result<(Loaded, Plan), Faults> {
    programs(plan::load(
        &arguments.campaign,
        &arguments.overrides(),
        &host_environment(),
    )?)
}

/// The same campaign, if the programs that it needs are installed.
pub(crate) fn programs((loaded, plan): (Loaded, Plan)) -> Result<(Loaded, Plan), Faults> {
    let mut faults = Faults::default();
    for stage in plan.stages() {
        let MethodKind::Simulate { engine, .. } = &stage.method.kind else {
            continue;
        };
        // What another machine has is the business of `moldflow sites check`.
        if !stage.partition.runs_on_this_host() {
            continue;
        }
        let place = loaded.place(&["methods", &stage.method_name, "engine"]);
        let needed = engine.simulator().requirement();
        if let Some(missing) = needed.filter(|needed| doctor::on_path(&needed.program).is_none()) {
            let message = format!(
                "the engine `{}` needs the program `{}`, which is not installed",
                engine.name(),
                missing.program
            );
            faults.push(
                Fault::new(message)
                    .at(place.clone())
                    .hint(Some(missing.install.to_owned())),
            );
        }
        if let Some(message) = missing_launcher(&loaded.site, stage) {
            let hint = "install an MPI (Debian: `apt install openmpi-bin`), or give the site profile another `mpiexec_command`";
            faults.push(Fault::new(message).at(place).hint(Some(hint.into())));
        }
    }
    faults.or((loaded, plan))
}

/// Says on standard error when tasks will share cores; nothing keeps a run from that.
pub(super) fn warn_of_crowding(loaded: &Loaded, plan: &Plan) {
    if let Some(message) = plan::crowded(&loaded.site, plan) {
        say(&format!("warning: {message}"));
        say("  hint: lower `slots` in the site profile, or the ranks and cores of the method");
    }
}

/// What is wrong with the launcher of an MPI program, as far as this host can tell.
fn missing_launcher(site: &Site, stage: &PlannedStage) -> Option<String> {
    match stage.launch.as_ref()?.argv() {
        Ok(argv)
            if argv
                .first()
                .is_some_and(|program| doctor::on_path(program).is_some()) =>
        {
            None
        }
        Ok(argv) => Some(format!(
            "the site `{}` starts MPI programs by `{}`, which is not installed",
            site.name,
            argv.join(" ")
        )),
        // A batch system tells its hosts only when it starts a task.
        Err(LauncherError::NotTold(_)) => None,
        Err(error) => Some(format!("site `{}`: {error}", site.name)),
    }
}

fn summary(path: &Path, loaded: &Loaded, plan: &Plan) -> String {
    let Campaign {
        name,
        objective,
        search_space,
        stop,
        ..
    } = &loaded.campaign;
    let objective = match objective {
        Objective::AtomizationEnergy => "atomization energy",
        Objective::AtomizationEnergyPerAtom => "atomization energy per atom",
    };
    let wall_time = stop
        .wall_time
        .map(|limit| format!(", for at most {limit}"))
        .unwrap_or_default();
    let slots = match plan.evaluate.slots {
        Some(count) => format!("{count} slots"),
        None => "as many slots as its allocation has nodes for".to_owned(),
    };
    let mut by = plan.evaluate.engine.clone().unwrap_or_default();
    if let Some(first) = &plan.evaluate_geometry {
        let engine = first.engine.as_deref().unwrap_or_default();
        by += &format!(
            " at geometries by {engine} (partition {})",
            first.partition_name
        );
    }
    format!(
        "{} is right: {name} seeks the lowest {objective} among molecules of {} with up to {} heavy atoms, starting from {} of {}. \
         It evaluates {} more by {}{wall_time}, {} at once on partition {} of site {} ({}), in batches of {}.\n",
        path.display(),
        search_space.elements.join(", "),
        search_space.max_heavy_atoms,
        plan.initial_count,
        search_space.source,
        stop.evaluations,
        by,
        plan.parallel,
        plan.evaluate.partition_name,
        loaded.site.name,
        slots,
        plan.select,
    )
}

/// Entries of a kind that are shown without `--verbose`.
const SHOWN: usize = 3;

/// What was found in the file that molecules are drawn from, and which entries are left out.
fn entries(reading: &Reading, verbose: bool) -> String {
    let mut text = format!("{}: {reading}", reading.file);
    let _ = writeln!(text, "; {} can be drawn", reading.kept.len());
    let _ = writeln!(text, "  read as {}", reading.layout);
    let duplicates = std::iter::once(("duplicate".to_owned(), &reading.duplicates));
    let skipped = reading.skipped.iter();
    let kinds = duplicates.chain(skipped.map(|(reason, entries)| (reason.to_string(), entries)));
    let most = if verbose { usize::MAX } else { SHOWN };
    for (kind, entries) in kinds {
        for Entry { smiles, name, line } in entries.iter().take(most) {
            let molecule = report::named(smiles, name.as_deref());
            let _ = writeln!(text, "  {kind}: {}:{line}: {molecule}", reading.file);
        }
        if entries.len() > most {
            let more = entries.len() - most;
            let _ = writeln!(text, "  {kind}: {more} more, listed by `check --verbose`");
        }
    }
    text
}
