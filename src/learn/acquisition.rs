//! What asking the simulator about a molecule is worth, and the ranking that follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How candidates are scored when the objective is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Acquisition {
    /// The lowest predicted mean first.
    #[default]
    Greedy,
    /// The lowest mean less `kappa` standard deviations first.
    LowerConfidenceBound,
    /// The largest expected improvement on the best value measured first.
    ExpectedImprovement,
}
