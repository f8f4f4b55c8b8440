//! Targets: the numbers that the surrogate of a `train` stage learns and predicts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::constraint::Constraint;
use super::objective::{Direction, Objective};
use super::property::PlannedProperty;
use crate::config::campaign::{LoadedCampaign, MethodKind};
use crate::config::diagnostic::{Diagnostic, Diagnostics, hint_for};

/// A property that a surrogate predicts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingTarget {
    /// Name of the property.
    pub property: String,
    /// Converts its values to the costs that the surrogate learns, and back.
    pub direction: Direction,
    /// Place of the target of the level below: the surrogate learns the difference from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<usize>,
}

/// Returns the targets of a `train` stage: the objectives, the other properties of constraints, and
/// the properties of cheaper levels. `levels`: properties of one quantity, the cheapest first; the
/// last is one of the others.
pub(super) fn targets(
    objectives: &[Objective],
    constraints: &[Constraint],
    levels: &[String],
) -> Vec<TrainingTarget> {
    let target = |property: &String, direction| TrainingTarget {
        property: property.clone(),
        direction,
        above: None,
    };
    let objectives = objectives.iter();
    let mut targets: Vec<TrainingTarget> = objectives
        .map(|objective| target(&objective.property, objective.direction))
        .collect();
    let place_of = |targets: &[TrainingTarget], property: &String| {
        let mut all = targets.iter();
        all.position(|target| target.property == *property)
    };
    for property in constraints.iter().flat_map(|c| &c.properties) {
        if place_of(&targets, property).is_none() {
            targets.push(target(property, Direction::Minimize));
        }
    }
    let Some(last) = levels.last().and_then(|last| place_of(&targets, last)) else {
        return targets;
    };
    let direction = targets[last].direction;
    let mut below = None;
    for property in levels {
        let place = place_of(&targets, property).unwrap_or_else(|| {
            targets.push(target(property, direction));
            targets.len() - 1
        });
        targets[place].above = below;
        below = Some(place);
    }
    targets
}

/// Collects what is wrong with the levels of `train` methods.
pub(super) fn check_levels(
    loaded: &LoadedCampaign,
    planned: &BTreeMap<String, PlannedProperty>,
    constraints: &[Constraint],
    diagnostics: &mut Diagnostics,
) {
    let campaign = &loaded.campaign;
    let objectives = Objective::all(&campaign.objective).unwrap_or_default();
    for (method, config) in &campaign.methods {
        let MethodKind::Train { properties, .. } = &config.kind else {
            continue;
        };
        let mut fault = |index: usize, message: String, hint: Option<String>| {
            let place = loaded.place(&["methods", method, "properties", &index.to_string()]);
            diagnostics.push(Diagnostic::new(message).at(place).hint_if(hint));
        };
        let last = properties.len().saturating_sub(1);
        for (index, name) in properties.iter().enumerate() {
            let Some(property) = planned.get(name) else {
                if !campaign.properties.contains_key(name) {
                    let message = format!(
                        "the method `{method}` learns `{name}`, which is not one of `properties`"
                    );
                    let known = campaign.properties.keys().map(String::as_str);
                    fault(index, message, hint_for(name, known));
                }
                continue;
            };
            let before = index
                .checked_sub(1)
                .and_then(|i| planned.get(&properties[i]));
            if properties[..index].contains(name) {
                let message = format!("the method `{method}` learns `{name}` twice");
                fault(index, message, Some("remove one of the two".to_owned()));
            } else if let Some(before) = before
                && before.unit != property.unit
            {
                let message = format!(
                    "the method `{method}` learns the difference of `{name}` from `{}`, which has another unit",
                    before.name
                );
                let hint = format!("write `unit: {}` in both properties", property.unit);
                fault(index, message, Some(hint));
            }
            let is_target = objectives.iter().any(|o| o.property == *name)
                || constraints.iter().any(|c| c.properties.contains(name));
            if index == last && !is_target {
                let message = format!(
                    "the last of the properties of the method `{method}` is `{name}`, which is no objective"
                );
                let hint = "write the cheapest level first, and the objective last";
                fault(index, message, Some(hint.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_learnt_as_the_difference_from_the_one_below() {
        let objective = |property: &str, direction| Objective {
            property: property.to_owned(),
            direction,
            reference: None,
        };
        let objectives = [
            objective("best", Direction::Maximize),
            objective("other", Direction::Minimize),
        ];
        let levels = ["cheap", "better", "best"].map(str::to_owned);
        let targets = targets(&objectives, &[], &levels);
        let described: Vec<_> = targets
            .iter()
            .map(|target| (target.property.as_str(), target.direction, target.above))
            .collect();
        let expected = [
            ("best", Direction::Maximize, Some(3)),
            ("other", Direction::Minimize, None),
            ("cheap", Direction::Maximize, None),
            ("better", Direction::Maximize, Some(2)),
        ];
        assert_eq!(described, expected);
    }
}
