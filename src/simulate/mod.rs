//! Simulation engines: each renders the inputs of one quantum chemistry method and parses its outputs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    #[schemars(range(min = 1))]
    pub embed_timeout_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            embed_timeout_seconds: 10,
        }
    }
}

/// The names of all engines.
pub fn names() -> &'static [&'static str] {
    &["gfn2//mmff94", "xtb"]
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
    pub geometry: Vec<(String, [f64; 3])>,
}

/// Why there is no energy.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("no geometry: {0}")]
    NoGeometry(String),
    #[error("not converged: {0}")]
    NotConverged(String),
    #[error("not supported: {0}")]
    Unsupported(String),
    #[error("unreadable output: {0}")]
    Unreadable(String),
}

/// What is needed to get an answer from an engine.
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
pub struct Outputs {
    /// The directory it ran in.
    pub dir: PathBuf,
    pub stdout: String,
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
pub trait Simulator {
    /// The level of theory that `request` asks for, for reports and cache keys.
    fn level(&self, request: &Request) -> String;
    /// The program that must be installed, none for a built-in engine.
    fn requirement(&self) -> Option<Requirement>;
    fn prepare(&self, request: &Request) -> Result<Prepared, SimError>;
    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError>;
}
