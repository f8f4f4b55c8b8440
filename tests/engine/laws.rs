//! Laws of the pure engine, over plans of several shapes, random outcomes and crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use moldflow::config::campaign::{Overrides, Schedule, Stop};
use moldflow::engine::{Effect, Engine, EngineStep, stream};
use moldflow::plan::{self, HostEnvironment, MoleculeSource, Plan, PlannedStage, StageKind};
use moldflow::task::{
    Attempt, Event, Fact, Failure, FailureKind, FileRef, Outcome, Prediction, RankedCandidate,
    Record, Retries, StoppedBy, TaskId,
};
use proptest::prelude::*;
use serde_json::Value;

/// Methods of every shape.
const METHODS: &str = r#"
search_space: {source: qm9, elements: [C], max_heavy_atoms: 9}
site: local
methods:
  a: {kind: simulate, engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 2m}
  fit: {kind: train, engine: group_contribution, topic: ml, partition: ml, timeout: 5m}
  walk: {kind: generate, engine: moldqn, topic: ml, partition: ml, timeout: 5m}
  rank: {kind: screen, engine: greedy, topic: ml, partition: ml, timeout: 5m}
"#;

/// Two methods that begin with the geometry of a third one.
const MORE_METHODS: &str = r#"
  relax: {kind: simulate, engine: xtb, topic: simulator, partition: qc, timeout: 2m}
  b: {kind: simulate, engine: nwchem, geometry: relax, topic: simulator, partition: qc, timeout: 2m}
  c: {kind: simulate, engine: nwchem, geometry: relax, topic: simulator, partition: qc, timeout: 2m}
"#;

/// A generator loop, a consumer loop and a random beginning, for any objective.
const LOOPS: &str = r#"
stages:
  initial: {molecules: {random: 4}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: walk, after: train, loop: generator}
  screen: {method: rank, after: generate, loop: generator, select: 2}
  evaluate: {after: screen, loop: consumer, molecules: queue, parallel: 2}
stop: {evaluations: 10}
"#;

/// Campaigns of several shapes: name, objective and properties, further methods, stages.
static SHAPES: LazyLock<Vec<Plan>> = LazyLock::new(|| {
    let no_loops = METHODS
        .split_inclusive('\n')
        .filter(|line| !line.contains("ml,"));
    let no_loops: String = no_loops.collect();
    let list = r#"
stages:
  all: {compute: cheap, molecules: all}
  best: {compute: objective, after: all, molecules: {best: 3, of: all}}
"#;
    let fidelities = LOOPS.replace(
        "  evaluate: {after: screen, loop: consumer, molecules: queue, parallel: 2}",
        "  cheap: {compute: cheap, after: screen, loop: consumer, molecules: queue, parallel: 3}\n  \
         evaluate: {after: cheap, loop: consumer, molecules: {share: 0.5, of: cheap}, parallel: 2}",
    );
    let two_screens = r#"
stages:
  initial: {molecules: {random: 4}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: walk, after: train, loop: generator}
  other: {method: walk, after: train, loop: generator}
  screen: {method: rank, after: [generate, other], loop: generator, select: 2}
  second: {method: rank, after: other, loop: generator, select: 3}
  evaluate: {after: screen, loop: consumer, molecules: queue, parallel: 2}
  compute: {after: second, loop: consumer, molecules: queue, parallel: 1}
stop: {evaluations: 10}
"#;
    let shares = two_screens
        .replace(
            "generate: {method: walk,",
            "generate: {method: walk, share: 0.7,",
        )
        .replace(
            "  second: {method: rank, after: other, loop: generator, select: 3}\n",
            "",
        )
        .replace(
            "  compute: {after: second, loop: consumer, molecules: queue, parallel: 1}\n",
            "",
        );
    let difference = "objective: {maximize: objective}\nproperties:\n  \
                      objective: {value: b.energy - c.energy + atomization(a), unit: eV}\n  \
                      cheap: {value: a.energy}\n";
    let short = "objective: atomization_energy\n";
    let several = "objective: [{maximize: objective}, {minimize: second}]\n\
                   constraints: [third <= -1 hartree]\nproperties:\n  \
                   objective: {value: b.energy - c.energy + atomization(a), unit: eV}\n  \
                   second: {value: b.energy}\n  third: {value: relax.energy}\n  \
                   cheap: {value: a.energy, unit: eV}\n  cheaper: {value: relax.energy}\n";
    // The objective is learnt as the difference from a cheaper property.
    let levels = METHODS.replace(
        "kind: train,",
        "kind: train, properties: [cheap, objective],",
    );
    let two_levels = fidelities.replace("compute: cheap,", "compute: [cheap, cheaper],");
    [
        (short, METHODS, "", LOOPS),
        (
            "objective: {minimize: objective}\nproperties: {objective: {value: atomization(b)}}\n",
            METHODS,
            MORE_METHODS,
            LOOPS,
        ),
        (difference, METHODS, MORE_METHODS, LOOPS),
        (difference, &no_loops, MORE_METHODS, list),
        (difference, METHODS, MORE_METHODS, &fidelities),
        (short, METHODS, "", two_screens),
        (several, METHODS, MORE_METHODS, LOOPS),
        (several, METHODS, MORE_METHODS, &two_levels),
        (several, &levels, MORE_METHODS, &two_levels),
        (short, METHODS, "", &shares),
    ]
    .map(|(objective, methods, more, stages)| {
        // A method that is not used is a fault.
        let unused = |line: &&str| {
            let used = objective.contains("c.energy") || !line.starts_with("  c:");
            used && (objective.contains("(a)") || objective == short || !line.starts_with("  a:"))
        };
        let methods = format!("{}{}", methods.trim_end(), more.trim_end());
        let methods: Vec<&str> = methods.lines().filter(unused).collect();
        let text = format!("name: shape\n{objective}{}\n{stages}", methods.join("\n"));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("campaign.yml");
        std::fs::write(&path, &text).expect("written");
        match plan::load(&path, &Overrides::default(), &HostEnvironment::default()) {
            Ok((_, plan)) => plan,
            Err(faults) => panic!("{faults}\n{text}"),
        }
    })
    .into()
});

