//! Short tasks in blocks, against bare `srun` steps in one allocation of the same size, on a Slurm
//! started for it.
//!
//! `cargo bench --bench slurm`; as root, with Slurm and munge installed.

#[path = "../tests/support/cluster.rs"]
mod cluster;
#[path = "../tests/support/jobs.rs"]
mod jobs;

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cluster::Cluster;
use jobs::{shell_job, slurm_transport, submission_params};
use moldflow::exec::slurm::{BlockExecutor, BlockParams, BlockPolicy};
use moldflow::exec::{Executor, Job, JobEvent, Termination};
use moldflow::task::Limits;
use tokio::sync::mpsc::unbounded_channel;

const TASKS: usize = 500;
/// Tasks at once: two nodes of four cores.
const SLOTS: usize = 8;
const SECONDS: [&str; 3] = ["0", "0.2", "1"];

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    println!("{TASKS} tasks, {SLOTS} at once");
    for seconds in SECONDS {
        let bare = bare_steps(seconds);
        let blocks = in_blocks(seconds);
        println!(
            "  sleep {seconds:<4} bare steps {bare:>7.1}/s   in blocks {blocks:>7.1}/s   ratio {:.2} (at least 0.90)",
            blocks / bare
        );
    }
}

/// Steps a second of one allocation, `SLOTS` clients at once.
fn bare_steps(seconds: &str) -> f64 {
    let cluster = Cluster::start();
    let wrap = "--wrap=exec sleep infinity";
    let options = [
        "--parsable",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--output=/dev/null",
        wrap,
    ];
    let id = cluster.ask(&[&["sbatch"], &options[..]].concat());
    let id = id.trim();
    cluster::wait_for("the allocation", || {
        cluster
            .jobs()
            .iter()
            .any(|(_, _, state)| state == "RUNNING")
    });
    let left = AtomicUsize::new(TASKS);
    let one = || {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            .is_ok()
    };
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SLOTS {
            scope.spawn(|| {
                while one() {
                    let status = cluster
                        .client("srun")
                        .args([
                            "--exact",
                            "--nodes=1",
                            "--ntasks=1",
                            "--quiet",
                            "--input=none",
                        ])
                        .args([&format!("--jobid={id}"), "/bin/sleep", seconds])
                        .stdin(Stdio::null())
                        .status();
                    assert!(status.expect("srun").success());
                }
            });
        }
    });
    TASKS as f64 / begin.elapsed().as_secs_f64()
}

/// Tasks a second of the executor with one block, from the first start to the last end.
fn in_blocks(seconds: &str) -> f64 {
    let cluster = Cluster::start();
    let policy = BlockPolicy {
        min: 0,
        init: 1,
        max: 1,
        capacity: SLOTS,
        walltime: Duration::from_secs(600),
        idle: Duration::from_secs(60),
    };
    let params = BlockParams {
        terms: submission_params("slurm", 1),
        nodes: 2,
        nodes_per_task: 1,
        tasks_per_node: SLOTS / 2,
        slots: SLOTS,
        policy,
    };
    let (sender, mut reports) = unbounded_channel();
    let transport = slurm_transport(&cluster.conf());
    let executor = BlockExecutor::new(params, transport, "c0ffee.qc", sender);
    let mut executor = executor.expect("a thread");
    let tasks = cluster.dir().join("tasks");
    let job = |task| Job {
        argv: ["/bin/sleep", seconds].map(str::to_owned).into(),
        limits: Limits::new(Duration::from_secs(60)),
        ..shell_job(&tasks, task, "")
    };
    executor.submit((1..=TASKS as u64).map(job).collect());
    let mut begin = None;
    let mut ended = 0;
    while ended < TASKS {
        match reports.blocking_recv().expect("a report").event {
            JobEvent::Started => {
                begin.get_or_insert_with(Instant::now);
            }
            JobEvent::Ended { exit, .. } => {
                assert_eq!(exit, Termination::Code(0));
                ended += 1;
            }
        }
    }
    TASKS as f64 / begin.expect("a start").elapsed().as_secs_f64()
}
