//! Environment of the agent: molecules as states, edits of molecules as actions, predictions of the
//! surrogate as rewards.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::SearchContext;
use crate::chem::Molecule;
use crate::chem::edit::{EditRules, successors};
use crate::design::error::DesignError;
use crate::design::surrogate::TrainedModel;
use crate::learn::environment::{Action, AgentEnvironment, StateObservation};

/// Molecules that can be reached from the start molecules, or from nothing.
pub struct MoleculeEnvironment {
    model: TrainedModel,
    rules: EditRules,
    fingerprint: Option<Fingerprint>,
    starts: Vec<State>,
    episodes: usize,
    cache: MoleculeCache,
}

/// A molecule, or None for nothing, to which the first action adds an atom.
pub type State = Option<Rc<CachedMolecule>>;

/// Morgan fingerprint by which the agent observes a molecule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Radius, in bonds.
    pub radius: u32,
    /// Length.
    pub bits: usize,
}

/// A molecule with its observation and prediction.
pub struct CachedMolecule {
    /// Canonical SMILES.
    pub smiles: String,
    molecule: Molecule,
    observation: StateObservation,
    /// Predicted cost, computed when it is first needed.
    predicted: OnceCell<f64>,
}

/// Molecules of this call by canonical SMILES, and the neighbours of those that the agent visited.
#[derive(Default)]
struct MoleculeCache {
    molecules: BTreeMap<String, Rc<CachedMolecule>>,
    neighbours: BTreeMap<String, Vec<Rc<CachedMolecule>>>,
}

/// Number of molecules, about half a gigabyte, beyond which the cache is emptied.
const MOST_CACHED: usize = 200_000;

impl MoleculeEnvironment {
    /// Creates an environment in which episode k begins at `starts[k % len]` of the search, or at
    /// nothing if there are none. Start molecules larger than the rules allow are left out. Without
    /// a fingerprint observations are empty.
    pub fn new(search: SearchContext, fingerprint: Option<Fingerprint>) -> Self {
        let SearchContext {
            model,
            rules,
            starts,
            ..
        } = search;
        let mut cache = MoleculeCache::default();
        let starts = starts
            .into_iter()
            .filter(|start| start.heavy_atoms().len() <= rules.max_heavy_atoms)
            .map(|start| Some(cache.molecule(start, fingerprint)))
            .collect();
        Self {
            model,
            rules,
            fingerprint,
            starts,
            episodes: 0,
            cache,
        }
    }
}

impl AgentEnvironment for MoleculeEnvironment {
    type State = State;
    type Error = DesignError;

    fn start(&mut self) -> Result<State, DesignError> {
        let start = match self.starts.len() {
            0 => None,
            count => self.starts[self.episodes % count].clone(),
        };
        self.episodes += 1;
        Ok(start)
    }

    fn actions(&mut self, state: &State) -> Result<Vec<Action<State>>, DesignError> {
        let neighbours = self.cache.neighbours(state, &self.rules, self.fingerprint);
        let action = |molecule: &Rc<CachedMolecule>| Action {
            observation: molecule.observation.clone(),
            state: Some(Rc::clone(molecule)),
        };
        Ok(neighbours.iter().map(action).collect())
    }

    /// Distance of the predicted cost below the mean of the observations, in their standard
    /// deviations: rewards have the same scale for every property.
    fn reward(&mut self, state: &State) -> Result<f64, DesignError> {
        let Some(cached) = state else {
            return Ok(0.0);
        };
        let cost = match cached.predicted.get() {
            Some(cost) => *cost,
            None => self.model.predict(&[&cached.molecule])?[0].mean,
        };
        let cost = *cached.predicted.get_or_init(|| cost);
        Ok(self.model.standardised_gain(cost))
    }
}

impl MoleculeCache {
    /// The cached molecule, added if it is new.
    fn molecule(
        &mut self,
        molecule: Molecule,
        fingerprint: Option<Fingerprint>,
    ) -> Rc<CachedMolecule> {
        let smiles = molecule.canonical_smiles();
        let cached = self.molecules.entry(smiles).or_insert_with_key(|smiles| {
            Rc::new(CachedMolecule {
                smiles: smiles.clone(),
                observation: fingerprint.map_or_else(Vec::new, |Fingerprint { radius, bits }| {
                    molecule.morgan_bits(radius, bits)
                }),
                molecule,
                predicted: OnceCell::new(),
            })
        });
        Rc::clone(cached)
    }

    /// The molecules one edit away from `state`, sorted by SMILES.
    fn neighbours(
        &mut self,
        state: &State,
        rules: &EditRules,
        fingerprint: Option<Fingerprint>,
    ) -> &[Rc<CachedMolecule>] {
        // The empty SMILES stands for nothing.
        let smiles = state.as_ref().map_or("", |cached| &cached.smiles);
        if !self.neighbours.contains_key(smiles) {
            if self.molecules.len() > MOST_CACHED {
                *self = Self::default();
            }
            let molecule = state.as_ref().map(|cached| &cached.molecule);
            let neighbours = successors(molecule, rules)
                .into_iter()
                .map(|molecule| self.molecule(molecule, fingerprint))
                .collect();
            self.neighbours.insert(smiles.to_owned(), neighbours);
        }
        &self.neighbours[smiles]
    }
}
