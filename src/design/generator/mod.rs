//! Generators: they propose molecules.

mod edits;
pub(super) mod environment;
mod explored;
mod genetic;
mod moldqn;
mod pool;
mod python;
mod random_walk;

use std::path::PathBuf;
use std::rc::Rc;

use super::error::DesignError;
use super::ranges::{RangeFault, out_of_range};
use super::surrogate::{LabelledMolecule, TrainedModel};
use crate::chem::Molecule;
use crate::chem::edit::EditRules;
use crate::task::Metrics;

pub use edits::Edits;
pub use environment::{EpisodeStart, WalkProposals};
pub use genetic::Genetic;
pub use moldqn::Moldqn;
pub use pool::Pool;
pub use python::PythonGenerator;
pub use random_walk::RandomEdits;

engines! {
    /// Generators by their names in campaigns, with their settings.
    pub enum GenerateEngine: dyn GeneratorSettings, checked by out_of_range {
        /// Deep Q-learning on valence edits (Zhou et al., Sci. Rep. 9, 10752, 2019).
        Moldqn(#[serde(default)] Moldqn) = "moldqn",
        /// Random walk over the same edits, without learning: the baseline.
        Random(#[serde(default)] RandomEdits) = "random",
        /// Beam search over edits of the best measured molecules, judged by the model.
        Edits(#[serde(default)] Edits) = "edits",
        /// Graph-based genetic algorithm (Jensen, Chem. Sci. 10, 3567, 2019), bred on the model.
        Genetic(#[serde(default)] Genetic) = "genetic",
        /// Every molecule of the source: active learning over a fixed pool.
        Pool(#[serde(default)] Pool) = "pool",
        /// A function of your own in Python.
        Python(PythonGenerator) = "python",
    }
}

/// Settings of a generator, which create and restore it.
pub trait GeneratorSettings {
    /// Problems of the settings beyond the ranges in their schema.
    fn faults(&self) -> Vec<RangeFault> {
        Vec::new()
    }

    /// True if it proposes molecules of the source, which the run then keeps in a file.
    fn needs_pool(&self) -> bool {
        false
    }

    /// Rough number of molecules that it proposes in a round, for forecasts; none for the whole
    /// pool.
    fn typical_count(&self) -> Option<usize>;

    /// Restores the generator that an earlier round saved, or creates one from `seed`.
    ///
    /// # Errors
    ///
    /// The saved bytes are damaged or of another generator, or it cannot be created.
    fn load(&self, saved: Option<&[u8]>, seed: u64) -> Result<Box<dyn Generator>, DesignError>;
}

/// A source of new molecules, saved between rounds.
pub trait Generator {
    /// Proposes molecules: calls `visit` with each, in order; one may come several times. Returns
    /// numbers that describe what it did.
    ///
    /// # Errors
    ///
    /// The generator fails or diverges, the model cannot predict a molecule, or a file cannot be
    /// read.
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError>;

    /// Encodes the generator, to the last bit.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    fn to_bytes(&self) -> Result<Vec<u8>, DesignError>;
}

/// A proposed molecule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// Canonical SMILES.
    pub smiles: &'a str,
    /// The molecules that it was made of, canonical SMILES: of an edit one, of a crossover two; none
    /// of a molecule that was made of nothing or taken from a source.
    pub parents: &'a [Rc<str>],
}

impl<'a> Proposal<'a> {
    /// A molecule without parents.
    pub fn of(smiles: &'a str) -> Self {
        Self {
            smiles,
            parents: &[],
        }
    }
}

/// All that a generator is given for a round.
pub struct SearchContext {
    /// The model of the round, which predicts costs.
    pub model: TrainedModel,
    /// The molecules that may be proposed.
    pub rules: EditRules,
    /// The best evaluated molecules, the best first.
    pub best: Vec<LabelledMolecule>,
    /// Molecules of the source to begin at; empty unless earlier rounds were scarce.
    pub starts: Vec<Molecule>,
    /// File with the molecules of the source, canonical SMILES, one a line, if it was asked for.
    pub pool: Option<PathBuf>,
    /// Number of rounds before this one, in a row, in which the generator proposed fewer new
    /// molecules than a batch takes.
    pub scarce_rounds: usize,
    /// Seed of the round.
    pub seed: u64,
}
