//! Environment of walks over edits: molecules as states, edits as actions, predictions of the
//! surrogate as rewards.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::edits::TYPICAL_NEIGHBOURS;
use super::explored::Names;
use super::{Proposal, SearchContext};
use crate::chem::edit::{EditRules, neighbours};
use crate::chem::{Molecule, Neighbour};
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
    /// Molecules one edit away from those that the agent visited, by canonical SMILES of those.
    neighbours: BTreeMap<String, Vec<State>>,
    /// Number of molecules in `neighbours`.
    cached: usize,
    /// Canonical SMILES of all neighbours that may be proposed, where they are, with the molecules
    /// that they were made of.
    enumerated: Option<Names>,
}

/// A molecule, or None for nothing, to which the first action adds an atom.
pub type State = Option<Rc<Reached>>;

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

/// A molecule of a walk.
pub struct Reached {
    neighbour: Option<Neighbour>,
    /// The molecule that it is a neighbour of.
    parents: Vec<Rc<str>>,
    observation: StateObservation,
    /// The whole molecule: of one among many choices not before it is visited.
    visited: OnceCell<Visited>,
    /// Standardised gain of the predicted costs, computed when it is first needed.
    gain: OnceCell<f64>,
}

/// A molecule that was visited.
struct Visited {
    smiles: String,
    molecule: Molecule,
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
        Self {
            model: search.model,
            rules: search.rules,
            fingerprint,
            starts: starts.iter().map(Reached::start).map(Some).collect(),
            episodes: 0,
            neighbours: BTreeMap::new(),
            cached: 0,
            enumerated: (proposals == WalkProposals::Enumerated).then(Names::new),
        }
    }

    /// Calls `visit` with the enumerated molecules, where they are proposed, in the order of SMILES.
    pub fn propose_enumerated(&self, visit: &mut dyn FnMut(Proposal<'_>)) {
        for (smiles, parents) in self.enumerated.iter().flatten() {
            visit(Proposal { smiles, parents });
        }
    }
}

/// Calls `visit` with a state that the rules permit.
pub fn propose_state(state: &State, rules: &EditRules, visit: &mut dyn FnMut(Proposal<'_>)) {
    if let Some(reached) = state
        && let visited = reached.visited()
        && rules.permits(&visited.molecule)
    {
        visit(Proposal {
            smiles: &visited.smiles,
            parents: &reached.parents,
        });
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
        let action = |state: &State| Action {
            observation: state
                .as_ref()
                .map_or_else(Vec::new, |s| s.observation.clone()),
            state: state.clone(),
        };
        Ok(self.neighbours(state).iter().map(action).collect())
    }

    /// Distance of the predicted cost below the mean of the observations, in their standard
    /// deviations, of several objectives the mean: rewards have the same scale for every property.
    fn reward(&mut self, state: &State) -> Result<f64, DesignError> {
        let Some(reached) = state else {
            return Ok(0.0);
        };
        let gain = match reached.gain.get() {
            Some(gain) => *gain,
            None => {
                let costs = self.model.predict(&[&reached.visited().molecule])?;
                self.model.standardised_gain(&costs[0])
            }
        };
        Ok(*reached.gain.get_or_init(|| gain))
    }
}

impl MoleculeEnvironment {
    /// The molecules one edit away from `state`, in an order that depends only on that.
    fn neighbours(&mut self, state: &State) -> &[State] {
        let visited = state.as_deref().map(Reached::visited);
        // The empty SMILES stands for nothing.
        let smiles = visited.map_or("", |visited| &visited.smiles);
        if !self.neighbours.contains_key(smiles) {
            if self.cached > MOST_CACHED {
                self.neighbours.clear();
                self.cached = 0;
            }
            let molecule = visited.map(|visited| &visited.molecule);
            let parents: Vec<Rc<str>> = molecule.map(|_| smiles.into()).into_iter().collect();
            let reached = neighbours(molecule, &self.rules).into_iter();
            let reached = reached.map(|next| Some(Rc::new(self.reached(next, parents.clone()))));
            let reached: Vec<State> = reached.collect();
            if let Some(enumerated) = &mut self.enumerated {
                for state in &reached {
                    let mut add = |Proposal { smiles, parents }: Proposal<'_>| {
                        let known = enumerated.entry(smiles.to_owned());
                        known.or_insert_with(|| parents.to_vec());
                    };
                    propose_state(state, &self.rules, &mut add);
                }
            }
            self.cached += reached.len();
            self.neighbours.insert(smiles.to_owned(), reached);
        }
        &self.neighbours[smiles]
    }

    fn reached(&self, neighbour: Neighbour, parents: Vec<Rc<str>>) -> Reached {
        let observe = |Fingerprint { radius, bits }| neighbour.morgan_bits(radius, bits);
        Reached {
            observation: self.fingerprint.map_or_else(Vec::new, observe),
            neighbour: Some(neighbour),
            parents,
            visited: OnceCell::new(),
            gain: OnceCell::new(),
        }
    }
}

impl Reached {
    /// A molecule at which an episode begins; the agent does not observe it.
    fn start(molecule: &Molecule) -> Rc<Self> {
        let visited = Visited::new(molecule.canonical_smiles());
        Rc::new(Self {
            neighbour: None,
            parents: Vec::new(),
            observation: Vec::new(),
            visited: OnceCell::from(visited),
            gain: OnceCell::new(),
        })
    }

    fn visited(&self) -> &Visited {
        self.visited.get_or_init(|| {
            let neighbour = self.neighbour.as_ref();
            Visited::new(neighbour.map(Neighbour::smiles).unwrap_or_default())
        })
    }
}

impl Visited {
    fn new(smiles: String) -> Self {
        Self {
            molecule: Molecule::from_canonical(&smiles)
                .expect("canonical SMILES is that of a molecule"),
            smiles,
        }
    }
}
