//! Acquisition by the lower confidence bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Acquisition, AcquisitionRound};
use crate::design::error::DesignError;
use crate::learn::acquisition::lower_confidence_bound;
use crate::task::RankedCandidate;

/// Settings of `lower_confidence_bound`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LowerConfidenceBound {
    /// Number of standard deviations that are subtracted from the mean.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub kappa: f64,
}

impl Default for LowerConfidenceBound {
    fn default() -> Self {
        Self { kappa: 2.0 }
    }
}

impl Acquisition for LowerConfidenceBound {
    fn uses_deviation(&self) -> bool {
        self.kappa > 0.0
    }

    fn scores(
        &self,
        candidates: &[RankedCandidate],
        _: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let bound = |c: &RankedCandidate| lower_confidence_bound(c.prediction, self.kappa);
        Ok(candidates.iter().map(bound).collect())
    }
}
