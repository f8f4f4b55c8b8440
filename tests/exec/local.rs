//! The local executor with real programs: order and slots, ends of jobs, signals and environment.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::support::bench::{Bench, touch, until};
use crate::support::wait_until;
use moldflow::exec::{
    Adoption, Executor, Job, JobEvent, LocalExecutor, Report, Termination, cores, gpus,
};
use moldflow::task::Token;
use rustix::thread::sched_getaffinity;
use tokio::sync::mpsc::unbounded_channel;

#[test]
fn jobs_start_in_the_order_of_their_submission() {
    let mut bench = Bench::new(1);
    let jobs: Vec<Job> = (1..=6)
        .map(|task| bench.shell(task, &format!("echo {task} >> ../order")))
        .collect();
    bench.submit(jobs);
    let ended: Vec<u64> = (0..6).map(|_| bench.end().0).collect();
    assert_eq!(ended, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        fs::read_to_string(bench.dir.path().join("order")).unwrap(),
        "1\n2\n3\n4\n5\n6\n"
    );
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_slots_and_no_more() {
    let mut bench = Bench::new(2);
    // Each of the first two ends only once the other has started.
    let meet = |own: &str, other: &str| format!("touch ../{own}; {}", until(other));
    let first = [
        bench.shell(1, &meet("a", "b")),
        bench.shell(2, &meet("b", "a")),
    ];
    bench.submit(first);
    let rest: Vec<Job> = (3..=20).map(|task| bench.job(task, &["true"])).collect();
    bench.submit(rest);
    let (mut running, mut ended) = (BTreeSet::new(), 0);
    while ended < 20 {
        let Report { token, event, .. } = bench.report();
        match event {
            JobEvent::Started => assert!(running.insert(token.task)),
            JobEvent::Ended { .. } => {
                assert!(running.remove(&token.task), "it ends once, after its start");
                ended += 1;
            }
        }
        assert!(running.len() <= 2, "{running:?}");
    }
    wait_until("free slots", || bench.executor.busy() == 0);
}

#[test]
fn tasks_that_run_at_once_have_gpus_of_their_own_and_so_does_one_that_an_earlier_engine_left() {
    let mut bench = Bench::new(1);
    let (sender, reports) = unbounded_channel();
    let executor = LocalExecutor::new(3, sender).unwrap();
    let sets = gpus::of_slots(3, 2, 1, None).unwrap();
    bench.executor = executor.with_gpus(sets);
    bench.reports = reports;
    // It has the second set.
    let left = format!(
        "export CUDA_VISIBLE_DEVICES=3,4; exec sh -c '{}'",
        until("go")
    );
    let mut earlier = bench.started_before(9, &left);
    wait_until("the program of the task", || {
        let environ = format!("/proc/{}/environ", earlier.id());
        let environ = fs::read(environ).unwrap_or_default();
        String::from_utf8_lossy(&environ).contains("CUDA_VISIBLE_DEVICES=3,4")
    });
    let adopted = bench.job(9, &["true"]);
    assert_eq!(bench.executor.find(&[adopted]), [Adoption::Adopted]);
    let tell = "printf %s $CUDA_VISIBLE_DEVICES > result.json";
    for round in 0..3 {
        let job = |task, other: u64| {
            let met = format!("touch here; until [ -e ../{other}/here ]; do sleep 0.01; done");
            bench.shell(task, &format!("{met}; {tell}"))
        };
        let (one, other) = (10 * round + 1, 10 * round + 2);
        let jobs = [job(one, other), job(other, one)];
        bench.submit(jobs);
        let seen: BTreeSet<Option<String>> = [bench.end().2, bench.end().2].into();
        let expected = ["1,2", "5,6"].map(|set| Some(set.to_owned()));
        assert_eq!(seen, expected.into(), "round {round}");
    }
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end().0, 9);
    earlier.wait().expect("it ends");
    // Its GPUs are free again.
    let mut seen = BTreeSet::new();
    for task in 50..53 {
        bench.submit([bench.shell(task, tell)]);
        seen.extend(bench.end().2);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["1,2", "3,4", "5,6"]);
}

