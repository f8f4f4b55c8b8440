//! The local executor and the jobs that an earlier engine left behind.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::bench::{Bench, touch, until};
use crate::support::wait_until;
use moldflow::exec::{Adoption, Executor, Job, JobEvent, Termination};

#[test]
fn a_process_of_an_earlier_engine_is_adopted_and_its_end_reported_once() {
    let mut bench = Bench::new(1);
    let mut child = bench.started_before(1, &format!("{}; echo 42 > result.json", until("go")));
    let (job, next) = (bench.job(1, &["false"]), bench.job(2, &["true"]));
    assert_eq!(bench.executor.find(&[job]), [Adoption::Adopted]);
    assert_eq!(bench.executor.busy(), 1);
    bench.submit([next]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Termination::Unseen, Some("42\n".into())));
    assert_eq!(
        bench.end(),
        (2, Termination::Code(0), None),
        "the slot of an adopted process is taken until it ends"
    );
    bench.assert_nothing_more_is_reported();
    child.wait().unwrap();
}

#[test]
fn an_adopted_process_that_leaves_no_result_is_reported_without_one() {
    let mut bench = Bench::new(1);
    let mut child = bench.started_before(1, &until("go"));
    let job = bench.job(1, &["false"]);
    assert_eq!(bench.executor.find(&[job]), [Adoption::Adopted]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Termination::Unseen, None));
    child.wait().unwrap();
}

#[test]
fn an_adopted_process_is_cancelled_and_timed_out_like_any_other() {
    let mut bench = Bench::new(2);
    let mut children = [
        bench.started_before(1, "sleep 1000 & wait"),
        bench.started_before(2, "sleep 1000 & wait"),
    ];
    let (cancelled, mut timed_out) = (bench.job(1, &["false"]), bench.job(2, &["false"]));
    timed_out.limits.timeout = Duration::from_millis(300);
    assert_eq!(
        bench.executor.find(&[cancelled.clone(), timed_out]),
        [Adoption::Adopted, Adoption::Adopted]
    );
    bench.executor.cancel(&[cancelled.token]);
    let mut ends = [bench.end(), bench.end()];
    ends.sort_by_key(|end| end.0);
    assert_eq!(
        ends,
        [
            (1, Termination::Cancelled, None),
            (2, Termination::TimedOut, None)
        ]
    );
    wait_until("the end of all", || bench.living().is_empty());
    for child in &mut children {
        child.wait().unwrap();
    }
}

#[test]
fn more_adopted_processes_than_slots_are_all_reported() {
    let mut bench = Bench::new(1);
    let script = format!("{}; pwd > result.json", until("go"));
    let mut children: Vec<Child> = (1..=3)
        .map(|task| bench.started_before(task, &script))
        .collect();
    let jobs: Vec<Job> = (1..=3).map(|task| bench.job(task, &["false"])).collect();
    assert_eq!(
        bench.executor.find(&jobs),
        [Adoption::Adopted, Adoption::Adopted, Adoption::Adopted]
    );
    touch(bench.dir.path(), "go");
    // Reaped before the last ones are watched, so that their ids are free.
    for child in &mut children {
        child.wait().unwrap();
    }
    let tasks: BTreeSet<u64> = (0..3)
        .map(|_| bench.end())
        .map(|(task, exit, result)| {
            assert_eq!(exit, Termination::Unseen);
            assert!(result.is_some());
            task
        })
        .collect();
    assert_eq!(tasks, BTreeSet::from([1, 2, 3]));
}

#[test]
fn a_process_that_is_gone_is_known_by_what_it_left() {
    let mut bench = Bench::new(1);
    bench
        .started_before(1, "echo 42 > result.json")
        .wait()
        .unwrap();
    bench.started_before(2, "exit 1").wait().unwrap();
    let jobs = [
        bench.job(1, &["false"]),
        bench.job(2, &["false"]),
        bench.job(3, &["false"]),
    ];
    assert_eq!(
        bench.executor.find(&jobs),
        [Adoption::Adopted, Adoption::Adopted, Adoption::NotStarted]
    );
    assert_eq!(bench.end(), (1, Termination::Unseen, Some("42\n".into())));
    assert_eq!(bench.end(), (2, Termination::Unseen, None));
    bench.assert_nothing_more_is_reported();
}

#[test]
fn one_that_ended_unseen_ran_until_the_last_change_of_its_files() {
    let mut bench = Bench::new(1);
    let mut job = bench.job(1, &["false"]);
    job.files = vec![("input.json".into(), b"{}".to_vec())];
    fs::create_dir_all(&job.dir).unwrap();
    let begun = coarse_now();
    fs::write(job.dir.join("input.json"), "{}").unwrap();
    let started_by = coarse_now();
    bench
        .started_before(1, "sleep 0.2; echo 42 > result.json")
        .wait()
        .unwrap();
    let ended_by = coarse_now();
    std::thread::sleep(Duration::from_millis(200));
    bench.executor.find(&[job]);
    match bench.report().event {
        JobEvent::Ended { started, ended, .. } => {
            let (started, ended) = (started.expect("its start"), ended.expect("its end"));
            assert!((begun..=started_by).contains(&started), "{started}");
            assert!(
                (started + 190..=ended_by).contains(&ended),
                "{started} {ended}"
            );
        }
        other => panic!("{other:?}"),
    }
}

/// Time of a file that is changed now, milliseconds since the Unix epoch: the clock of files is a
/// little behind.
fn coarse_now() -> i64 {
    let file = tempfile::tempfile().unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let since = modified.duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn orphans_of_a_dead_leader_are_ended() {
    let mut bench = Bench::new(1);
    bench
        .started_before(1, "sleep 1000 & exit 0")
        .wait()
        .unwrap();
    wait_until("the orphan", || bench.living().len() == 1);
    let job = bench.job(1, &["false"]);
    assert_eq!(bench.executor.find(&[job]), [Adoption::Adopted]);
    assert_eq!(bench.end(), (1, Termination::Unseen, None));
    wait_until("the end of the orphan", || bench.living().is_empty());
}

#[test]
fn a_process_that_has_just_been_started_is_found() {
    let mut bench = Bench::new(1);
    let mut children = Vec::new();
    for task in 1..=100 {
        let mut child = bench.started_before(task, "sleep 1000 & wait");
        let job = bench.job(task, &["false"]);
        bench.executor.find(std::slice::from_ref(&job));
        bench.executor.cancel(&[job.token]);
        assert_eq!(
            bench.end(),
            (task, Termination::Cancelled, None),
            "it was taken for one that is gone"
        );
        child.kill().unwrap();
        children.push(child);
    }
    for mut child in children {
        child.wait().unwrap();
    }
}

#[test]
fn processes_of_attempts_that_nobody_waits_for_are_ended_and_no_others() {
    let mut bench = Bench::new(1);
    let mut wanted = bench.started_before(1, &until("go"));
    let mut stray = bench.started_before(2, "sleep 1000 & wait");
    let job = bench.job(1, &["false"]);
    bench
        .executor
        .end_others(&bench.run, std::slice::from_ref(&job.token));
    stray.wait().unwrap();
    assert_eq!(bench.executor.find(&[job]), [Adoption::Adopted]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Termination::Unseen, None));
    wanted.wait().unwrap();
    wait_until("the end of all", || bench.living().is_empty());
}
