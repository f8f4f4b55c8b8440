//! A property of the plan: its expression, and the calculations that it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::stage::{PlannedStage, StageKind};
use crate::property::{ENERGY, Expression, Leaf, Unit};

/// A property with its recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedProperty {
    /// Its name in the campaign.
    pub name: String,
    /// Its name in tables and charts.
    pub label: String,
    /// Its expression, as the campaign writes it.
    pub value: String,
    /// The expression with its names resolved; its value is in atomic units.
    #[serde(skip)]
    pub expression: Expression,
    /// Unit in which it is shown and compared.
    #[serde(serialize_with = "as_text")]
    pub unit: Unit,
    /// True if the value grows with the number of atoms.
    pub extensive: bool,
    /// The calculations of a molecule, each behind the one whose geometry it begins with.
    pub recipe: Vec<RecipeNode>,
    /// Methods by which the free atoms of the molecule are computed.
    pub free_atoms: Vec<String>,
}

/// A calculation of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipeNode {
    /// Name of the method.
    pub method: String,
    /// Method whose geometry it begins with, the method of a node before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geometry: Option<String>,
}

/// Names of quantities by the names of methods.
pub type QuantitiesByMethod = BTreeMap<String, BTreeSet<String>>;

/// Quantities that the results of methods must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeededQuantities {
    /// Those of molecules.
    pub of_molecules: QuantitiesByMethod,
    /// Those of free atoms.
    pub of_free_atoms: QuantitiesByMethod,
}

impl NeededQuantities {
    /// Collects the quantities that the properties of the stages are computed from.
    pub(super) fn new(
        stages: &[PlannedStage],
        properties: &BTreeMap<String, PlannedProperty>,
    ) -> Self {
        let names = stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Compute { properties, .. } => Some(properties),
            _ => None,
        });
        let computed = names.flatten().filter_map(|name| properties.get(name));
        let mut needed = Self::default();
        for leaf in computed.flat_map(|property| property.expression.leaves()) {
            let (quantities, of) = match leaf {
                Leaf::Quantity(of) => (&mut needed.of_molecules, of),
                Leaf::FreeAtoms(of) => (&mut needed.of_free_atoms, of),
                Leaf::Descriptor(_) | Leaf::Property(_) => continue,
            };
            let names = quantities.entry(of.method.clone()).or_default();
            names.insert(of.quantity.clone());
        }
        needed
    }
}

impl PlannedProperty {
    /// Returns the methods whose quantities the expression names.
    pub fn methods(&self) -> BTreeSet<&str> {
        let leaves = self.expression.leaves().into_iter();
        leaves
            .filter_map(|leaf| match leaf {
                Leaf::Quantity(of) | Leaf::FreeAtoms(of) => Some(of.method.as_str()),
                Leaf::Descriptor(_) | Leaf::Property(_) => None,
            })
            .collect()
    }

    /// Returns true if it follows from one method's energies of the molecule and of its free atoms.
    pub fn is_atomization_energy(&self) -> bool {
        let leaves = self.expression.leaves();
        let of_energy = leaves.iter().all(|leaf| match leaf {
            Leaf::Quantity(of) | Leaf::FreeAtoms(of) => of.quantity == ENERGY,
            Leaf::Descriptor(_) => true,
            Leaf::Property(_) => false,
        });
        of_energy && !self.free_atoms.is_empty() && self.methods().len() == 1
    }

    /// Returns the heading of its columns: `oxidation potential / eV`.
    pub fn heading(&self) -> String {
        match self.unit.name() {
            "" => self.label.clone(),
            unit => format!("{} / {unit}", self.label),
        }
    }
}

fn as_text<S: serde::Serializer>(unit: &Unit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(unit.name())
}
