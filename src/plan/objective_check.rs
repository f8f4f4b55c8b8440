//! Checks of the objectives of a campaign.

use super::objective::Objective;
use super::stage::{PlannedStage, StageKind};
use crate::config::campaign::{Campaign, DirectedObjective, LoadedCampaign, ObjectiveConfig};
use crate::config::diagnostic::{Diagnostic, Diagnostics, hint_for};

/// Collects what is wrong with the objectives themselves.
pub(super) fn objectives(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) {
    let campaign = &loaded.campaign;
    if let ObjectiveConfig::Short(_) = &campaign.objective {
        if !lacks_a_geometry(campaign) {
            diagnostics.push(ambiguous(loaded));
        }
        return;
    }
    let all = campaign.objective.directed();
    for (index, objective) in all.iter().enumerate() {
        let number = index.to_string();
        let path = match &campaign.objective {
            ObjectiveConfig::Several(_) => vec!["objective", number.as_str()],
            _ => vec!["objective"],
        };
        diagnostics
            .0
            .extend(fault_of(loaded, objective, &all[..index], &path));
    }
    if let (Some(_), [_, _, ..]) = (campaign.stop.target, all) {
        let message = "`stop.target` is a value of one objective, and the campaign has several";
        let hint =
            "remove it; `stop.stale_batches` ends the run when the hypervolume stops growing";
        let place = loaded.place(&["stop", "target"]);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
}

/// Diagnostic of an objective that comes after `before`; none if it is sound.
fn fault_of(
    loaded: &LoadedCampaign,
    objective: &DirectedObjective,
    before: &[DirectedObjective],
    path: &[&str],
) -> Option<Diagnostic> {
    let fault = |message: String, hint: Option<String>, key: Option<&str>| {
        let path: Vec<&str> = path.iter().copied().chain(key).collect();
        Some(
            Diagnostic::new(message)
                .at(loaded.place(&path))
                .hint_if(hint),
        )
    };
    let Some(Objective { property, .. }) = Objective::new(objective) else {
        let message = match objective.minimize {
            None => "the objective has neither `minimize` nor `maximize`",
            Some(_) => "the objective has both `minimize` and `maximize`",
        };
        let hint = "write one of them: `objective: {minimize: PROPERTY}`";
        return fault(message.to_owned(), Some(hint.to_owned()), None);
    };
    let key = match objective.minimize {
        Some(_) => "minimize",
        None => "maximize",
    };
    let properties = &loaded.campaign.properties;
    if !properties.contains_key(&property) {
        let known = properties.keys().map(String::as_str);
        let message = format!("the objective is `{property}`, which is not one of `properties`");
        return fault(message, hint_for(&property, known), Some(key));
    }
    let is_twice = before.iter().any(|o| o.property() == Some(&property));
    is_twice
        .then(|| {
            let message = format!("`{property}` is an objective twice");
            fault(message, Some("remove one of the two".to_owned()), Some(key))
        })
        .flatten()
}

/// A short form that several methods, or none, fit.
fn ambiguous(loaded: &LoadedCampaign) -> Diagnostic {
    let simulate = loaded.campaign.final_methods();
    let names: Vec<String> = simulate.iter().map(|name| format!("`{name}`")).collect();
    let message = match names.as_slice() {
        [] => "the objective needs a `simulate` method, and the campaign has none".to_owned(),
        names => format!(
            "the short form of the objective is ambiguous: the campaign has the `simulate` methods {}",
            names.join(", ")
        ),
    };
    let hint = "write `properties: {atomization_energy: {value: atomization(METHOD), unit: hartree}}` and `objective: {minimize: atomization_energy}`";
    Diagnostic::new(message)
        .at(loaded.place(&["objective"]))
        .hint(hint)
}

/// Returns true if a method begins with geometries of one that does not exist, which has a
/// diagnostic of its own.
fn lacks_a_geometry(campaign: &Campaign) -> bool {
    let methods = campaign.methods.keys();
    let mut first = methods.filter_map(|method| campaign.geometry_of(method));
    first.any(|first| !campaign.methods.contains_key(first))
}

/// Collects objectives that no stage computes.
pub(super) fn computed(
    loaded: &LoadedCampaign,
    stages: &[PlannedStage],
    diagnostics: &mut Diagnostics,
) {
    let Some(objectives) = Objective::all(&loaded.campaign.objective) else {
        return;
    };
    let computes_all = |stage: &PlannedStage| match &stage.kind {
        StageKind::Compute { properties, .. } => objectives
            .iter()
            .all(|objective| properties.contains(&objective.property)),
        _ => false,
    };
    if stages.iter().any(computes_all) {
        return;
    }
    let names: Vec<&str> = objectives.iter().map(|o| o.property.as_str()).collect();
    let (message, hint) = match names.as_slice() {
        [one] => (
            format!("no stage computes the objective `{one}`"),
            format!("write `compute: {one}` in a stage"),
        ),
        all => (
            format!("no stage computes all objectives: `{}`", all.join("`, `")),
            format!("write `compute: [{}]` in a stage", all.join(", ")),
        ),
    };
    let place = loaded.place(&["stages"]);
    diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
}
