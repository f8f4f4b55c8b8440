//! Verdict on a run: one sentence that says what was found, and how far it can be trusted.

use super::json::RunState;
use super::table::{kinds, named};
use crate::store::{CandidateRow, ObjectiveInfo, SearchCounts, Summary};
use crate::task::{Prediction, StoppedBy};

/// Share of failed molecules from which on a better one may well be among them.
const MANY_FAILED: f64 = 0.1;
/// Distance from a prediction, in its standard deviations, up to which it was right.
const EXPECTED: f64 = 2.0;

/// Returns the verdict on a run, one sentence with its full stop. `found` is that of
/// [`Store::search_counts`](crate::store::Store::search_counts).
///
/// ```text
/// The best of 20 computed molecules is CCCCCC(C)(C)C at -5.480072 hartree: the stage `generate`
/// proposed it in batch 8, and 9 of 16 proposed molecules beat the best initial molecule, -5.472098
/// hartree; the model had predicted -5.482 ± 0.050, 0.2 standard deviations off.
/// ```
pub fn verdict(summary: &Summary, state: RunState, found: &SearchCounts) -> String {
    let (counts, objectives) = (&summary.counts, summary.run.objectives.as_slice());
    if found.computed == 0 {
        return nothing(summary, state);
    }
    let so_far = match state {
        RunState::Finished => "",
        RunState::Running | RunState::Interrupted => "so far ",
    };
    let (what, mut reasons) = match (objectives, &summary.best) {
        _ if found.feasible == 0 => {
            let none = match found.computed {
                1 => "the only computed molecule does not meet the constraints".to_owned(),
                all => format!("none of {all} computed molecules meets the constraints"),
            };
            (format!("{so_far}{none}"), vec![])
        }
        ([objective], Some(best)) => {
            let best_is = best_is(best, objective, found);
            (format!("{so_far}{best_is}"), origin(best, objective, found))
        }
        _ => {
            let on_front = summary.front.len() as i64;
            let front = front(on_front, objectives, found);
            (format!("{so_far}{front}"), origin_of_front(on_front, found))
        }
    };
    reasons.extend(failed(summary));
    reasons.extend(match state {
        RunState::Finished => None,
        RunState::Running => Some("the run is still at work".to_owned()),
        RunState::Interrupted => Some("the run was interrupted and can be resumed".to_owned()),
    });
    if state == RunState::Finished && counts.failures == 0 && found.proposed == 0 {
        reasons.push("no calculation failed".to_owned());
    }
    sentence(&what, &reasons)
}

/// Verdict on a run without a value.
fn nothing(summary: &Summary, state: RunState) -> String {
    let counts = &summary.counts;
    let stopped_by = summary.stopped_by.as_deref();
    let stopped_by = stopped_by.and_then(StoppedBy::of_word);
    let which = kinds("", &summary.failures_by_kind);
    let failed = match counts.failures {
        0 => None,
        1 => Some(format!("the only molecule that ended failed ({which})")),
        all => Some(format!("all {all} molecules that ended failed ({which})")),
    };
    let (what, reason) = match state {
        RunState::Finished => (
            "no molecule was computed",
            stopped_by
                .filter(|_| failed.is_none())
                .map(|reason| reason.sentence().to_owned()),
        ),
        RunState::Running => ("no molecule has been computed yet", None),
        RunState::Interrupted => (
            "no molecule has been computed yet",
            Some("the run was interrupted and can be resumed".to_owned()),
        ),
    };
    let reasons: Vec<String> = failed.into_iter().chain(reason).collect();
    sentence(what, &reasons)
}

/// Returns the text with a capital letter, its reasons and a full stop.
fn sentence(what: &str, reasons: &[String]) -> String {
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let colon = if reasons.is_empty() { "" } else { ": " };
    let reasons = reasons.join("; ");
    let rest = letters.as_str();
    format!("{}{rest}{colon}{reasons}.", first.unwrap_or_default())
}

fn best_is(best: &CandidateRow, objective: &ObjectiveInfo, found: &SearchCounts) -> String {
    let name = best.name.as_deref();
    let molecule = named(&best.smiles, name);
    let value = with_unit(best.objective.unwrap_or(f64::NAN), &objective.unit);
    match found.computed {
        1 => format!("the only computed molecule is {molecule} at {value}"),
        all => {
            let feasible = feasible(found);
            format!("the best of {all} computed molecules{feasible} is {molecule} at {value}")
        }
    }
}

