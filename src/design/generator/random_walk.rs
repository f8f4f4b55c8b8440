//! The random walk over edits of molecules: the baseline that a learning agent must beat.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::{EpisodeStart, MoleculeEnvironment, WalkProposals, propose_state};
use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::design::error::DesignError;
use crate::learn::random_walk::RandomWalk;
use crate::learn::saved::SavedFormat;
use crate::task::Metrics;

/// Settings of `random`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomEdits {
    /// Number of episodes in a round.
    #[schemars(range(min = 1, max = 100_000))]
    pub episodes: usize,
    /// Maximum number of steps in an episode; each step is one edit of the molecule.
    #[schemars(range(min = 1, max = 10_000))]
    pub steps: usize,
    /// State in which an episode begins.
    pub start: EpisodeStart,
    /// Molecules that are proposed.
    pub proposals: WalkProposals,
    /// True if an edit may replace an atom by one of another element, which the paper does not
    /// have.
    pub replace_elements: bool,
}

impl Default for RandomEdits {
    fn default() -> Self {
        Self {
            episodes: 10,
            steps: 32,
            start: EpisodeStart::Nothing,
            proposals: WalkProposals::Visited,
            replace_elements: false,
        }
    }
}

const WALK: SavedFormat = SavedFormat {
    name: "walker",
    layout: 1,
};

impl GeneratorSettings for RandomEdits {
    fn typical_count(&self) -> Option<usize> {
        Some(self.proposals.typical_count(self.episodes * self.steps))
    }

    fn load(&self, saved: Option<&[u8]>, _: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(RandomGenerator {
            settings: self.clone(),
            walk: match saved {
                Some(bytes) => WALK.decode(bytes)?,
                None => RandomWalk::default(),
            },
        }))
    }
}

struct RandomGenerator {
    settings: RandomEdits,
    walk: RandomWalk,
}

impl Generator for RandomGenerator {
    fn propose(
        &mut self,
        mut search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let RandomEdits {
            episodes,
            steps,
            start,
            proposals,
            replace_elements,
        } = self.settings;
        let seed = search.seed;
        search.rules.replace_elements = replace_elements;
        let rules = search.rules.clone();
        let mut environment = MoleculeEnvironment::new(search, None, start, proposals);
        let summary = self
            .walk
            .run(&mut environment, episodes, steps, seed, |state| {
                propose_state(state, &rules, visit);
            })?;
        environment.propose_enumerated(visit);
        Ok(Metrics::from([
            ("episodes".to_owned(), summary.episodes as f64),
            ("mean_reward".to_owned(), summary.mean_reward),
        ]))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(WALK.encode(&self.walk)?)
    }
}
