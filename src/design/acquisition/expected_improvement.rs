//! Acquisition by the expected improvement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, Greedy};
use crate::design::error::DesignError;
use crate::learn::acquisition::expected_improvement;
use crate::task::RankedCandidate;

/// Settings of `expected_improvement`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedImprovement {}

impl Acquisition for ExpectedImprovement {
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        incumbent: Option<f64>,
    ) -> Result<Vec<f64>, DesignError> {
        let Some(best) = incumbent else {
            return Greedy {}.scores(candidates, incumbent);
        };
        let score = |c: &RankedCandidate| -expected_improvement(c.prediction, best);
        Ok(candidates.iter().map(score).collect())
    }
}
