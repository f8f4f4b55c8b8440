//! Checks of the properties of a campaign, and their recipes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::property::{PlannedProperty, RecipeNode};
use super::stage::PlannedStage;
use crate::config::campaign::{Campaign, LoadedCampaign, MethodKind, PropertyConfig};
use crate::config::diagnostic::{Diagnostic, Diagnostics, hint_for};
use crate::property::{
    Dimension, Expression, ExpressionError, Leaf, NameTable, QuantityOf, Unit, parse,
};

/// Returns the properties that are sound, and collects the diagnostics of the others.
pub(super) fn properties(
    loaded: &LoadedCampaign,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, PlannedProperty> {
    let campaign = &loaded.campaign;
    let mut planned = BTreeMap::new();
    for (name, config) in &campaign.properties {
        match property(campaign, name, config) {
            Ok(property) => drop(planned.insert(name.clone(), property)),
            // The other property has diagnostics.
            Err((_, ExpressionError::OfProperty(_))) => {}
            Err((key, error)) => {
                let message = match &error {
                    ExpressionError::Cycle(cycle) if cycle == name => error.to_string(),
                    error => format!("the property `{name}`: {error}"),
                };
                let hint = match (key, &error) {
                    ("unit", ExpressionError::Dimension { dimension, .. }) => {
                        Unit::hint_for(*dimension)
                    }
                    _ => None,
                };
                // The property of a short form is written nowhere.
                let place = match loaded.writes(&["properties", name]) {
                    true => loaded.place(&["properties", name, key]),
                    false => loaded.place(&["objective"]),
                };
                diagnostics.push(Diagnostic::new(message).at(place).hint_if(hint));
            }
        }
    }
    planned
}

/// Plans a property; an error with the key that it is about.
fn property(
    campaign: &Campaign,
    name: &str,
    config: &PropertyConfig,
) -> Result<PlannedProperty, (&'static str, ExpressionError)> {
    let names = CampaignNames {
        campaign,
        open: RefCell::new(vec![name.to_owned()]),
    };
    let expression = parse(&config.value).and_then(|parsed| parsed.resolve(&names));
    let expression = expression.map_err(|error| ("value", error))?;
    let dimension = expression.dimension().map_err(|error| ("value", error))?;
    let unit = match &config.unit {
        None => Unit::atomic(dimension),
        Some(text) => text.parse().map_err(|error| ("unit", error))?,
    };
    if unit.dimension() != dimension {
        let error = ExpressionError::Dimension {
            expression: config.value.clone(),
            dimension,
            needs: format!("`{unit}` is a unit of {}", unit.dimension()),
        };
        return Err(("unit", error));
    }
    let leaves = expression.leaves();
    let free_atoms: BTreeSet<&str> = leaves
        .iter()
        .filter_map(|leaf| match leaf {
            Leaf::FreeAtoms(of) => Some(of.method.as_str()),
            Leaf::Quantity(_) | Leaf::Descriptor(_) | Leaf::Property(_) => None,
        })
        .collect();
    free_atoms_are_known(campaign, &free_atoms).map_err(|error| ("value", error))?;
    Ok(PlannedProperty {
        name: name.to_owned(),
        label: config
            .label
            .clone()
            .unwrap_or_else(|| name.replace('_', " ")),
        value: config.value.clone(),
        recipe: recipe(campaign, &leaves),
        free_atoms: free_atoms.into_iter().map(str::to_owned).collect(),
        extensive: config.extensive.unwrap_or(expression.is_extensive()),
        expression,
        unit,
    })
}

/// Checks that the engines of these methods can compute free atoms.
fn free_atoms_are_known(
    campaign: &Campaign,
    methods: &BTreeSet<&str>,
) -> Result<(), ExpressionError> {
    for method in methods {
        let engine = campaign.methods[*method].kind.engine();
        let reason = engine.and_then(|engine| engine.simulator().free_atoms_unknown());
        if let Some(reason) = reason {
            let message = format!("`atomization({method})` cannot be computed: {reason}");
            return Err(ExpressionError::UnknownName(message));
        }
    }
    Ok(())
}

/// Returns the calculations of the leaves in topological order, methods by name.
fn recipe(campaign: &Campaign, leaves: &BTreeSet<&Leaf>) -> Vec<RecipeNode> {
    let mut recipe: Vec<RecipeNode> = Vec::new();
    let methods: BTreeSet<&str> = leaves
        .iter()
        .filter_map(|leaf| match leaf {
            Leaf::Quantity(of) => Some(of.method.as_str()),
            Leaf::FreeAtoms(_) | Leaf::Descriptor(_) | Leaf::Property(_) => None,
        })
        .collect();
    for method in methods {
        // From the method back to the first geometry; `config` refuses circles.
        let mut chain = vec![method];
        while let Some(first) = campaign.geometry_of(chain[chain.len() - 1])
            && chain.len() <= campaign.methods.len()
        {
            chain.push(first);
        }
        for method in chain.into_iter().rev() {
            if recipe.iter().all(|node| node.method != method) {
                recipe.push(RecipeNode {
                    method: method.to_owned(),
                    geometry: campaign.geometry_of(method).map(str::to_owned),
                });
            }
        }
    }
    recipe
}

/// The names of a campaign, as its expressions use them.
struct CampaignNames<'c> {
    campaign: &'c Campaign,
    /// Properties that are being resolved.
    open: RefCell<Vec<String>>,
}

