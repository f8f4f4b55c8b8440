//! Laws of the pure engine, over random campaigns, outcomes and crashes.

#[path = "support/simulated_host.rs"]
mod simulated_host;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moldflow::config::campaign::{Schedule, Stop};
use moldflow::engine::{Engine, EngineConfig, GeometryStep, LearnStage, SimulateStage};
use moldflow::simulate;
use moldflow::task::{Event, Fact, FailureKind, Record, Retries, StoppedBy};
use proptest::prelude::*;
use simulated_host::{ReorderedHost, Scenario, SimulatedHost};

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

fn scenarios() -> impl Strategy<Value = Scenario> {
    let schedules = prop::sample::select(vec![Schedule::Interleaved, Schedule::Batch]);
    let shape = (1usize..5, 1usize..5, 1usize..6);
    let chances = (0u64..60, 0u64..60, 1u64..60);
    let world = (any::<u64>(), chances, any::<bool>());
    (schedules, stop(), shape, world, retries()).prop_map(
        |(schedule, stop, (parallel, select, initial), world, retries)| {
            let (world, (failing, cached, molecules), has_two_steps) = world;
            let config = config(schedule, stop, parallel, select, initial, &retries);
            Scenario {
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
fn records(scenario: &Scenario, journal: &[Event]) -> Vec<Record> {
    let mut engine = Engine::new(scenario.config.clone());
    journal
        .iter()
        .flat_map(|event| engine.handle(event).expect("legal").records)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_crash_anywhere_changes_nothing(scenario in scenarios(), fuses in prop::collection::vec(0usize..30, 1..6)) {
        let mut calm = SimulatedHost::new(&scenario, None);
        let expected = calm.live().expect("nothing kills it");
        let mut world = SimulatedHost::new(&scenario, None);
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
        prop_assert_eq!(records(&scenario, &world.journal), records(&scenario, &calm.journal));
    }

    #[test]
    fn with_schedule_batch_the_order_of_arrival_changes_nothing_that_is_computed(mut scenario in scenarios(), other in any::<u64>()) {
        scenario.config.schedule = Schedule::Batch;
        scenario.failing = 0;
        let energies = scenario.world;
        let evaluated = |order: u64| {
            let mut world = SimulatedHost::new(&scenario, None);
            let engine = ReorderedHost { world: &mut world, order }.live();
            (engine.progress(), engine.evaluated().iter().map(|m| (m.task, m.smiles.clone())).collect::<BTreeSet<_>>())
        };
        prop_assert_eq!(evaluated(energies), evaluated(other));
    }

    #[test]
    fn every_run_ends_and_evaluates_no_molecule_twice_and_no_more_than_asked(scenario in scenarios()) {
        let mut world = SimulatedHost::new(&scenario, None);
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
        let mut evaluated = BTreeSet::new();
        for record in records(&scenario, &world.journal) {
            if let Record::TaskCreated { smiles: Some(smiles), batch: Some(_), stage, .. } = record {
                let step = stage.ends_with(".relax");
                prop_assert!(evaluated.insert((smiles.clone(), step)), "{} was evaluated twice", smiles);
                prop_assert!(step || !scenario.has_two_steps() || evaluated.contains(&(smiles, true)));
            }
        }
    }

    #[test]
    fn any_prefix_of_a_journal_replays_and_goes_on_to_an_end(scenario in scenarios(), share in 0.0..1.0f64) {
        let mut world = SimulatedHost::new(&scenario, None);
        world.live().expect("nothing kills it");
        let length = (world.journal.len() as f64 * share) as usize;
        let mut again = SimulatedHost::new(&scenario, None);
        again.journal = world.journal[..length].to_vec();
        let engine = again.live().expect("nothing kills it");
        prop_assert!(engine.is_ended());
    }

    #[test]
    fn a_molecule_that_failed_for_good_is_never_proposed_again(scenario in scenarios()) {
        let mut world = SimulatedHost::new(&scenario, None);
        world.live().expect("nothing kills it");
        let mut engine = Engine::new(scenario.config.clone());
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
    fn the_queue_records_add_up(scenario in scenarios()) {
        let mut world = SimulatedHost::new(&scenario, None);
        world.live().expect("nothing kills it");
        let records = records(&scenario, &world.journal);
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
