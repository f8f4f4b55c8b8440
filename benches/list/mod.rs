//! Whole runs of lists by a method that takes no time: driver, engine and database, without
//! processes. Then `resume` of what they leave, and the commands that read it, with their memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

use moldflow::chem::Geometry;
use moldflow::config::campaign::Overrides;
use moldflow::driver::{
    Driver, ExecutionContext, InitialMolecules, PartitionUsage, RunObserver, TaskRun,
};
use moldflow::engine::{Engine, Progress, TaskResult};
use moldflow::exec::{Adoption, Executor, Job, JobEvent, Report, Scratch, Termination};
use moldflow::plan::{self, HostEnvironment, Plan};
use moldflow::simulate::SimResult;
use moldflow::store::{ObjectiveInfo, RunInfo, Store};
use moldflow::task::{Event, Fact, Outcome, Token};

use crate::support::{memory_mib, number};

const CAMPAIGN: &str = "\
name: list
seed: 1
site: local
properties: {binding: {value: energy.energy, unit: eV}}
objective: {minimize: binding}
search_space: {source: list.smi, elements: [C], max_heavy_atoms: 9}
methods:
  energy: {kind: simulate, engine: command, settings: {argv: [/bin/true], level: none, unit: hartree}, topic: simulator, partition: qc, timeout: 5m}
stages:
  all: {compute: binding, molecules: all}
stop: {failure_share: 1}
";

/// Executor whose jobs end as soon as they are submitted.
struct Instantaneous {
    reports: UnboundedSender<Report>,
    result: Vec<u8>,
}

