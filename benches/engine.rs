//! Speed and memory of the engine, each printed beside its floor as measured in this run.
//!
//! `cargo bench --bench engine` runs all; `cargo bench --bench engine -- throughput` those whose
//! name contains the word.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moldflow::driver::{
    Driver, ExecutionContext, InitialMolecules, PartitionUsage, RunObserver, TaskProgram,
};
use moldflow::engine::{Engine, Progress, TaskResult};
use moldflow::exec::{Executor, LocalExecutor, Report, Scratch, Termination};
use moldflow::plan::Plan;
use moldflow::store::{Commit, ObjectiveInfo, RunInfo, Store};
use moldflow::task::{Event, Fact, Outcome};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{mpsc, watch};

use support::{memory_mib, number, plan, report};

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| name.contains(w));
    let benches: [(&str, fn()); 7] = [
        ("throughput", throughput),
        ("round_trip", round_trip),
        ("busy_slots", busy_slots),
        ("first_result", first_result),
        ("idle_memory", idle_memory),
        ("resume", resume),
        ("python", support::python::rates),
    ];
    for (name, bench) in benches.iter().filter(|(name, _)| wanted(name)) {
        println!("{name}");
        bench();
    }
}

/// A program whose end alone is its result.
struct NoOp(Vec<String>);

impl TaskProgram for NoOp {
    fn argv(&self) -> Vec<String> {
        self.0.clone()
    }

    fn read(&self, exit: &Termination, _: Option<&[u8]>) -> TaskResult {
        assert_eq!(*exit, Termination::Code(0));
        TaskResult::bare(energy())
    }
}

struct Nobody;

impl RunObserver for Nobody {
    fn report_progress(&mut self, _: &Progress, _: &[PartitionUsage]) {}
}

fn energy() -> Outcome {
    Outcome::Simulated {
        quantities: BTreeMap::from([("energy".into(), -40.0)]),
        atoms: BTreeMap::from([("C".into(), 1), ("H".into(), 4)]),
        xyz: None,
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// A run in `dir` with two slots, and the reports of these.
fn context(dir: &Path) -> (ExecutionContext, UnboundedReceiver<Report>) {
    let (sender, reports) = mpsc::unbounded_channel();
    let executor: Box<dyn Executor> = Box::new(LocalExecutor::new(2, sender).expect("threads"));
    let context = ExecutionContext {
        run: "bench".into(),
        run_dir: dir.to_owned(),
        methods: plan(1, 2, 2).methods,
        scratch: Scratch::new("scratch".into(), dir.to_owned()),
        executors: BTreeMap::from([("qc".to_owned(), executor)]),
        time: None,
    };
    (context, reports)
}

/// Opens a run whose tasks are `argv`.
async fn open(
    store: Store,
    plan: Plan,
    (context, reports): (ExecutionContext, UnboundedReceiver<Report>),
    argv: &[&str],
) -> Driver<NoOp> {
    let program = NoOp(argv.iter().map(|a| (*a).to_owned()).collect());
    let engine = Engine::new(plan);
    let driver = Driver::new(engine, store, context, reports, program).await;
    driver.expect("a driver")
}

/// Seconds that `tasks` tasks of `argv` take through the whole path on two slots.
fn run(dir: &Path, tasks: usize, argv: &[&str]) -> f64 {
    let initial = (0..tasks).map(|i| format!("molecule {i}")).collect();
    wait(async {
        let store = Store::create(dir, &info()).await.expect("a database");
        let driver = open(store, plan(0, 2, 2), context(dir), argv).await;
        let (_keep, interrupts) = watch::channel(0);
        let begin = Instant::now();
        let drawn = InitialMolecules {
            stages: BTreeMap::from([("initial".to_owned(), initial)]),
            reserve: vec![],
            pool: None,
            inherited: None,
        };
        let (_, store) = driver
            .run(drawn, interrupts, &mut Nobody)
            .await
            .expect("a run");
        let seconds = begin.elapsed().as_secs_f64();
        store.close().await.expect("closed");
        seconds
    })
}

fn info() -> RunInfo {
    RunInfo {
        name: "bench".into(),
        campaign: "bench".into(),
        created: 0,
        version: "bench".into(),
        objectives: vec![ObjectiveInfo {
            property: "atomization_energy".into(),
            label: "atomization energy".into(),
            unit: "hartree".into(),
            highest: false,
        }],
    }
}

/// Bare spawns a second, in two loops side by side: as many as the engine has slots. Cargo's
/// LD_LIBRARY_PATH, which slows the start of a program, is not passed on.
fn bare_spawns(n: usize) -> f64 {
    let spawn = || {
        let status = Command::new("/bin/true")
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("/bin/true").success());
    };
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..n / 2).for_each(|_| spawn()));
        }
    });
    n as f64 / begin.elapsed().as_secs_f64()
}

fn throughput() {
    let mut rates = Vec::new();
    for tasks in [5_000, 50_000] {
        let bare = bare_spawns(5_000);
        let dir = tempfile::tempdir().expect("a directory");
        let rate = tasks as f64 / run(dir.path(), tasks, &["/bin/true"]);
        report(
            &format!(
                "{tasks} no-op tasks, {rate:.0} a second, to {bare:.0} of two loops of bare spawns"
            ),
            rate / bare,
            ">= 0.31, aim 0.5",
        );
        rates.push(rate / bare);
    }
    report(
        "the same at 50,000 to that at 5,000",
        rates[1] / rates[0],
        ">= 1",
    );
}

