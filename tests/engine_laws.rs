//! Laws of the pure engine, over random campaigns, outcomes and crashes.

use std::collections::{BTreeMap, BTreeSet};

use moldflow::engine::{Config, Effect, Engine, GeometryStep, LearnStage, SimulateStage, stream};
use moldflow::simulate;
use moldflow::spec::campaign::{Schedule, Stop};
use moldflow::task::{
    Attempt, Event, Fact, Failure, FailureKind, FileRef, Outcome, Predicted, Record, StoppedBy,
    TaskId,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A campaign and the world it meets.
#[derive(Clone, Debug)]
struct Plan {
    config: Config,
    initial: usize,
    /// Decides outcomes and the order in which jobs end.
    world: u64,
    /// Of 100 attempts.
    failing: u64,
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
        }
    }

    /// Runs an engine on what the journal holds until it ends (true) or is killed.
    fn live(&mut self) -> Option<Engine> {
        let mut engine = Engine::new(self.plan.config.clone());
        for event in &self.journal {
            engine
                .handle(event)
                .expect("the journal was legal when it was written");
        }
        if engine.is_fresh() {
            let name = |i| format!("initial{i}");
            let reserve = (0..40).map(|i| format!("reserve{i}")).collect();
            let fact = Fact::Began {
                initial: (0..self.plan.initial).map(name).collect(),
                reserve,
            };
            self.take(&mut engine, fact)?;
        } else {
            for (task, attempt) in engine.outstanding() {
                if !self.jobs.contains_key(&(task, attempt)) {
                    self.start(&engine, task, attempt)?;
                }
            }
        }
        while !engine.is_ended() {
            let (task, attempt) = self.next_to_end();
            let job = self.jobs.insert((task, attempt), Job::Ended);
            let Some(Job::Running(outcome)) = job else {
                panic!("only what runs can end")
            };
            if engine.awaits(task, attempt) {
                self.take(
                    &mut engine,
                    Fact::Ended {
                        task,
                        attempt,
                        usage: Default::default(),
                        outcome,
                    },
                )?;
            }
        }
        Some(engine)
    }

    /// Commits a fact, then performs its effects; none when killed at one of them.
    fn take(&mut self, engine: &mut Engine, fact: Fact) -> Option<()> {
        let event = Event {
            at: self.journal.len() as i64,
            fact,
        };
        let step = engine.handle(&event).expect("legal");
        self.journal.push(event);
        for effect in step.effects {
            match effect {
                Effect::Submit { task, attempt } if engine.awaits(task, attempt) => {
                    self.start(engine, task, attempt)?
                }
                Effect::Cancel { task, attempt } => {
                    self.jobs.insert((task, attempt), Job::Ended);
                }
                Effect::Submit { .. } | Effect::End => {}
            }
        }
        Some(())
    }

    fn start(&mut self, engine: &Engine, task: TaskId, attempt: Attempt) -> Option<()> {
        if let Some(fuse) = &mut self.fuse {
            if *fuse == 0 {
                self.fuse = None;
                return None;
            }
            *fuse -= 1;
        }
        let outcome = self.outcome(engine, task, attempt);
        let before = self.jobs.insert((task, attempt), Job::Running(outcome));
        assert!(
            before.is_none(),
            "task {task}, attempt {attempt} was started twice"
        );
        Some(())
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
        let (input, _) = engine.input(task).expect("live");
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
                    let first = json!({"level": "GFN2-xTB", "xyz": geometry_of(&input)});
                    assert_eq!(input["geometry"], first);
                }
                let energy = -((self.chance(smiles) % 1000) as f64) / 100.0;
                Outcome::Simulated {
                    total_energy_hartree: energy,
                    atoms: BTreeMap::from([("C".into(), 1), ("H".into(), 4)]),
                }
            }
            Some("train") => Outcome::Trained {
                model: file("model"),
                molecules: 1,
                groups: 1,
                rmse_hartree: 0.0,
            },
            Some("generate") => Outcome::Generated {
                agent: file("agent"),
                candidates: file("candidates"),
                count: 3,
                epsilon: 1.0,
                mean_reward: 0.0,
                mean_loss: None,
            },
            Some("screen") => {
                let pick = |i: u64| {
                    format!(
                        "m{}",
                        self.chance(&format!("{task}/{i}")) % self.plan.molecules
                    )
                };
                let ranked = (0..6)
                    .map(|i| Predicted {
                        smiles: pick(i),
                        mean: i as f64,
                        std: 0.1,
                    })
                    .collect();
                Outcome::Screened { ranked }
            }
            other => panic!("no such method: {other:?}"),
        }
    }
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

fn with_two_steps(mut config: Config) -> Config {
    for stage in [&mut config.initial, &mut config.evaluate] {
        stage.geometry = Some(GeometryStep {
            stage: format!("{}.relax", stage.stage),
            retries: 2,
            engine: simulate::Engine::Xtb {
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
) -> Config {
    let simulate = |stage: &str| SimulateStage {
        stage: stage.into(),
        retries: 1,
        engine: Default::default(),
        geometry: None,
    };
    Config {
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
            retries: 1,
            settings: Default::default(),
        },
        generate: LearnStage {
            stage: "generate".into(),
            retries: 1,
            settings: Default::default(),
        },
        screen: LearnStage {
            stage: "screen".into(),
            retries: 1,
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

fn plans() -> impl Strategy<Value = Plan> {
    let schedules = prop::sample::select(vec![Schedule::Interleaved, Schedule::Batch]);
    let shape = (1usize..5, 1usize..5, 1usize..6);
    let world = (any::<u64>(), 0u64..60, 1u64..60);
    (schedules, stop(), shape, world, any::<bool>()).prop_map(
        |(
            schedule,
            stop,
            (parallel, select, initial),
            (world, failing, molecules),
            has_two_steps,
        )| {
            let config = config(schedule, stop, parallel, select, initial);
            Plan {
                config: if has_two_steps {
                    with_two_steps(config)
                } else {
                    config
                },
                initial,
                world,
                failing,
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
            (engine.progress(), engine.measured().iter().map(|m| (m.task, m.smiles.clone())).collect::<BTreeSet<_>>())
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
        world
            .take(
                &mut engine,
                Fact::Began {
                    initial,
                    reserve: vec![],
                },
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
                world
                    .take(
                        &mut engine,
                        Fact::Ended {
                            task,
                            attempt,
                            usage: Default::default(),
                            outcome,
                        },
                    )
                    .expect("no fuse");
            }
        }
        engine
    }
}