impl NameTable for CampaignNames<'_> {
    fn quantity(&self, of: &QuantityOf) -> Result<Dimension, ExpressionError> {
        let unknown = |message: String| Err(ExpressionError::UnknownName(message));
        let QuantityOf { method, quantity } = of;
        let engine = match self.campaign.methods.get(method).map(|method| &method.kind) {
            Some(MethodKind::Simulate { engine, .. }) => engine,
            Some(other) => {
                let kind = other.name();
                return unknown(format!(
                    "`{method}` is a `{kind}` method, which returns no quantities"
                ));
            }
            None => {
                let known = self.campaign.methods.keys().map(String::as_str);
                let hint =
                    hint_for(method, known).map_or_else(String::new, |hint| format!("; {hint}"));
                return unknown(format!("there is no method `{method}`{hint}"));
            }
        };
        let quantities = engine.quantities();
        match quantities.get(quantity.as_str()) {
            Some(dimension) => Ok(*dimension),
            None => {
                let known: Vec<String> =
                    quantities.keys().map(|name| format!("`{name}`")).collect();
                let known = match known.is_empty() {
                    true => "nothing".to_owned(),
                    false => known.join(", "),
                };
                unknown(format!(
                    "`{method}` (`engine: {}`) returns no `{quantity}`; it returns {known}",
                    engine.name(),
                ))
            }
        }
    }

    fn property(&self, name: &str) -> Option<Result<Expression, ExpressionError>> {
        let config = self.campaign.properties.get(name)?;
        if self.open.borrow().iter().any(|open| open == name) {
            return Some(Err(ExpressionError::Cycle(name.to_owned())));
        }
        self.open.borrow_mut().push(name.to_owned());
        let resolved = parse(&config.value).and_then(|parsed| parsed.resolve(self));
        self.open.borrow_mut().pop();
        Some(resolved.map_err(|error| match error {
            ExpressionError::Cycle(cycle) if self.open.borrow().first() == Some(&cycle) => {
                ExpressionError::Cycle(cycle)
            }
            _ => ExpressionError::OfProperty(name.to_owned()),
        }))
    }

    fn is_method(&self, name: &str) -> bool {
        self.campaign.methods.contains_key(name)
    }
}

/// Collects methods and properties that nothing uses.
pub(super) fn unused(
    loaded: &LoadedCampaign,
    properties: &BTreeMap<String, PlannedProperty>,
    stages: &[PlannedStage],
    diagnostics: &mut Diagnostics,
) {
    let in_recipes = properties.values();
    let in_recipes =
        in_recipes.flat_map(|property| property.recipe.iter().map(|node| &node.method));
    let in_stages = stages.iter().filter_map(|stage| stage.kind.method());
    let used: BTreeSet<&String> = in_recipes.chain(in_stages).collect();
    for name in loaded
        .campaign
        .methods
        .keys()
        .filter(|name| !used.contains(name))
    {
        let fault = Diagnostic::new(format!("no stage uses the method `{name}`"));
        let hint = "remove it, or name it in the `method` of a stage or in a property";
        diagnostics.push(fault.at(loaded.place(&["methods", name])).hint(hint));
    }
}