#[test]
fn of_pinned_slots_each_has_cores_of_its_own() {
    let mut bench = Bench::new(1);
    let (sender, reports) = unbounded_channel();
    let sets = cores::of_slots(2, 1, 0).unwrap();
    bench.executor = LocalExecutor::pinned(sets, sender).unwrap();
    bench.reports = reports;
    // Each waits until the other is there: they are on two slots.
    let job = |task, other| {
        let met = format!("touch here; until [ -e ../{other}/here ]; do sleep 0.01; done");
        let told = "grep Cpus_allowed_list /proc/self/status > result.json";
        bench.shell(task, &format!("{met}; {told}"))
    };
    let jobs = [job(1, 2), job(2, 1)];
    bench.submit(jobs);
    let lists = [bench.end(), bench.end()].map(|(_, _, result)| result.unwrap());
    assert!(
        lists.iter().all(|list| !list.contains([',', '-'])),
        "{lists:?}"
    );
    let found = sched_getaffinity(None).unwrap().count();
    assert_eq!(lists[0] != lists[1], found > 1, "{lists:?}");
}

#[test]
fn exit_statuses_and_signals_are_told_apart() {
    let mut bench = Bench::new(1);
    let true_ = bench.job(1, &["true"]);
    assert_eq!(bench.exit_of(true_), Termination::Code(0));
    let seven = bench.shell(2, "exit 7");
    assert_eq!(bench.exit_of(seven), Termination::Code(7));
    let killed = bench.shell(3, "kill -9 $$");
    assert_eq!(bench.exit_of(killed), Termination::Signal(9));
    let aborted = bench.shell(4, "kill -ABRT $$");
    assert_eq!(bench.exit_of(aborted), Termination::Signal(6));
}

#[test]
fn a_program_that_does_not_exist_is_a_failed_launch_that_names_it() {
    let mut bench = Bench::new(1);
    let missing = bench.job(1, &["no-such-program-7f3a"]);
    let Termination::LaunchFailed(why) = bench.exit_of(missing) else {
        panic!("it cannot start")
    };
    assert!(why.contains("no-such-program-7f3a"), "{why}");
    bench.assert_nothing_more_is_reported();
}

#[test]
fn a_file_that_cannot_be_linked_is_a_failed_launch_that_names_it() {
    let mut bench = Bench::new(1);
    let mut job = bench.job(1, &["true"]);
    job.links
        .push((bench.dir.path().join("gone-model"), "model".into()));
    let Termination::LaunchFailed(why) = bench.exit_of(job) else {
        panic!("it cannot start")
    };
    assert!(why.contains("gone-model"), "{why}");
}

#[test]
fn a_job_finds_its_files_and_its_result_is_reported() {
    let mut bench = Bench::new(1);
    fs::write(bench.dir.path().join("shared"), "linked").unwrap();
    let mut job = bench.shell(
        1,
        "cat input.json model > result.json; echo out; echo err >&2",
    );
    job.files
        .push(("input.json".into(), b"written and ".to_vec()));
    job.links
        .push((bench.dir.path().join("shared"), "model".into()));
    bench.submit([job]);
    assert_eq!(
        bench.end(),
        (1, Termination::Code(0), Some("written and linked".into()))
    );
    let read = |name: &str| fs::read_to_string(bench.attempt(1).join(name)).unwrap();
    assert_eq!(
        (read("stdout"), read("stderr")),
        ("out\n".into(), "err\n".into())
    );
}

