//! Greedy acquisition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, AcquisitionRound};
use crate::design::error::DesignError;
use crate::task::RankedCandidate;

/// Settings of `greedy`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Greedy {}

impl Acquisition for Greedy {
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        _: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let means = candidates.iter().map(|candidate| candidate.prediction.mean);
        Ok(means.collect())
    }
}
