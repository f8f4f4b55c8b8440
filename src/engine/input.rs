//! Input and result of a task: the JSON between the engine and `moldflow task run`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::design::{GenerateInput, Observation, ScreenInput, TrainInput};
use crate::host::hash;
use crate::simulate::{self, RelaxedGeometry, Request, SimResult};
use crate::task::{Failure, FailureKind, FileRef, HostFault, Launch, Outcome, TaskId};

use super::{Engine, TaskSpec};

/// Seed of every embedding: an energy depends on molecule and method alone.
const EMBEDDING_SEED: u64 = 42;

/// Input of a task, `input.json` in the directory of its attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum TaskInput {
    /// Computes an energy.
    Simulate(SimulateInput),
    /// Computes a geometry, for the second step of a two-step level.
    Relax(SimulateInput),
    /// Fits the surrogate.
    Train(TrainInput),
    /// Proposes molecules.
    Generate(Box<GenerateInput>),
    /// Ranks proposed molecules.
    Screen(ScreenInput),
}

/// Input of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulateInput {
    /// Molecule, engine and geometry.
    #[serde(flatten)]
    pub request: Request,
    /// Launcher of an MPI program, if the site has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
}

/// Result of a task, `result.json` beside its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Outcome of the attempt.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Most memory that the task held at once, KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
    /// Energy, geometry and provenance; None unless it is a simulation that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<SimResult>,
    /// Fault of the task's host, if that is the reason for the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_fault: Option<HostFault>,
}

