//! Constraints: conditions that the molecules of the result must meet.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::property::PlannedProperty;
use crate::config::campaign::LoadedCampaign;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::property::{
    Condition, Dimension, Expression, ExpressionError, Leaf, NameTable, ParsedCondition, QuantityOf,
};

/// A condition on properties and descriptors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Constraint {
    /// The condition, as the campaign writes it.
    pub text: String,
    /// The condition with its names resolved; properties in atomic units.
    #[serde(skip)]
    pub condition: Condition,
    /// Names of the properties that it is about.
    pub properties: Vec<String>,
}

impl Constraint {
    /// Returns true if it is also about descriptors, for which the atoms must be known.
    pub fn has_descriptors(&self) -> bool {
        let leaves = self.condition.leaves();
        leaves
            .iter()
            .any(|leaf| matches!(leaf, Leaf::Descriptor(_)))
    }
}

/// Returns the constraints that are sound, and collects the diagnostics of the others.
pub(super) fn constraints(
    loaded: &LoadedCampaign,
    planned: &BTreeMap<String, PlannedProperty>,
    diagnostics: &mut Diagnostics,
) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    for (index, text) in loaded.campaign.constraints.iter().enumerate() {
        let names = ConstraintNames {
            loaded,
            planned,
            used: RefCell::default(),
        };
        let parsed = ParsedCondition::parse(text);
        match parsed.and_then(|parsed| parsed.resolve(&names)) {
            Ok(condition) => constraints.push(Constraint {
                text: text.clone(),
                condition,
                properties: names.used.into_inner().into_iter().collect(),
            }),
            // The property has diagnostics.
            Err(ExpressionError::OfProperty(_)) => {}
            Err(error) => {
                let hint = match &error {
                    ExpressionError::Mismatch { .. } => {
                        "write a number with its unit: `gap >= 3 eV`"
                    }
                    ExpressionError::Syntax { .. } => {
                        "write a property or an expression of descriptors, `<=` or `>=`, and a number with its unit: `gap >= 3 eV`"
                    }
                    _ => {
                        "constraints are on `properties` and descriptors; give a name to another quantity in `properties`"
                    }
                };
                let place = loaded.place(&["constraints", &index.to_string()]);
                let message = format!("the constraint `{text}`: {error}");
                diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
            }
        }
    }
    constraints
}

/// The names that a constraint may use: properties.
struct ConstraintNames<'a> {
    loaded: &'a LoadedCampaign,
    planned: &'a BTreeMap<String, PlannedProperty>,
    /// The properties that it has used.
    used: RefCell<BTreeSet<String>>,
}

impl NameTable for ConstraintNames<'_> {
    fn quantity(&self, of: &QuantityOf) -> Result<Dimension, ExpressionError> {
        let QuantityOf { method, quantity } = of;
        let message = format!("`{method}.{quantity}` is a quantity of a method, not a property");
        Err(ExpressionError::UnknownName(message))
    }

    fn property(&self, name: &str) -> Option<Result<Expression, ExpressionError>> {
        if !self.loaded.campaign.properties.contains_key(name) {
            return None;
        }
        self.used.borrow_mut().insert(name.to_owned());
        Some(match self.planned.get(name) {
            Some(property) => Ok(Expression::Leaf(
                Leaf::Property(name.to_owned()),
                property.unit.dimension(),
            )),
            None => Err(ExpressionError::OfProperty(name.to_owned())),
        })
    }

    fn is_method(&self, name: &str) -> bool {
        self.loaded.campaign.methods.contains_key(name)
    }
}
