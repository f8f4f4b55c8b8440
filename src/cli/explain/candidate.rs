//! The story of a candidate: its origin, its prediction, and what was computed.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::app::error::CommandError;
use crate::chem::{Molecule, edit_name};
use crate::plan::Plan;
use crate::report::named;
use crate::store::{CandidateOrigin, CandidateRow, Store};
use crate::task::Prediction;

/// Half the width of a 90 % interval of a normal distribution, in standard deviations.
const NINETY_PERCENT: f64 = 1.644_854;

/// Appends the story of a candidate.
pub(super) async fn describe(
    row: &CandidateRow,
    plan: &Plan,
    store: &mut Store,
    text: &mut String,
) -> Result<(), CommandError> {
    let name = named(&row.smiles, row.name.as_deref());
    let _ = writeln!(text, "{name}: {}{}", row.status, verdict(row, store).await?);
    let Some(origin) = store.origin(row.batch, row.rank).await? else {
        return Ok(());
    };
    match row.batch {
        0 => text.push_str("  of the source\n"),
        batch => {
            let parents = parents(&origin, store).await?;
            proposed(row, batch, &origin, &parents, text);
        }
    }
    values(row, store, text).await?;
    quantities(row, plan, text);
    if row.status == "superseded" {
        text.push_str("  not computed: better or newer candidates took its place in the queue\n");
    }
    Ok(())
}

/// Place of the candidate among the results, as the end of a sentence.
async fn verdict(row: &CandidateRow, store: &mut Store) -> Result<&'static str, CommandError> {
    let run = store.run_info().await?;
    let best = match run.only_objective() {
        Some(objective) => store.best(1, objective.highest).await?.pop(),
        None => None,
    };
    let is_best = best.is_some_and(|best| (best.batch, best.rank) == (row.batch, row.rank));
    Ok(match (is_best, row.on_front, row.feasible) {
        (true, ..) => ", the best molecule of the run",
        (_, true, _) => ", on the Pareto front",
        (.., Some(false)) => ", infeasible: it breaks a constraint",
        (.., Some(true)) => ", feasible",
        (.., None) => "",
    })
}

/// Molecule that a candidate was made of.
struct Parent<'a> {
    smiles: &'a str,
    /// True if it is itself a candidate of the run, false if the generator only passed through it.
    is_candidate: bool,
}

async fn parents<'a>(
    origin: &'a CandidateOrigin,
    store: &mut Store,
) -> Result<Vec<Parent<'a>>, CommandError> {
    let mut parents = Vec::new();
    for smiles in origin.parents.iter().flat_map(|all| all.split_whitespace()) {
        let is_candidate = !store.candidates_of(smiles).await?.is_empty();
        parents.push(Parent {
            smiles,
            is_candidate,
        });
    }
    Ok(parents)
}

/// Appends who proposed it, from what, and against whom.
fn proposed(
    row: &CandidateRow,
    batch: i64,
    origin: &CandidateOrigin,
    parents: &[Parent],
    text: &mut String,
) {
    let by = origin.generator.as_ref();
    let by = by.map_or_else(String::new, |by| format!(" by `{by}`"));
    let from = made_of(&row.smiles, parents);
    let _ = writeln!(text, "  proposed in batch {batch}{by}{from}");
    let place = row.rank + 1;
    let behind = match row.rank {
        0 => String::new(),
        _ => format!(", behind {}", origin.first_of_batch),
    };
    let _ = writeln!(
        text,
        "  ranked {place} of {} in its batch{behind}",
        origin.batch_size
    );
    let Some(observations) = origin.observations else {
        return;
    };
    let newer = match origin.newer_results {
        None => String::new(),
        Some(0) => ", all that there were when its calculation was submitted".to_owned(),
        Some(newer) => format!("; {newer} more came before its calculation was submitted"),
    };
    let _ = writeln!(text, "  by a model of {observations} results{newer}");
}

/// The parents of a molecule, and the edit that made it of them.
fn made_of(smiles: &str, parents: &[Parent]) -> String {
    let named = |parent: &Parent| match parent.is_candidate {
        true => parent.smiles.to_owned(),
        false => format!("{} (never a candidate)", parent.smiles),
    };
    match parents {
        [] => String::new(),
        [one] => {
            let pair = [one.smiles, smiles].map(Molecule::parse);
            let edit = match &pair {
                [Ok(parent), Ok(child)] => edit_name(parent, child),
                _ => None,
            };
            let edit = edit.map_or_else(String::new, |edit| format!(": {edit}"));
            format!(" from {}{edit}", named(one))
        }
        several => {
            let several: Vec<String> = several.iter().map(named).collect();
            format!(", a crossover of {}", several.join(" and "))
        }
    }
}

/// Appends the values of the properties, predicted and computed.
async fn values(
    row: &CandidateRow,
    store: &mut Store,
    text: &mut String,
) -> Result<(), CommandError> {
    for property in store.properties().await? {
        let unit = match property.unit.as_str() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let (name, label) = (&property.name, &property.label);
        let predicted = row.prediction(name);
        if let Some(prediction) = predicted {
            let Prediction { mean, std } = prediction;
            let (low, high) = (mean - NINETY_PERCENT * std, mean + NINETY_PERCENT * std);
            let decimals = prediction.decimals();
            let _ = writeln!(
                text,
                "  predicted {label}: {prediction}{unit}, 90 % interval {low:.decimals$} to {high:.decimals$}"
            );
        }
        if let Some(value) = row.value(name) {
            let error = predicted.filter(|predicted| predicted.std > 0.0);
            let error = error.map(|predicted| (value - predicted.mean) / predicted.std);
            let error = error.map(|error| {
                let side = if error < 0.0 { "below" } else { "above" };
                format!(
                    ", {:.1} standard deviations {side} the prediction",
                    error.abs()
                )
            });
            let error = error.unwrap_or_default();
            let _ = writeln!(text, "  computed {label}: {value:.6}{unit}{error}");
        }
    }
    Ok(())
}

/// Appends the quantities that each method computed of the molecule.
fn quantities(row: &CandidateRow, plan: &Plan, text: &mut String) {
    let all: BTreeMap<String, f64> = serde_json::from_str(&row.quantities).unwrap_or_default();
    let mut by_method: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &all {
        let (method, quantity) = name.split_once('.').unwrap_or(("", name));
        let unit = plan
            .methods
            .get(method)
            .and_then(|method| method.atomic_unit(quantity));
        let unit = unit.as_ref().map_or("", |unit| unit.name());
        let one = format!("{quantity} {value:.6} {unit}")
            .trim_end()
            .to_owned();
        by_method.entry(method).or_default().push(one);
    }
    for (method, quantities) in by_method {
        let _ = writeln!(text, "  {method}: {}", quantities.join(", "));
    }
}
