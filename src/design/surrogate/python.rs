//! A surrogate of the user in Python: one function fits it, another predicts with it.

use std::fs;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fit, LabelledMolecule, Surrogate, SurrogateSettings};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::learn::regression::{Prediction, mean_and_deviation};
use crate::learn::saved::SavedFormat;
use crate::python::{CallError, PythonCaller, PythonFunction, caller_of, numbers};
use crate::task::Metrics;

/// Settings of the surrogate `python`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PythonSurrogate {
    /// The function that fits the model, and its interpreter.
    #[serde(flatten)]
    pub function: PythonFunction,
    /// The function that predicts with the model: `module:function`.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"))]
    pub predict: String,
}

/// Observations that a fit saw, for the next one.
#[derive(Default, Serialize, Deserialize)]
struct SavedObservations {
    smiles: Vec<String>,
    costs: Vec<f64>,
}

const OBSERVATIONS: SavedFormat = SavedFormat {
    name: "observations of a function",
    layout: 1,
};

/// File that a function writes the model to.
const FITTED: &str = "fitted_model";
/// File that a function reads the model from.
const LOADED: &str = "loaded_model";

impl SurrogateSettings for PythonSurrogate {
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        _: bool,
    ) -> Result<Fit, DesignError> {
        let mut all: SavedObservations = match memory {
            Some(bytes) => OBSERVATIONS.decode(bytes)?,
            None => SavedObservations::default(),
        };
        for observation in observations {
            all.smiles.push(observation.molecule.canonical_smiles());
            all.costs.push(observation.cost);
        }
        let calls = caller_of(&self.function.call)?;
        let path = calls.dir().join(FITTED);
        let input = vec![json!(all.smiles), json!(all.costs), json!(path)];
        let returned = calls.call(&self.function, &self.function.call, input)?;
        let model = fs::read(&path).map_err(|error| {
            let message = format!("it wrote no model to `{}`: {error}", path.display());
            CallError::answer(&self.function.call, message)
        })?;
        let (mean, deviation) = mean_and_deviation(&all.costs);
        Ok(Fit {
            model,
            memory: OBSERVATIONS.encode(&all)?,
            molecules: all.costs.len(),
            mean,
            deviation,
            metrics: metrics(&self.function.call, returned)?,
        })
    }

    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError> {
        let calls = caller_of(&self.predict)?;
        let path = calls.dir().join(LOADED);
        fs::write(&path, model).map_err(DesignError::write(&path))?;
        Ok(Box::new(LoadedSurrogate {
            settings: self.clone(),
            calls,
        }))
    }
}

/// A model in a file of the task, and the function that predicts with it.
struct LoadedSurrogate {
    settings: PythonSurrogate,
    calls: Rc<dyn PythonCaller>,
}

impl Surrogate for LoadedSurrogate {
    /// One call for all molecules.
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        if molecules.is_empty() {
            return Ok(Vec::new());
        }
        let PythonSurrogate { function, predict } = &self.settings;
        let smiles: Vec<String> = molecules.iter().map(|m| m.canonical_smiles()).collect();
        let path = self.calls.dir().join(LOADED);
        let returned = self
            .calls
            .call(function, predict, vec![json!(path), json!(smiles)])?;
        let fault = |message: &str| CallError::answer(predict, message);
        let Value::Array(lists) = returned else {
            return Err(fault("it did not return two lists: means and standard deviations").into());
        };
        let [means, deviations] = lists.as_slice() else {
            return Err(fault("it did not return two lists: means and standard deviations").into());
        };
        let means = numbers(predict, "the means", means, smiles.len())?;
        let deviations = numbers(predict, "the standard deviations", deviations, smiles.len())?;
        if deviations.iter().any(|deviation| *deviation < 0.0) {
            return Err(fault("a standard deviation is negative").into());
        }
        let predictions = means.into_iter().zip(deviations);
        Ok(predictions
            .map(|(mean, std)| Prediction { mean, std })
            .collect())
    }
}

/// Numbers that a function returned about its fit: a dict, or None.
pub(in crate::design) fn metrics(call: &str, returned: Value) -> Result<Metrics, CallError> {
    let named = match returned {
        Value::Null => return Ok(Metrics::new()),
        Value::Object(named) => named,
        _ => {
            return Err(CallError::answer(
                call,
                "it returned neither None nor a dict of numbers",
            ));
        }
    };
    let number = |(name, value): (String, Value)| match value.as_f64() {
        Some(number) => Ok((name, number)),
        None => Err(CallError::answer(call, format!("`{name}` is not a number"))),
    };
    named.into_iter().map(number).collect()
}
