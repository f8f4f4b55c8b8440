//! Simulation engines: each renders the inputs of one quantum chemistry method and parses its
//! outputs.

mod atoms;
mod basis;
mod command;
mod conformer;
mod dipole;
mod electrons;
mod engine;
mod functional;
mod gfn2;
mod key;
mod nwchem;
mod prepared;
mod program_error;
mod python;
mod qcengine;
mod solvent;
mod symmetry;
mod table;
mod thermochemistry;
mod vibrations;
mod words;
mod xtb;

use std::collections::BTreeMap;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use atoms::atomic_reference_smiles;
pub(crate) use atoms::ground_state_unpaired_electrons;
pub use command::CommandEngine;
pub(crate) use command::unit_error;
pub use conformer::ConformerSearch;
pub use engine::QcEngine;
pub(crate) use engine::programs;
pub use gfn2::Gfn2;
pub(crate) use gfn2::VERSION as LIBRARIES;
pub(crate) use key::key_parts;
pub use nwchem::{Functions, Nwchem, NwchemTask, OpenShells};
pub(crate) use program_error::without_backtrace;
pub use python::{FunctionCall, PythonEngine};
pub use qcengine::Qcengine;
pub use solvent::Solvent;
pub use table::{TableEngine, TableRows};
pub(crate) use words::WORD_FORMAT;
pub use words::Words;
pub use xtb::{Xtb, XtbTask};

use crate::chem::{ChemError, Geometry, Molecule, rearrangement};
pub(crate) use crate::property::UNIT_FORMAT;
use crate::property::{Dimension, ENERGY, Quantities, built_in};
use conformer::{CONFORMERS, EMBED_TIMEOUT};
use electrons::ElectronicState;
use prepared::PreparedMolecule;

/// Request for the energy of one molecule, or of a free atom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Canonical SMILES; a free atom is written `[H]`, `[C]`, ...
    pub smiles: String,
    /// The engine and its settings, validated by `config`.
    #[serde(flatten)]
    pub engine: QcEngine,
    /// Seed of the embeddings.
    pub seed: u64,
    /// Initial geometry from another engine; None to start from the lowest conformer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<RelaxedGeometry>,
}

impl Request {
    /// Level of theory of the initial geometry.
    fn geometry_level(&self) -> &str {
        self.geometry
            .as_ref()
            .map_or(MMFF94, |given| &given.level_of_theory)
    }
}

/// Name of the symbolic link to the scratch folder in a program's directory.
pub(crate) const SCRATCH_LINK: &str = "scratch";

/// Level of theory of the initial geometries that are not from another engine.
pub(crate) const MMFF94: &str = "MMFF94";

/// Geometry relaxed by another engine: result of the first step of a two-step level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelaxedGeometry {
    /// Level of theory; `level` in files of version 0.1.0.
    #[serde(alias = "level")]
    pub level_of_theory: String,
    /// Text of an XYZ file, angstrom.
    pub xyz: String,
}

/// Result of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimResult {
    /// Total energy in hartree; None if the method computes other quantities only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_energy_hartree: Option<f64>,
    /// Name of the engine, as in campaigns.
    pub engine: String,
    /// Version of the program or libraries.
    pub version: String,
    /// Level of theory, e.g. `GFN2-xTB//MMFF94`.
    #[serde(alias = "level")]
    pub level_of_theory: String,
    /// Further quantities by their names, in atomic units.
    #[serde(default, skip_serializing_if = "Quantities::is_empty")]
    pub quantities: Quantities,
    /// Element symbols and positions in angstrom, in atom order; None of a method that needs no
    /// geometry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Geometry>,
}

impl SimResult {
    /// All quantities, the total energy among them, by their names in atomic units.
    pub fn all_quantities(&self) -> Quantities {
        let mut quantities = self.quantities.clone();
        let energy = self.total_energy_hartree;
        quantities.extend(energy.map(|energy| (ENERGY.to_owned(), energy)));
        quantities
    }
}

/// Error of a simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The SMILES cannot be read, or the molecule has no 3D structure.
    #[error("{0}")]
    NoGeometry(String),
    /// The self-consistent field, the optimisation or the frequencies did not converge.
    #[error("{0}")]
    NotConverged(String),
    /// The program computed NaN, or an impossible energy.
    #[error("{0}")]
    NotANumber(String),
    /// The relaxed geometry is that of another molecule.
    #[error("{0}")]
    Rearranged(String),
    /// The method cannot treat the molecule: its charge, spin or an element.
    #[error("{0}")]
    Unsupported(String),
    /// The output of the program is missing or malformed.
    #[error("{0}")]
    Unreadable(String),
    /// A file of the program, named first, exists and could not be read.
    #[error("{0}")]
    File(String, #[source] Errno),
    /// The program ran out of memory.
    #[error("{0}")]
    Memory(String),
    /// The program could not write its temporary files.
    #[error("{0}")]
    Scratch(String),
    /// The program ended abnormally.
    #[error("{0}")]
    Exit(String),
}

impl SimError {
    /// Error of reading the file `name`.
    fn from_file_error(name: String, error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(errno) if errno != Errno::NOENT => Self::File(name, errno),
            _ => Self::Unreadable(format!("{name}: {error}")),
        }
    }
}

impl From<ChemError> for SimError {
    fn from(error: ChemError) -> Self {
        match error {
            ChemError::NoGeometry { .. } => Self::NoGeometry(error.to_string()),
            ChemError::Xyz { .. } => Self::Unreadable(error.to_string()),
            ChemError::Unreadable { .. }
            | ChemError::Impossible { .. }
            | ChemError::TooLong { .. }
            | ChemError::Wildcard { .. }
            | ChemError::SeveralFragments { .. }
            | ChemError::NoForceField { .. }
            | ChemError::Unsupported { .. }
            | ChemError::Pattern { .. } => Self::Unsupported(error.to_string()),
        }
    }
}

