//! Properties and the objective of a campaign, as its file writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of a molecule, computed from the quantities that methods return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyConfig {
    /// An expression: `cation.energy - neutral.energy`, `atomization(energy) / atoms`.
    #[schemars(length(min = 1))]
    pub value: String,
    /// Unit in which the property is shown and compared; the atomic unit if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub unit: Option<String>,
    /// Name in tables and charts; the property's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub label: Option<String>,
    /// True if the value grows with the number of atoms, such that the surrogate fits it per atom;
    /// by default true for atomization energies only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensive: Option<bool>,
}

/// Property that is optimised and its direction, or several of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ObjectiveConfig {
    /// A short form: a property that is minimised, with the one `simulate` method of the campaign.
    Short(ShortObjective),
    /// One of `properties`, and its direction.
    Directed(DirectedObjective),
    /// Several of `properties`, each with its direction: the run seeks their Pareto front.
    Several(#[schemars(length(min = 1, max = 3))] Vec<DirectedObjective>),
}

impl ObjectiveConfig {
    /// Returns the objectives in their order; none for a short form.
    pub fn directed(&self) -> &[DirectedObjective] {
        match self {
            Self::Short(_) => &[],
            Self::Directed(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }
}

/// Objectives that need no entry in `properties`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShortObjective {
    /// E(molecule) - sum of E(atoms), hartree.
    AtomizationEnergy,
    /// The same, divided by the number of atoms (hydrogen included), hartree.
    AtomizationEnergyPerAtom,
}

impl ShortObjective {
    /// Name in campaign files, and of the property that it stands for.
    pub fn name(self) -> &'static str {
        match self {
            Self::AtomizationEnergy => "atomization_energy",
            Self::AtomizationEnergyPerAtom => "atomization_energy_per_atom",
        }
    }

    pub(super) fn property(self, method: &str) -> PropertyConfig {
        let value = match self {
            Self::AtomizationEnergy => format!("atomization(`{method}`)"),
            Self::AtomizationEnergyPerAtom => format!("atomization(`{method}`) / atoms"),
        };
        PropertyConfig {
            value,
            unit: Some("hartree".to_owned()),
            label: None,
            extensive: None,
        }
    }
}

/// One of `properties`, and its direction: one of `minimize` and `maximize`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectedObjective {
    /// The property to lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimize: Option<String>,
    /// The property to raise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximize: Option<String>,
    /// With several objectives: the worst value that counts in the hypervolume, in the unit of the
    /// property; by default the worst of the molecules computed before the loops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
}

impl DirectedObjective {
    /// Name of the property; none if neither key is given.
    pub fn property(&self) -> Option<&String> {
        self.minimize.as_ref().or(self.maximize.as_ref())
    }
}
