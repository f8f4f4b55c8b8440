//! A simulated host under the pure engine.

use std::collections::BTreeMap;

use moldflow::engine::{Effect, Engine, EngineConfig, EngineStep, stream};
use moldflow::task::{
    Attempt, Event, Fact, Failure, FailureKind, FileRef, Outcome, Prediction, RankedCandidate,
    Record, TaskId,
};
use serde_json::{Value, json};

/// A campaign and the outcomes of its attempts.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub config: EngineConfig,
    pub initial: usize,
    /// Decides outcomes and the order in which jobs end.
    pub world: u64,
    /// Number of failures in 100 attempts.
    pub failing: u64,
    /// Number of cache hits in 100 simulations.
    pub cached: u64,
    /// Number of distinct molecules that the generator can find.
    pub molecules: u64,
}

/// The host, whose processes and result files outlive the engine.
pub struct SimulatedHost<'p> {
    pub scenario: &'p Scenario,
    pub jobs: BTreeMap<(TaskId, Attempt), SimulatedJob>,
    pub journal: Vec<Event>,
    /// Number of submissions until the engine is killed.
    pub fuse: Option<usize>,
    /// Number of results that the current batch learns from.
    pub learnt_from: Option<u64>,
}

#[derive(PartialEq)]
pub enum SimulatedJob {
    Running(Outcome),
    Ended,
}

