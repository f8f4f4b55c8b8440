//! Environment of walks over edits: molecules as states, edits as actions, predictions of the
//! surrogate as rewards.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SearchContext;
use super::edits::TYPICAL_NEIGHBOURS;
use crate::chem::Molecule;
use crate::chem::edit::{EditRules, successor_names};
use crate::design::error::DesignError;
use crate::design::surrogate::TrainedModel;
use crate::learn::environment::{Action, AgentEnvironment, StateObservation};

/// Molecules that can be reached from the start molecules, or from nothing.
pub struct MoleculeEnvironment {
    model: TrainedModel,
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

/// State in which an episode begins, unless earlier rounds were scarce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeStart {
    /// No atom, as in the paper.
    #[default]
    Nothing,
    /// The best measured molecules in turn, ten at most.
    Best,
}

/// Molecules of a walk that are proposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WalkProposals {
    /// Those that it visits, as in the paper.
    #[default]
    Visited,
    /// Those one edit away from the visited ones too, among which it chose.
    Enumerated,
}

impl WalkProposals {
    /// Rough number of proposals of a walk of so many steps.
    pub fn typical_count(self, steps: usize) -> usize {
        match self {
            Self::Visited => steps,
            Self::Enumerated => steps * TYPICAL_NEIGHBOURS,
        }
    }
}

/// A molecule with its observation and prediction.
pub struct CachedMolecule {
    smiles: String,
    molecule: Molecule,
    /// True if it may be proposed.
    is_permitted: bool,
    observation: StateObservation,
    /// Standardised gain of the predicted costs, computed when it is first needed.
    gain: OnceCell<f64>,
}

/// Molecules of this call by canonical SMILES, and the neighbours of those that the agent visited.
struct MoleculeCache {
    rules: EditRules,
    fingerprint: Option<Fingerprint>,
    molecules: BTreeMap<String, Rc<CachedMolecule>>,
    neighbours: BTreeMap<String, Vec<Rc<CachedMolecule>>>,
    /// Canonical SMILES of all neighbours that may be proposed, where they are.
    enumerated: Option<BTreeSet<String>>,
}

/// Number of molecules, about half a gigabyte, beyond which the cache is emptied.
const MOST_CACHED: usize = 200_000;

/// Largest number of measured molecules at which episodes begin.
const MOST_STARTS: usize = 10;

impl MoleculeEnvironment {
    /// Creates an environment in which episode k begins at start molecule k % count, or at nothing
    /// if there are none. Start molecules are those of the search, which it has after scarce rounds,
    /// or else what `start` says; those that may not be proposed are left out. Without a fingerprint
    /// observations are empty.
    pub fn new(
        search: SearchContext,
        fingerprint: Option<Fingerprint>,
        start: EpisodeStart,
        proposals: WalkProposals,
    ) -> Self {
        let mut starts = search.starts;
        if starts.is_empty() && start == EpisodeStart::Best {
            let best = search.best.into_iter().take(MOST_STARTS);
            starts.extend(best.map(|known| known.molecule));
        }
        starts.retain(|start| search.rules.permits(start));
        let mut cache = MoleculeCache {
            rules: search.rules,
            fingerprint,
            molecules: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            enumerated: (proposals == WalkProposals::Enumerated).then(BTreeSet::new),
        };
        let starts = starts.into_iter().filter_map(|start| {
            let smiles = start.canonical_smiles();
            cache.molecule(smiles, || Some(start)).map(Some)
        });
        Self {
            model: search.model,
            starts: starts.collect(),
            episodes: 0,
            cache,
        }
    }

    /// Calls `visit` with the enumerated molecules, where they are proposed, in the order of SMILES.
    pub fn propose_enumerated(&self, visit: &mut dyn FnMut(&str)) {
        let enumerated = self.cache.enumerated.iter().flatten();
        enumerated.for_each(|smiles| visit(smiles));
    }
}

/// Calls `visit` with the SMILES of a state that may be proposed.
pub fn propose_state(state: &State, visit: &mut dyn FnMut(&str)) {
    if let Some(cached) = state
        && cached.is_permitted
    {
        visit(&cached.smiles);
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
        let action = |molecule: &Rc<CachedMolecule>| Action {
            observation: molecule.observation.clone(),
            state: Some(Rc::clone(molecule)),
        };
        Ok(self.cache.neighbours(state).iter().map(action).collect())
    }

    /// Distance of the predicted cost below the mean of the observations, in their standard
    /// deviations, of several objectives the mean: rewards have the same scale for every property.
    fn reward(&mut self, state: &State) -> Result<f64, DesignError> {
        let Some(cached) = state else {
            return Ok(0.0);
        };
        let gain = match cached.gain.get() {
            Some(gain) => *gain,
            None => {
                let costs = self.model.predict(&[&cached.molecule])?;
                self.model.standardised_gain(&costs[0])
            }
        };
        Ok(*cached.gain.get_or_init(|| gain))
    }
}

impl MoleculeCache {
    /// The molecule of that canonical SMILES, made if it is new; None if that fails.
    fn molecule(
        &mut self,
        smiles: String,
        make: impl FnOnce() -> Option<Molecule>,
    ) -> Option<Rc<CachedMolecule>> {
        if let Some(known) = self.molecules.get(&smiles) {
            return Some(Rc::clone(known));
        }
        let molecule = make()?;
        let observe = |Fingerprint { radius, bits }| molecule.morgan_bits(radius, bits);
        let cached = Rc::new(CachedMolecule {
            smiles: smiles.clone(),
            is_permitted: self.rules.permits(&molecule),
            observation: self.fingerprint.map_or_else(Vec::new, observe),
            molecule,
            gain: OnceCell::new(),
        });
        self.molecules.insert(smiles, Rc::clone(&cached));
        Some(cached)
    }

    /// The molecules one edit away from `state`, sorted by SMILES.
    fn neighbours(&mut self, state: &State) -> &[Rc<CachedMolecule>] {
        // The empty SMILES stands for nothing.
        let smiles = state.as_ref().map_or("", |cached| &cached.smiles);
        if !self.neighbours.contains_key(smiles) {
            if self.molecules.len() > MOST_CACHED {
                self.molecules.clear();
                self.neighbours.clear();
            }
            let molecule = state.as_ref().map(|cached| &cached.molecule);
            let names = successor_names(molecule, &self.rules).into_iter();
            let neighbours: Vec<Rc<CachedMolecule>> = names
                .filter_map(|name| self.molecule(name.clone(), || Molecule::parse(&name).ok()))
                .collect();
            if let Some(enumerated) = &mut self.enumerated {
                let permitted = neighbours.iter().filter(|neighbour| neighbour.is_permitted);
                enumerated.extend(permitted.map(|neighbour| neighbour.smiles.clone()));
            }
            self.neighbours.insert(smiles.to_owned(), neighbours);
        }
        &self.neighbours[smiles]
    }
}
