//! Requests for memory, GPUs and kinds of nodes, with a real Slurm.

use crate::support::jobs;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::support::cluster::{Cluster, wait_long};
use crate::support::jobs::{ReportLog, shell_job, slurm_transport, submission_params};
use moldflow::exec::jobs::JobExecutor;
use moldflow::exec::slurm::{BlockExecutor, BlockParams, BlockPolicy};
use moldflow::exec::{Executor, Job, Termination};
use moldflow::scheduler::{Resources, SubmissionParams};
use tokio::sync::mpsc::unbounded_channel;

/// `memory` in MiB.
fn params(cores: usize, memory: Option<u64>, gpus: usize) -> SubmissionParams {
    SubmissionParams {
        resources: Resources {
            memory,
            gpus,
            constraint: Some("a100".into()),
        },
        ..submission_params("slurm", cores)
    }
}

fn job(cluster: &Cluster, task: u64, script: &str) -> Job {
    shell_job(&cluster.dir().join("tasks"), task, script)
}

/// Results of all tasks, which must succeed.
fn results(mut log: ReportLog, count: usize) -> Vec<String> {
    wait_long("the end of all tasks", Duration::from_secs(100), || {
        log.collect();
        let ended = log.ended.iter();
        for (task, (exit, _)) in ended {
            assert_eq!(*exit, Termination::Code(0), "task {task}");
        }
        log.ended.len() == count
    });
    let results = log.ended.into_values().map(|(_, result)| result);
    results.map(|result| result.expect("a result")).collect()
}

#[test]
fn a_job_has_the_memory_and_the_gpus_that_its_partition_says() {
    let cluster = Cluster::with_gpus();
    let (sender, reports) = unbounded_channel();
    let params = params(1, Some(1000), 2);
    let scheduler = (params.scheduler.scheduler)(params);
    let transport = Box::new(slurm_transport(&cluster.conf()));
    let jobs = JobExecutor::new(scheduler, transport, 4, jobs::RUN, sender);
    let mut jobs = jobs.expect("a thread");
    let script =
        "{ scontrol show job $SLURM_JOB_ID; echo visible=$CUDA_VISIBLE_DEVICES; } > result";
    jobs.submit(vec![job(&cluster, 1, script)]);
    let shown = results(ReportLog::new(reports), 1).concat();
    for part in [
        "MinMemoryNode=1000M",
        "gpu:2",
        "Features=a100",
        "visible=0,1",
    ] {
        assert!(shown.contains(part), "no `{part}` in {shown}");
    }
}

/// Runs `count` tasks in a block of one node, each of which waits until all others run. Returns the
/// GPUs that each sees.
fn run_at_once(cluster: &Cluster, terms: SubmissionParams, count: usize) -> Vec<String> {
    let policy = BlockPolicy {
        min: 0,
        init: 1,
        max: 1,
        capacity: count,
        walltime: Duration::from_secs(600),
        idle: Duration::from_secs(2),
    };
    let params = BlockParams {
        terms,
        nodes: 1,
        nodes_per_task: 1,
        tasks_per_node: count,
        slots: count,
        policy,
    };
    let (sender, reports) = unbounded_channel();
    let transport = slurm_transport(&cluster.conf());
    let blocks = BlockExecutor::new(params, transport, "c0ffee.qc", sender);
    let mut blocks = blocks.expect("a thread");
    let dir = cluster.dir().join("tasks").display().to_string();
    let all: String = (1..=count)
        .map(|task| format!("[ -e {dir}/{task}/here ] && "))
        .collect();
    let script = format!(
        "touch here; until {all}true; do sleep 0.1; done; echo $CUDA_VISIBLE_DEVICES > result"
    );
    let jobs = (1..=count as u64).map(|task| job(cluster, task, &script));
    blocks.submit(jobs.collect());
    let results = results(ReportLog::new(reports), count);
    drop(blocks);
    fs::remove_dir_all(dir).expect("the directories of the tasks");
    results
}

#[test]
fn steps_share_the_memory_and_the_gpus_of_their_block() {
    let cluster = Cluster::with_gpus();
    // All of its memory, and all of its GPUs.
    let seen = run_at_once(&cluster, params(1, Some(1000), 1), 4);
    let distinct: BTreeSet<&str> = seen.iter().map(|visible| visible.trim()).collect();
    assert_eq!(distinct, ["0", "1", "2", "3"].into());
    // Neither is asked for: no step takes what the others need.
    run_at_once(&cluster, params(2, None, 0), 2);
}

#[test]
fn slurm_says_whether_it_has_nodes_with_so_much() {
    let cluster = Cluster::with_gpus();
    let check = |settings: &str| {
        let profile = format!(
            "name: cluster\npartitions:\n  qc: {{executor: slurm, {settings}}}\n  ml: {{executor: local, slots: 1}}\n"
        );
        let file = cluster.dir().join("site.yml");
        fs::write(&file, profile).expect("a file");
        let mut command = cluster.client(env!("CARGO_BIN_EXE_moldflow"));
        let output = command.args(["sites", "check"]).arg(file).output();
        String::from_utf8(output.expect("it starts").stdout).expect("text")
    };
    let fits = check("memory_per_task: 4000 MiB, gpus_per_task: 4, constraint: a100");
    assert!(fits.contains("a job would be accepted"), "{fits}");
    for settings in [
        "memory_per_task: 4001 MiB",
        "gpus_per_task: 5",
        "constraint: h100",
    ] {
        let told = check(settings);
        assert!(
            told.contains("a job would not be accepted"),
            "{settings}: {told}"
        );
    }
}

/// Measured with Slurm 22.05: two `srun --exact` in one job wait for each other unless each
/// requests its share of the job's memory and GPUs.
#[test]
fn tasks_of_an_allocation_share_the_memory_and_the_gpus_of_its_nodes() {
    let cluster = Cluster::with_gpus();
    let dir = cluster.dir().display();
    let launcher = "srun --exact --mpi=none --nodes={{nodes}} --ntasks={{total_ranks}} --ntasks-per-node={{ranks_per_node}} \
        --cpus-per-task={{cores_per_rank}} --nodelist={{hosts}} --mem={{memory_per_task}}M --gres=gpu:{{gpus_per_task}}";
    // Each of the first two tasks waits until the other has begun.
    let site = format!(
        "name: inside\nnode: {{cores: 4, gpus: 4}}\nmpiexec_command: \"{launcher}\"\npartitions:\n  \
         ml: {{executor: allocation, nodes: 1}}\n  qc:\n    executor: allocation\n    tasks_per_node: 2\n    \
         memory_per_task: 500 MiB\n    gpus_per_task: 1\n    setup:\n      - echo $CUDA_VISIBLE_DEVICES >> {dir}/seen\n      \
         - until [ $(wc -l < {dir}/seen) -ge 2 ]; do sleep 0.1; done\n"
    );
    let file = cluster.dir().join("site.yml");
    fs::write(&file, site).expect("a file");
    let mut command = cluster.client("salloc");
    command.args([
        "--quiet",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--cpus-per-task=1",
    ]);
    command.args([
        "--mem=2000",
        "--gres=gpu:4",
        env!("CARGO_BIN_EXE_moldflow"),
        "run",
    ]);
    command.args(["campaigns/quickstart.yml", "--quiet", "--run-dir"]);
    command
        .arg(cluster.dir().join("run"))
        .arg("--site")
        .arg(file);
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let seen = fs::read_to_string(cluster.dir().join("seen")).expect("tasks wrote it");
    let first: BTreeSet<&str> = seen.lines().take(2).collect();
    assert_eq!(first, ["0", "1"].into(), "{seen}");
}
