//! A genetic algorithm on molecular graphs, bred on the predictions of the model.
//!
//! J. H. Jensen, A graph-based genetic algorithm and generative model/Monte Carlo tree search for
//! the exploration of chemical space, Chem. Sci. 10, 3567 (2019).

use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edits::TYPICAL_NEIGHBOURS;
use super::explored::{Explored, Predicted, best, without_parents};
use super::{Generator, GeneratorSettings, Proposal, SearchContext};
use crate::chem::Molecule;
use crate::chem::crossover::{children, cuts};
use crate::design::error::DesignError;
use crate::task::Metrics;

/// Settings of `genetic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Genetic {
    /// Number of molecules that live on from one generation to the next, at first the best measured
    /// ones.
    #[schemars(range(min = 2, max = 10_000))]
    pub population: usize,
    /// Number of generations in a round.
    #[schemars(range(min = 1, max = 1000))]
    pub generations: usize,
    /// Number of pairs of parents in a generation.
    #[schemars(range(min = 1, max = 10_000))]
    pub pairs: usize,
    /// Chance that a child of a pair is mutated: all molecules one edit away from it are children
    /// too.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mutation_rate: f64,
}

impl Default for Genetic {
    fn default() -> Self {
        Self {
            population: 50,
            generations: 5,
            pairs: 50,
            mutation_rate: 0.5,
        }
    }
}

/// Children of a pair without mutation, for forecasts.
const TYPICAL_CHILDREN: usize = 4;

impl GeneratorSettings for Genetic {
    fn typical_count(&self) -> Option<usize> {
        let mutants = self.mutation_rate * TYPICAL_NEIGHBOURS as f64;
        Some(self.generations * self.pairs * (TYPICAL_CHILDREN + mutants as usize))
    }

    fn load(&self, _: Option<&[u8]>, _: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(GraphBreeding {
            settings: self.clone(),
        }))
    }
}

/// It has no state: each round begins at what has been measured by then.
struct GraphBreeding {
    settings: Genetic,
}

impl Generator for GraphBreeding {
    /// Proposes the population of the beginning and all children. After scarce rounds fresh
    /// molecules of the source are among the first parents, and every child is mutated.
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        let Genetic {
            population: size,
            generations,
            ..
        } = self.settings;
        let mutation_rate = match search.scarce_rounds {
            0 => self.settings.mutation_rate,
            _ => 1.0,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(search.seed);
        let measured = search.best.iter().map(|known| &known.molecule);
        let first = measured.take(size).chain(&search.starts);
        let first = without_parents(first.map(Molecule::canonical_smiles));
        let mut explored = Explored::new(search.model, search.rules);
        let mut population = best(explored.reach(first)?, usize::MAX);
        if population.is_empty() {
            population = best(explored.reach_neighbours(&[])?, size);
        }
        for _ in 0..generations {
            let mut born = Vec::new();
            for _ in 0..self.settings.pairs {
                born.extend(self.offspring(&population, mutation_rate, &mut explored, &mut rng)?);
            }
            population.extend(born);
            population = best(population, size);
        }
        explored.propose(visit);
        Ok(Metrics::from([
            ("population".to_owned(), population.len() as f64),
            ("best_gain".to_owned(), explored.best_gain()),
        ]))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(Vec::new())
    }
}

impl GraphBreeding {
    /// New molecules of two parents: their children, and with the chance `mutation_rate` the
    /// neighbours of one child, or of the first parent where there is no new child.
    fn offspring(
        &self,
        population: &[Rc<Predicted>],
        mutation_rate: f64,
        explored: &mut Explored,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Rc<Predicted>>, DesignError> {
        let Some((first, second)) = parent(population, rng).zip(parent(population, rng)) else {
            return Ok(Vec::new());
        };
        let (one, mut other) = (cuts(&first.molecule), cuts(&second.molecule));
        let mut born = Vec::new();
        if let Some(one) = pick(&one, rng) {
            other.retain(|other| other.opens_ring() == one.opens_ring());
            if let Some(other) = pick(&other, rng) {
                let most = explored.rules().max_heavy_atoms;
                let parents = [&first, &second].map(|parent| Rc::from(parent.smiles.as_str()));
                let children = children(one, other, most).into_iter();
                born = explored.reach(children.map(|child| (child, parents.to_vec())).collect())?;
            }
        }
        if rng.random::<f64>() < mutation_rate {
            let changed = pick(&born, rng).unwrap_or(&first).clone();
            born.extend(explored.reach_neighbours(&[changed])?);
        }
        Ok(born)
    }
}

/// The better one of two random members of a population that is sorted, the best first.
fn parent(population: &[Rc<Predicted>], rng: &mut ChaCha8Rng) -> Option<Rc<Predicted>> {
    let (a, b) = (rng.random::<f64>(), rng.random::<f64>());
    let place = (a.min(b) * population.len() as f64) as usize;
    population.get(place).cloned()
}

/// A random one of several.
fn pick<'a, T>(of: &'a [T], rng: &mut ChaCha8Rng) -> Option<&'a T> {
    let place = rng.random::<f64>() * of.len() as f64;
    of.get(place as usize)
}
