//! Inputs and results of tasks: the JSON between the engine and `moldflow task run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::chem::Molecule;
use crate::config::campaign::MethodKind;
use crate::design::{
    CandidateFile, GenerateInput, Observation, ScreenInput, TrainInput, TrainTarget,
};
use crate::host::hash;
use crate::plan::{PlannedMethod, TrainingTarget};
use crate::simulate::{RelaxedGeometry, Request, SimResult};
use crate::task::{Failure, FailureKind, FileRef, HostFault, Launch, Outcome, TaskId};

use super::Engine;
use super::tasks::Work;

/// One seed for every embedding, so that an energy depends on molecule and method alone.
const EMBEDDING_SEED: u64 = 42;

/// Input of a task, `input.json` in the directory of its attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum TaskInput {
    /// Computes quantities of a molecule.
    Simulate(Box<SimulateInput>),
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
    /// True if another method begins with the geometry of the result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_geometry: bool,
    /// Launcher of an MPI program, where the site has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
}

/// Result of a task, `result.json` beside its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Outcome of the attempt.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The most memory that the task held at once, KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
    /// Name of the host that the task ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
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
            Self::Simulate(input) => Some(input),
            Self::Train(_) | Self::Generate(_) | Self::Screen(_) => None,
        }
    }

    /// The input with the paths of its files in the folder `dir`.
    pub fn in_folder(mut self, dir: &Path) -> Self {
        let (needed, optional): (Vec<&mut PathBuf>, Vec<&mut Option<PathBuf>>) = match &mut self {
            Self::Simulate(_) => (vec![], vec![]),
            Self::Train(input) => (
                vec![&mut input.model_out, &mut input.memory_out],
                vec![&mut input.memory],
            ),
            Self::Generate(input) => (
                vec![
                    &mut input.model,
                    &mut input.state_out,
                    &mut input.candidates_out,
                ],
                vec![&mut input.state, &mut input.pool],
            ),
            Self::Screen(input) => {
                let candidates = input.candidates.iter_mut().map(|file| &mut file.path);
                (candidates.chain([&mut input.model]).collect(), vec![])
            }
        };
        for path in needed.into_iter().chain(optional.into_iter().flatten()) {
            *path = dir.join(&*path);
        }
        self
    }

    /// Result of a task with this input for a cached answer; none if it is no simulation.
    pub fn answer(&self, found: SimResult) -> Option<TaskResult> {
        let outcome = self.simulation()?.outcome(&found);
        Some(TaskResult {
            simulation: Some(found),
            ..TaskResult::bare(outcome)
        })
    }

    /// Result of a simulation whose engine looks results up; none of any other task.
    pub fn looked_up(&self) -> Option<TaskResult> {
        let request = &self.simulation()?.request;
        match request.engine.simulator().look_up(&request.smiles)? {
            Ok(found) => self.answer(found),
            Err(error) => Some(TaskResult::bare(Outcome::Failed(Failure {
                kind: FailureKind::Unsupported,
                message: error.to_string(),
            }))),
        }
    }
}

impl SimulateInput {
    /// The outcome of a simulation with this result.
    pub fn outcome(&self, found: &SimResult) -> Outcome {
        let kept = found.geometry.as_ref().filter(|_| self.keep_geometry);
        Outcome::Simulated {
            quantities: found.all_quantities(),
            atoms: self.atoms(found),
            xyz: kept.map(|geometry| geometry.to_xyz(&found.level_of_theory)),
        }
    }

    /// Number of atoms of each element: those of the geometry, or else those of the molecule.
    fn atoms(&self, found: &SimResult) -> BTreeMap<String, u32> {
        let mut atoms = BTreeMap::new();
        match (&found.geometry, Molecule::parse(&self.request.smiles)) {
            (Some(geometry), _) => {
                for (symbol, _) in &geometry.atoms {
                    *atoms.entry(symbol.clone()).or_default() += 1;
                }
            }
            (None, Ok(molecule)) => {
                let counts = molecule.element_counts().into_iter();
                atoms.extend(counts.map(|(symbol, count)| (symbol, count as u32)));
            }
            (None, Err(_)) => {}
        }
        atoms
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
            host: None,
            simulation: None,
            host_fault: None,
        }
    }
}