impl TaskInput {
    /// Returns the input of a simulation; None for another task.
    pub fn simulation(&self) -> Option<&SimulateInput> {
        match self {
            Self::Simulate(input) | Self::Relax(input) => Some(input),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    /// Returns the result of a simulation with this input from a cached one; None for another task.
    pub fn answer(&self, found: SimResult) -> Option<TaskResult> {
        let outcome = match self {
            Self::Simulate(_) => energy(&found),
            Self::Relax(_) => Outcome::Relaxed {
                xyz: found.geometry.to_xyz(&found.level_of_theory),
            },
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => return None,
        };
        Some(TaskResult {
            simulation: Some(found),
            ..TaskResult::bare(outcome)
        })
    }
}

fn energy(found: &SimResult) -> Outcome {
    let mut atoms = BTreeMap::new();
    for (symbol, _) in &found.geometry.atoms {
        *atoms.entry(symbol.clone()).or_default() += 1;
    }
    Outcome::Simulated {
        total_energy_hartree: found.total_energy_hartree,
        atoms,
    }
}

impl TaskResult {
    /// Returns the result of a task that failed because of its host.
    pub fn of_host(fault: HostFault, message: String) -> Self {
        let kind = FailureKind::Launch;
        Self {
            host_fault: Some(fault),
            ..Self::bare(Outcome::Failed(Failure { kind, message }))
        }
    }

    /// Returns a result that holds an outcome alone.
    pub fn bare(outcome: Outcome) -> Self {
        Self {
            outcome,
            peak_memory_kib: None,
            simulation: None,
            host_fault: None,
        }
    }
}

/// Names of files in the directory of an attempt.
pub mod file {
    /// Input of the task, JSON.
    pub const INPUT: &str = "input.json";
    /// Result of the task, JSON.
    pub const RESULT: &str = "result.json";
    /// Surrogate that the task reads.
    pub const MODEL: &str = "model";
    /// Statistics that a training reads.
    pub const STATISTICS: &str = "statistics";
    /// State of the agent that the task reads.
    pub const AGENT: &str = "agent";
    /// Molecules that a screening reads.
    pub const CANDIDATES: &str = "candidates";
    /// Surrogate that a training writes.
    pub const NEW_MODEL: &str = "new_model";
    /// Statistics that a training writes.
    pub const NEW_STATISTICS: &str = "new_statistics";
    /// State of the agent that the task writes.
    pub const NEW_AGENT: &str = "new_agent";
    /// Molecules that the agent visited.
    pub const NEW_CANDIDATES: &str = "new_candidates";
}

impl Outcome {
    /// Returns the files that a task left, with their names in the directory of the attempt.
    pub(crate) fn new_files(&self) -> Vec<(&'static str, &FileRef)> {
        match self {
            Self::Trained {
                model, statistics, ..
            } => {
                let statistics = statistics.iter().map(|s| (file::NEW_STATISTICS, s));
                [(file::NEW_MODEL, model)]
                    .into_iter()
                    .chain(statistics)
                    .collect()
            }
            Self::Generated {
                agent, candidates, ..
            } => {
                vec![(file::NEW_AGENT, agent), (file::NEW_CANDIDATES, candidates)]
            }
            Self::Simulated { .. }
            | Self::Relaxed { .. }
            | Self::Screened { .. }
            | Self::Failed(_) => vec![],
        }
    }
}

impl Engine {
    /// Returns the input of a live task, with the files that it reads and their names; None if the
    /// task has ended.
    pub fn input(&self, task: TaskId) -> Option<(TaskInput, Vec<(FileRef, &'static str)>)> {
        Some(match &self.live.get(&task)?.spec {
            TaskSpec::Reference { element } => {
                let engine = &self.config.references.engine;
                let input = simulate_input(engine, format!("[{element}]"), None);
                (TaskInput::Simulate(input), vec![])
            }
            TaskSpec::Relax(candidate) => {
                let step = self.evaluation_stage(candidate).geometry.as_ref()?;
                let input = simulate_input(&step.engine, candidate.smiles.clone(), None);
                (TaskInput::Relax(input), vec![])
            }
            TaskSpec::Evaluate {
                candidate,
                geometry,
            } => {
                let stage = self.evaluation_stage(candidate);
                let from = stage.geometry.as_ref().zip(geometry.as_ref());
                let geometry = from.map(|(step, xyz)| RelaxedGeometry {
                    level_of_theory: step.level(),
                    xyz: xyz.clone(),
                });
                let input = simulate_input(&stage.engine, candidate.smiles.clone(), geometry);
                (TaskInput::Simulate(input), vec![])
            }
            TaskSpec::Train { observations } => {
                let (input, statistics) = self.train_input(*observations);
                let files = statistics.map(|file| (file, file::STATISTICS));
                (TaskInput::Train(input), files.into_iter().collect())
            }
            TaskSpec::Generate {
                model,
                starts,
                epsilon_at_least,
            } => {
                let input = self.generate_input(starts.clone(), *epsilon_at_least);
                let agent = self.generator.agent().cloned();
                let files = [(model.clone(), file::MODEL)]
                    .into_iter()
                    .chain(agent.map(|agent| (agent, file::AGENT)));
                (TaskInput::Generate(Box::new(input)), files.collect())
            }
            TaskSpec::Screen {
                model,
                candidates,
                incumbent,
            } => {
                let input = TaskInput::Screen(ScreenInput {
                    model: file::MODEL.into(),
                    candidates: file::CANDIDATES.into(),
                    settings: self.config.screen.settings.clone(),
                    incumbent: *incumbent,
                });
                let files = [
                    (model.clone(), file::MODEL),
                    (candidates.clone(), file::CANDIDATES),
                ];
                (input, files.into())
            }
        })
    }

    fn generate_input(&self, starts: Vec<String>, epsilon_at_least: Option<f64>) -> GenerateInput {
        let c = &self.config;
        let batch = u64::from(self.generator.batch());
        GenerateInput {
            model: file::MODEL.into(),
            agent: self.generator.agent().map(|_| file::AGENT.into()),
            starts,
            elements: c.elements.clone(),
            max_heavy_atoms: c.max_heavy_atoms,
            allowed_ring_sizes: c.allowed_ring_sizes.clone(),
            settings: c.generate.settings.clone(),
            epsilon_at_least,
            seed: stream(c.seed, &c.generate.stage, batch),
            agent_out: PathBuf::from(file::NEW_AGENT),
            candidates_out: PathBuf::from(file::NEW_CANDIDATES),
        }
    }

    /// Returns the input of a training on the first `observations` evaluated molecules. Those in
    /// the statistics are passed as such, the others in order of submission, so the model does not
    /// depend on the order of arrival.
    fn train_input(&self, observations: usize) -> (TrainInput, Option<FileRef>) {
        let (statistics, learnt) = match self.generator.statistics() {
            Some((file, learnt)) => (Some(file.clone()), learnt),
            None => (None, 0),
        };
        let mut results: Vec<_> = self.evaluated[learnt..observations].iter().collect();
        results.sort_by_key(|m| m.task);
        let input = TrainInput {
            statistics: statistics.as_ref().map(|_| file::STATISTICS.into()),
            observations: results
                .into_iter()
                .map(|molecule| Observation {
                    smiles: molecule.smiles.clone(),
                    value: molecule.value,
                })
                .collect(),
            per_atom: self.config.per_atom,
            settings: self.config.train.settings.clone(),
            model_out: file::NEW_MODEL.into(),
            statistics_out: file::NEW_STATISTICS.into(),
        };
        (input, statistics)
    }
}

fn simulate_input(
    engine: &simulate::QcEngine,
    smiles: String,
    geometry: Option<RelaxedGeometry>,
) -> SimulateInput {
    SimulateInput {
        request: Request {
            smiles,
            engine: engine.clone(),
            seed: EMBEDDING_SEED,
            geometry,
        },
        launch: None,
    }
}

/// Returns the seed of the random stream `name`, `index` of a run: the first eight bytes of a
/// SHA-256.
pub fn stream(seed: u64, name: &str, index: u64) -> u64 {
    let hash = hash::digest([format!("{seed}/{name}/{index}").as_bytes()]);
    u64::from_be_bytes(hash[..8].try_into().unwrap_or_default())
}