fn round_trip() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut times: Vec<f64> = (0..30)
        .map(|i| {
            let dir = dir.path().join(i.to_string());
            std::fs::create_dir(&dir).expect("a directory");
            // Five free atoms and one molecule, one after another on an idle engine.
            let more = run(&dir, 41, &["/bin/true"]);
            std::fs::create_dir(dir.join("one")).expect("a directory");
            (more - run(&dir.join("one"), 1, &["/bin/true"])) / 20.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    report(
        "milliseconds for one task's round trip on each of two slots",
        1e3 * times[times.len() / 2],
        "< 2",
    );
}

/// Free atoms of `plan`: H, C, N, O, F. They come before all else, as tasks like any other.
const FREE_ATOMS: usize = 5;

fn busy_slots() {
    let dir = tempfile::tempdir().expect("a directory");
    let tasks = 200;
    let seconds = run(dir.path(), tasks, &["/bin/sleep", "0.1"]);
    report(
        "share of two slots busy with tasks of 0.1 s",
        (tasks + FREE_ATOMS) as f64 * 0.1 / 2.0 / seconds,
        ">= 0.97",
    );
}

/// The binary itself with a campaign of one initial molecule.
fn moldflow(dir: &Path, campaign: &str) -> Command {
    let file = dir.join("campaign.yml");
    std::fs::write(&file, campaign).expect("a campaign");
    let mut command = Command::new(env!("CARGO_BIN_EXE_moldflow"));
    command
        .arg("run")
        .arg(file)
        .arg("--run-dir")
        .arg(dir.join("run"))
        .arg("--quiet");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn first_result() {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            let one = "engine: gfn2//mmff94, settings: {conformers: 1}";
            let quick =
                include_str!("../campaigns/quickstart.yml").replace("engine: gfn2//mmff94", one);
            let begin = jiff::Timestamp::now().as_millisecond();
            let mut child = moldflow(dir.path(), &quick).spawn().expect("moldflow");
            child.wait().expect("an end");
            let found = wait(async {
                let mut store = Store::open_to_read(&dir.path().join("run"))
                    .await
                    .expect("a database");
                store.candidates().await.expect("rows")
            });
            let first = found
                .iter()
                .filter_map(|c| c.finished)
                .min()
                .expect("a result");
            (first - begin) as f64 / 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    report(
        "seconds from start to the first result of gfn2//mmff94 with one conformer",
        times[times.len() / 2],
        "< 0.3",
    );
}

fn idle_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let fake = dir.path().join("xtb");
    std::fs::write(&fake, "#!/bin/sh\nexec sleep 60\n").expect("a script");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let campaign =
        include_str!("../campaigns/quickstart.yml").replace("engine: gfn2//mmff94", "engine: xtb");
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let mut child = moldflow(dir.path(), &campaign)
        .env("PATH", path)
        .spawn()
        .expect("moldflow");
    std::thread::sleep(Duration::from_secs(2));
    let mut all = vec![child.id()];
    let mut next = 0;
    while next < all.len() {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", all[next]))
            .unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
        for thread in std::fs::read_dir(format!("/proc/{}/task", all[next]))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children =
                std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
        all.sort_unstable();
        all.dedup();
        next += 1;
    }
    let engine = number("VmRSS", child.id());
    let total: f64 = all.iter().map(|pid| number("VmRSS", *pid)).sum();
    report(
        &format!(
            "MiB of an idle engine and its {} other processes (engine {engine:.0})",
            all.len() - 1
        ),
        total,
        "< 60",
    );
    for pid in all.iter().rev() {
        let _ = Command::new("kill").arg("-9").arg(pid.to_string()).status();
    }
    let _ = child.wait();
}

/// Run directories with many results, opened again.
fn resume() {
    let small = opened(100_000, "< 2");
    let large = opened(1_000_000, "< 20");
    report(
        "time a result of 1,000,000 to that of 100,000",
        large / small / 10.0,
        "<= 1.2",
    );
}

/// Seconds to open a run of so many results.
fn opened(results: usize, floor: &str) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    wait(async {
        let mut store = Store::create(dir.path(), &info())
            .await
            .expect("a database");
        let mut engine = Engine::new(plan(1, 2, 2));
        let initial = (0..results).map(|i| format!("CC(C)C{i}")).collect();
        let mut facts = vec![Fact::Began {
            molecules: BTreeMap::from([("initial".to_owned(), initial)]),
            reserve: vec![],
            pool: None,
            atom_retries: 0,
        }];
        while !facts.is_empty() {
            for some in facts.chunks(1000) {
                let mut batch = Commit::default();
                for fact in some {
                    let event = Event {
                        at: 0,
                        fact: fact.clone(),
                    };
                    let step = engine.handle(&event).expect("legal");
                    batch.facts.push((event, step.records));
                }
                store.commit(&batch).await.expect("committed");
            }
            let ended = |(task, attempt)| Fact::Ended {
                task,
                attempt,
                usage: Default::default(),
                outcome: energy(),
            };
            facts = engine.outstanding().into_iter().map(ended).collect();
            if engine.evaluated().len() == results {
                break;
            }
        }
        store.close().await.expect("closed");
    });
    let context = context(dir.path());
    let before = memory_mib();
    let (seconds, driver) = wait(async {
        let begin = Instant::now();
        let store = Store::open(dir.path()).await.expect("a database");
        let driver = open(store, plan(1, 2, 2), context, &[]).await;
        (begin.elapsed().as_secs_f64(), driver)
    });
    report(
        &format!("seconds to open a run of {results} results"),
        seconds,
        floor,
    );
    let memory = 1024.0 * (memory_mib() - before) / results as f64;
    report("KiB that the engine takes for each of them", memory, "< 3");
    drop(driver);
    seconds
}
