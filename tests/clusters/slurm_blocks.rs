//! The `slurm` executor with blocks, against a real Slurm.

use std::fs;
use std::time::Duration;

use crate::support::cluster::{Cluster, wait_long};
use crate::support::jobs::{
    ReportLog, number, shell_job, slurm_transport, submission_params, token,
};
use moldflow::exec::slurm::{BlockExecutor, BlockParams, BlockPolicy};
use moldflow::exec::{Executor, Termination};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::unbounded_channel;

/// The executor of a partition whose tasks are steps in blocks.
struct BlockPartition {
    executor: BlockExecutor,
    log: ReportLog,
}

impl BlockPartition {
    fn new(cluster: &Cluster, policy: BlockPolicy) -> Self {
        Self::with(cluster, policy, |_| ())
    }

    fn with(cluster: &Cluster, policy: BlockPolicy, change: impl FnOnce(&mut BlockParams)) -> Self {
        let mut params = BlockParams {
            terms: submission_params("slurm", 2),
            nodes: 1,
            nodes_per_task: 1,
            tasks_per_node: 2,
            slots: 16,
            policy,
        };
        change(&mut params);
        let (sender, reports) = unbounded_channel();
        let transport = slurm_transport(&cluster.conf());
        let executor = BlockExecutor::new(params, transport, "c0ffee.qc", sender);
        Self {
            executor: executor.expect("a thread"),
            log: ReportLog::new(reports),
        }
    }

    fn submit(&mut self, cluster: &Cluster, scripts: &[&str]) {
        let tasks = cluster.dir().join("tasks");
        let job = |(task, script): (u64, &&str)| shell_job(&tasks, task, script);
        self.executor.submit((1..).zip(scripts).map(job).collect());
    }

    fn wait(&mut self, what: &str, seconds: u64, holds: impl Fn(&Self) -> bool) {
        wait_long(what, Duration::from_secs(seconds), || {
            self.log.collect();
            holds(self)
        });
    }
}

fn policy(max: usize) -> BlockPolicy {
    BlockPolicy {
        min: 0,
        init: 1,
        max,
        capacity: 2,
        walltime: Duration::from_secs(600),
        idle: Duration::from_secs(2),
    }
}

fn live(cluster: &Cluster) -> usize {
    cluster.live().len()
}

#[test]
fn blocks_grow_with_the_queue_and_are_released_when_idle() {
    let cluster = Cluster::start();
    let mut partition = BlockPartition::new(&cluster, policy(3));
    partition.submit(&cluster, &["sleep 1"; 8]);
    partition.wait("end of all", 60, |p| {
        assert!(live(&cluster) <= 3);
        p.log.ended.len() == 8
    });
    assert!(
        partition
            .log
            .ended
            .values()
            .all(|(exit, _)| *exit == Termination::Code(0))
    );
    assert_eq!(cluster.jobs().len(), 3);
    partition.wait("release of all", 60, |_| live(&cluster) == 0);
}

#[test]
fn an_executor_that_goes_leaves_no_block_and_says_when_one_may_be_left() {
    let mut cluster = Cluster::start();
    let kept = BlockPolicy {
        init: 3,
        idle: Duration::from_secs(600),
        ..policy(3)
    };
    let mut partition = BlockPartition::new(&cluster, kept.clone());
    partition.submit(&cluster, &["sleep 1"; 6]);
    partition.wait("end of all", 60, |p| p.log.ended.len() == 6);
    assert_eq!(live(&cluster), 3);
    assert_eq!(Box::new(partition.executor).end(), [""; 0]);
    assert_eq!(live(&cluster), 0);

    let mut partition = BlockPartition::new(&cluster, kept);
    partition.submit(&cluster, &["sleep 1"; 6]);
    partition.wait("end of all", 60, |p| p.log.ended.len() == 6);
    let blocks = cluster.live();
    cluster.stop_controller();
    let output = Box::new(partition.executor).end().join("\n");
    cluster.start_controller();
    cluster.wait_for_controller();
    assert!(output.starts_with("3 blocks may still run"), "{output}");
    for id in &blocks {
        assert!(output.contains(id), "{output}");
    }
    assert_eq!(cluster.live(), blocks);
}

#[test]
fn steps_end_as_they_end_and_a_lost_block_is_asked_for_again() {
    let mut cluster = Cluster::start();
    let mut partition = BlockPartition::new(&cluster, policy(1));
    partition.submit(&cluster, &["exit 3", "kill -9 $$", "sleep 100"]);
    partition.wait("start of all", 60, |p| {
        p.log.started.len() == 3 && p.log.ended.len() == 2
    });
    assert_eq!(*partition.log.exit(1), Termination::Code(3));
    assert_eq!(*partition.log.exit(2), Termination::Signal(9));
    partition.executor.cancel(&[token(3)]);
    partition.wait("end of the third", 60, |p| p.log.ended.len() == 3);
    assert_eq!(*partition.log.exit(3), Termination::Cancelled);

    let node = cluster.dir().join("tasks/5/node");
    partition.log.clear();
    partition.submit(
        &cluster,
        &[
            "true",
            "true",
            "true",
            "true",
            "echo $SLURMD_NODENAME > node; sleep 100",
        ],
    );
    partition.wait("start of the fifth", 60, |_| {
        fs::read_to_string(&node).is_ok_and(|n| n.ends_with('\n'))
    });
    cluster.kill_node_named_in(&node);
    partition.wait("end of all", 90, |p| p.log.ended.len() == 5);
    assert!(
        matches!(partition.log.exit(5), Termination::NodeLost(_)),
        "{:?}",
        partition.log.ended
    );
    partition.log.clear();
    partition.submit(&cluster, &["true"]);
    partition.wait("end of one more", 60, |p| p.log.ended.len() == 1);
    assert_eq!(*partition.log.exit(1), Termination::Code(0));
}

