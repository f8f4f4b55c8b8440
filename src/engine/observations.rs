//! Results that surrogates learn from, in order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, StageKind, TrainingTarget};
use crate::task::TaskId;

/// The results of all stages that compute a property which a surrogate learns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observations {
    /// Properties that surrogates learn, in the order of the values below.
    properties: Vec<String>,
    results: Vec<ObservedResult>,
    /// Properties of each molecule that are observed; empty unless stages compute some of the
    /// properties before others.
    observed: BTreeMap<String, BTreeSet<usize>>,
    has_levels: bool,
}

/// A result of a stage.
#[derive(Clone, Debug, PartialEq)]
struct ObservedResult {
    task: TaskId,
    smiles: String,
    /// Values of the properties, each in its unit.
    values: Vec<Option<f64>>,
    /// Properties that were observed before.
    before: BTreeSet<usize>,
}

/// A molecule with a cost of a target.
pub(super) struct ObservedCost<'a> {
    pub smiles: &'a str,
    pub cost: f64,
}

impl Observations {
    pub fn new(plan: &Plan) -> Self {
        let targets = plan.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Train { targets, .. } => Some(targets),
            _ => None,
        });
        let mut properties: Vec<String> = Vec::new();
        let mut has_levels = false;
        for target in targets.flatten() {
            has_levels |= target.above.is_some();
            if !properties.contains(&target.property) {
                properties.push(target.property.clone());
            }
        }
        Self {
            properties,
            results: Vec::new(),
            observed: BTreeMap::new(),
            has_levels,
        }
    }

    /// Number of results.
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Adds the values of properties that a stage computed, unless there is nothing new to learn.
    pub fn add(&mut self, task: TaskId, smiles: &str, properties: &[String], values: &[f64]) {
        let value = |name: &String| {
            let place = properties.iter().position(|other| other == name)?;
            values.get(place).copied()
        };
        let values: Vec<Option<f64>> = self.properties.iter().map(value).collect();
        let given = values.iter().enumerate();
        let given = given.filter(|(_, value)| value.is_some());
        let given: BTreeSet<usize> = given.map(|(place, _)| place).collect();
        let before = match self.has_levels {
            true => {
                let observed = self.observed.entry(smiles.to_owned()).or_default();
                let before = observed.clone();
                observed.extend(&given);
                before
            }
            // Only stages that compute all of the properties observe something.
            false if given.len() == self.properties.len() => BTreeSet::new(),
            false => return,
        };
        if !given.is_subset(&before) {
            self.results.push(ObservedResult {
                task,
                smiles: smiles.to_owned(),
                values,
                before,
            });
        }
    }

    /// Costs of the target at `place` in some of the results, in order of submission: the order of
    /// arrival does not reach the model. Above another target, differences from its costs.
    pub fn costs(
        &self,
        range: std::ops::Range<usize>,
        targets: &[TrainingTarget],
        place: usize,
    ) -> Vec<ObservedCost<'_>> {
        let index = |target: &TrainingTarget| {
            let mut names = self.properties.iter();
            names.position(|name| *name == target.property)
        };
        let cost = |result: &ObservedResult, target: &TrainingTarget| {
            let value = result.values[index(target)?]?;
            Some(target.direction.cost(value))
        };
        let target = &targets[place];
        let results = self.results.get(range).unwrap_or_default();
        let mut results: Vec<&ObservedResult> = results.iter().collect();
        results.sort_by(|a, b| (a.task, &a.smiles).cmp(&(b.task, &b.smiles)));
        let costs = results.into_iter().filter_map(|result| {
            let is_known = index(target).is_some_and(|index| result.before.contains(&index));
            let cost_above = match target.above {
                None => 0.0,
                Some(below) => cost(result, &targets[below])?,
            };
            (!is_known).then_some(ObservedCost {
                smiles: &result.smiles,
                cost: cost(result, target)? - cost_above,
            })
        });
        costs.collect()
    }
}
