//! Simulation engines: each renders the inputs of one quantum chemistry method and parses its outputs.

mod atoms;
mod gfn2;
mod xtb;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use atoms::{atomic_reference_smiles, ground_state_unpaired_electrons};

use crate::chem::{ChemError, Geometry, Molecule};

/// The engines, in the order they are offered.
static ENGINES: [(&str, &dyn Simulator); 2] = [(gfn2::NAME, &gfn2::Gfn2), (xtb::NAME, &xtb::Xtb)];
static NAMES: [&str; 2] = [ENGINES[0].0, ENGINES[1].0];

/// The engine that campaigns call `name`.
pub fn simulator(name: &str) -> Option<&'static dyn Simulator> {
    ENGINES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, engine)| *engine)
}

/// The names of all engines.
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// One molecule, or one atom for the atomic references, to have its energy computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Canonical SMILES; a single free atom is written `[H]`, `[C]`, ...
    pub smiles: String,
    /// Name of the engine as campaigns write it: `gfn2//mmff94`, `xtb`.
    pub engine: String,
    /// Settings of the engine, validated by `spec`.
    pub settings: Settings,
    /// Seed of the embedding.
    pub seed: u64,
}

/// Settings that change the numbers an engine returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whole seconds an embedding may take before the molecule counts as one without a geometry.
    pub embed_timeout_seconds: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            embed_timeout_seconds: NonZeroU32::new(10).expect("ten is not zero"),
        }
    }
}

impl Settings {
    fn embed_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.embed_timeout_seconds.get()))
    }
}

/// What an engine found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimResult {
    /// Total energy in hartree.
    pub total_energy_hartree: f64,
    pub engine: String,
    /// Version of the program or libraries that computed it.
    pub version: String,
    /// Level of theory, e.g. `GFN2-xTB//MMFF94`.
    pub level: String,
    /// Element symbols and positions in angstrom, in atom order.
    pub geometry: Geometry,
}

/// Why there is no energy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The SMILES cannot be read, or the molecule has no 3D structure.
    #[error("{0}")]
    NoGeometry(String),
    #[error("{0}")]
    NotConverged(String),
    /// The method cannot treat the molecule: charge, spin, element.
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Unreadable(String),
    /// The program ended abnormally.
    #[error("{0}")]
    Exit(String),
}

impl From<ChemError> for SimError {
    fn from(error: ChemError) -> Self {
        match error {
            ChemError::NoGeometry { .. } => Self::NoGeometry(error.to_string()),
            ChemError::Xyz { .. } => Self::Unreadable(error.to_string()),
            ChemError::Unreadable { .. }
            | ChemError::SeveralFragments { .. }
            | ChemError::Unsupported { .. } => Self::Unsupported(error.to_string()),
        }
    }
}

/// What is needed to get an answer from an engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// A built-in engine has the answer at once.
    Done(SimResult),
    /// A program must be run in an empty directory with these files in it.
    Program(Program),
}

/// A program to run for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// File name and content, written before the program starts.
    pub files: Vec<(String, String)>,
}

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The directory it ran in.
    pub dir: PathBuf,
    pub stdout: String,
    /// None if a signal ended it.
    pub exit_code: Option<i32>,
}

/// A program an engine cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub program: &'static str,
    /// Arguments that make it print its version.
    pub version_args: &'static [&'static str],
    pub install: &'static str,
}

/// A quantum chemistry engine.
pub trait Simulator: Sync {
    /// The level of theory that `request` asks for, for reports and cache keys.
    fn level(&self, request: &Request) -> String;
    /// The program that must be installed, none for a built-in engine.
    fn requirement(&self) -> Option<Requirement>;
    /// Checks the molecule, and answers at once or says which program to run.
    fn prepare(&self, request: &Request) -> Result<Prepared, SimError>;
    /// Reads what the program of [`Simulator::prepare`] left.
    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError>;
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

/// The unpaired electrons of a free atom, which must be neutral and of an element whose ground state is known.
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
