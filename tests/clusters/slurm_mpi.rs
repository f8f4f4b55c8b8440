//! MPI programs in jobs of a real Slurm: ranks, nodes, and their values in the site's
//! `mpiexec_command`.

use crate::support::jobs;
use std::fs;

use crate::support::cluster::Cluster;
use crate::support::jobs::{
    JobEnd, ReportLog, number, shell_job, slurm_transport, submission_params,
};
use moldflow::exec::jobs::JobExecutor;
use moldflow::exec::{Executor, Job, Termination};
use moldflow::task::{Launch, Shape};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

const MOLDFLOW: &str = env!("CARGO_BIN_EXE_moldflow");

/// Runs jobs to their ends, in the order of `jobs`.
fn run(cluster: &Cluster, jobs: Vec<Job>) -> Vec<JobEnd> {
    let mut params = submission_params("slurm", 2);
    params.batch.queue = Some("short".into());
    let scheduler = (params.scheduler.scheduler)(params);
    let transport = Box::new(slurm_transport(&cluster.conf()));
    let (sender, reports) = unbounded_channel();
    let executor = JobExecutor::new(scheduler, transport, 4, jobs::RUN, sender);
    let mut executor = executor.expect("a thread");
    let count = jobs.len();
    executor.submit(jobs);
    ReportLog::new(reports).into_ends(count)
}

fn job(cluster: &Cluster, task: u64, shape: Shape, argv: &[&str], input: &Value) -> Job {
    Job {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![("OMP_NUM_THREADS".into(), "1".into())],
        files: vec![("input.json".into(), input.to_string().into_bytes())],
        result: "result.json",
        shape: Some(shape),
        ..shell_job(&cluster.dir().join("tasks"), task, "")
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
        result.expect("a result")
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
        serde_json::from_str(include_str!("../goldens/simulate_nwchem.json")).expect("JSON");
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