impl SimulatedHost<'_> {
    pub fn new(scenario: &Scenario, fuse: Option<usize>) -> SimulatedHost<'_> {
        SimulatedHost {
            scenario,
            jobs: BTreeMap::new(),
            journal: Vec::new(),
            fuse,
            learnt_from: None,
        }
    }

    /// Runs an engine from the journal until it ends; None if it is killed.
    pub fn live(&mut self) -> Option<Engine> {
        let mut engine = Engine::new(self.scenario.config.clone());
        for event in &self.journal {
            let step = engine.handle(event);
            let step = step.expect("the journal was legal when it was written");
            self.learnt_from = learnt_from(&step).or(self.learnt_from);
        }
        if engine.is_fresh() {
            let name = |i| format!("initial{i}");
            let reserve = (0..40).map(|i| format!("reserve{i}")).collect();
            let fact = Fact::Began {
                initial: (0..self.scenario.initial).map(name).collect(),
                reserve,
                atom_retries: 0,
            };
            self.take(&mut engine, vec![fact])?;
        } else {
            let outstanding = engine.outstanding().into_iter();
            let lost = outstanding.filter(|attempt| !self.jobs.contains_key(attempt));
            let lost = lost.collect();
            let hits = self.submit(&engine, lost)?;
            self.take(&mut engine, hits)?;
        }
        while !engine.is_ended() {
            let (task, attempt) = self.next_to_end();
            let job = self.jobs.insert((task, attempt), SimulatedJob::Ended);
            let Some(SimulatedJob::Running(outcome)) = job else {
                panic!("only what runs can end")
            };
            if engine.awaits(task, attempt) {
                let fact = Fact::Ended {
                    task,
                    attempt,
                    usage: Default::default(),
                    outcome,
                };
                self.take(&mut engine, vec![fact])?;
            }
        }
        Some(engine)
    }

    /// Commits facts together, then performs their effects, and so on. None if the engine is
    /// killed.
    pub fn take(&mut self, engine: &mut Engine, mut facts: Vec<Fact>) -> Option<()> {
        while !facts.is_empty() {
            let mut attempts = Vec::new();
            for fact in facts {
                let event = Event {
                    at: self.journal.len() as i64,
                    fact,
                };
                let step = match (engine.handle(&event), &event.fact) {
                    (Ok(step), _) => step,
                    // The fact before it ended the run.
                    (Err(_), Fact::Cached { .. }) if engine.is_ended() => continue,
                    (Err(error), _) => panic!("{error}"),
                };
                self.learnt_from = learnt_from(&step).or(self.learnt_from);
                self.journal.push(event);
                for effect in step.effects {
                    match effect {
                        Effect::Submit { task, attempt } => attempts.push((task, attempt)),
                        Effect::SubmitLater {
                            task,
                            attempt,
                            not_before,
                        } => {
                            if engine.awaits(task, attempt) {
                                assert_eq!(engine.not_before(task), Some(not_before));
                            }
                            attempts.push((task, attempt));
                        }
                        Effect::Cancel { task, attempt } => {
                            self.jobs.insert((task, attempt), SimulatedJob::Ended);
                        }
                        Effect::End => {}
                    }
                }
            }
            attempts.retain(|(task, attempt)| engine.awaits(*task, *attempt));
            facts = self.submit(engine, attempts)?;
        }
        Some(())
    }

    /// Starts attempts, except those with a cache hit, whose facts are returned. None if the engine
    /// is killed.
    fn submit(&mut self, engine: &Engine, attempts: Vec<(TaskId, Attempt)>) -> Option<Vec<Fact>> {
        let mut hits = Vec::new();
        for (task, attempt) in attempts {
            if let Some(fuse) = &mut self.fuse {
                if *fuse == 0 {
                    self.fuse = None;
                    return None;
                }
                *fuse -= 1;
            }
            match self.cache_hit(engine, task, attempt) {
                Some(outcome) => hits.push(Fact::Cached { task, outcome }),
                None => self.start(engine, task, attempt),
            }
        }
        Some(hits)
    }

    fn cache_hit(&self, engine: &Engine, task: TaskId, attempt: Attempt) -> Option<Outcome> {
        let has = self.chance(&format!("cached{task}")) % 100 < self.scenario.cached;
        let outcome = || self.outcome(engine, task, attempt);
        (attempt == 1 && has)
            .then(outcome)
            .filter(|outcome| matches!(outcome, Outcome::Simulated { .. }))
    }

    fn start(&mut self, engine: &Engine, task: TaskId, attempt: Attempt) {
        let outcome = self.outcome(engine, task, attempt);
        let before = self
            .jobs
            .insert((task, attempt), SimulatedJob::Running(outcome));
        assert!(
            before.is_none(),
            "task {task}, attempt {attempt} was started twice"
        );
    }

    /// Attempt that ends next. It depends only on tokens and the scenario, not on earlier kills.
    fn next_to_end(&self) -> (TaskId, Attempt) {
        let running = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job, SimulatedJob::Running(_)))
            .map(|(token, _)| *token);
        running
            .min_by_key(|(task, attempt)| self.chance(&format!("order{task}.{attempt}")))
            .expect("something runs")
    }

    fn chance(&self, what: &str) -> u64 {
        stream(self.scenario.world, what, 0)
    }

    fn outcome(&self, engine: &Engine, task: TaskId, attempt: Attempt) -> Outcome {
        let roll = |what: &str| self.chance(&format!("{what}{task}.{attempt}"));
        let (input, files) = engine.input(task).expect("live");
        let input = serde_json::to_value(&input).expect("inputs are JSON");
        if input["smiles"].as_str().is_none_or(|s| !s.starts_with('['))
            && roll("fail") % 100 < self.scenario.failing
        {
            let kinds = [
                FailureKind::Exit,
                FailureKind::Lost,
                FailureKind::NotConverged,
                FailureKind::Timeout,
            ];
            let kind = kinds[(roll("kind") % 4) as usize];
            return Outcome::Failed(Failure {
                kind,
                message: "as the scenario has it".into(),
            });
        }
        let file = |what: &str| FileRef {
            sha256: format!("{:016x}", roll(what)),
            bytes: 1,
        };
        match input["method"].as_str() {
            Some("relax") => Outcome::Relaxed {
                xyz: geometry_of(&input),
            },
            Some("simulate") => self.simulated(engine, task, &input),
            Some("train") => {
                let files: Vec<FileRef> = files.into_iter().map(|(file, _)| file).collect();
                self.trained(&input, &files, file)
            }
            Some("generate") => Outcome::Generated {
                agent: file("agent"),
                candidates: file("candidates"),
                count: 3,
                epsilon: 1.0,
                mean_reward: 0.0,
                mean_loss: None,
            },
            Some("screen") => self.screened(task),
            other => panic!("no such method: {other:?}"),
        }
    }

    fn simulated(&self, engine: &Engine, task: TaskId, input: &Value) -> Outcome {
        let smiles = input["smiles"].as_str().expect("a molecule");
        let stage = engine.stage_of(task).expect("live");
        if stage == "references" || !self.scenario.has_two_steps() {
            assert!(input["geometry"].is_null(), "{input}");
        } else {
            let first = json!({"level": "GFN2-xTB", "xyz": geometry_of(input)});
            assert_eq!(input["geometry"], first);
        }
        let energy = -((self.chance(smiles) % 1000) as f64) / 100.0;
        Outcome::Simulated {
            total_energy_hartree: energy,
            atoms: BTreeMap::from([("C".into(), 1), ("H".into(), 4)]),
        }
    }

    /// `files` has the statistics of earlier results.
    fn trained(&self, input: &Value, files: &[FileRef], file: impl Fn(&str) -> FileRef) -> Outcome {
        let new = input["observations"].as_array().expect("a list").len() as u64;
        // The size of the statistics is the number of results.
        let counted = files.iter().map(|file| file.bytes).sum::<u64>() + new;
        assert_eq!(
            Some(counted),
            self.learnt_from,
            "a model learns from each result once"
        );
        let statistics = FileRef {
            bytes: counted,
            ..file("statistics")
        };
        Outcome::Trained {
            model: file("model"),
            statistics: Some(statistics),
            molecules: 1,
            groups: 1,
            rmse_hartree: 0.0,
        }
    }

    fn screened(&self, task: TaskId) -> Outcome {
        // Some candidates are also in the reserve, and fail in either place.
        let pick =
            |i: u64| match self.chance(&format!("{task}/{i}")) % (self.scenario.molecules + 9) {
                n if n < 9 => format!("reserve{}", 39 - n),
                n => format!("m{}", n - 9),
            };
        let ranked = (0..6)
            .map(|i| RankedCandidate {
                smiles: pick(i),
                prediction: Prediction {
                    mean: i as f64,
                    std: 0.1,
                },
            })
            .collect();
        Outcome::Screened { ranked }
    }
}

