//! Verdict on a run: one sentence that says what was found, and how far it can be trusted.

use super::json::RunState;
use super::table::{kinds, named};
use crate::store::{CandidateRow, ObjectiveInfo, SearchCounts, Summary};
use crate::task::Prediction;

/// Share of failed molecules from which on a better one may well be among them.
const MANY_FAILED: f64 = 0.1;
/// Distance from a prediction, in its standard deviations, up to which it was right.
const EXPECTED: f64 = 2.0;

/// Returns the verdict on a run, one sentence with its full stop. `found` is that of
/// [`Store::search_counts`](crate::store::Store::search_counts).
///
/// ```text
/// The best of 20 computed molecules is CCCCCC(C)(C)C at -5.480072 hartree: the stage `generate`
/// proposed it in batch 8, and 9 of 16 proposed molecules beat the best of the input, -5.472098
/// hartree; the model had predicted -5.481600 ± 0.049900, in agreement.
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
            let computed = molecules(found.computed, "computed ");
            let none = format!("{so_far}none of {computed} meets the constraints");
            (none, vec![])
        }
        ([objective], Some(best)) => {
            let best_is = best_is(best, objective, found);
            (format!("{so_far}{best_is}"), origin(best, objective, found))
        }
        _ => {
            let on_front = summary.front.len();
            let front = front(on_front, objectives, found.computed);
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
    let failed = match counts.failures {
        0 => None,
        1 => Some("the only molecule that ended failed".to_owned()),
        all => Some(format!("all {all} molecules that ended failed")),
    };
    let failed = failed.map(|failed| failed + &kinds(": ", &summary.failures_by_kind));
    let (what, reason) = match state {
        RunState::Finished => ("no molecule was computed", None),
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
    let feasible = match found.feasible == found.computed {
        true => String::new(),
        false => format!(", of which {} meet the constraints,", found.feasible),
    };
    match found.computed {
        1 => format!("the only computed molecule is {molecule} at {value}"),
        all => format!("the best of {all} computed molecules{feasible} is {molecule} at {value}"),
    }
}

/// Reasons for and against the best molecule: where it came from, and what had been predicted.
fn origin(best: &CandidateRow, objective: &ObjectiveInfo, found: &SearchCounts) -> Vec<String> {
    if found.proposed == 0 {
        return vec!["it was in the input, nothing was proposed".to_owned()];
    }
    let proposed = molecules(found.proposed, "proposed ");
    if best.batch == 0 {
        let none = match found.proposed {
            1 => "the only proposed molecule does not beat it".to_owned(),
            _ => format!("none of the {proposed} beats it"),
        };
        return vec![format!("it was in the input, and {none}")];
    }
    let batch = best.batch;
    let by = match &found.generator {
        Some(stage) => format!("the stage `{stage}` proposed it in batch {batch}"),
        None => format!("it was proposed in batch {batch}"),
    };
    let input = found.best_of_source.map(|value| {
        let value = with_unit(value, &objective.unit);
        match found.proposed_better {
            1 => format!(", the only one of {proposed} better than the best of the input, {value}"),
            better if better == found.proposed => {
                format!(", and all {proposed} beat the best of the input, {value}")
            }
            better => {
                format!(", and {better} of {proposed} beat the best of the input, {value}")
            }
        }
    });
    let mut reasons = vec![by + &input.unwrap_or_default()];
    let predicted = best.prediction(&objective.property);
    reasons.extend(predicted.zip(best.objective).map(trust));
    reasons
}

/// Says how a prediction compares with the computed value.
fn trust((Prediction { mean, std }, value): (Prediction, f64)) -> String {
    let predicted = format!("the model had predicted {mean:.6} ± {std:.6}");
    match (value - mean).abs() / std {
        away if away <= EXPECTED => format!("{predicted}, in agreement"),
        away if away.is_finite() => {
            format!(
                "{predicted}, {away:.1} standard deviations away: look at it before believing it"
            )
        }
        _ => predicted,
    }
}

fn front(on_front: usize, objectives: &[ObjectiveInfo], computed: i64) -> String {
    let sought = objectives.iter();
    let sought = sought.map(|objective| format!("{} {}", objective.superlative(), objective.label));
    let sought = sought.collect::<Vec<_>>().join(" and ");
    let are = if on_front == 1 { "is" } else { "are" };
    let computed = molecules(computed, "computed ");
    format!("{on_front} of {computed} {are} on the Pareto front of {sought}")
}

/// Says where the molecules of a front came from.
fn origin_of_front(on_front: usize, found: &SearchCounts) -> Vec<String> {
    let input = on_front as i64 - found.proposed_on_front;
    vec![match (found.proposed, found.proposed_on_front) {
        (0, _) => "all were in the input, nothing was proposed".to_owned(),
        (proposed, 0) => {
            let proposed = molecules(proposed, "proposed ");
            format!("all were in the input, and none of the {proposed} is on it")
        }
        (proposed, members) => {
            let proposed = molecules(proposed, "");
            format!("{input} were in the input, {members} are among the {proposed} proposed")
        }
    }]
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