/// Names of the files that tasks read and write beside their input.
pub mod file {
    /// Input of the task, JSON.
    pub const INPUT: &str = "input.json";
    /// Result of the task, JSON.
    pub const RESULT: &str = "result.json";
    /// Surrogate that the task reads.
    pub const MODEL: &str = "model";
    /// Memory of the last training that a training reads.
    pub const MEMORY: &str = "memory";
    /// State of the generator that the task reads.
    pub const STATE: &str = "state";
    /// Molecules of the source.
    pub const POOL: &str = "pool";
    /// Candidates, followed by the place of their generator: `candidates0`, ...
    pub const CANDIDATES: &str = "candidates";
    /// Surrogate that a training writes.
    pub const NEW_MODEL: &str = "new_model";
    /// Memory for the next training that a training writes.
    pub const NEW_MEMORY: &str = "new_memory";
    /// State of the generator that the task writes.
    pub const NEW_STATE: &str = "new_state";
    /// Molecules that the generator proposed.
    pub const NEW_CANDIDATES: &str = "new_candidates";
}

impl Outcome {
    /// The files that an outcome brings, with the names under which its task left them.
    pub fn new_files(&self) -> Vec<(&'static str, &FileRef)> {
        match self {
            Self::Trained { model, memory, .. } => {
                vec![(file::NEW_MODEL, model), (file::NEW_MEMORY, memory)]
            }
            Self::Generated {
                state, candidates, ..
            } => {
                vec![(file::NEW_STATE, state), (file::NEW_CANDIDATES, candidates)]
            }
            Self::Simulated { .. } | Self::Screened { .. } | Self::Failed(_) => vec![],
        }
    }
}

/// A file that a task needs, and its name beside the task's input.
pub type InputFile = (FileRef, String);

impl Engine {
    /// Returns the input of a running task, with the files that it needs.
    pub fn input(&self, task: TaskId) -> Option<(TaskInput, Vec<InputFile>)> {
        Some(match &self.running.get(&task)?.work {
            Work::FreeAtom { method, element } => {
                let input = self.simulate_input(method, format!("[{element}]"), None)?;
                (TaskInput::Simulate(Box::new(input)), vec![])
            }
            Work::Molecule {
                method,
                smiles,
                geometry,
            } => {
                let input = self.simulate_input(method, smiles.clone(), geometry.as_ref())?;
                (TaskInput::Simulate(Box::new(input)), vec![])
            }
            Work::Train {
                stage,
                observations,
            } => self.train_input(*stage, *observations)?,
            Work::Generate {
                stage,
                model,
                starts,
            } => self.generate_input(*stage, model, starts.clone())?,
            Work::Screen {
                stage,
                model,
                candidates,
                incumbent,
                front,
                reference,
                most,
            } => {
                let MethodKind::Screen { engine } = &self.learning_method(*stage)?.kind else {
                    return None;
                };
                let name = |generator: usize| format!("{}{generator}", file::CANDIDATES);
                let paths = candidates.iter().map(|(generator, _)| CandidateFile {
                    path: name(*generator).into(),
                    generator: *generator,
                });
                let input = TaskInput::Screen(ScreenInput {
                    engine: engine.clone(),
                    model: file::MODEL.into(),
                    candidates: paths.collect(),
                    incumbent: *incumbent,
                    front: front.clone(),
                    reference: reference.clone(),
                    targets: self.targets_of_screen(*stage).len(),
                    rules: self.plan.search_space.rules(),
                    needs_mmff94: (self.plan.methods.values()).any(|m| m.kind.needs_mmff94()),
                    seed: stream(
                        self.plan.seed,
                        &self.plan.stages[*stage].name,
                        u64::from(self.round.number()),
                    ),
                    most: *most,
                });
                let files = candidates.iter().cloned();
                let files = files.map(|(generator, file)| (file, name(generator)));
                let mut files: Vec<InputFile> = files.collect();
                files.push((model.clone(), file::MODEL.to_owned()));
                (input, files)
            }
        })
    }

    fn learning_method(&self, stage: usize) -> Option<&PlannedMethod> {
        self.plan
            .methods
            .get(self.plan.stages[stage].kind.method()?)
    }

