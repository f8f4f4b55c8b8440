//! Simulation engines: each renders the inputs of one quantum chemistry method and parses its
//! outputs.

mod atoms;
mod basis;
mod command;
mod conformer;
mod electrons;
mod engine;
mod functional;
mod gfn2;
mod key;
mod nwchem;
mod qcengine;
mod said;
mod vibrations;
mod words;
mod xtb;

use std::collections::BTreeMap;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use atoms::{atomic_reference_smiles, ground_state_unpaired_electrons};
pub use command::{Command, EnergyUnit};
pub use conformer::Search;
pub use engine::{QcEngine, programs};
pub use gfn2::{Gfn2, VERSION as LIBRARIES};
pub use key::key_parts;
pub use nwchem::{Functions, Job, Nwchem};
pub use qcengine::Qcengine;
pub use said::without_backtrace;
pub use words::{WORD_FORMAT, Words};
pub use xtb::Xtb;

use crate::chem::{ChemError, Geometry, Molecule, atomic_number, rearrangement};
use crate::property::{Dimension, ENERGY, Quantities};
use conformer::{CONFORMERS, EMBED_TIMEOUT};

/// One molecule, or one atom for the atomic references, to have its energy computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Canonical SMILES; a single free atom is written `[H]`, `[C]`, ...
    pub smiles: String,
    /// The engine and its settings, validated by `config`.
    #[serde(flatten)]
    pub engine: QcEngine,
    /// Seed of the embedding.
    pub seed: u64,
    /// The geometry to begin with, where another engine gives it; none for MMFF94's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<RelaxedGeometry>,
}

impl Request {
    /// The level of theory of the geometry to begin with.
    fn geometry_level(&self) -> &str {
        self.geometry.as_ref().map_or(MMFF94, |given| &given.level)
    }
}

/// Name of the symbolic link to the scratch folder beside a program's files.
pub const SCRATCH_LINK: &str = "scratch";

/// The level of the geometries that engines begin with unless told otherwise.
pub const MMFF94: &str = "MMFF94";

/// The level of those that MMFF94 cannot treat.
const ETKDG: &str = "ETKDG";

/// A geometry that another engine found: the first step of a two-step level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelaxedGeometry {
    /// Its level of theory.
    pub level: String,
    /// In the XYZ format, angstrom.
    pub xyz: String,
}

/// Result of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimResult {
    /// Total energy in hartree.
    pub total_energy_hartree: f64,
    pub engine: String,
    /// Version of the program or libraries that computed it.
    pub version: String,
    /// Level of theory, e.g. `GFN2-xTB//MMFF94`.
    pub level: String,
    /// Further quantities by their names, in atomic units.
    #[serde(default, skip_serializing_if = "Quantities::is_empty")]
    pub quantities: Quantities,
    /// Element symbols and positions in angstrom, in atom order.
    pub geometry: Geometry,
}

impl SimResult {
    /// All quantities, the total energy among them, by their names in atomic units.
    pub fn all_quantities(&self) -> Quantities {
        let mut quantities = self.quantities.clone();
        quantities.insert(ENERGY.to_owned(), self.total_energy_hartree);
        quantities
    }
}

/// Error of a simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The SMILES cannot be read, or the molecule has no 3D structure.
    #[error("{0}")]
    NoGeometry(String),
    #[error("{0}")]
    NotConverged(String),
    /// The program computed NaN, or a number that no energy of the molecule can be.
    #[error("{0}")]
    NotANumber(String),
    /// The relaxed geometry is that of another molecule.
    #[error("{0}")]
    Rearranged(String),
    /// The method cannot treat the molecule: charge, spin, element.
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Unreadable(String),
    /// A file of the program, named first, that is there and could not be read.
    #[error("{0}")]
    File(String, #[source] Errno),
    /// The program was given too little memory.
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
    /// A file that could not be read: missing, or kept from being read by the system.
    fn of_file(name: String, error: &io::Error) -> Self {
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
            | ChemError::Unsupported { .. } => Self::Unsupported(error.to_string()),
        }
    }
}

/// Next step of a simulation: done, or a program to run.
#[derive(Clone, Debug, PartialEq)]
pub enum PreparedSimulation {
    /// A built-in engine has the answer at once.
    Done(SimResult),
    /// A program must be run in an empty directory with these files in it.
    Program(Program),
}

/// A program to run for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// True for an MPI program, which the site's launcher starts.
    pub parallel: bool,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// File name and content, written before the program starts.
    pub files: Vec<(String, String)>,
}

/// Output of a program.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The directory it ran in.
    pub dir: PathBuf,
    pub stdout: String,
    pub stderr: String,
    /// None if a signal ended it.
    pub exit_code: Option<i32>,
}

/// A program an engine cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name on PATH, or the path of its file.
    pub program: String,
    /// Arguments that make it print its version and end; none if there are no such.
    pub version_args: Option<&'static [&'static str]>,
    pub install: &'static str,
}

/// The MPI processes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    pub nodes: NonZeroUsize,
    pub ranks_per_node: NonZeroUsize,
    pub cores_per_rank: NonZeroUsize,
}

impl Ranks {
    /// Processes on all nodes together.
    pub fn total(&self) -> usize {
        self.nodes.get().saturating_mul(self.ranks_per_node.get())
    }
}