/// Number of results that a batch learns from, if one starts in this step.
fn learnt_from(step: &EngineStep) -> Option<u64> {
    step.records.iter().find_map(|record| match record {
        Record::BatchStarted { observations, .. } => Some(*observations as u64),
        _ => None,
    })
}

impl Scenario {
    pub fn has_two_steps(&self) -> bool {
        self.config.evaluate.geometry.is_some()
    }
}

/// Result of the first step of a molecule.
fn geometry_of(input: &Value) -> String {
    format!("relaxed {}", input["smiles"])
}

/// A host whose jobs end in another order, with the same energies.
pub struct ReorderedHost<'w, 'p> {
    pub world: &'w mut SimulatedHost<'p>,
    pub order: u64,
}

impl ReorderedHost<'_, '_> {
    pub fn live(&mut self) -> Engine {
        let world = &mut *self.world;
        let mut engine = Engine::new(world.scenario.config.clone());
        let initial = (0..world.scenario.initial)
            .map(|i| format!("initial{i}"))
            .collect();
        let reserve = vec![];
        world
            .take(
                &mut engine,
                vec![Fact::Began {
                    initial,
                    reserve,
                    atom_retries: 0,
                }],
            )
            .expect("no fuse");
        while !engine.is_ended() {
            let running = world
                .jobs
                .iter()
                .filter(|(_, job)| matches!(job, SimulatedJob::Running(_)))
                .map(|(token, _)| *token);
            let (task, attempt) = running
                .min_by_key(|(t, a)| stream(self.order, &format!("{t}.{a}"), 0))
                .expect("runs");
            let Some(SimulatedJob::Running(outcome)) =
                world.jobs.insert((task, attempt), SimulatedJob::Ended)
            else {
                panic!("it runs")
            };
            if engine.awaits(task, attempt) {
                let fact = Fact::Ended {
                    task,
                    attempt,
                    usage: Default::default(),
                    outcome,
                };
                world.take(&mut engine, vec![fact]).expect("no fuse");
            }
        }
        engine
    }
}