#[test]
fn only_the_allowed_environment_reaches_a_task() {
    let mut bench = Bench::new(1);
    // Cargo sets this for the test itself.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let mut job = bench.job(1, &["env"]);
    job.env.push(("OMP_NUM_THREADS".into(), "3".into()));
    bench.submit([job]);
    assert_eq!(bench.end().1, Termination::Code(0));
    let out = fs::read_to_string(bench.attempt(1).join("stdout")).unwrap();
    let names: BTreeSet<&str> = out
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let allowed = "HOME LANG LC_ALL LD_LIBRARY_PATH LOGNAME MOLDFLOW_TOKEN OMP_NUM_THREADS PATH RUST_BACKTRACE SHELL TERM TMPDIR TZ \
                   USER XTBPATH";
    let unknown: Vec<&&str> = names
        .iter()
        .filter(|name| !allowed.split(' ').any(|a| a == **name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(out.lines().any(|line| line == "OMP_NUM_THREADS=3"), "{out}");
    assert!(
        out.lines()
            .any(|line| line == format!("MOLDFLOW_TOKEN={}.1.1", bench.run)),
        "{out}"
    );
}

#[test]
fn a_time_limit_ends_the_whole_process_group() {
    let mut bench = Bench::new(1);
    // A child that heeds SIGTERM, and one that does not.
    let mut job = bench.shell(
        1,
        "sleep 1000 & sh -c 'trap \"\" TERM; while :; do sleep 1; done' & wait",
    );
    job.limits.timeout = Duration::from_millis(500);
    assert_eq!(bench.exit_of(job), Termination::TimedOut);
    wait_until("the end of the group", || bench.living().is_empty());
}

#[test]
fn a_time_limit_ends_what_does_not_heed_sigterm() {
    let mut bench = Bench::new(1);
    let mut job = bench.shell(1, "trap '' TERM; while :; do sleep 1; done");
    job.limits.timeout = Duration::from_millis(500);
    assert_eq!(bench.exit_of(job), Termination::TimedOut);
    wait_until("its end", || bench.living().is_empty());
}

#[test]
fn what_a_job_leaves_running_ends_with_it() {
    let mut bench = Bench::new(1);
    let job = bench.shell(1, "sleep 1000 & sleep 1000 & exit 4");
    assert_eq!(bench.exit_of(job), Termination::Code(4));
    wait_until("the end of the group", || bench.living().is_empty());
}

#[test]
fn of_cancelled_jobs_the_running_one_is_reported_and_the_waiting_one_never_starts() {
    let mut bench = Bench::new(1);
    let jobs = [
        bench.shell(1, "touch ../one; sleep 1000"),
        bench.shell(2, "touch ../two"),
        bench.shell(3, "touch ../three"),
    ];
    let tokens: Vec<Token> = jobs.iter().take(2).map(|job| job.token.clone()).collect();
    bench.submit(jobs);
    wait_until("the first to run", || bench.dir.path().join("one").exists());
    bench.executor.cancel(&tokens);
    assert_eq!(bench.end(), (1, Termination::Cancelled, None));
    assert_eq!(bench.end(), (3, Termination::Code(0), None));
    assert!(!bench.dir.path().join("two").exists());
    assert!(bench.living().is_empty());
}

#[test]
fn a_job_cancelled_at_any_moment_of_its_start_ends() {
    let mut bench = Bench::new(2);
    for task in 1..=40 {
        let job = bench.job(task, &["sleep", "1000"]);
        let token = job.token.clone();
        bench.submit([job]);
        let started = bench.report();
        assert!(matches!(started.event, JobEvent::Started));
        bench.executor.cancel(&[token]);
        assert_eq!(bench.end(), (task, Termination::Cancelled, None));
    }
}

#[test]
fn what_waits_is_dropped_and_what_runs_goes_on() {
    let mut bench = Bench::new(1);
    let jobs = [
        bench.shell(1, &format!("touch ../one; {}", until("go"))),
        bench.job(2, &["true"]),
    ];
    bench.submit(jobs);
    wait_until("the first to run", || bench.dir.path().join("one").exists());
    bench.executor.drop_waiting();
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Termination::Code(0), None));
    bench.assert_nothing_more_is_reported();
}

#[test]
fn an_end_is_reported_before_the_slot_is_free() {
    let mut bench = Bench::new(1);
    for task in 1..=200 {
        let job = bench.job(task, &["true"]);
        bench.submit([job]);
        wait_until("its start", || {
            matches!(
                bench.reports.try_recv().map(|r| r.event),
                Ok(JobEvent::Started)
            )
        });
        wait_until("a free slot", || bench.executor.busy() == 0);
        let report = bench
            .reports
            .try_recv()
            .expect("a slot is free only when its news are out");
        assert!(matches!(
            report.event,
            JobEvent::Ended {
                exit: Termination::Code(0),
                ..
            }
        ));
    }
}

#[test]
fn no_process_outlives_the_executor() {
    let mut bench = Bench::new(2);
    let jobs = (1..=5)
        .map(|task| bench.shell(task, &format!("sleep 1000 & touch ../up{task}; wait")))
        .collect::<Vec<_>>();
    bench.submit(jobs);
    wait_until("two to run", || {
        ["up1", "up2"]
            .iter()
            .all(|up| bench.dir.path().join(up).exists())
    });
    let (sender, _) = unbounded_channel();
    drop(std::mem::replace(
        &mut bench.executor,
        LocalExecutor::new(1, sender).expect("a thread"),
    ));
    wait_until("the end of all", || bench.living().is_empty());
    assert!(!bench.dir.path().join("up3").exists());
}
