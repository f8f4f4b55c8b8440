//! Forecasts: the engine on a simulated site, with simulated time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use moldflow::config::campaign::{Overrides, Schedule};
use moldflow::forecast::{
    Assumptions, BlockRules, Forecast, Machine, Supply, Table, Times, forecast,
};
use moldflow::plan::{self, MoleculeSource, Plan, StageKind};
use moldflow::task::StoppedBy;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;

/// The campaign of Theta on small molecules, without a limit on its time.
fn campaign() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/theta.yml");
    let overrides = Overrides {
        set: vec!["search_space.max_heavy_atoms=6".into()],
        ..Overrides::default()
    };
    static LOADED: OnceLock<Plan> = OnceLock::new();
    let mut plan = LOADED
        .get_or_init(|| {
            let loaded = plan::load(&path, &overrides, &plan::HostEnvironment::default());
            loaded.map_or_else(|faults| panic!("{faults}"), |(_, plan)| plan)
        })
        .clone();
    plan.stop.wall_time = None;
    plan
}

/// Its molecules, more than any test needs.
fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::open(&campaign().search_space, false, 30_000).unwrap())
}

/// That campaign with this number of evaluations, and batches as large as the number of slots.
fn sized(evaluations: usize, parallel: usize) -> Plan {
    let mut plan = campaign();
    plan.stop.evaluations = Some(evaluations);
    for stage in &mut plan.stages {
        if let StageKind::Compute {
            parallel: at_once, ..
        } = &mut stage.kind
        {
            *at_once = at_once.map(|_| parallel);
        }
    }
    set_select(&mut plan, parallel);
    plan
}

fn set_select(plan: &mut Plan, count: usize) {
    for stage in &mut plan.stages {
        if let StageKind::Screen { select, .. } = &mut stage.kind {
            *select = count;
        }
    }
}

/// The number of molecules that the campaign begins with.
fn initial_count(plan: &mut Plan) -> &mut usize {
    let mut kinds = plan.stages.iter_mut().map(|stage| &mut stage.kind);
    let count = kinds.find_map(|kind| match kind {
        StageKind::Compute {
            molecules: MoleculeSource::Random(count),
            ..
        } => Some(count),
        _ => None,
    });
    count.expect("a stage of random molecules")
}

fn run(plan: &Plan, qc: Supply, assumptions: &Assumptions) -> Forecast {
    forecast(plan, &machine(qc), table(), assumptions).unwrap()
}

fn machine(qc: Supply) -> Machine {
    let ml = Supply::Held { slots: 1 };
    Machine {
        partitions: BTreeMap::from([("ml".to_owned(), ml), ("qc".to_owned(), qc)]),
        nodes: 0,
    }
}

fn assumptions(task_time: &str) -> Assumptions {
    Assumptions {
        recorded: BTreeMap::new(),
        task_time: Some(task_time.parse().unwrap()),
        ml_time: Times::of_seconds(300),
        fit_time: Times::of_seconds(10),
        failures: 0.0,
        queue_wait: 0,
        skill: 0.9,
    }
}

fn on_slots(slots: usize, plan: &Plan, assumptions: &Assumptions) -> Forecast {
    run(plan, Supply::Held { slots }, assumptions)
}

