//! What a task is given and what it gives back: the JSON between the engine and `moldflow task
//! run`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::design::{GenerateInput, Observation, ScreenInput, TrainInput};
use crate::host::hash;
use crate::simulate::{self, RelaxedGeometry, Request, SimResult};
use crate::task::{Failure, FailureKind, FileRef, HostFault, Launch, Outcome, TaskId};

use super::{Engine, TaskSpec};

/// One seed for every embedding, so that an energy depends on molecule and method alone.
const EMBEDDING_SEED: u64 = 42;

/// Input of a task, `input.json` in the directory of its attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum TaskInput {
    Simulate(SimulateInput),
    /// A simulation for its geometry.
    Relax(SimulateInput),
    Train(TrainInput),
    Generate(Box<GenerateInput>),
    Screen(ScreenInput),
}

/// Input of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulateInput {
    #[serde(flatten)]
    pub request: Request,
    /// Launcher of an MPI program, where the site has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
}

/// Result of a task, `result.json` beside its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The most memory that the task held at once, KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
    /// Geometry and provenance of an energy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<SimResult>,
    /// Fault of the task's host: then the outcome says nothing about its molecule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_fault: Option<HostFault>,
}

impl TaskInput {
    /// The input of a simulation.
    pub fn simulation(&self) -> Option<&SimulateInput> {
        match self {
            Self::Simulate(input) | Self::Relax(input) => Some(input),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    /// Result of a task with this input for a cached answer; none if it is no simulation.
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
    /// A task that its host kept from its work.
    pub fn of_host(fault: HostFault, message: String) -> Self {
        let kind = FailureKind::Launch;
        Self {
            host_fault: Some(fault),
            ..Self::bare(Outcome::Failed(Failure { kind, message }))
        }
    }

    /// An outcome of which nothing more is known.
    pub fn bare(outcome: Outcome) -> Self {
        Self {
            outcome,
            peak_memory_kib: None,
            simulation: None,
            host_fault: None,
        }
    }
}

/// Names of the files that tasks read and write beside their input.
pub mod file {
    pub const INPUT: &str = "input.json";
    pub const RESULT: &str = "result.json";
    pub const MODEL: &str = "model";
    pub const STATISTICS: &str = "statistics";
    pub const AGENT: &str = "agent";
    pub const CANDIDATES: &str = "candidates";
    pub const NEW_MODEL: &str = "new_model";
    pub const NEW_STATISTICS: &str = "new_statistics";
    pub const NEW_AGENT: &str = "new_agent";
    pub const NEW_CANDIDATES: &str = "new_candidates";
}

impl Outcome {
    /// The files that an outcome brings, with the names under which its task left them.
    pub fn new_files(&self) -> Vec<(&'static str, &FileRef)> {
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
    /// Returns the input of a live task, with the files it needs and their names beside the input.
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

    /// Returns the input of a training on the first `observations` evaluated molecules. Those that
    /// are in the statistics already are passed as these, the others one by one in order of
    /// submission: the order of arrival does not reach the model.
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

/// The seed of the random stream `name`, `index` of a run: the first eight bytes of a SHA-256.
pub fn stream(seed: u64, name: &str, index: u64) -> u64 {
    let hash = hash::digest([format!("{seed}/{name}/{index}").as_bytes()]);
    u64::from_be_bytes(hash[..8].try_into().unwrap_or_default())
}
