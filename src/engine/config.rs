//! All that the engine needs to know of a campaign, as plain values.

use crate::design::{GenerateSettings, ScreenSettings, TrainSettings};
use crate::simulate;
use crate::spec::campaign::{Schedule, Stop};

/// A campaign as the engine sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub seed: u64,
    pub schedule: Schedule,
    /// Whether the objective is divided by the number of atoms.
    pub per_atom: bool,
    /// Heavy elements of the search space.
    pub elements: Vec<String>,
    pub max_heavy_atoms: usize,
    pub allowed_ring_sizes: Vec<usize>,
    pub references: SimulateStage,
    pub initial: SimulateStage,
    pub evaluate: SimulateStage,
    /// Molecules that `initial` draws.
    pub initial_count: usize,
    /// Simulations that `evaluate` keeps submitted.
    pub parallel: usize,
    /// Candidates in a batch.
    pub select: usize,
    pub train: LearnStage<TrainSettings>,
    pub generate: LearnStage<GenerateSettings>,
    pub screen: LearnStage<ScreenSettings>,
    pub stop: Stop,
}

/// A stage that computes energies.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateStage {
    pub stage: String,
    pub retries: u32,
    pub engine: String,
    pub settings: simulate::Settings,
}

/// A stage of the generator loop.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnStage<S> {
    pub stage: String,
    pub retries: u32,
    pub settings: S,
}
