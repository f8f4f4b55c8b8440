//! Growth of CPU time and memory: of forecasts with tasks and slots, of training with results, of
//! the engine with live tasks, of whole runs of lists with their lengths.
//!
//! `cargo bench --bench scale`, or one part of it: `-- forecast`, `-- train`, `-- engine`, `-- list`.
//! `docs/scale.md` has the figures.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;

use moldflow::chem::Molecule;
use moldflow::chem::qm9::Qm9;
use moldflow::config::campaign::{MethodKind, Overrides};
use moldflow::design::surrogate::GroupContribution;
use moldflow::design::{GenerateEngine, Observation, TrainEngine, TrainInput, TrainTarget, train};
use moldflow::engine::{Effect, Engine};
use moldflow::forecast::{Assumptions, Machine, Supply, Table, Times, forecast};
use moldflow::plan::{self, MoleculeSource, Plan, StageKind};
use moldflow::task::{Event, Fact, FileRef, Outcome, Prediction, RankedCandidate};

mod list;
mod support;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    let wanted = |name: &str| {
        let words = || arguments.iter().filter(|a| !a.starts_with('-'));
        words().count() == 0 || words().any(|word| name.contains(word.as_str()))
    };
    let parts: [(&str, fn()); 4] = [
        ("forecast", forecasts),
        ("train", training),
        ("engine", engine),
        ("list", list::lists),
    ];
    for (_, part) in parts.into_iter().filter(|(name, _)| wanted(name)) {
        part();
    }
}

/// Forecasts of the campaign of Theta: a batch has as many candidates as there are slots.
fn forecasts() {
    println!("forecast: tasks of a median of ten minutes, an agent that takes five");
    println!("     tasks   slots   seconds  us a task       MiB  busy in search");
    let of_tasks = [1_000, 10_000, 100_000, 1_000_000].map(|tasks| (tasks, 100));
    let of_slots = [1, 10, 1_000, 10_000].map(|slots| (100_000, slots));
    for (tasks, slots) in of_tasks
        .into_iter()
        .chain(of_slots)
        .chain([(1_000_000, 10_000)])
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/theta.yml");
        let Ok((_, mut plan)) = plan::load(
            &path,
            &Overrides::default(),
            &plan::HostEnvironment::default(),
        ) else {
            panic!("a campaign that is right");
        };
        let initial = set_slots(&mut plan, slots);
        plan.stop.evaluations = Some(tasks);
        plan.stop.wall_time = None;
        let held = |slots| Supply::Held { slots };
        let partitions = [("ml".to_owned(), held(1)), ("qc".to_owned(), held(slots))];
        let machine = Machine {
            partitions: BTreeMap::from(partitions),
            nodes: slots,
        };
        let assumptions = Assumptions {
            recorded: BTreeMap::new(),
            task_time: Some("lognormal:10m,0.5".parse().expect("a time")),
            ml_time: Times::of_seconds(300),
            fit_time: Times::of_seconds(10),
            failures: 0.01,
            queue_wait: 0,
            skill: 0.9,
        };
        let table = Table::open(&plan.search_space, false, tasks + initial).expect("molecules");
        let before = peak_from_now();
        let begin = cpu_seconds();
        let forecast = forecast(&plan, &machine, &table, &assumptions).expect("a forecast");
        let seconds = cpu_seconds() - begin;
        println!(
            "{tasks:>10} {slots:>7} {seconds:>9.2} {:>10.2} {:>9.0} {:>15.4}",
            1e6 * seconds / forecast.tasks as f64,
            peak() - before,
            forecast.search.map_or(0.0, |search| search.utilisation),
        );
    }
}

/// Sizes batches and the agent's work for this many slots. Returns the number of molecules that the
/// campaign begins with.
fn set_slots(plan: &mut Plan, slots: usize) -> usize {
    let mut initial = 0;
    for stage in &mut plan.stages {
        match &mut stage.kind {
            StageKind::Compute {
                molecules,
                parallel,
                ..
            } => {
                *parallel = parallel.map(|_| slots);
                if let MoleculeSource::Random(count) = molecules {
                    initial += *count;
                }
            }
            StageKind::Screen { select, .. } => *select = slots,
            StageKind::Train { .. } | StageKind::Generate { .. } => {}
        }
    }
    for method in plan.methods.values_mut() {
        if let MethodKind::Generate {
            engine: GenerateEngine::Moldqn { settings },
        } = &mut method.kind
        {
            settings.episodes = (slots / 10).max(10);
        }
    }
    initial
}