impl Executor for Instantaneous {
    fn submit(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let at = now();
            let ended = JobEvent::Ended {
                exit: Termination::Code(0),
                result: Some(self.result.clone()),
                started: Some(at),
                ended: None,
            };
            for event in [JobEvent::Started, ended] {
                let token = job.token.clone();
                let _ = self.reports.send(Report { token, event, at });
            }
        }
    }
    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption> {
        jobs.iter().map(|_| Adoption::NotStarted).collect()
    }
    fn end_others(&mut self, _: &str, _: &[Token]) {}
    fn cancel(&mut self, _: &[Token]) {}
    fn drop_waiting(&mut self) {}
    fn slots(&self) -> usize {
        2
    }
    fn busy(&self) -> usize {
        0
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Progress is read from the journal afterwards.
struct Nobody;

impl RunObserver for Nobody {
    fn report_progress(&mut self, _: &Progress, _: &[PartitionUsage]) {}
}

/// Lists of several lengths.
pub fn lists() {
    println!("list: molecules by a method that takes no time");
    println!("  molecules   a second  last tenth to first  engine/MiB  resume/s");
    for molecules in [10_000, 100_000, 1_000_000] {
        let runs = tempfile::tempdir().expect("a directory");
        let dir = runs.path().join("run");
        std::fs::create_dir(&dir).expect("a directory");
        one(&dir, molecules);
    }
}

fn one(dir: &Path, molecules: usize) {
    let plan = planned(dir);
    let before = memory_mib();
    wait(run(dir, plan.clone(), molecules));
    let engine = number("VmHWM", std::process::id()) - before;
    let ends = wait(ends(dir));
    let took = |from: usize, to: usize| (ends[to] - ends[from]) as f64 / 1000.0;
    let tenth = molecules / 10;
    let rate = molecules as f64 / took(0, molecules - 1);
    let slowing = took(molecules - 1 - tenth, molecules - 1) / took(0, tenth);
    let resume = wait(async {
        let begin = Instant::now();
        let store = Store::open(dir).await.expect("a database");
        let (context, reports) = context(dir, &plan);
        let engine = Engine::new(plan.clone());
        let program = TaskRun {
            executable: "/bin/true".into(),
        };
        let driver = Driver::new(engine, store, context, reports, program).await;
        drop(driver.expect("a driver"));
        begin.elapsed().as_secs_f64()
    });
    println!("{molecules:>11} {rate:>10.0} {slowing:>20.2} {engine:>11.0} {resume:>9.2}");
    for command in READING {
        let [name, rest @ ..] = command else { continue };
        // The folder of the run directory for the one that lists runs.
        let path = if *name == "runs" {
            dir.parent()
        } else {
            Some(dir)
        };
        let (seconds, mib) = cost(name, path.expect("a folder"), rest);
        println!("{name:>11} {seconds:>10.2} s {mib:>8.0} MiB");
    }
}

/// Commands that read a run.
const READING: [&[&str]; 7] = [
    &["status"],
    &["runs"],
    &["top", "--once"],
    &["explain", "CCO"],
    &["show", "CCO"],
    &["report", "--out", "-"],
    &["export"],
];

/// Seconds that a command takes on a run directory, the median of three times, and the most memory that
/// it held, MiB.
fn cost(command: &str, path: &Path, rest: &[&str]) -> (f64, f64) {
    let mut most = 0.0;
    let mut times = [0.0; 3];
    for time in &mut times {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_moldflow"))
            .arg(command)
            .arg(path)
            .args(rest)
            .stdout(Stdio::null())
            .spawn()
            .expect("moldflow");
        let status = loop {
            match child.try_wait().expect("moldflow") {
                Some(status) => break status,
                None => most = f64::max(most, number("VmHWM", child.id())),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert!(status.success(), "{command}");
        *time = begin.elapsed().as_secs_f64();
    }
    times.sort_by(f64::total_cmp);
    (times[1], most)
}

/// The plan of the list, whose campaign is written into the run directory.
fn planned(dir: &Path) -> Plan {
    std::fs::write(dir.join("list.smi"), "C\n").expect("a file");
    let path = dir.join("campaign.yml");
    std::fs::write(&path, CAMPAIGN).expect("a file");
    match plan::load(&path, &Overrides::default(), &HostEnvironment::default()) {
        Ok((loaded, plan)) => {
            let site = serde_saphyr::to_string(&loaded.site).expect("YAML");
            std::fs::write(dir.join("site.yml"), site).expect("a file");
            plan
        }
        Err(faults) => panic!("{faults}"),
    }
}

fn context(dir: &Path, plan: &Plan) -> (ExecutionContext, UnboundedReceiver<Report>) {
    let (sender, reports) = mpsc::unbounded_channel();
    let geometry = Geometry::from_xyz("1\n\nC 0 0 0\n").expect("a geometry");
    let simulation = SimResult {
        total_energy_hartree: Some(-1.0),
        engine: "none".into(),
        version: "1".into(),
        level_of_theory: "none".into(),
        quantities: BTreeMap::new(),
        geometry: Some(geometry),
    };
    let outcome = Outcome::Simulated {
        quantities: BTreeMap::from([("energy".to_owned(), -1.0)]),
        atoms: BTreeMap::from([("C".to_owned(), 1), ("H".to_owned(), 4)]),
        xyz: None,
    };
    let result = TaskResult {
        outcome,
        peak_memory_kib: None,
        host: None,
        simulation: Some(simulation),
        host_fault: None,
    };
    let executor: Box<dyn Executor> = Box::new(Instantaneous {
        reports: sender,
        result: serde_json::to_vec(&result).expect("JSON"),
    });
    let context = ExecutionContext {
        run: "bench".into(),
        run_dir: dir.to_owned(),
        methods: plan.methods.clone(),
        scratch: Scratch::new("scratch".into(), dir.to_owned()),
        executors: BTreeMap::from([("qc".to_owned(), executor)]),
        time: None,
    };
    (context, reports)
}

/// Times at which the tasks ended, milliseconds since the Unix epoch, in order.
async fn ends(dir: &Path) -> Vec<i64> {
    let mut store = Store::open(dir).await.expect("a database");
    let mut ends = Vec::new();
    let note = |_, event: Event| {
        if let Fact::Ended { .. } = event.fact {
            ends.push(event.at);
        }
    };
    store.replay(note).await.expect("a journal");
    ends
}

async fn run(dir: &Path, plan: Plan, molecules: usize) {
    let info = RunInfo {
        name: "bench".into(),
        campaign: "list".into(),
        created: 0,
        version: env!("CARGO_PKG_VERSION").into(),
        objectives: vec![ObjectiveInfo {
            property: "binding".into(),
            label: "binding".into(),
            unit: "eV".into(),
            highest: false,
        }],
    };
    let store = Store::create(dir, &info).await.expect("a database");
    let (context, reports) = context(dir, &plan);
    let program = TaskRun {
        executable: "/bin/true".into(),
    };
    let driver = Driver::new(Engine::new(plan), store, context, reports, program).await;
    let (_keep, interrupts) = watch::channel(0);
    let others = (1..molecules).map(|i| format!("CC(C)C{i}"));
    let list = std::iter::once("CCO".to_owned()).chain(others).collect();
    let drawn = InitialMolecules {
        stages: BTreeMap::from([("all".to_owned(), list)]),
        reserve: vec![],
        pool: None,
        inherited: None,
    };
    let ended = driver
        .expect("a driver")
        .run(drawn, interrupts, &mut Nobody)
        .await;
    let (_, store) = ended.expect("a run");
    store.close().await.expect("closed");
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}
