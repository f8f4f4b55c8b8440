//! An acquisition of the user in Python: a function that scores candidates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Acquisition, AcquisitionRound};
use crate::design::error::DesignError;
use crate::python::{PythonFunction, caller_of, numbers};
use crate::task::RankedCandidate;

/// Settings of the acquisition `python`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PythonAcquisition {
    /// The function and its interpreter.
    #[serde(flatten)]
    pub function: PythonFunction,
}

impl Acquisition for PythonAcquisition {
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        round: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let call = &self.function.call;
        let given = candidates.iter().map(|candidate| {
            let prediction = candidate.prediction;
            json!([candidate.smiles, prediction.mean, prediction.std])
        });
        let input = vec![given.collect::<Value>(), json!(round.incumbent)];
        let returned = caller_of(call)?.call(&self.function, call, input)?;
        Ok(numbers(call, "the scores", &returned, candidates.len())?)
    }
}
