//! Stages of a campaign, as its file writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::duration::Duration;

/// A part of a campaign: it computes a property of molecules, or runs a method of the generator
/// loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// The `train`, `generate` or `screen` method that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The property or properties that it computes for its `molecules`; all objectives if not
    /// given.
    #[serde(
        default,
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "OneOrMany")]
    pub compute: Vec<String>,
    /// Stage or stages that must be complete first.
    #[serde(
        default,
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "OneOrMany")]
    pub after: Vec<String>,
    /// The loop it is repeated in.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub in_loop: Option<Loop>,
    /// `compute`: origin of the molecules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub molecules: Option<Molecules>,
    /// `screen`: how many of the best make a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub select: Option<usize>,
    /// `generate`: first share of the molecules in a batch; with shares, several generators feed a
    /// `screen` stage in parts that move to the one whose molecules turn out best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 1.0))]
    pub share: Option<f64>,
    /// `compute`: how many molecules are kept submitted at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub parallel: Option<usize>,
    /// `compute`: what the stage may use; then it begins no more molecules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// Limits of a stage. The first that is reached holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Molecules that it computes; one that fails counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub evaluations: Option<usize>,
    /// Core-hours of its attempts, failed ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1.0e12))]
    pub core_hours: Option<f64>,
    /// The same, divided by the cores of a node of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1.0e12))]
    pub node_hours: Option<f64>,
    /// Time since it began its first molecule, without pauses of the run, e.g. `8h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<Duration>,
    /// Value of its property, in the unit of that, that a feasible molecule must reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Evaluations in a row without a better molecule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub stale_evaluations: Option<usize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// The two loops of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// Trains, generates, screens.
    Generator,
    /// Evaluates the molecules of the queue.
    Consumer,
}

/// Origin of the molecules of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Molecules {
    /// By one word.
    Named(NamedMolecules),
    /// A number of molecules of the source or of another stage.
    Some(SomeMolecules),
}

/// Molecules that need no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedMolecules {
    /// Every molecule of the source, in its order.
    All,
    /// The queue that the `screen` stage in `after` fills.
    Queue,
}

/// A number of molecules: one of `random`, `best` and `share`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SomeMolecules {
    /// So many of the source, drawn without replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub random: Option<usize>,
    /// The best so many of the stage `of`, once it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub best: Option<usize>,
    /// The molecules that are, when they are computed, among this share of the best results of the
    /// stage `of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1.0))]
    pub share: Option<f64>,
    /// The stage that `best` and `share` choose from, one of `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}
