//! `moldflow check`: validates a campaign and changes nothing.

use std::fmt::Write;
use std::path::Path;

use clap::Args;

use super::terminal::say;
use super::{CampaignArguments, ExitStatus, print, wait};
use crate::app::audit::{Repair, Verification};
use crate::app::error::CommandError;
use crate::app::{audit, requirements, run_dir};
use crate::config::campaign::LoadedCampaign;
use crate::config::source::{SourceEntry, SourceReport};
use crate::plan::{self, MoleculeSource, Plan, StageKind};
use crate::report;

#[derive(Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    campaign: CampaignArguments,
    /// List every duplicate and every skipped entry of the source
    #[arg(long)]
    verbose: bool,
    /// Rebuild the database of a damaged run from its journal; the damaged files are kept
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(arguments: &CheckArguments) -> Result<ExitStatus, CommandError> {
    let path = &arguments.campaign.campaign;
    if path.is_dir() || arguments.repair {
        return check_run(path, arguments.repair);
    }
    let (loaded, plan) = requirements::checked(path, &arguments.campaign.overrides())?;
    warn_of_crowding(&loaded, &plan);
    print(&summary(&arguments.campaign.campaign, &loaded, &plan))?;
    if let Some(reading) = loaded.source.as_ref().and_then(|source| source.reading()) {
        print(&entries(reading, arguments.verbose))?;
    }
    Ok(ExitStatus::Finished)
}

/// Verifies or repairs the run in `dir`.
fn check_run(dir: &Path, repair: bool) -> Result<ExitStatus, CommandError> {
    run_dir::keep_private();
    let dir = run_dir::existing(dir)?;
    wait(run_dir::refuse_first_version(&dir))?;
    let _lock = run_dir::lock(&dir)?;
    let (_, plan) = wait(run_dir::load(&dir, &mut say))?;
    let text = match repair {
        true => repaired(&dir, &wait(audit::repair(&dir, &plan))?),
        false => verified(&dir, &wait(audit::check(&dir, &plan))?),
    };
    print(&text)?;
    Ok(ExitStatus::Finished)
}

fn verified(dir: &Path, verification: &Verification) -> String {
    let Verification { facts, changes } = verification;
    let mut text = format!(
        "{} is undamaged: {facts} facts, and all tables that follow from them\n",
        dir.display()
    );
    for change in changes {
        let _ = writeln!(text, "changed since the run started: {change}");
    }
    text
}

fn repaired(dir: &Path, repair: &Repair) -> String {
    let Repair {
        facts,
        lost_facts,
        lost_results,
        has_lost_files,
        kept,
    } = repair;
    let mut text = format!("{}: rebuilt from {facts} facts\n", dir.display());
    if *lost_facts > 0 {
        let _ = writeln!(
            text,
            "lost: at least {lost_facts} later facts; their results are computed again"
        );
    }
    if *lost_results > 0 {
        let _ = writeln!(
            text,
            "lost: geometry and provenance of {lost_results} results"
        );
    }
    if *has_lost_files {
        text += "lost: files of the model or the agent; the next batch starts without them\n";
    }
    let _ = writeln!(text, "the damaged files are in {}", kept.display());
    text
}

/// Warns on stderr if tasks will share cores.
pub(super) fn warn_of_crowding(loaded: &LoadedCampaign, plan: &Plan) {
    if let Some(message) = plan::crowded(&loaded.site, plan) {
        say(&format!("warning: {message}"));
        say("  hint: lower `slots` in the site profile, or the ranks and cores of the method");
    }
}

/// One paragraph about a campaign without faults.
fn summary(path: &Path, loaded: &LoadedCampaign, plan: &Plan) -> String {
    let space = &plan.search_space;
    let (objective, property) = (&plan.objective, plan.objective_property());
    let mut text = format!(
        "{} is valid: {} seeks the {} {} among molecules of {} with up to {} heavy atoms.",
        path.display(),
        loaded.campaign.name,
        objective.direction.superlative(),
        property.heading(),
        space.elements.join(", "),
        space.max_heavy_atoms,
    );
    for stage in &plan.stages {
        if let StageKind::Compute {
            property,
            molecules,
            parallel,
        } = &stage.kind
        {
            let _ = write!(
                text,
                "\n  {}: computes {property} of {}",
                stage.name,
                origin(plan, molecules)
            );
            if let Some(parallel) = parallel {
                let _ = write!(text, ", {parallel} at once");
            }
            for method in plan.methods_of(stage) {
                let engine = method.engine_name;
                let slots = match method.slots {
                    Some(1) => "1 slot".to_owned(),
                    Some(count) => format!("{count} slots"),
                    None => "as many slots as its allocation has nodes for".to_owned(),
                };
                let _ = write!(
                    text,
                    "\n    {} by {engine} on partition {} of site {} ({slots})",
                    method.name, method.partition_name, loaded.site.name
                );
            }
        }
    }
    if let Some(evaluations) = plan.stop.evaluations {
        let _ = write!(
            text,
            "\n  ends after {evaluations} evaluations in the loops"
        );
        if let Some(limit) = plan.stop.wall_time {
            let _ = write!(text, ", or {limit}");
        }
    }
    text.push('\n');
    text
}

/// The molecules of a stage in words.
fn origin(plan: &Plan, molecules: &MoleculeSource) -> String {
    let source = &plan.search_space.source;
    let stage = |place: usize| &plan.stages[place].name;
    match molecules {
        MoleculeSource::All => format!("all molecules of {source}"),
        MoleculeSource::Random(count) => format!("{count} random molecules of {source}"),
        MoleculeSource::Queue(screen) => format!("the molecules that {} queues", stage(*screen)),
        MoleculeSource::Best { count, of } => {
            format!("the best {count} molecules of {}", stage(*of))
        }
        MoleculeSource::Share { share, of } => {
            format!(
                "the best {} % of the molecules of {}",
                100.0 * share,
                stage(*of)
            )
        }
    }
}

/// Entries of a kind that are shown without `--verbose`.
const SHOWN: usize = 3;

/// Returns the counts of the source file of molecules, with the entries that are left out.
fn entries(reading: &SourceReport, verbose: bool) -> String {
    let mut text = format!("{}: {reading}", reading.file);
    let _ = writeln!(text, "; {} can be drawn", reading.kept.len());
    let _ = writeln!(text, "  read as {}", reading.layout);
    let duplicates = std::iter::once(("duplicate".to_owned(), &reading.duplicates));
    let skipped = reading.skipped.iter();
    let kinds = duplicates.chain(skipped.map(|(reason, entries)| (reason.to_string(), entries)));
    let most = if verbose { usize::MAX } else { SHOWN };
    for (kind, entries) in kinds {
        for SourceEntry { smiles, name, line } in entries.iter().take(most) {
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