    fn simulate_input(
        &self,
        method: &str,
        smiles: String,
        xyz: Option<&String>,
    ) -> Option<SimulateInput> {
        let planned = self.plan.methods.get(method)?;
        Some(SimulateInput {
            request: Request {
                smiles,
                engine: planned.qc_engine()?.clone(),
                seed: EMBEDDING_SEED,
                geometry: planned
                    .geometry()
                    .zip(xyz)
                    .map(|(first, xyz)| RelaxedGeometry {
                        level_of_theory: self.plan.level_of(first),
                        xyz: xyz.clone(),
                    }),
            },
            keep_geometry: self.plan.gives_geometries(method),
            launch: None,
        })
    }

    fn generate_input(
        &self,
        stage: usize,
        model: &FileRef,
        starts: Vec<String>,
    ) -> Option<(TaskInput, Vec<InputFile>)> {
        let MethodKind::Generate { engine } = &self.learning_method(stage)?.kind else {
            return None;
        };
        let state = self.stages[stage].generate()?.state.clone();
        let needs_pool = engine.implementation().needs_pool();
        let pool = self.pool.clone().filter(|_| needs_pool);
        let space = &self.plan.search_space;
        let round = u64::from(self.round.number());
        let input = GenerateInput {
            engine: engine.clone(),
            model: file::MODEL.into(),
            state: state.as_ref().map(|_| file::STATE.into()),
            best: self.best(),
            starts,
            pool: pool.as_ref().map(|_| file::POOL.into()),
            elements: space.elements.clone(),
            max_heavy_atoms: space.max_heavy_atoms,
            allowed_ring_sizes: space.allowed_ring_sizes.clone(),
            scarce_rounds: self.stages[stage].generate()?.scarce_rounds,
            seed: stream(self.plan.seed, &self.plan.stages[stage].name, round),
            state_out: PathBuf::from(file::NEW_STATE),
            candidates_out: PathBuf::from(file::NEW_CANDIDATES),
        };
        let named = |file: Option<FileRef>, name: &str| file.map(|file| (file, name.to_owned()));
        let files = named(Some(model.clone()), file::MODEL).into_iter();
        let files = files.chain(named(state, file::STATE));
        let files = files.chain(named(pool, file::POOL)).collect();
        Some((TaskInput::Generate(Box::new(input)), files))
    }

    /// The best molecules of those known when the present round began, the best first. Costs are
    /// those of the first objective.
    fn best(&self) -> Vec<Observation> {
        let direction = self.plan.objectives[0].direction;
        let best = self.round.best().iter();
        let best = best.map(|place| &self.evaluated[*place]);
        let best = best.map(|molecule| Observation {
            smiles: molecule.smiles.clone(),
            cost: direction.cost(molecule.value()),
        });
        best.collect()
    }

    /// Returns the input of a training on the first `observations` results. Those that are in the
    /// memory already are passed as this, the others one by one in order of submission: the order of
    /// arrival does not reach the model.
    fn train_input(
        &self,
        stage: usize,
        observations: usize,
    ) -> Option<(TaskInput, Vec<InputFile>)> {
        let MethodKind::Train { engine, .. } = &self.learning_method(stage)?.kind else {
            return None;
        };
        let memory = self.stages[stage].train()?.memory.as_ref();
        let learnt = memory.map_or(0, |(_, learnt)| *learnt);
        let targets = self.plan.targets(stage);
        let learn = |(place, target): (usize, &TrainingTarget)| {
            let costs = self
                .observations
                .costs(learnt..observations, targets, place);
            let observations = costs.into_iter().map(|observed| Observation {
                smiles: observed.smiles.to_owned(),
                cost: observed.cost,
            });
            TrainTarget {
                property: target.property.clone(),
                extensive: self.plan.properties[&target.property].extensive,
                above: target.above,
                observations: observations.collect(),
            }
        };
        let input = TrainInput {
            engine: engine.clone(),
            memory: memory.map(|_| file::MEMORY.into()),
            targets: targets.iter().enumerate().map(learn).collect(),
            objectives: self.plan.objectives.len(),
            model_out: file::NEW_MODEL.into(),
            memory_out: file::NEW_MEMORY.into(),
        };
        let files = memory.map(|(file, _)| (file.clone(), file::MEMORY.to_owned()));
        Some((TaskInput::Train(input), files.into_iter().collect()))
    }
}

/// The seed of the random stream `name`, `index` of a run: the first eight bytes of a SHA-256.
pub fn stream(seed: u64, name: &str, index: u64) -> u64 {
    let hash = hash::digest([format!("{seed}/{name}/{index}").as_bytes()]);
    u64::from_be_bytes(hash[..8].try_into().unwrap_or_default())
}
