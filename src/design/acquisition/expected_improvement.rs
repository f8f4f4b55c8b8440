//! Acquisition by the expected improvement, in the logarithm: where few candidates can improve, the
//! expectation of the others is too small for a number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, AcquisitionRound, Greedy};
use crate::design::error::DesignError;
use crate::learn::acquisition::log_expected_improvement;
use crate::task::RankedCandidate;

/// Settings of `expected_improvement`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedImprovement {}

impl Acquisition for ExpectedImprovement {
    fn uses_deviation(&self) -> bool {
        true
    }

    fn expects_hypervolume(&self) -> bool {
        true
    }

    fn scores(
        &self,
        candidates: &[RankedCandidate],
        round: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let Some(best) = round.incumbent else {
            return Greedy {}.scores(candidates, round);
        };
        let score = |c: &RankedCandidate| -log_expected_improvement(c.prediction, best);
        Ok(candidates.iter().map(score).collect())
    }
}