/// Kills the client of a step as the loss of its host would. It has two processes, of which one
/// ends the step when the other is killed before it: none of them may act any more.
fn kill_client(task: u64) {
    let variable = format!("MOLDFLOW_STEP={}", token(task));
    for signal in [Signal::STOP, Signal::KILL] {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if environ.split(|b| *b == 0).any(|v| v == variable.as_bytes()) {
                let _ = kill_process(Pid::from_raw(pid).expect("a process id"), signal);
            }
        }
    }
}

fn steps(cluster: &Cluster) -> Vec<String> {
    let list = cluster.ask(&["squeue", "--steps", "--noheader", "--format=%j"]);
    let names = list.lines().map(|name| name.trim().to_owned());
    names.filter(|name| name.starts_with("c0ffee.")).collect()
}

#[test]
fn the_end_of_a_client_is_not_that_of_its_step() {
    let cluster = Cluster::start();
    let mut partition = BlockPartition::new(&cluster, policy(1));
    let go = cluster.dir().join("go");
    let waits = format!(
        "echo > begun; until [ -e {} ]; do sleep 0.1; done",
        go.display()
    );
    let begun = |task: u64| cluster.dir().join(format!("tasks/{task}/begun")).exists();
    partition.submit(&cluster, &[&waits, "echo > begun; sleep 100"]);
    partition.wait("start of both", 60, |_| begun(1) && begun(2));
    kill_client(1);
    fs::write(&go, "").expect("a file");
    kill_client(2);
    partition.executor.cancel(&[token(2)]);
    partition.wait("end of both", 60, |p| p.log.ended.len() == 2);
    assert_eq!(*partition.log.exit(1), Termination::Code(0));
    assert_eq!(*partition.log.exit(2), Termination::Cancelled);
    partition.wait("end of the steps", 60, |_| steps(&cluster).is_empty());

    partition.log.clear();
    partition.submit(&cluster, &["true", "true", "echo > begun; sleep 6; exit 4"]);
    partition.wait("start of the third", 60, |_| begun(3));
    kill_client(3);
    partition.wait("end of the third", 60, |p| p.log.ended.len() == 3);
    // The step was waited for, longer than the end of its client is investigated.
    assert_eq!(*partition.log.exit(3), Termination::Code(4));
}

#[test]
fn a_task_of_two_nodes_has_them_to_itself_and_its_launcher_reaches_both() {
    let cluster = Cluster::start();
    let mut partition = BlockPartition::with(
        &cluster,
        BlockPolicy {
            capacity: 1,
            ..policy(1)
        },
        |params| {
            params.nodes = 3;
            params.nodes_per_task = 2;
            params.tasks_per_node = 1;
            params.terms.cores_per_task = number(4);
        },
    );
    let there = "srun --mpi=none --nodelist=$(paste -sd, hosts) --ntasks=2 --ntasks-per-node=1 printenv SLURMD_NODENAME | sort > there";
    partition.submit(&cluster, &[there; 2]);
    partition.wait("end of both", 60, |p| p.log.ended.len() == 2);
    for task in [1, 2] {
        assert_eq!(*partition.log.exit(task), Termination::Code(0));
        let file = |name: &str| {
            let path = cluster.dir().join(format!("tasks/{task}/{name}"));
            fs::read_to_string(path).expect("a file")
        };
        assert_eq!(file("there"), file("hosts"));
        assert_eq!(file("hosts").lines().count(), 2);
    }
}

#[test]
fn what_a_block_takes_with_it_at_its_walltime_is_not_counted() {
    let cluster = Cluster::start();
    let short = BlockPolicy {
        walltime: Duration::from_secs(60),
        ..policy(1)
    };
    let mut partition = BlockPartition::new(&cluster, short);
    partition.submit(&cluster, &["sleep 250"]);
    partition.wait("end of the block", 200, |p| p.log.ended.len() == 1);
    assert_eq!(*partition.log.exit(1), Termination::Walltime);
    // The engine tries it again: in a block of its own.
    partition.log.clear();
    partition.submit(&cluster, &["true"]);
    partition.wait("end of the second", 60, |p| p.log.ended.len() == 1);
    assert_eq!(*partition.log.exit(1), Termination::Code(0));
    assert_eq!(cluster.jobs().len(), 2);
}
