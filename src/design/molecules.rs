//! Environment of the agent: molecules as states, edits of molecules as actions, predictions of the
//! surrogate as rewards.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use super::model::GroupModel;
use crate::chem::Molecule;
use crate::chem::edit::{EditRules, successors};
use crate::learn::environment::{Action, AgentEnvironment, StateObservation};

/// Molecules that can be reached from the start molecules, or from nothing.
pub struct MoleculeEnvironment {
    model: GroupModel,
    rules: EditRules,
    fingerprint: Fingerprint,
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
    /// Predicted objective, hartree, computed when it is first needed.
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
    /// Creates an environment in which episode k begins at `starts[k % len]`, or at nothing if
    /// there are none. Start molecules larger than the rules allow are left out.
    pub fn new(
        model: GroupModel,
        rules: EditRules,
        fingerprint: Fingerprint,
        starts: impl IntoIterator<Item = Molecule>,
    ) -> Self {
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
    type Error = Infallible;

    fn start(&mut self) -> Result<State, Infallible> {
        let start = match self.starts.len() {
            0 => None,
            count => self.starts[self.episodes % count].clone(),
        };
        self.episodes += 1;
        Ok(start)
    }

    fn actions(&mut self, state: &State) -> Result<Vec<Action<State>>, Infallible> {
        let neighbours = self.cache.neighbours(state, &self.rules, self.fingerprint);
        let action = |molecule: &Rc<CachedMolecule>| Action {
            observation: molecule.observation.clone(),
            state: Some(Rc::clone(molecule)),
        };
        Ok(neighbours.iter().map(action).collect())
    }

    /// Distance of the predicted objective below the mean of the observations, in their standard
    /// deviations. Unlike in hartree, rewards have the same scale for energies per atom and total
    /// energies.
    fn reward(&mut self, state: &State) -> Result<f64, Infallible> {
        let predict = |molecule: &Molecule| self.model.predict([molecule])[0].mean;
        Ok(state.as_ref().map_or(0.0, |cached| {
            self.model
                .standardised_gain(*cached.predicted.get_or_init(|| predict(&cached.molecule)))
        }))
    }
}

impl MoleculeCache {
    /// The cached molecule, added if it is new.
    fn molecule(&mut self, molecule: Molecule, fingerprint: Fingerprint) -> Rc<CachedMolecule> {
        let smiles = molecule.canonical_smiles();
        let cached = self.molecules.entry(smiles).or_insert_with_key(|smiles| {
            Rc::new(CachedMolecule {
                smiles: smiles.clone(),
                observation: molecule.morgan_bits(fingerprint.radius, fingerprint.bits),
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
        fingerprint: Fingerprint,
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
