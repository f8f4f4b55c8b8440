//! MPI programs in jobs of a real Slurm: ranks, nodes, and what the site's `mpiexec_command` is told of them.

#[path = "support/cluster.rs"]
mod cluster;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use cluster::Cluster;
use moldflow::exec::jobs::JobExecutor;
use moldflow::exec::transport::LocalTransport;
use moldflow::exec::{Executor, Job, JobEvent, Termination};
use moldflow::scheduler::{BatchParams, Resources, SchedulerKind, SubmissionParams};
use moldflow::task::{Launch, Shape};
use moldflow::task::{Limits, TaskId, Token};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

const MOLDFLOW: &str = env!("CARGO_BIN_EXE_moldflow");

fn number(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("a number above zero")
}

/// Runs jobs to their ends; the exit and the result of each, in the order of `jobs`.
fn run(cluster: &Cluster, jobs: Vec<Job>) -> Vec<(Termination, Option<Vec<u8>>)> {
    let terms = SubmissionParams {
        scheduler: SchedulerKind::named("slurm").expect("Slurm"),
        batch: BatchParams {
            queue: Some("short".into()),
            account: None,
            walltime: std::time::Duration::from_secs(600),
            nodes_per_task: number(1),
            max_jobs: number(4),
            options: vec![],
        },
        cores_per_task: number(2),
        resources: Resources::default(),
        setup: vec![],
    };
    let here = LocalTransport::new(Path::new(MOLDFLOW));
    let here = here.with("SLURM_CONF", cluster.conf().to_string_lossy());
    let (sender, mut reports) = unbounded_channel();
    let scheduler = (terms.scheduler.scheduler)(terms);
    let executor = JobExecutor::new(scheduler, Box::new(here), 4, "c0ffee", sender);
    let mut executor = executor.expect("a thread");
    let mut ends = vec![None; jobs.len()];
    executor.submit(jobs);
    while ends.contains(&None) {
        let report = reports.blocking_recv().expect("a report");
        if let JobEvent::Ended { exit, result, .. } = report.event {
            let task = usize::try_from(report.token.task.0).expect("a small number");
            ends[task] = Some((exit, result));
        }
    }
    ends.into_iter().flatten().collect()
}

fn job(cluster: &Cluster, task: u64, shape: Shape, argv: &[&str], input: &Value) -> Job {
    Job {
        token: Token {
            run: "c0ffee".into(),
            task: TaskId(task),
            attempt: 1,
        },
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![("OMP_NUM_THREADS".into(), "1".into())],
        dir: cluster.dir().join("tasks").join(task.to_string()),
        files: vec![("input.json".into(), input.to_string().into_bytes())],
        links: vec![],
        result: "result.json",
        limits: Limits::new(std::time::Duration::from_secs(300)),
        shape: Some(shape),
    }
}

#[test]
fn nwchem_runs_on_two_ranks_of_a_job_and_a_job_of_two_nodes_names_them() {
    let cluster = Cluster::start();
    let pair = Shape::new(number(1), number(2), number(1));
    let launch = Launch {
        template: "mpirun -n {{total_ranks}} --host {{hosts}}:{{ranks_per_node}} --allow-run-as-root --oversubscribe".into(),
        shape: pair.clone(),
    };
    let input = json!({
        "method": "simulate", "smiles": "C#N", "engine": "nwchem", "settings": {}, "seed": 42, "launch": launch,
    });
    let two_nodes = Shape::new(number(2), number(2), number(1));
    let jobs = vec![
        job(
            &cluster,
            0,
            pair,
            &[MOLDFLOW, "task", "run", "input.json"],
            &input,
        ),
        job(
            &cluster,
            1,
            two_nodes,
            &[
                "/bin/sh",
                "-c",
                "(cat hosts; echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS) > result.json",
            ],
            &json!({}),
        ),
    ];
    let mut ends = run(&cluster, jobs).into_iter();
    let mut text = || {
        let (exit, result) = ends.next().expect("an end");
        assert_eq!(exit, Termination::Code(0));
        String::from_utf8(result.expect("a result")).expect("text")
    };
    let (energy, nodes) = (text(), text());

    let dir = cluster.dir().join("tasks/0");
    let output = fs::read_to_string(dir.join("program.out")).expect("NWChem's output");
    let result: Value = serde_json::from_str(&energy).expect("JSON");
    assert!(
        output.contains("nproc           =        2"),
        "{result:#}\n{output}"
    );
    let golden: Value =
        serde_json::from_str(include_str!("goldens/simulate_nwchem.json")).expect("JSON");
    let expected = golden["molecules"][0]["hf_3_21g_hartree"]
        .as_f64()
        .expect("a number");
    let found = result["simulation"]["total_energy_hartree"]
        .as_f64()
        .expect("a number");
    assert!((found - expected).abs() < 1e-5, "{found} {expected}");

    let lines: Vec<&str> = nodes.lines().collect();
    assert!(
        matches!(lines[..], [a, b, "2 4"] if a != b && a.starts_with('n') && b.starts_with('n')),
        "{nodes}"
    );
}