#[test]
fn slots_are_busy_with_tasks_of_ten_minutes_and_an_agent_that_takes_five() {
    let mut planned = sized(10_000, 256);
    *initial_count(&mut planned) = 256;
    for sigma in ["0.1", "0.5", "1"] {
        for failures in [0.0, 0.05] {
            let assumptions = Assumptions {
                failures,
                ..assumptions(&format!("lognormal:10m,{sigma}"))
            };
            let forecast = on_slots(256, &planned, &assumptions);
            assert_eq!(forecast.stopped_by, StoppedBy::Evaluations);
            let search = forecast.search.unwrap();
            assert!(search.utilisation >= 0.99, "sigma {sigma}: {search:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_forecast_and_another_seed_another() {
    let assumptions = Assumptions {
        failures: 0.1,
        ..assumptions("lognormal:10m,0.5")
    };
    let of_seed = |seed: u64| {
        let mut planned = sized(60, 4);
        planned.seed = seed;
        on_slots(4, &planned, &assumptions)
    };
    let one = of_seed(1);
    let again = of_seed(1);
    assert_eq!(one, again);
    let json = |forecast| serde_json::to_string(forecast).unwrap();
    assert_eq!(json(&one), json(&again));
    assert_ne!(one, of_seed(2));
}

#[test]
fn the_better_the_model_the_better_what_is_found() {
    let found = |skill: f64| {
        let values = (1..=8).map(|seed| {
            let mut planned = sized(30, 4);
            planned.seed = seed;
            let assumptions = Assumptions {
                skill,
                ..assumptions("10m")
            };
            on_slots(4, &planned, &assumptions).best.unwrap().value
        });
        values.sum::<f64>()
    };
    let (blind, clever) = (found(0.01), found(0.99));
    assert!(clever < blind, "{clever} is not below {blind}");
}

#[test]
fn with_batches_too_small_for_the_slots_these_wait_for_candidates() {
    let mut planned = sized(640, 64);
    set_select(&mut planned, 8);
    let search = on_slots(64, &planned, &assumptions("10m")).search.unwrap();
    assert!(search.idle_without_candidates > 0.5, "{search:?}");
    assert_eq!(search.idle_without_nodes, 0.0);
}

#[test]
fn a_task_past_its_timeout_fails() {
    // Theirs is half an hour.
    let forecast = on_slots(4, &sized(40, 4), &assumptions("31m"));
    assert_eq!(forecast.stopped_by, StoppedBy::References);
}

#[test]
fn the_wall_time_ends_a_campaign_on_time() {
    let mut planned = sized(10_000, 4);
    planned.stop.wall_time = Some("5h".parse().unwrap());
    let forecast = on_slots(4, &planned, &assumptions("10m"));
    assert_eq!(forecast.stopped_by, StoppedBy::WallTime);
    assert_eq!(forecast.seconds, 5.0 * 3600.0);
}

fn blocks(walltime: u64, max: usize) -> Supply {
    let rules = BlockRules {
        min: 0,
        init: 1,
        max,
        nodes: 2,
        capacity: 4,
        walltime,
        idle: 2 * MINUTE,
    };
    Supply::Blocks {
        slots: max * 4,
        rules,
    }
}

#[test]
fn nodes_of_a_block_are_paid_for_while_it_is_held() {
    let run = |queue_wait| {
        let assumptions = Assumptions {
            queue_wait,
            ..assumptions("10m")
        };
        run(&sized(40, 8), blocks(120 * MINUTE, 2), &assumptions)
    };
    let (at_once, late) = (run(0), run(45 * MINUTE));
    let hours = at_once.seconds / 3600.0;
    // Five atoms, four molecules and forty more, of ten minutes each, on half a node.
    let needed = 49.0 * 10.0 / 60.0 / 2.0;
    assert!(
        (needed..=4.0 * hours).contains(&at_once.node_hours),
        "{at_once:?}"
    );
    assert!(late.seconds > at_once.seconds, "{late:?}");
    let idle = |forecast: &Forecast| forecast.search.as_ref().unwrap().idle_without_nodes;
    assert!(idle(&late) > idle(&at_once));
}

#[test]
fn a_job_a_task_pays_for_what_computes_and_nothing_else() {
    let supply = Supply::Jobs {
        slots: 8,
        nodes_per_task: 2,
        walltime: 60 * MINUTE,
    };
    let assumptions = Assumptions {
        queue_wait: 20 * MINUTE,
        ..assumptions("10m")
    };
    let forecast = run(&sized(40, 8), supply, &assumptions);
    let paid = 49.0 * 2.0 * 10.0 / 60.0;
    assert!((forecast.node_hours - paid).abs() < 1e-9, "{forecast:?}");
    assert!(forecast.partitions["qc"].utilisation < 0.34);
}

fn supplies() -> impl Strategy<Value = Supply> {
    let held = (1usize..6).prop_map(|slots| Supply::Held { slots });
    let jobs = (1usize..6, 1usize..3).prop_map(|(slots, nodes_per_task)| Supply::Jobs {
        slots,
        nodes_per_task,
        walltime: 25 * MINUTE,
    });
    let blocks = (1usize..4, 30u64..300).prop_map(|(max, minutes)| blocks(minutes * MINUTE, max));
    prop_oneof![held, jobs, blocks]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_forecast_obeys_the_laws_of_the_engine(
        supply in supplies(),
        (parallel, select, size) in (1usize..9, 1usize..9, 1usize..60),
        (failures, wait, seed) in (0.0..0.4f64, 0u64..90, any::<u64>()),
        batch: bool,
    ) {
        let mut planned = sized(size, parallel);
        planned.seed = seed;
        planned.schedule = if batch { Schedule::Batch } else { Schedule::Interleaved };
        planned.stop.failure_share = 0.9;
        set_select(&mut planned, select);
        let assumptions = Assumptions { failures, queue_wait: wait * MINUTE, ..assumptions("lognormal:8m,0.8") };
        let forecast = run(&planned, supply, &assumptions);

        let initial = *initial_count(&mut planned);
        let asked_for = initial + size;
        // While no initial molecule could be computed, one more is drawn.
        let drawn_again = (forecast.failures + 1).saturating_sub(initial);
        prop_assert!(forecast.evaluations <= asked_for + drawn_again);
        if forecast.stopped_by == StoppedBy::Evaluations {
            prop_assert!(forecast.evaluations >= asked_for);
        }
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        prop_assert!(forecast.partitions.values().all(|p| is_share(p.utilisation)));
        if let Some(search) = &forecast.search {
            let shares = [search.utilisation, search.idle_without_candidates, search.idle_without_nodes];
            prop_assert!(shares.into_iter().all(is_share));
            prop_assert!(search.superseded <= search.queued);
            prop_assert!(search.until_seconds <= forecast.seconds);
            if batch {
                prop_assert_eq!(search.age_in_batches.most, 0, "the loops wait for each other");
            }
        }
        let nodes = match supply {
            Supply::Held { .. } => 0,
            Supply::Jobs { slots, nodes_per_task, .. } => slots * nodes_per_task,
            Supply::Blocks { rules, .. } => rules.max * rules.nodes,
        };
        prop_assert!(forecast.node_hours <= nodes as f64 * forecast.seconds / 3600.0 + 1e-9);
    }
}
