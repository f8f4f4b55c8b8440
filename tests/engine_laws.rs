//! Laws of the pure engine, over random campaigns, outcomes and crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moldflow::config::campaign::{Schedule, Stop};
use moldflow::engine::{
    Effect, Engine, EngineConfig, EngineStep, GeometryStep, LearnStage, SimulateStage, stream,
};
use moldflow::simulate;
use moldflow::task::{
    Attempt, Event, Fact, Failure, FailureKind, FileRef, Outcome, Prediction, RankedCandidate,
    Record, Retries, StoppedBy, TaskId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A campaign and the world it meets.
#[derive(Clone, Debug)]
struct Plan {
    config: EngineConfig,
    initial: usize,
    /// Decides outcomes and the order in which jobs end.
    world: u64,
    /// Of 100 attempts.
    failing: u64,
    /// Of 100 simulations, those whose answer an earlier run had.
    cached: u64,
    /// Distinct molecules that the generator can find.
    molecules: u64,
}

/// The machine: it outlives the engine, as processes and result files do.
struct World<'p> {
    plan: &'p Plan,
    jobs: BTreeMap<(TaskId, Attempt), Job>,
    journal: Vec<Event>,
    /// Submissions until the engine is killed.
    fuse: Option<usize>,
    /// Results that the batch being made learns from.
    learnt_from: Option<u64>,
}

#[derive(PartialEq)]
enum Job {
    Running(Outcome),
    Ended,
}