/// A plan and the world it meets.
#[derive(Clone, Debug)]
struct Scenario {
    plan: Plan,
    /// Molecules that a stage takes from the source.
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

impl Scenario {
    /// The begin of its run.
    fn began(&self) -> Fact {
        let molecules = self.plan.draws().map(|(stage, _)| {
            let names = (0..self.initial).map(|i| format!("{stage}{i}"));
            (stage.to_owned(), names.collect())
        });
        Fact::Began {
            molecules: molecules.collect(),
            reserve: (0..40).map(|i| format!("reserve{i}")).collect(),
            pool: None,
            atom_retries: 0,
        }
    }
}

/// The machine: it outlives the engine, as processes and result files do.
struct World<'p> {
    scenario: &'p Scenario,
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
    fn new(scenario: &Scenario, fuse: Option<usize>) -> World<'_> {
        World {
            scenario,
            jobs: BTreeMap::new(),
            journal: Vec::new(),
            fuse,
            learnt_from: None,
        }
    }

    /// Runs an engine on what the journal holds until it ends (true) or is killed.
    fn live(&mut self) -> Option<Engine> {
        let mut engine = Engine::new(self.scenario.plan.clone());
        for event in &self.journal {
            let step = engine.handle(event);
            let step = step.expect("the journal was legal when it was written");
            self.learnt_from = learnt_from(&step).or(self.learnt_from);
        }
        if engine.is_fresh() {
            let fact = self.scenario.began();
            self.take(&mut engine, vec![fact])?;
        } else {
            let outstanding = engine.outstanding().into_iter();
            let lost = outstanding.filter(|attempt| !self.jobs.contains_key(attempt));
            let lost = lost.collect();
            let told = self.submit(&engine, lost)?;
            self.take(&mut engine, told)?;
        }
        while !engine.is_ended() {
            let next = self.next_to_end();
            let stuck = || panic!("nothing runs: {:#?}", engine.progress());
            let (task, attempt) = next.unwrap_or_else(stuck);
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
        let has = self.chance(&format!("cached{task}")) % 100 < self.scenario.cached;
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

    /// The same whatever was killed before: decided by token and scenario alone.
    fn next_to_end(&self) -> Option<(TaskId, Attempt)> {
        let running = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job, Job::Running(_)))
            .map(|(token, _)| *token);
        running.min_by_key(|(task, attempt)| self.chance(&format!("order{task}.{attempt}")))
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
            Some("simulate") => {
                let smiles = input["smiles"].as_str().expect("a molecule");
                let method = engine.method_of(task).expect("running");
                let geometry = engine.plan().methods[method].geometry();
                match geometry.filter(|_| !smiles.starts_with('[')) {
                    Some(_) => assert_eq!(input["geometry"]["xyz"], geometry_of(&input)),
                    None => assert!(input["geometry"].is_null(), "{input}"),
                }
                let energy = -((self.chance(&format!("{smiles}{method}")) % 1000) as f64) / 100.0;
                let keeps = input["keep_geometry"] == true;
                Outcome::Simulated {
                    quantities: BTreeMap::from([("energy".into(), energy)]),
                    atoms: BTreeMap::from([("C".into(), 1), ("H".into(), 4)]),
                    xyz: keeps.then(|| geometry_of(&input)),
                }
            }
            Some("train") => {
                let targets = input["targets"].as_array().expect("a list");
                let known = files.iter().map(|(file, _)| file.bytes).sum::<u64>();
                let has_levels = targets.iter().any(|target| target["above"].is_number());
                for target in targets {
                    let observations = target["observations"].as_array().expect("a list");
                    // A memory is as long as the results are many.
                    let counted = known + observations.len() as u64;
                    if !has_levels {
                        assert_eq!(
                            Some(counted),
                            self.learnt_from,
                            "a model learns from each result once"
                        );
                    }
                    let molecules = observations.iter().map(|o| o["smiles"].as_str());
                    let molecules: BTreeSet<_> = molecules.collect();
                    assert_eq!(molecules.len(), observations.len(), "each molecule once");
                }
                let counted = self.learnt_from.expect("a batch has begun");
                let memory = FileRef {
                    bytes: counted,
                    ..file("memory")
                };
                Outcome::Trained {
                    model: file("model"),
                    memory,
                    molecules: 1,
                    metrics: BTreeMap::from([("rmse".into(), 0.0)]),
                }
            }
            Some("generate") => Outcome::Generated {
                state: file("state"),
                candidates: file("candidates"),
                count: 3,
                metrics: BTreeMap::new(),
            },
            Some("screen") => {
                // Some of what is found lies in the reserve, and fails there or here.
                let pick = |i: u64| match self.chance(&format!("{task}/{i}"))
                    % (self.scenario.molecules + 9)
                {
                    n if n < 9 => format!("reserve{}", 39 - n),
                    n => format!("m{}", n - 9),
                };
                let ranked = (0..6)
                    .map(|i| RankedCandidate {
                        generator: i as usize % 2,
                        smiles: pick(i),
                        prediction: Prediction {
                            mean: i as f64,
                            std: 0.1,
                        },
                        further: vec![
                            Prediction {
                                mean: -(i as f64),
                                std: 0.1,
                            };
                            engine.plan().targets(trained(engine.plan())).len() - 1
                        ],
                        parents: vec![],
                    })
                    .collect();
                Outcome::Screened { ranked }
            }
            other => panic!("no such method: {other:?}"),
        }
    }
}

