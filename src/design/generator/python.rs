//! A generator of the user in Python: a function that proposes molecules.

use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::python::{CallError, PythonCaller, PythonFunction, caller_of};
use crate::task::Metrics;

/// Settings of the generator `python`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PythonGenerator {
    /// The function and its interpreter.
    #[serde(flatten)]
    pub function: PythonFunction,
    /// Number of molecules that it is asked for in a round.
    #[serde(default = "default_count")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: usize,
}

fn default_count() -> usize {
    1000
}

impl GeneratorSettings for PythonGenerator {
    fn typical_count(&self) -> Option<usize> {
        Some(self.count)
    }

    fn load(&self, saved: Option<&[u8]>, _: u64) -> Result<Box<dyn Generator>, DesignError> {
        let state = match saved {
            None => Value::Null,
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                let message = format!("its saved state is damaged: {error}");
                CallError::answer(&self.function.call, message)
            })?,
        };
        Ok(Box::new(FunctionGenerator {
            settings: self.clone(),
            calls: caller_of(&self.function.call)?,
            state,
        }))
    }
}

struct FunctionGenerator {
    settings: PythonGenerator,
    calls: Rc<dyn PythonCaller>,
    /// State that the function returned, which its next call is given.
    state: Value,
}

/// Answer of a function.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    molecules: Vec<String>,
    #[serde(default)]
    state: Value,
}

impl Generator for FunctionGenerator {
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let call = &self.settings.function.call;
        let best = search.best.iter();
        let best = best.map(|known| json!([known.molecule.canonical_smiles(), known.cost]));
        let starts = search.starts.iter().map(Molecule::canonical_smiles);
        let context = json!({
            "best": best.collect::<Value>(),
            "starts": starts.collect::<Vec<_>>(),
            "elements": search.rules.elements,
            "max_heavy_atoms": search.rules.max_heavy_atoms,
            "ring_sizes": search.rules.allowed_ring_sizes,
            "count": self.settings.count,
            "seed": search.seed,
            "state": self.state,
        });
        let returned = self
            .calls
            .call(&self.settings.function, call, vec![context])?;
        let proposal: Proposed = serde_json::from_value(returned).map_err(|error| {
            let message = format!("it returned no dict of `molecules` and `state`: {error}");
            CallError::answer(call, message)
        })?;
        let (mut outside, mut malformed) = (0, Vec::new());
        for smiles in &proposal.molecules {
            let molecule = match Molecule::parse(smiles) {
                Ok(molecule) => molecule,
                Err(error) => {
                    malformed.push(error);
                    continue;
                }
            };
            match search.rules.permits(&molecule) {
                true => visit(Proposal::of(&molecule.canonical_smiles())),
                false => outside += 1,
            }
        }
        if let (Some(first), true) = (
            malformed.first(),
            malformed.len() == proposal.molecules.len(),
        ) {
            let message = format!("it proposed nothing that is a molecule: {first}");
            return Err(CallError::answer(call, message).into());
        }
        self.state = proposal.state;
        Ok(Metrics::from([
            ("proposed".to_owned(), proposal.molecules.len() as f64),
            ("malformed".to_owned(), malformed.len() as f64),
            ("outside".to_owned(), f64::from(outside)),
        ]))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(self.state.to_string().into_bytes())
    }
}