/// Result of [`Simulator::prepare`].
#[derive(Clone, Debug, PartialEq)]
pub enum PreparedSimulation {
    /// Energy that was computed without a program.
    Done(SimResult),
    /// Program to run, in an empty directory.
    Program(Program),
    /// Function of the user to call.
    Function(FunctionCall),
}

/// Command line, environment and input files of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// True for an MPI program, which the site's launcher starts.
    pub parallel: bool,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables to set, name and value.
    pub env: Vec<(String, String)>,
    /// Name and content of each file to write before the program starts.
    pub files: Vec<(String, String)>,
}

/// Output of a program.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Directory that it ran in.
    pub dir: PathBuf,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// None if a signal terminated it.
    pub exit_code: Option<i32>,
}

/// A program that an engine requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Name on PATH, or path of the file.
    pub program: String,
    /// Arguments with which it prints its version and exits; None if there are none.
    pub version_args: Option<&'static [&'static str]>,
    /// Hint how to install it.
    pub install: &'static str,
}

/// MPI processes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Number of nodes.
    pub nodes: NonZeroUsize,
    /// Number of processes on each node.
    pub ranks_per_node: NonZeroUsize,
    /// Number of cores for each process.
    pub cores_per_rank: NonZeroUsize,
}

impl Ranks {
    /// Number of processes on all nodes.
    pub fn total(&self) -> usize {
        self.nodes.get().saturating_mul(self.ranks_per_node.get())
    }
}

/// Problem with a setting of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// Name of the setting.
    pub setting: &'static str,
    /// Description of the problem.
    pub message: String,
    /// Hint how to solve it.
    pub hint: String,
}

/// A quantum chemistry engine with its settings.
pub trait Simulator {
    /// Level of theory of its energies if initial geometries are of the level `geometry`.
    fn level(&self, geometry: &str) -> String;
    /// The quantities that it returns for a molecule, by name.
    fn quantities(&self) -> BTreeMap<String, Dimension> {
        built_in_quantities(&[ENERGY])
    }
    /// The program that must be installed, none for a built-in engine.
    fn requirement(&self) -> Option<Requirement> {
        None
    }
    /// Returns true if its geometries are relaxed at its own level, so that other engines can start
    /// from them.
    fn relaxes(&self) -> bool {
        false
    }
    /// Returns true if it computes at a geometry, which another engine may give.
    fn takes_geometries(&self) -> bool {
        true
    }
    /// Problems of its settings for molecules of hydrogen and the given elements.
    fn faults(&self, _elements: &[String]) -> Vec<SettingFault> {
        Vec::new()
    }
    /// Returns true if it computes ions and molecules with unpaired electrons.
    fn treats_open_shells_and_ions(&self) -> bool {
        true
    }
    /// Charge in elementary charges and multiplicity, 2S + 1, of its calculations of a molecule.
    ///
    /// # Errors
    ///
    /// The molecule cannot be in the state that the settings ask for.
    fn state_of(&self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        ElectronicState::default().of_molecule(molecule)
    }
    /// Reason for which it cannot compute free atoms; none if it can.
    fn free_atoms_unknown(&self) -> Option<String> {
        None
    }
    /// MPI processes; None if the program is not an MPI program.
    fn ranks(&self) -> Option<Ranks> {
        None
    }
    /// Search for the initial geometry.
    fn conformer_search(&self) -> ConformerSearch;
    /// Number of embeddings in its settings, none if they do not say; none of an engine that never
    /// makes geometries.
    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>>;
    /// Rough time of one molecule of about nine heavy atoms, for forecasts of campaigns whose
    /// calculations nobody has timed.
    fn typical_time(&self) -> Duration;
    /// Returns true if it looks results up instead of computing them, which takes no process.
    fn looks_up(&self) -> bool {
        false
    }
    /// Result for a molecule, looked up; none of an engine that computes.
    fn look_up(&self, _smiles: &str) -> Option<Result<SimResult, SimError>> {
        None
    }
    /// Checks the molecule, and computes its energy or prepares a program. `scratch` is the folder
    /// for temporary files; the link `scratch` in the program's directory leads to it.
    ///
    /// # Errors
    ///
    /// The molecule has no geometry, or the engine cannot treat it.
    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError>;
    /// Parses the output of the program from [`Simulator::prepare`].
    ///
    /// # Errors
    ///
    /// The program failed, its output is incomplete, or the result is not one of this molecule.
    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError>;
}

/// Dimensions of quantities that engines of this program return, by their names.
fn built_in_quantities(names: &[&str]) -> BTreeMap<String, Dimension> {
    let named = |name: &&str| Some(((*name).to_owned(), built_in(name)?));
    names.iter().filter_map(named).collect()
}

/// Default time limit of the embeddings.
fn embed_timeout() -> NonZeroU32 {
    EMBED_TIMEOUT
}

/// Default number of embeddings, for the schema.
fn default_conformers() -> Option<NonZeroU32> {
    Some(CONFORMERS)
}

/// Refuses a geometry that `method` has relaxed to another molecule.
fn require_same_bonds(
    molecule: &Molecule,
    geometry: &Geometry,
    method: &str,
) -> Result<(), SimError> {
    match rearrangement(molecule, geometry)? {
        None => Ok(()),
        Some(difference) => Err(SimError::Rearranged(format!(
            "{method} turned `{}` into another molecule: it {difference}",
            molecule.canonical_smiles()
        ))),
    }
}
