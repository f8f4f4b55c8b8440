//! The generator that proposes every molecule of the source.

use std::fs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::design::error::DesignError;
use crate::task::Metrics;

/// Settings of `pool`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {}

impl GeneratorSettings for Pool {
    fn needs_pool(&self) -> bool {
        true
    }

    fn typical_count(&self) -> Option<usize> {
        None
    }

    fn load(&self, _: Option<&[u8]>, _: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(WholePool))
    }
}

/// It has no state.
struct WholePool;

impl Generator for WholePool {
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let path = search.pool.ok_or(DesignError::NoPool)?;
        let text = fs::read_to_string(&path).map_err(DesignError::read(&path))?;
        text.lines().map(Proposal::of).for_each(visit);
        Ok(Metrics::default())
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(Vec::new())
    }
}