/// Training after 128 more results, from statistics and from nothing.
fn training() {
    const NEW: usize = 128;
    println!(
        "train: {NEW} new results beside those learnt from before, against all of them at once"
    );
    println!("   results  groups  seconds  at once  input/KiB  at once  memory/KiB  model/KiB");
    let qm9 = Qm9::open();
    // Spread over the data set, which is sorted by size.
    let all = (0..100_000).map(|i| {
        let entry = qm9.get(i * 7_919 % qm9.len());
        let molecule = Molecule::parse(entry.smiles).expect("of QM9");
        let value = -0.16 * molecule.atom_count() as f64 + 1e-3 * entry.u0_hartree;
        Observation {
            smiles: entry.smiles.to_owned(),
            cost: value,
        }
    });
    let all: Vec<Observation> = all.collect();
    for results in [1_000, 10_000, 100_000] {
        let dir = tempfile::tempdir().expect("a directory");
        let measured = &all[..results];
        let (old, new) = measured.split_at(results - NEW);
        let path = |name: &str| dir.path().join(name);
        let call = |memory: Option<&str>, measured: &[Observation], out: &str| {
            let input = TrainInput {
                engine: TrainEngine::GroupContribution {
                    settings: GroupContribution::default(),
                },
                memory: memory.map(path),
                targets: vec![TrainTarget {
                    property: "energy".to_owned(),
                    extensive: true,
                    above: None,
                    observations: measured.to_vec(),
                }],
                objectives: 1,
                model_out: path("model"),
                memory_out: path(out),
            };
            let begin = cpu_seconds();
            let output = train(&input).expect("a model");
            let bytes = serde_json::to_vec(&input).expect("JSON").len();
            (
                (cpu_seconds() - begin),
                bytes as f64 / 1024.0,
                output.metrics["groups"],
            )
        };
        call(None, old, "old");
        let (seconds, input, groups) = call(Some("old"), new, "new");
        let (at_once, whole_input, _) = call(None, measured, "whole");
        let kib = |name: &str| fs::metadata(path(name)).expect("a file").len() as f64 / 1024.0;
        println!(
            "{results:>10} {groups:>7} {seconds:>8.2} {at_once:>8.2} {input:>10.1} {whole_input:>8.0} {:>15.0} {:>10.0}",
            kib("new"),
            kib("model")
        );
    }
}

/// Time of an event with so many tasks live, the generator included.
fn engine() {
    const EVENTS: usize = 200_000;
    println!("engine: {EVENTS} events with so many simulations live");
    println!("     slots  ns an event      MiB");
    for slots in [1, 10, 100, 1_000, 10_000] {
        let plan = support::plan(EVENTS, slots, slots.max(10));
        let before = peak_from_now();
        let mut engine = Engine::new(plan);
        let begun = Fact::Began {
            molecules: BTreeMap::from([("initial".to_owned(), vec!["C".into()])]),
            reserve: vec![],
            pool: None,
            atom_retries: 0,
        };
        let mut running = VecDeque::new();
        let (mut events, mut next) = (0, 0);
        let begin = cpu_seconds();
        let mut fact = Some(begun);
        while let Some(new) = fact.take().filter(|_| events < EVENTS) {
            events += 1;
            let step = engine.handle(&Event { at: 0, fact: new }).expect("legal");
            for effect in step.effects {
                if let Effect::Submit { task, attempt } = effect {
                    running.push_back((task, attempt));
                }
            }
            fact = running.pop_front().map(|(task, attempt)| Fact::Ended {
                task,
                attempt,
                usage: Default::default(),
                outcome: answer(&engine, task, slots, &mut next),
            });
        }
        let nanoseconds = 1e9 * (cpu_seconds() - begin) / f64::from(events as u32);
        println!("{slots:>10} {nanoseconds:>12.0} {:>8.1}", peak() - before);
    }
}

/// Outcome of a task of the engine, at no cost.
fn answer(engine: &Engine, task: moldflow::task::TaskId, slots: usize, next: &mut u64) -> Outcome {
    *next += 1;
    let file = FileRef {
        sha256: format!("{next:064x}"),
        bytes: 0,
    };
    match engine.method_of(task) {
        Some("fit") => Outcome::Trained {
            model: file.clone(),
            memory: file,
            molecules: 0,
            metrics: BTreeMap::new(),
        },
        Some("propose") => Outcome::Generated {
            state: file.clone(),
            candidates: file,
            count: 0,
            metrics: BTreeMap::new(),
        },
        Some("rank") => Outcome::Screened {
            ranked: (0..2 * slots.max(10))
                .map(|i| RankedCandidate {
                    smiles: format!("{next}-{i}"),
                    prediction: Prediction {
                        mean: 0.0,
                        std: 1.0,
                    },
                    further: Vec::new(),
                    generator: 0,
                    parents: vec![],
                })
                .collect(),
        },
        _ => Outcome::Simulated {
            quantities: BTreeMap::from([("energy".to_owned(), -1.0)]),
            xyz: None,
            atoms: BTreeMap::from([("C".to_owned(), 1), ("H".to_owned(), 4)]),
        },
    }
}

/// Time that this thread was on a CPU: on a busy machine the clock would say little.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split_whitespace().next().expect("a number");
    nanoseconds.parse::<f64>().expect("a number") / 1e9
}

/// Begins a new peak of resident memory; what it is now, MiB.
fn peak_from_now() -> f64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    support::memory_mib()
}

/// The most resident memory since, MiB.
fn peak() -> f64 {
    support::number("VmHWM", std::process::id())
}
