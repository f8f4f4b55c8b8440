//! The `slurm` executor against a real Slurm, a job a task.

use std::fs;
use std::time::Duration;

use crate::support::cluster::{Cluster, wait_for, wait_long};
use crate::support::jobs::number;
use crate::support::slurm_partition::SlurmPartition;
use moldflow::driver::{TaskProgram, TaskRun};
use moldflow::exec::{Adoption, Executor, Job, Termination};
use moldflow::task::{FailureKind, Outcome};

const SOON: Duration = Duration::from_secs(40);

/// Kind of failure that the engine records for an exit.
fn kind(exit: &Termination) -> FailureKind {
    let program = TaskRun {
        executable: "moldflow".into(),
    };
    match program.read(exit, None).outcome {
        Outcome::Failed(failure) => failure.kind,
        other => panic!("{exit:?} is no failure: {other:?}"),
    }
}

#[test]
fn jobs_bring_back_their_results_and_how_they_ended() {
    let cluster = Cluster::start();
    let mut partition = SlurmPartition::new(&cluster, 16);
    partition.submit(&[
        "cat input > result; echo $COLOUR $SET_UP $MOLDFLOW_TOKEN >> result",
        "exit 3",
        "kill -9 $$",
        "echo out; echo err >&2; sleep 60",
        "",
    ]);
    let mut slow = partition.job(6, "echo out; echo err >&2; trap '' TERM; sleep 60");
    slow.limits.timeout = Duration::from_millis(500);
    let mut missing = partition.job(7, "");
    missing.argv = vec!["/no/such/program".into()];
    partition.executor.submit(vec![slow, missing]);
    wait_for("start of the fourth", || {
        partition.log.collect();
        partition.log.started.contains(&4)
    });
    let fourth = partition.job(4, "").token;
    partition.executor.cancel(&[fourth]);
    let ended = partition.wait_for_ends(7, SOON).clone();
    let result = ended[&1].1.as_deref();
    assert_eq!(result, Some("fourblue yes c0ffee.1.1\n"));
    assert_eq!(ended[&1].0, Termination::Code(0));
    assert_eq!(ended[&2].0, Termination::Code(3));
    assert_eq!(ended[&3].0, Termination::Signal(9));
    assert_eq!(ended[&4].0, Termination::Cancelled);
    assert_eq!(ended[&5], (Termination::Code(0), None));
    assert_eq!(ended[&6].0, Termination::TimedOut);
    assert!(
        matches!(&ended[&7].0, Termination::LaunchFailed(why) if why.contains("/no/such/program"))
    );
    let stderr = fs::read_to_string(partition.dir.join("6/stderr")).expect("kept");
    assert_eq!(stderr, "err\n");
}