/// Says how many of the computed molecules are feasible; empty if all are.
fn feasible(found: &SearchCounts) -> String {
    match found.feasible {
        all if all == found.computed => String::new(),
        1 => ", of which 1 meets the constraints,".to_owned(),
        some => format!(", of which {some} meet the constraints,"),
    }
}

/// Reasons for and against the best molecule: where it came from, and what had been predicted.
fn origin(best: &CandidateRow, objective: &ObjectiveInfo, found: &SearchCounts) -> Vec<String> {
    if found.proposed == 0 {
        return vec!["it was in the source, nothing was proposed".to_owned()];
    }
    let proposed = molecules(found.proposed, "proposed ");
    if best.batch == 0 {
        let none = match found.proposed {
            1 => "the only proposed molecule does not beat it".to_owned(),
            _ => format!("none of the {proposed} beats it"),
        };
        return vec![format!("it was in the source, and {none}")];
    }
    let batch = best.batch;
    let by = match &found.generator {
        Some(stage) => format!("the stage `{stage}` proposed it in batch {batch}"),
        None => format!("it was proposed in batch {batch}"),
    };
    let source = found.best_of_source.map(|value| {
        let value = with_unit(value, &objective.unit);
        match found.proposed_better {
            1 => {
                format!(
                    ", the only one of {proposed} better than the best initial molecule, {value}"
                )
            }
            better if better == found.proposed => {
                format!(", and all {proposed} beat the best initial molecule, {value}")
            }
            better => {
                format!(", and {better} of {proposed} beat the best initial molecule, {value}")
            }
        }
    });
    let mut reasons = vec![by + &source.unwrap_or_default()];
    let predicted = best.prediction(&objective.property);
    reasons.extend(predicted.zip(best.objective).map(trust));
    reasons
}

/// Says how a prediction compares with the computed value.
fn trust((prediction, value): (Prediction, f64)) -> String {
    let predicted = format!("the model had predicted {prediction}");
    let off = (value - prediction.mean).abs() / prediction.std;
    let warning = match off > EXPECTED {
        true => ": look at it before believing it",
        false => "",
    };
    match off.is_finite() {
        true => format!("{predicted}, {off:.1} standard deviations off{warning}"),
        false => predicted,
    }
}

fn front(on_front: i64, objectives: &[ObjectiveInfo], found: &SearchCounts) -> String {
    let sought = objectives.iter();
    let sought = sought.map(|objective| format!("{} {}", objective.superlative(), objective.label));
    let sought = sought.collect::<Vec<_>>().join(" and ");
    let (are, feasible) = (are(on_front), feasible(found));
    let computed = molecules(found.computed, "computed ");
    format!("{on_front} of {computed}{feasible} {are} on the Pareto front of {sought}")
}

/// Says where the molecules of a front came from.
fn origin_of_front(on_front: i64, found: &SearchCounts) -> Vec<String> {
    let of_source = match (on_front, on_front - found.proposed_on_front) {
        (0, _) => return vec![],
        (_, 0) => "none was in the source".to_owned(),
        (1, _) => "it was in the source".to_owned(),
        (all, some) if some == all => "all were in the source".to_owned(),
        (_, 1) => "1 was in the source".to_owned(),
        (_, some) => format!("{some} were in the source"),
    };
    let proposed = match (found.proposed, found.proposed_on_front) {
        (0, _) => "nothing was proposed".to_owned(),
        (1, 0) => "and the only proposed molecule is not on it".to_owned(),
        (1, _) => "the only proposed molecule is on it".to_owned(),
        (all, 0) => format!("and none of the {all} proposed molecules is on it"),
        (all, some) => format!("{some} of the {all} proposed molecules {} on it", are(some)),
    };
    vec![format!("{of_source}, {proposed}")]
}

fn are(count: i64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// Says how many molecules failed; none if none did.
fn failed(summary: &Summary) -> Option<String> {
    let counts = &summary.counts;
    if counts.failures == 0 {
        return None;
    }
    let (failed, all) = (counts.failures, counts.evaluations);
    let which = kinds("", &summary.failures_by_kind);
    let caution = match failed as f64 >= MANY_FAILED * all as f64 {
        true => ", and a better one may be among them",
        false => "",
    };
    Some(format!(
        "{failed} of {all} molecules failed ({which}){caution}"
    ))
}

fn molecules(count: i64, kind: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {kind}molecule{plural}")
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{value:.6} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests;
