//! The reason for which a molecule is not among those of a run.

use std::fmt::Write;
use std::path::Path;

use crate::app::error::CommandError;
use crate::chem::Molecule;
use crate::config::campaign::LoadedCampaign;
use crate::config::source::{self, SkipReason, SourceEntry};
use crate::report::named;
use crate::store::{Screening, Store};
use crate::task::Prediction;

/// Appends why a molecule that is no candidate was not computed.
pub(super) async fn explain(
    smiles: &str,
    loaded: &LoadedCampaign,
    store: &mut Store,
    text: &mut String,
) -> Result<(), CommandError> {
    let names = store.names_of(smiles).await?;
    let name = named(smiles, names.first().map(String::as_str));
    let _ = writeln!(text, "{name}: not computed");
    let rules = loaded.campaign.search_space.rules();
    if let Ok(molecule) = Molecule::parse(smiles) {
        if let Some(violation) = rules.violation(&molecule) {
            let _ = writeln!(text, "  outside of the search space: {violation}");
            return Ok(());
        }
        let mut at_mmff94 = loaded.campaign.at_mmff94_geometries();
        if let Some((method, _)) = at_mmff94
            .next()
            .filter(|_| !molecule.has_mmff94_parameters())
        {
            let _ = writeln!(
                text,
                "  without MMFF94 parameters: the method `{method}` computes at MMFF94 geometries"
            );
            return Ok(());
        }
    }
    let screenings = store.screenings(smiles).await?;
    if screenings.is_empty() {
        text.push_str(
            "  neither drawn from the source, nor among the best that a generator proposed\n",
        );
    }
    let run = store.run_info().await?;
    let objective = run.only_objective();
    for Screening {
        batch,
        place,
        ranked,
        mean,
        std,
        chosen,
    } in screenings
    {
        let predicted = objective.map(|objective| {
            let mean = if objective.highest { -mean } else { mean };
            let (label, unit) = (&objective.label, &objective.unit);
            format!(", predicted {label} {} {unit}", Prediction { mean, std })
                .trim_end()
                .to_owned()
        });
        let _ = writeln!(
            text,
            "  proposed in batch {batch}, ranked {place} of {ranked}{}: {chosen} were chosen",
            predicted.unwrap_or_default()
        );
    }
    Ok(())
}

/// Appends the entries of the source with this SMILES or name that were left out, and why.
pub(super) fn explain_skipped(
    subject: &str,
    loaded: &LoadedCampaign,
    run_dir: &Path,
    text: &mut String,
) {
    // Without the file there is nothing to add.
    let Ok(source) = source::open(&loaded.campaign, run_dir) else {
        return;
    };
    let Some(reading) = source.reading() else {
        return;
    };
    for (reason, entries) in &reading.skipped {
        let is_meant = |entry: &&SourceEntry| {
            entry.smiles == subject || entry.name.as_deref() == Some(subject)
        };
        for SourceEntry { smiles, name, line } in entries.iter().filter(is_meant) {
            let molecule = named(smiles, name.as_deref());
            let _ = writeln!(text, "{molecule}: not computed");
            let _ = writeln!(text, "  left out of the source, line {line}: {reason}");
            if *reason == SkipReason::Salt {
                text.push_str("  `largest_fragment: true` takes its largest organic molecule\n");
            }
        }
    }
}
