//! The environment of the agent: molecules as states, valence edits as actions, the model's word as
//! reward.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use super::model::GroupModel;
use crate::chem::Molecule;
use crate::chem::edit::{EditRules, successors};
use crate::learn::environment::{Action, AgentEnvironment, StateObservation};

/// Molecules that may be reached from the start molecules, or from nothing.
pub struct MoleculeEnvironment {
    pub model: GroupModel,
    pub rules: EditRules,
    pub view: View,
    starts: Vec<State>,
    episodes: usize,
    seen: Seen,
}

/// A molecule, or nothing at all.
pub type State = Option<Rc<SeenMolecule>>;

/// Representation of a molecule for the agent: a Morgan fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub radius: u32,
    pub bits: usize,
}

/// A molecule with what was worked out about it.
pub struct SeenMolecule {
    pub smiles: String,
    molecule: Molecule,
    observation: StateObservation,
    /// Predicted objective, hartree, once asked for.
    predicted: OnceCell<f64>,
}

/// Molecules met in this call by canonical SMILES, and the neighbours of those the agent stood on.
#[derive(Default)]
struct Seen {
    molecules: BTreeMap<String, Rc<SeenMolecule>>,
    neighbours: BTreeMap<String, Vec<Rc<SeenMolecule>>>,
}

/// More molecules than this are not kept: about half a gigabyte.
const MOST_SEEN: usize = 200_000;

impl MoleculeEnvironment {
    /// Episode k begins at `starts[k % len]`, or at nothing if there are none. Starts larger than
    /// the rules allow are left out.
    pub fn new(
        model: GroupModel,
        rules: EditRules,
        view: View,
        starts: impl IntoIterator<Item = Molecule>,
    ) -> Self {
        let mut seen = Seen::default();
        let starts = starts
            .into_iter()
            .filter(|start| start.heavy_atoms().len() <= rules.max_heavy_atoms)
            .map(|start| Some(seen.molecule(start, view)))
            .collect();
        Self {
            model,
            rules,
            view,
            starts,
            episodes: 0,
            seen,
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
        let neighbours = self.seen.neighbours(state, &self.rules, self.view);
        let action = |molecule: &Rc<SeenMolecule>| Action {
            observation: molecule.observation.clone(),
            state: Some(Rc::clone(molecule)),
        };
        Ok(neighbours.iter().map(action).collect())
    }

    /// Distance of the predicted objective below the mean of the observations, in their standard
    /// deviations: minus the prediction, on a scale on which energies per atom can be told apart as
    /// well as whole ones.
    fn reward(&mut self, state: &State) -> Result<f64, Infallible> {
        let predict = |molecule: &Molecule| self.model.predict([molecule])[0].mean;
        Ok(state.as_ref().map_or(0.0, |seen| {
            self.model
                .standardised_gain(*seen.predicted.get_or_init(|| predict(&seen.molecule)))
        }))
    }
}

impl Seen {
    fn molecule(&mut self, molecule: Molecule, view: View) -> Rc<SeenMolecule> {
        let smiles = molecule.canonical_smiles();
        let seen = self.molecules.entry(smiles).or_insert_with_key(|smiles| {
            Rc::new(SeenMolecule {
                smiles: smiles.clone(),
                observation: molecule.morgan_bits(view.radius, view.bits),
                molecule,
                predicted: OnceCell::new(),
            })
        });
        Rc::clone(seen)
    }

    /// The molecules one edit away from `state`, sorted by SMILES.
    fn neighbours(&mut self, state: &State, rules: &EditRules, view: View) -> &[Rc<SeenMolecule>] {
        // Nothing has the empty SMILES.
        let smiles = state.as_ref().map_or("", |seen| &seen.smiles);
        if !self.neighbours.contains_key(smiles) {
            if self.molecules.len() > MOST_SEEN {
                *self = Self::default();
            }
            let molecule = state.as_ref().map(|seen| &seen.molecule);
            let neighbours = successors(molecule, rules)
                .into_iter()
                .map(|molecule| self.molecule(molecule, view))
                .collect();
            self.neighbours.insert(smiles.to_owned(), neighbours);
        }
        &self.neighbours[smiles]
    }
}