#[test]
fn there_are_never_more_jobs_than_the_limit_and_they_start_in_order() {
    let cluster = Cluster::start();
    let mut partition = SlurmPartition::new(&cluster, 2);
    let scripts = ["sleep 0.3"; 6];
    partition.submit(&scripts);
    wait_long("end of all jobs", SOON, || {
        // According to Slurm, as `busy` also counts ends that are not reported yet.
        assert!(cluster.live().len() <= 2, "{:?}", cluster.jobs());
        partition.log.collect();
        partition.log.ended.len() == scripts.len()
    });
    assert_eq!(partition.executor.busy(), 0);
    let names: Vec<String> = cluster
        .jobs()
        .into_iter()
        .map(|(_, name, _)| name)
        .collect();
    let mut by_id = cluster.jobs();
    by_id.sort_by_key(|(id, _, _)| {
        let mut numbers = id
            .split('_')
            .map(|part| part.parse::<u32>().expect("a number"));
        (numbers.next(), numbers.next())
    });
    let order: Vec<String> = by_id.into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names.len(), 6);
    assert_eq!(
        order,
        (1..=6)
            .map(|task| format!("c0ffee.{task}.1"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_refused_job_says_why_and_one_cancelled_by_hand_is_tried_again() {
    let cluster = Cluster::start();
    let mut refused =
        SlurmPartition::with(&cluster, |s| s.batch.queue = Some("no-such-queue".into()));
    refused.submit(&["true"]);
    let ended = refused.wait_for_ends(1, SOON);
    assert!(
        matches!(&ended[&1].0, Termination::LaunchFailed(why) if why.contains("invalid partition"))
    );

    let mut partition = SlurmPartition::new(&cluster, 16);
    partition.submit(&["sleep 60"]);
    partition.wait_for_starts(1);
    cluster.ask(&["scancel", "--name=c0ffee.1.1"]);
    let exit = partition.wait_for_ends(1, SOON)[&1].0.clone();
    assert_eq!(exit, Termination::CancelledByHand);
    assert!(kind(&exit).may_pass_next_time() && !kind(&exit).counts_against_retries());

    // An executor that goes leaves no job behind.
    let mut partition = SlurmPartition::new(&cluster, 16);
    partition
        .executor
        .submit(vec![partition.job(9, "sleep 60")]);
    partition.wait_for_starts(1);
    drop(partition);
    wait_for("end of the job", || {
        let state =
            |(_, name, state): (String, String, String)| (name == "c0ffee.9.1").then_some(state);
        cluster.jobs().into_iter().find_map(state).as_deref() == Some("CANCELLED")
    });
}

#[test]
fn what_the_machine_does_to_a_job_is_not_counted() {
    let mut cluster = Cluster::start();
    let mut partition = SlurmPartition::with(&cluster, |s| {
        s.batch.walltime = Duration::from_secs(60);
        s.cores_per_task = number(4);
    });
    partition.submit(&[
        "echo $SLURMD_NODENAME > node; sleep 200",
        "echo $SLURMD_NODENAME > node; sleep 200",
    ]);
    partition.wait_for_starts(2);
    let node = partition.dir.join("2/node");
    wait_for("second job", || {
        fs::read_to_string(&node).is_ok_and(|name| name.ends_with('\n'))
    });
    cluster.kill_node_named_in(&node);
    let ended = partition.wait_for_ends(2, Duration::from_secs(150));
    assert_eq!(ended[&1].0, Termination::Walltime);
    assert_eq!(kind(&ended[&1].0), FailureKind::Walltime);
    assert_eq!(kind(&ended[&2].0), FailureKind::NodeLost);
    assert!(!FailureKind::Walltime.counts_against_retries());
    assert!(!FailureKind::NodeLost.counts_against_retries());
}

#[test]
fn a_controller_that_forgot_and_issues_an_id_again_makes_no_job_a_success() {
    let mut cluster = Cluster::start();
    let mut partition = SlurmPartition::new(&cluster, 16);
    partition.submit(&["sleep 100", "sleep 100"]);
    partition.wait_for_starts(2);
    let ids: Vec<String> = cluster.jobs().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["1_0", "1_1"]);
    cluster.kill_controller();
    cluster.start_controller();
    cluster.wait_for_controller();
    let id = cluster.ask(&[
        "sbatch",
        "--parsable",
        "--job-name=other",
        "--array=0-1",
        "--output=/dev/null",
        "--wrap=true",
    ]);
    assert_eq!(id.trim(), "1");
    let ended = partition.wait_for_ends(2, Duration::from_secs(60));
    for task in [1, 2] {
        assert_eq!(kind(&ended[&task].0), FailureKind::Lost);
    }
}

#[test]
fn a_controller_that_is_away_for_a_while_changes_nothing() {
    let mut cluster = Cluster::start();
    let mut partition = SlurmPartition::new(&cluster, 2);
    partition.submit(&[
        "sleep 3; echo 1 > result",
        "sleep 3; echo 2 > result",
        "echo 3 > result",
    ]);
    partition.wait_for_starts(2);
    cluster.stop_controller();
    let exit = partition.dir.join("1/exit.json");
    wait_for("end of a task while no controller is there", || {
        exit.exists()
    });
    cluster.start_controller();
    let ended = partition.wait_for_ends(3, Duration::from_secs(90));
    for task in 1..=3 {
        let result = Some(format!("{task}\n"));
        assert_eq!(ended[&task], (Termination::Code(0), result));
    }
    assert_eq!(cluster.jobs().len(), 3);
}

#[test]
fn what_an_earlier_engine_submitted_is_adopted_and_the_rest_started() {
    let cluster = Cluster::start();
    let earlier = SlurmPartition::new(&cluster, 2);
    let mut earlier = earlier;
    earlier.submit(&["echo 1 > result", "sleep 5; echo 2 > result"]);
    wait_for("end of the first", || {
        earlier.dir.join("1/exit.json").exists()
    });
    earlier.wait_for_starts(1);
    // Its thread keeps running, as no engine's does, but nobody receives its reports.
    std::mem::forget(earlier.executor);

    let mut later = SlurmPartition::new(&cluster, 16);
    let jobs: Vec<Job> = (1..=3)
        .map(|task| later.job(task, &format!("echo {task} > result")))
        .collect();
    assert_eq!(later.executor.find(&jobs), vec![Adoption::Adopted; 3]);
    let ended = later.wait_for_ends(3, SOON);
    for task in 1..=3 {
        assert_eq!(
            ended[&task],
            (Termination::Code(0), Some(format!("{task}\n")))
        );
    }
    let mut names: Vec<String> = cluster
        .jobs()
        .into_iter()
        .map(|(_, name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, ["c0ffee.1.1", "c0ffee.2.1", "c0ffee.3.1"]);
}

#[test]
fn many_jobs_are_submitted_by_a_few_commands_and_each_is_itself() {
    let cluster = Cluster::start();
    let clients = cluster.noted_clients("", "");
    let mut partition = SlurmPartition::through(&cluster, Some(&clients), |_| ());
    // Two shapes in turns, of which the second asks for more time.
    let jobs: Vec<Job> = (1..=12)
        .map(|task| {
            let script = "echo $MOLDFLOW_TOKEN $(pwd) $SLURM_JOB_ID > result";
            let mut job = partition.job(task, script);
            job.limits.timeout = Duration::from_secs(if task % 2 == 0 { 200 } else { 400 });
            job
        })
        .collect();
    partition.executor.submit(jobs);
    let ended = partition.wait_for_ends(12, SOON).clone();
    let mut ids = Vec::new();
    for task in 1..=12 {
        let dir = partition.dir.join(task.to_string());
        let result = ended[&task].1.clone().expect("a result");
        let start = format!("c0ffee.{task}.1 {} ", dir.display());
        assert!(result.starts_with(&start), "{result}");
        ids.push(result);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12);
    assert_eq!(cluster.commands("sbatch"), 2);
    let limits = cluster.ask(&[
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        "--format=%l",
    ]);
    let minutes: Vec<&str> = limits.lines().map(str::trim).collect();
    assert_eq!(minutes.iter().filter(|limit| **limit == "5:00").count(), 6);
    assert_eq!(minutes.iter().filter(|limit| **limit == "8:00").count(), 6);
}

#[test]
fn jobs_are_cancelled_together_whether_they_wait_or_run_and_no_other_is() {
    let cluster = Cluster::start();
    // A node each: four run, and two wait.
    let mut partition = SlurmPartition::with(&cluster, |terms| terms.cores_per_task = number(4));
    partition.submit(&["sleep 100"; 6]);
    partition.wait_for_starts(4);
    let cancelled = [1, 3, 5, 6];
    let tokens = cancelled.map(|task| partition.job(task, "").token);
    partition.executor.cancel(&tokens);
    let ended = partition.wait_for_some(4, SOON);
    assert_eq!(ended.keys().copied().collect::<Vec<_>>(), cancelled);
    assert!(
        ended
            .values()
            .all(|(exit, _)| *exit == Termination::Cancelled),
        "{ended:?}"
    );
    let left: Vec<String> = cluster
        .jobs()
        .into_iter()
        .filter(|(id, ..)| cluster.live().contains(id))
        .map(|(_, name, _)| name)
        .collect();
    assert_eq!(left, ["c0ffee.2.1", "c0ffee.4.1"]);
    let left_behind = Box::new(partition.executor).end();
    assert_eq!(left_behind, [""; 0]);
    assert_eq!(cluster.live(), [""; 0]);
}

#[test]
fn a_controller_with_small_arrays_or_none_gets_them_or_jobs_alone() {
    for (settings, commands) in [("MaxArraySize=3\n", 3), ("MaxArraySize=1\n", 7)] {
        let cluster = Cluster::start_with(settings);
        let clients = cluster.noted_clients("", "");
        let mut partition = SlurmPartition::through(&cluster, Some(&clients), |_| ());
        partition.submit(&["echo $MOLDFLOW_TOKEN > result"; 7]);
        let ended = partition.wait_for_ends(7, SOON);
        for task in 1..=7 {
            let result = Some(format!("c0ffee.{task}.1\n"));
            assert_eq!(ended[&task], (Termination::Code(0), result), "{settings}");
        }
        assert_eq!(cluster.commands("sbatch"), commands, "{settings}");
    }
}

/// Sites wrap `sbatch` in scripts that print greetings and checks to the same output.
#[test]
fn a_job_is_known_by_its_id_whatever_is_printed_around_it() {
    let cluster = Cluster::start();
    let clients = cluster.noted_clients(
        "echo; echo ------; echo '  Welcome to cluster 7  '; echo '--> Checking allocation (CHM-001)...OK'",
        "echo; echo '--> 2 jobs in the queue'",
    );
    let mut partition = SlurmPartition::through(&cluster, Some(&clients), |_| ());
    partition.submit(&["echo 1 > result", "echo 2 > result"]);
    let third = partition.job(3, "echo 3 > result");
    let ended = partition.wait_for_ends(2, SOON).clone();
    partition.executor.submit(vec![third]);
    let last = partition.wait_for_ends(3, SOON)[&3].clone();
    for (task, end) in [(1, &ended[&1]), (2, &ended[&2]), (3, &last)] {
        assert_eq!(*end, (Termination::Code(0), Some(format!("{task}\n"))));
    }
    assert_eq!(cluster.jobs().len(), 3);
}

/// The first of two engines is killed while it submits; the list of jobs that the second reads
/// lacks them.
#[test]
fn a_job_whose_id_was_noted_is_not_submitted_again_when_a_list_lacks_it() {
    let cluster = Cluster::start();
    let clients = cluster.noted_clients("", "");
    let mut earlier = SlurmPartition::new(&cluster, 16);
    earlier.submit(&["sleep 5; echo 1 > result", "sleep 5; echo 2 > result"]);
    earlier.wait_for_starts(2);
    // Its thread keeps running, as no engine's does, but nobody receives its reports.
    std::mem::forget(earlier.executor);

    let list = clients.join("squeue");
    fs::write(&list, "#!/bin/sh\n").expect("a script");
    let mut later = SlurmPartition::through(&cluster, Some(&clients), |_| ());
    let jobs: Vec<Job> = (1..=2)
        .map(|task| later.job(task, "echo again > result"))
        .collect();
    later.executor.find(&jobs);
    let ended = later.wait_for_ends(2, SOON);
    for task in 1..=2 {
        assert_eq!(
            ended[&task],
            (Termination::Code(0), Some(format!("{task}\n")))
        );
    }
    assert_eq!(cluster.jobs().len(), 2);
    assert_eq!(cluster.commands("sbatch"), 0);
}