/// Place of the first `train` stage.
fn trained(plan: &Plan) -> usize {
    let is_train = |stage: &PlannedStage| matches!(stage.kind, StageKind::Train { .. });
    plan.stages.iter().position(is_train).expect("a stage")
}

/// The results that a batch learns from which began in this step.
fn learnt_from(step: &EngineStep) -> Option<u64> {
    step.records.iter().find_map(|record| match record {
        Record::BatchStarted { observations, .. } => Some(*observations as u64),
        _ => None,
    })
}

/// The geometry that a method gives a molecule.
fn geometry_of(input: &Value) -> String {
    format!("relaxed {}", input["smiles"])
}

fn stop() -> impl Strategy<Value = Stop> {
    let stale = prop::option::weighted(0.3, 1usize..6);
    let target = prop::option::weighted(0.3, -10.0..-5.0);
    (0usize..20, target, stale, 1usize..4).prop_map(
        |(evaluations, target, stale_batches, barren_batches)| Stop {
            evaluations: Some(evaluations),
            wall_time: None,
            core_hours: None,
            node_hours: None,
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

fn scenarios() -> impl Strategy<Value = Scenario> {
    let schedules = prop::sample::select(vec![Schedule::Interleaved, Schedule::Batch]);
    let numbers = (1usize..5, 1usize..5, 1usize..6);
    let chances = (0u64..60, 0u64..60, 1u64..60);
    let world = (any::<u64>(), chances, 0..SHAPES.len());
    (schedules, stop(), numbers, world, retries()).prop_map(
        |(schedule, stop, (parallel, select, initial), world, retries)| {
            let (world, (failing, cached, molecules), shape) = world;
            let mut plan = SHAPES[shape].clone();
            plan.seed = 1;
            plan.schedule = schedule;
            plan.stop = Stop {
                evaluations: stop.evaluations.filter(|_| plan.has_loops()),
                target: stop.target.filter(|_| plan.only_objective().is_some()),
                ..stop
            };
            for method in plan.methods.values_mut() {
                method.retries = retries.clone();
            }
            for stage in &mut plan.stages {
                set_numbers(&mut stage.kind, (parallel, select, initial));
            }
            Scenario {
                plan,
                initial,
                world,
                failing,
                cached,
                molecules,
            }
        },
    )
}

fn set_numbers(kind: &mut StageKind, (many, best, initial): (usize, usize, usize)) {
    match kind {
        StageKind::Compute {
            molecules,
            parallel,
            ..
        } => {
            *parallel = parallel.map(|_| many);
            if let MoleculeSource::Random(count) = molecules {
                *count = initial;
            }
        }
        StageKind::Screen { select, .. } => *select = best,
        StageKind::Train { .. } | StageKind::Generate { .. } => {}
    }
}

/// The records of a whole journal, as the store sees them.
fn records(scenario: &Scenario, journal: &[Event]) -> Vec<Record> {
    let mut engine = Engine::new(scenario.plan.clone());
    journal
        .iter()
        .flat_map(|event| engine.handle(event).expect("legal").records)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_crash_anywhere_changes_nothing(scenario in scenarios(), fuses in prop::collection::vec(0usize..30, 1..6)) {
        let mut calm = World::new(&scenario, None);
        let expected = calm.live().expect("nothing kills it");
        let mut world = World::new(&scenario, None);
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
        // Answers of the cache come at once: after a crash in the order of the tasks, otherwise in
        // that of their submission.
        let told = |journal: &[Event]| {
            let records = records(&scenario, journal).into_iter();
            let mut told: Vec<String> = records.map(|record| format!("{record:?}")).collect();
            if scenario.cached > 0 {
                told.sort_unstable();
            }
            told
        };
        prop_assert_eq!(told(&world.journal), told(&calm.journal));
    }

    #[test]
    fn with_schedule_batch_the_order_of_arrival_changes_nothing_that_is_computed(mut scenario in scenarios(), other in any::<u64>()) {
        scenario.plan.schedule = Schedule::Batch;
        scenario.failing = 0;
        let energies = scenario.world;
        let evaluated = |order: u64| {
            let mut world = World::new(&scenario, None);
            let engine = Order { world: &mut world, order }.live();
            (engine.progress(), engine.evaluated().iter().map(|m| (m.task, m.smiles.clone())).collect::<BTreeSet<_>>())
        };
        prop_assert_eq!(evaluated(energies), evaluated(other));
    }

    #[test]
    fn every_run_ends_and_calculates_nothing_twice_and_no_more_than_asked(scenario in scenarios()) {
        let mut world = World::new(&scenario, None);
        let engine = world.live().expect("nothing kills it");
        let progress = engine.progress();
        prop_assert!(progress.evaluations <= progress.asked_for);
        let reason = engine.stopped_by().expect("it has ended");
        let initial_failed = [StoppedBy::NothingComputed, StoppedBy::FailureShare];
        if reason == StoppedBy::Evaluations {
            prop_assert_eq!(progress.evaluations, progress.asked_for);
        }
        prop_assert!(progress.evaluations >= scenario.initial || initial_failed.contains(&reason));
        let hits = world.journal.iter().filter(|event| matches!(event.fact, Fact::Cached { .. }));
        prop_assert_eq!(progress.cached, hits.count());
        let mut calculated = BTreeSet::new();
        for record in records(&scenario, &world.journal) {
            if let Record::TaskCreated { smiles: Some(smiles), batch: Some(_), method, .. } = record {
                let first = scenario.plan.methods[&method].geometry();
                let relaxed = first.is_none_or(|first| calculated.contains(&(smiles.clone(), first.to_owned())));
                prop_assert!(relaxed, "{smiles} by {method} has no geometry");
                prop_assert!(calculated.insert((smiles.clone(), method)), "{smiles} was calculated twice");
            }
        }
    }

    #[test]
    fn any_prefix_of_a_journal_replays_and_goes_on_to_an_end(scenario in scenarios(), share in 0.0..1.0f64) {
        let mut world = World::new(&scenario, None);
        world.live().expect("nothing kills it");
        let length = (world.journal.len() as f64 * share) as usize;
        let mut again = World::new(&scenario, None);
        again.journal = world.journal[..length].to_vec();
        let engine = again.live().expect("nothing kills it");
        prop_assert!(engine.is_ended());
    }

    #[test]
    fn a_molecule_that_failed_for_good_is_never_proposed_again(scenario in scenarios()) {
        let mut world = World::new(&scenario, None);
        world.live().expect("nothing kills it");
        let mut engine = Engine::new(scenario.plan.clone());
        let mut proposed = BTreeMap::new();
        let mut quarantined = BTreeSet::new();
        for event in &world.journal {
            for record in engine.handle(event).expect("legal").records {
                match record {
                    Record::Queued(candidate) => {
                        prop_assert!(!quarantined.contains(&candidate.smiles), "{:?}", candidate);
                        proposed.insert((candidate.batch, candidate.rank), candidate.smiles);
                    }
                    Record::EvaluationFailed { batch, rank, .. } => {
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
        prop_assert!(engine.progress().failures >= quarantined.len());
    }

    #[test]
    fn the_front_is_what_no_feasible_molecule_dominates(scenario in scenarios()) {
        let mut world = World::new(&scenario, None);
        let engine = world.live().expect("nothing kills it");
        let directions: Vec<_> = scenario.plan.objectives.iter().map(|o| o.direction).collect();
        let costs = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(&directions).map(|(value, direction)| direction.cost(*value)).collect()
        };
        let feasible = || engine.evaluated().iter().filter(|molecule| molecule.is_feasible);
        let dominates = |one: &[f64], other: &[f64]| {
            let pairs = || one.iter().zip(other);
            pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
        };
        let expected = feasible().filter(|molecule| {
            !feasible().any(|other| dominates(&costs(&other.values), &costs(&molecule.values)))
        });
        let expected: BTreeSet<_> = expected.map(|molecule| (molecule.batch, molecule.rank)).collect();
        let (mut front, mut volume) = (BTreeSet::new(), 0.0);
        for record in records(&scenario, &world.journal) {
            match record {
                Record::FrontJoined { batch, rank } => prop_assert!(front.insert((batch, rank))),
                Record::FrontLeft { batch, rank } => prop_assert!(front.remove(&(batch, rank))),
                Record::Hypervolume { value, .. } => {
                    prop_assert!(value >= volume, "{value} after {volume}");
                    volume = value;
                }
                _ => {}
            }
        }
        match scenario.plan.only_objective() {
            Some(_) => prop_assert!(front.is_empty()),
            None => {
                prop_assert_eq!(engine.progress().front, Some(front.len()));
                prop_assert_eq!(front, expected);
            }
        }
        if let Some(incumbent) = engine.incumbent() {
            prop_assert!(incumbent.is_feasible);
        }
    }

    #[test]
    fn the_queue_records_add_up(scenario in scenarios()) {
        let mut world = World::new(&scenario, None);
        world.live().expect("nothing kills it");
        let records = records(&scenario, &world.journal);
        let count = |f: fn(&Record) -> bool| records.iter().filter(|r| f(r)).count();
        let queued = count(|r| matches!(r, Record::Queued(_)));
        let left = count(|r| matches!(r, Record::Superseded { .. }));
        let places = records.iter().filter_map(|r| match r {
            Record::Evaluating { batch, rank, .. } => Some((batch, rank)),
            _ => None,
        });
        let places = places.collect::<BTreeSet<_>>().len();
        let evaluating = count(|r| matches!(r, Record::Evaluating { .. }));
        let ended = count(|r| matches!(r, Record::Evaluated { .. } | Record::EvaluationFailed { .. } | Record::EvaluationCancelled { .. }));
        prop_assert_eq!(queued, left + places);
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
        let mut engine = Engine::new(world.scenario.plan.clone());
        let began = match world.scenario.began() {
            Fact::Began { molecules, .. } => Fact::Began {
                molecules,
                reserve: vec![],
                pool: None,
                atom_retries: 0,
            },
            other => other,
        };
        world.take(&mut engine, vec![began]).expect("no fuse");
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
