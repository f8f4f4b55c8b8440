//! Edits around the best measured molecules: a beam search with the model as its judge.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::explored::{Explored, best, without_parents};
use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::chem::Molecule;
use crate::design::error::DesignError;
use crate::task::Metrics;

/// Settings of `edits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edits {
    /// Number of molecules whose neighbours are enumerated at each level: at first the best
    /// measured ones, then the best predicted of the level before.
    #[schemars(range(min = 1, max = 64))]
    pub width: usize,
    /// Number of levels: edits between a measured molecule and the furthest proposed one.
    #[schemars(range(min = 1, max = 100))]
    pub depth: usize,
}

impl Default for Edits {
    fn default() -> Self {
        Self {
            width: 10,
            depth: 4,
        }
    }
}

/// Molecules one edit away from a molecule of about nine atoms, for forecasts.
pub(super) const TYPICAL_NEIGHBOURS: usize = 100;

impl GeneratorSettings for Edits {
    fn typical_count(&self) -> Option<usize> {
        Some(self.width * self.depth * TYPICAL_NEIGHBOURS)
    }

    fn load(&self, _: Option<&[u8]>, _: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(BeamSearch {
            settings: self.clone(),
        }))
    }
}

/// It has no state: each round begins at what has been measured by then.
struct BeamSearch {
    settings: Edits,
}

impl Generator for BeamSearch {
    /// Proposes all molecules that it enumerates, not only those of the beam. After scarce rounds
    /// the beam is wider and deeper, and also begins at fresh molecules of the source: n scarce
    /// rounds in a row, three at most, multiply the width by n + 1 and add 2n levels.
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let scarce = search.scarce_rounds.min(3);
        let width = self.settings.width * (scarce + 1);
        let depth = self.settings.depth + 2 * scarce;
        let measured = search.best.iter().map(|known| &known.molecule);
        let starts = measured.take(width).chain(&search.starts);
        let starts = without_parents(starts.map(Molecule::canonical_smiles));
        let mut explored = Explored::new(search.model, search.rules);
        let mut beam = explored.reach(starts)?;
        let mut levels = 0;
        while levels < depth {
            let new = explored.reach_neighbours(&beam)?;
            beam = best(new, width);
            if beam.is_empty() {
                break;
            }
            levels += 1;
        }
        explored.propose(visit);
        Ok(Metrics::from([
            ("levels".to_owned(), levels as f64),
            ("width".to_owned(), width as f64),
            ("best_gain".to_owned(), explored.best_gain()),
        ]))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(Vec::new())
    }
}