impl World<'_> {
    fn new(plan: &Plan, fuse: Option<usize>) -> World<'_> {
        World {
            plan,
            jobs: BTreeMap::new(),
            journal: Vec::new(),
            fuse,
            learnt_from: None,
        }
    }

    /// Runs an engine on what the journal holds until it ends (true) or is killed.
    fn live(&mut self) -> Option<Engine> {
        let mut engine = Engine::new(self.plan.config.clone());
        for event in &self.journal {
            let step = engine.handle(event);
            let step = step.expect("the journal was legal when it was written");
            self.learnt_from = learnt_from(&step).or(self.learnt_from);
        }
        if engine.is_fresh() {
            let name = |i| format!("initial{i}");
            let reserve = (0..40).map(|i| format!("reserve{i}")).collect();
            let fact = Fact::Began {
                initial: (0..self.plan.initial).map(name).collect(),
                reserve,
                atom_retries: 0,
            };
            self.take(&mut engine, vec![fact])?;
        } else {
            let outstanding = engine.outstanding().into_iter();
            let lost = outstanding.filter(|attempt| !self.jobs.contains_key(attempt));
            let lost = lost.collect();
            let told = self.submit(&engine, lost)?;
            self.take(&mut engine, told)?;
        }
        while !engine.is_ended() {
            let (task, attempt) = self.next_to_end();
            let job = self.jobs.insert((task, attempt), Job::Ended);
            let Some(Job::Running(outcome)) = job else {
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

    /// Commits facts together, then performs their effects, and so on; none when killed at one of
    /// them.
    fn take(&mut self, engine: &mut Engine, mut facts: Vec<Fact>) -> Option<()> {
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
                            self.jobs.insert((task, attempt), Job::Ended);
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

    /// Starts attempts; what an earlier run had the answer of is told instead.
    fn submit(&mut self, engine: &Engine, attempts: Vec<(TaskId, Attempt)>) -> Option<Vec<Fact>> {
        let mut told = Vec::new();
        for (task, attempt) in attempts {
            if let Some(fuse) = &mut self.fuse {
                if *fuse == 0 {
                    self.fuse = None;
                    return None;
                }
                *fuse -= 1;
            }
            match self.earlier(engine, task, attempt) {
                Some(outcome) => told.push(Fact::Cached { task, outcome }),
                None => self.start(engine, task, attempt),
            }
        }
        Some(told)
    }

    fn earlier(&self, engine: &Engine, task: TaskId, attempt: Attempt) -> Option<Outcome> {
        let has = self.chance(&format!("cached{task}")) % 100 < self.plan.cached;
        let outcome = || self.outcome(engine, task, attempt);
        (attempt == 1 && has)
            .then(outcome)
            .filter(|outcome| matches!(outcome, Outcome::Simulated { .. }))
    }

    fn start(&mut self, engine: &Engine, task: TaskId, attempt: Attempt) {
        let outcome = self.outcome(engine, task, attempt);
        let before = self.jobs.insert((task, attempt), Job::Running(outcome));
        assert!(
            before.is_none(),
            "task {task}, attempt {attempt} was started twice"
        );
    }

    /// The same whatever was killed before: decided by token and plan alone.
    fn next_to_end(&self) -> (TaskId, Attempt) {
        let running = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job, Job::Running(_)))
            .map(|(token, _)| *token);
        running
            .min_by_key(|(task, attempt)| self.chance(&format!("order{task}.{attempt}")))
            .expect("something runs")
    }

    fn chance(&self, what: &str) -> u64 {
        stream(self.plan.world, what, 0)
    }

    fn outcome(&self, engine: &Engine, task: TaskId, attempt: Attempt) -> Outcome {
        let roll = |what: &str| self.chance(&format!("{what}{task}.{attempt}"));
        let (input, files) = engine.input(task).expect("live");
        let input = serde_json::to_value(&input).expect("inputs are JSON");
        if input["smiles"].as_str().is_none_or(|s| !s.starts_with('['))
            && roll("fail") % 100 < self.plan.failing
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
                message: "as the plan has it".into(),
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
            Some("simulate") => {
                let smiles = input["smiles"].as_str().expect("a molecule");
                let stage = engine.stage_of(task).expect("live");
                if stage == "references" || !self.plan.has_two_steps() {
                    assert!(input["geometry"].is_null(), "{input}");
                } else {
                    let first = json!({"level_of_theory": "GFN2-xTB", "xyz": geometry_of(&input)});
                    assert_eq!(input["geometry"], first);
                }
                let energy = -((self.chance(smiles) % 1000) as f64) / 100.0;
                Outcome::Simulated {
                    total_energy_hartree: energy,
                    atoms: BTreeMap::from([("C".into(), 1), ("H".into(), 4)]),
                }
            }
            Some("train") => {
                let new = input["observations"].as_array().expect("a list").len() as u64;
                // Statistics are as long as the results are many.
                let counted = files.iter().map(|(file, _)| file.bytes).sum::<u64>() + new;
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
            Some("generate") => Outcome::Generated {
                agent: file("agent"),
                candidates: file("candidates"),
                count: 3,
                epsilon: 1.0,
                mean_reward: 0.0,
                mean_loss: None,
            },
            Some("screen") => {
                // Some of what is found lies in the reserve, and fails there or here.
                let pick = |i: u64| match self.chance(&format!("{task}/{i}"))
                    % (self.plan.molecules + 9)
                {
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
            other => panic!("no such method: {other:?}"),
        }
    }
}

/// The results that a batch learns from which began in this step.
fn learnt_from(step: &EngineStep) -> Option<u64> {
    step.records.iter().find_map(|record| match record {
        Record::BatchStarted { observations, .. } => Some(*observations as u64),
        _ => None,
    })
}

impl Plan {
    fn has_two_steps(&self) -> bool {
        self.config.evaluate.geometry.is_some()
    }
}

/// What the first step of a molecule gives.
fn geometry_of(input: &Value) -> String {
    format!("relaxed {}", input["smiles"])
}

fn with_two_steps(mut config: EngineConfig) -> EngineConfig {
    for stage in [&mut config.initial, &mut config.evaluate] {
        stage.geometry = Some(GeometryStep {
            stage: format!("{}.relax", stage.stage),
            retries: Retries::of(2),
            engine: simulate::QcEngine::Xtb {
                settings: Default::default(),
            },
        });
    }
    config
}

fn config(
    schedule: Schedule,
    stop: Stop,
    parallel: usize,
    select: usize,
    initial_count: usize,
    retries: &Retries,
) -> EngineConfig {
    let simulate = |stage: &str| SimulateStage {
        stage: stage.into(),
        retries: retries.clone(),
        engine: Default::default(),
        geometry: None,
    };
    EngineConfig {
        seed: 1,
        schedule,
        per_atom: false,
        elements: vec!["C".into()],
        max_heavy_atoms: 9,
        allowed_ring_sizes: vec![6],
        references: simulate("references"),
        initial: simulate("initial"),
        evaluate: simulate("evaluate"),
        initial_count,
        parallel,
        select,
        train: LearnStage {
            stage: "train".into(),
            retries: retries.clone(),
            settings: Default::default(),
        },
        generate: LearnStage {
            stage: "generate".into(),
            retries: retries.clone(),
            settings: Default::default(),
        },
        screen: LearnStage {
            stage: "screen".into(),
            retries: retries.clone(),
            settings: Default::default(),
        },
        stop,
    }
}

fn stop() -> impl Strategy<Value = Stop> {
    let stale = prop::option::weighted(0.3, 1usize..6);
    let target = prop::option::weighted(0.3, -10.0..-5.0);
    (0usize..20, target, stale, 1usize..4).prop_map(
        |(evaluations, target, stale_batches, barren_batches)| Stop {
            evaluations,
            wall_time: None,
            target,
            stale_batches,
            barren_batches,
            failure_share: 0.7,
        },
    )
}

fn retries() -> impl Strategy<Value = Retries> {
    let kinds = [FailureKind::Timeout, FailureKind::NotConverged];
    let named = prop::collection::btree_map(prop::sample::select(kinds.to_vec()), 0u32..3, 0..3);
    (named, 0u32..3, 0u64..3).prop_map(|(named, others, backoff)| Retries {
        named,
        others,
        at_least: 0,
        backoff: Duration::from_millis(backoff),
    })
}

fn plans() -> impl Strategy<Value = Plan> {
    let schedules = prop::sample::select(vec![Schedule::Interleaved, Schedule::Batch]);
    let shape = (1usize..5, 1usize..5, 1usize..6);
    let chances = (0u64..60, 0u64..60, 1u64..60);
    let world = (any::<u64>(), chances, any::<bool>());
    (schedules, stop(), shape, world, retries()).prop_map(
        |(schedule, stop, (parallel, select, initial), world, retries)| {
            let (world, (failing, cached, molecules), has_two_steps) = world;
            let config = config(schedule, stop, parallel, select, initial, &retries);
            Plan {
                config: if has_two_steps {
                    with_two_steps(config)
                } else {
                    config
                },
                initial,
                world,
                failing,
                cached,
                molecules,
            }
        },
    )
}

/// The records of a whole journal, as the store sees them.
fn records(plan: &Plan, journal: &[Event]) -> Vec<Record> {
    let mut engine = Engine::new(plan.config.clone());
    journal
        .iter()
        .flat_map(|event| engine.handle(event).expect("legal").records)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_crash_anywhere_changes_nothing(plan in plans(), fuses in prop::collection::vec(0usize..30, 1..6)) {
        let mut calm = World::new(&plan, None);
        let expected = calm.live().expect("nothing kills it");
        let mut world = World::new(&plan, None);
        for fuse in fuses {
            world.fuse = Some(fuse);
            if world.live().is_some() {
                break;
            }
        }
        world.fuse = None;
        let engine = world.live().expect("nothing kills it any more");
        prop_assert_eq!(&engine, &expected);
        prop_assert_eq!(world.jobs.keys().collect::<Vec<_>>(), calm.jobs.keys().collect::<Vec<_>>());
        prop_assert_eq!(records(&plan, &world.journal), records(&plan, &calm.journal));
    }

    #[test]
    fn with_schedule_batch_the_order_of_arrival_changes_nothing_that_is_computed(mut plan in plans(), other in any::<u64>()) {
        plan.config.schedule = Schedule::Batch;
        plan.failing = 0;
        let energies = plan.world;
        let evaluated = |order: u64| {
            let mut world = World::new(&plan, None);
            let engine = Order { world: &mut world, order }.live();
            (engine.progress(), engine.evaluated().iter().map(|m| (m.task, m.smiles.clone())).collect::<BTreeSet<_>>())
        };
        prop_assert_eq!(evaluated(energies), evaluated(other));
    }

    #[test]
    fn every_run_ends_and_evaluates_no_molecule_twice_and_no_more_than_asked(plan in plans()) {
        let mut world = World::new(&plan, None);
        let engine = world.live().expect("nothing kills it");
        let progress = engine.progress();
        prop_assert!(progress.evaluations <= progress.asked_for);
        let reason = engine.stopped_by().expect("it has ended");
        let initial_failed = [StoppedBy::NothingComputed, StoppedBy::FailureShare];
        if reason == StoppedBy::Evaluations {
            prop_assert_eq!(progress.evaluations, progress.asked_for);
        }
        prop_assert!(progress.evaluations >= plan.initial || initial_failed.contains(&reason));
        let hits = world.journal.iter().filter(|event| matches!(event.fact, Fact::Cached { .. }));
        prop_assert_eq!(progress.cached, hits.count());
        let mut evaluated = BTreeSet::new();
        for record in records(&plan, &world.journal) {
            if let Record::TaskCreated { smiles: Some(smiles), batch: Some(_), stage, .. } = record {
                let step = stage.ends_with(".relax");
                prop_assert!(evaluated.insert((smiles.clone(), step)), "{} was evaluated twice", smiles);
                prop_assert!(step || !plan.has_two_steps() || evaluated.contains(&(smiles, true)));
            }
        }
    }

    #[test]
    fn any_prefix_of_a_journal_replays_and_goes_on_to_an_end(plan in plans(), share in 0.0..1.0f64) {
        let mut world = World::new(&plan, None);
        world.live().expect("nothing kills it");
        let length = (world.journal.len() as f64 * share) as usize;
        let mut again = World::new(&plan, None);
        again.journal = world.journal[..length].to_vec();
        let engine = again.live().expect("nothing kills it");
        prop_assert!(engine.is_ended());
    }

    #[test]
    fn a_molecule_that_failed_for_good_is_never_proposed_again(plan in plans()) {
        let mut world = World::new(&plan, None);
        world.live().expect("nothing kills it");
        let mut engine = Engine::new(plan.config.clone());
        let mut proposed = BTreeMap::new();
        let mut quarantined = BTreeSet::new();
        for event in &world.journal {
            for record in engine.handle(event).expect("legal").records {
                match record {
                    Record::Queued(candidate) => {
                        prop_assert!(!quarantined.contains(&candidate.smiles), "{:?}", candidate);
                        proposed.insert((candidate.batch, candidate.rank), candidate.smiles);
                    }
                    Record::EvaluationFailed { batch, rank } => {
                        quarantined.insert(proposed[&(batch, rank)].clone());
                    }
                    Record::TaskCreated { task, .. } => {
                        let Some((input, _)) = engine.input(task) else { continue };
                        let input = serde_json::to_value(input).expect("JSON");
                        for start in input["starts"].as_array().into_iter().flatten() {
                            prop_assert!(!quarantined.contains(start.as_str().expect("a molecule")));
                        }
                    }
                    _ => {}
                }
            }
        }
        prop_assert_eq!(engine.progress().failures, quarantined.len());
    }

    #[test]
    fn the_queue_records_add_up(plan in plans()) {
        let mut world = World::new(&plan, None);
        world.live().expect("nothing kills it");
        let records = records(&plan, &world.journal);
        let count = |f: fn(&Record) -> bool| records.iter().filter(|r| f(r)).count();
        let queued = count(|r| matches!(r, Record::Queued(_)));
        let left = count(|r| matches!(r, Record::Superseded { .. }));
        let places = records.iter().filter_map(|r| match r {
            Record::Evaluating { batch, rank, .. } => Some((batch, rank)),
            _ => None,
        });
        let evaluating = places.collect::<BTreeSet<_>>().len();
        let ended = count(|r| matches!(r, Record::Evaluated { .. } | Record::EvaluationFailed { .. } | Record::EvaluationCancelled { .. }));
        prop_assert_eq!(queued, left + evaluating);
        prop_assert_eq!(evaluating, ended);
    }
}

/// Runs a world with another order of arrival but the same energies.
struct Order<'w, 'p> {
    world: &'w mut World<'p>,
    order: u64,
}

impl Order<'_, '_> {
    fn live(&mut self) -> Engine {
        let world = &mut *self.world;
        let mut engine = Engine::new(world.plan.config.clone());
        let initial = (0..world.plan.initial)
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
                .filter(|(_, job)| matches!(job, Job::Running(_)))
                .map(|(token, _)| *token);
            let (task, attempt) = running
                .min_by_key(|(t, a)| stream(self.order, &format!("{t}.{a}"), 0))
                .expect("runs");
            let Some(Job::Running(outcome)) = world.jobs.insert((task, attempt), Job::Ended) else {
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