/// Problem of a setting of an engine, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// Name of the setting.
    pub setting: &'static str,
    pub message: String,
    pub hint: String,
}

/// A quantum chemistry engine with its settings.
pub trait Simulator {
    /// The level of theory of its energies when it begins with geometries of the level `geometry`.
    fn level(&self, geometry: &str) -> String;
    /// The quantities that it returns for a molecule, by name.
    fn quantities(&self) -> BTreeMap<String, Dimension> {
        BTreeMap::from([(ENERGY.to_owned(), Dimension::ENERGY)])
    }
    /// The program that must be installed, none for a built-in engine.
    fn requirement(&self) -> Option<Requirement> {
        None
    }
    /// Returns true if it relaxes geometries at its own level, such that other engines can start
    /// from them.
    fn relaxes(&self) -> bool {
        false
    }
    /// Problems of its settings for molecules of hydrogen and these elements.
    fn faults(&self, _elements: &[String]) -> Vec<SettingFault> {
        Vec::new()
    }
    /// Processes of an MPI program; none for other programs.
    fn ranks(&self) -> Option<Ranks> {
        None
    }
    /// Search for its initial geometry.
    fn search(&self) -> Search;
    /// Checks the molecule, and answers at once or says which program to run. `scratch`: the folder
    /// for temporary files, to which [`SCRATCH_LINK`] leads where the program runs.
    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError>;
    /// Reads what the program of [`Simulator::prepare`] left.
    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError>;
}

/// A molecule as a program needs it.
struct Start {
    geometry: Geometry,
    /// The level of theory of its geometry; none for a free atom and for what another engine gave.
    level: Option<&'static str>,
    unpaired_electrons: u32,
}

impl Start {
    /// The geometry, by default MMFF94's, of a neutral closed-shell molecule, or a free atom in its
    /// ground state.
    fn new(request: &Request, engine: &str, search: Search) -> Result<Self, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        if let Some(symbol) = molecule.free_atom() {
            return Ok(Self {
                unpaired_electrons: free_atom_spin(&molecule, symbol)?,
                geometry: atom_at_origin(symbol),
                level: None,
            });
        }
        // Some programs take an odd number of electrons without a word.
        require_neutral_closed_shell(&molecule, engine)?;
        let (geometry, level) = match &request.geometry {
            Some(RelaxedGeometry { xyz, level }) => {
                let given = of_elements(Geometry::from_xyz(xyz)?)?;
                require_same_bonds(&molecule, &given, level)?;
                (given, None)
            }
            // Its bonds are compared once it may have been relaxed.
            None => {
                let conformers = search.run(&molecule, request.seed)?;
                let level = if conformers.relaxed { MMFF94 } else { ETKDG };
                (conformer::lowest_geometry(conformers)?, Some(level))
            }
        };
        Ok(Self {
            geometry,
            level,
            unpaired_electrons: 0,
        })
    }

    fn multiplicity(&self) -> u32 {
        self.unpaired_electrons + 1
    }
}

/// The number of embeddings that the schema shows as the default.
fn conformers() -> Option<NonZeroU32> {
    Some(CONFORMERS)
}

/// Refuses what some program wrote in the place of an element: it would go into the input of
/// another.
fn of_elements(geometry: Geometry) -> Result<Geometry, SimError> {
    let mut symbols = geometry.atoms.iter().map(|(symbol, _)| symbol);
    match symbols.find(|symbol| atomic_number(symbol).is_none()) {
        Some(symbol) => Err(SimError::Unreadable(format!(
            "`{}` in the geometry is no element",
            symbol.escape_default()
        ))),
        None => Ok(geometry),
    }
}

/// Refuses a geometry that `what` relaxed into that of another molecule.
fn require_same_bonds(
    molecule: &Molecule,
    geometry: &Geometry,
    what: &str,
) -> Result<(), SimError> {
    match rearrangement(molecule, geometry)? {
        None => Ok(()),
        Some(how) => Err(SimError::Rearranged(format!(
            "{what} turned `{}` into another molecule: it {how}",
            molecule.canonical_smiles()
        ))),
    }
}

/// Refuses what a closed-shell method without charge cannot treat.
fn require_neutral_closed_shell(molecule: &Molecule, engine: &str) -> Result<(), SimError> {
    let (charge, electrons) = (molecule.charge(), molecule.electrons());
    let reason = if charge != 0 {
        format!("has charge {charge:+}, and {engine} computes neutral molecules only")
    } else if electrons % 2 == 1 {
        format!("has {electrons} electrons, and {engine} computes closed shells only")
    } else {
        return Ok(());
    };
    let smiles = molecule.canonical_smiles();
    Err(SimError::Unsupported(format!("`{smiles}` {reason}")))
}

/// The unpaired electrons of a free atom, which must be neutral and of an element whose ground
/// state is known.
fn free_atom_spin(molecule: &Molecule, symbol: &str) -> Result<u32, SimError> {
    match ground_state_unpaired_electrons(symbol) {
        Some(unpaired) if molecule.charge() == 0 => Ok(unpaired),
        _ => Err(SimError::Unsupported(format!(
            "`{}` is not a neutral main-group atom",
            molecule.canonical_smiles()
        ))),
    }
}

/// A single atom at the origin.
fn atom_at_origin(symbol: &str) -> Geometry {
    Geometry {
        atoms: vec![(symbol.to_owned(), [0.0; 3])],
    }
}
