//! The program itself with tasks that fail in every way: each failure costs one attempt and leaves
//! no process or file.

use crate::support;
use std::path::PathBuf;

use crate::support::runs::{answers, failures};
use crate::support::{Campaign, EVALUATIONS, Engine, journal, on, processes, run_name, wait_until};
use moldflow::task::{Event, Fact, Failure, FailureKind, Outcome};

/// The failed attempts of a journal.
fn failed(journal: &[Event]) -> Vec<Failure> {
    let failed = journal.iter().filter_map(|event| match &event.fact {
        Fact::Ended {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.clone()),
        _ => None,
    });
    failed.collect()
}

/// A run in which one attempt fails by `fault`, and that failure.
fn run_with(campaign: Campaign, fault: &str) -> (PathBuf, Failure, Campaign) {
    let campaign = campaign.with_fault(fault);
    let run_dir = campaign.completed("run", &[]);
    let mut failed = failed(&journal(&run_dir));
    assert_eq!(failed.len(), 1, "one attempt was hit: {failed:?}");
    nothing_is_left(&run_dir);
    (run_dir, failed.remove(0), campaign)
}

fn nothing_is_left(run_dir: &std::path::Path) {
    let run = format!("{}.", run_name(run_dir));
    assert_eq!(processes(&run), Vec::<i32>::new(), "something is left");
}

/// Requires that all molecules were computed, that of the failed attempt by the next one.
fn assert_all_computed(run_dir: &std::path::Path) {
    let status = on(run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(
        (&status["evaluations"], &status["failures"]),
        (&EVALUATIONS.into(), &0.into())
    );
}

/// Requires that the molecule of the failed attempt failed, and all others were computed.
fn assert_one_given_up(run_dir: &std::path::Path) {
    let status = on(run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(
        (&status["evaluations"], &status["failures"]),
        (&EVALUATIONS.into(), &1.into())
    );
}

#[test]
fn a_task_that_hangs_is_ended_with_all_that_it_started() {
    let campaign = Campaign::of_a_program().with("qc, timeout: 5m", "qc, timeout: 4s");
    let fault = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'trap : TERM; sleep 1000; sleep 1000' &) ; sleep 1000";
    let (run_dir, failure, _campaign) = run_with(campaign, fault);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_all_computed(&run_dir);
}

#[test]
fn a_task_that_is_stopped_is_ended_at_its_timeout() {
    let campaign = Campaign::of_a_program().with("qc, timeout: 5m", "qc, timeout: 4s");
    let (run_dir, failure, _campaign) = run_with(campaign, "kill -STOP $PPID; sleep 1000");
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_all_computed(&run_dir);
}

#[test]
fn what_a_task_leaves_running_in_a_session_of_its_own_is_ended() {
    let fault = "setsid sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 &";
    let campaign = Campaign::of_a_program().with_fault(fault);
    let run_dir = campaign.completed("run", &[]);
    assert_eq!(failures(&journal(&run_dir)), []);
    nothing_is_left(&run_dir);
    assert_all_computed(&run_dir);
}

#[test]
fn a_program_that_crashes_costs_one_attempt() {
    let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), "kill -SEGV $$");
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.contains("signal"), "{}", failure.message);
    assert_all_computed(&run_dir);
}

#[test]
fn a_task_that_crashes_costs_one_attempt() {
    // Rust's handler takes the first one for a stack overflow that it is not, and lets the second
    // through.
    let (run_dir, failure, _campaign) = run_with(
        Campaign::of_a_program(),
        "kill -SEGV $PPID; sleep 0.2; kill -SEGV $PPID; sleep 1000",
    );
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.contains("SIGSEGV"), "{}", failure.message);
    assert_all_computed(&run_dir);
}

#[test]
fn a_task_that_the_system_kills_for_its_memory_costs_one_attempt_and_says_so() {
    let (run_dir, failure, _campaign) =
        run_with(Campaign::of_a_program(), "kill -KILL $PPID; sleep 1000");
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(
        failure.message.contains("out of memory?"),
        "{}",
        failure.message
    );
    assert_all_computed(&run_dir);
}

#[test]
fn a_program_that_writes_without_end_is_ended_before_it_fills_the_disk() {
    for (fault, output) in [
        ("exec yes", "standard output"),
        ("exec yes >&2", "standard error"),
    ] {
        let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), fault);
        assert_eq!(failure.kind, FailureKind::Exit);
        assert!(
            failure.message.contains("64 MiB") && failure.message.contains(output),
            "{}",
            failure.message
        );
        let longest = support::runs::files_below(&run_dir)
            .iter()
            .map(|file| file.symlink_metadata().unwrap().len())
            .max();
        assert!(longest <= Some(65 << 20), "{longest:?}");
        assert_all_computed(&run_dir);
    }
}

#[test]
fn half_a_result_is_no_result() {
    let fault = r#"printf '{"energy": -1' > "$2"; exit 0"#;
    let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), fault);
    assert_eq!(failure.kind, FailureKind::Unreadable);
    assert_one_given_up(&run_dir);
    // The same for the result of a task, which moldflow itself never leaves incomplete.
    let fault = r#"printf '{"outcome": "simulated", "total_' > result.json; kill -9 $PPID"#;
    let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), fault);
    assert_eq!(failure.kind, FailureKind::Unreadable);
    assert_one_given_up(&run_dir);
}

#[test]
fn rubbish_is_no_result() {
    for fault in [
        r#"head -c 5000 /dev/urandom > "$2"; exit 0"#,
        "head -c 5000 /dev/urandom > result.json; kill -9 $PPID",
        r#"echo '{"energy": 1e999}' > "$2"; exit 0"#,
        r#"mkdir "$2"; exit 0"#,
    ] {
        let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), fault);
        assert_eq!(
            failure.kind,
            FailureKind::Unreadable,
            "{fault}: {}",
            failure.message
        );
        assert_one_given_up(&run_dir);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_result_holds_nobody_up() {
    let (run_dir, failure, _campaign) = run_with(
        Campaign::of_a_program(),
        "mkfifo result.json; kill -9 $PPID",
    );
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_all_computed(&run_dir);
}

#[test]
fn success_without_a_result_is_a_failure() {
    let (run_dir, failure, _campaign) = run_with(Campaign::of_a_program(), "exit 0");
    assert_eq!(failure.kind, FailureKind::Unreadable);
    assert!(
        failure.message.contains("energy.json"),
        "{}",
        failure.message
    );
    assert_one_given_up(&run_dir);
}

/// A run whose engine was killed while the program waits, as it has noted, with the first molecule.
fn killed_while_a_task_waits(campaign: &Campaign) -> PathBuf {
    let engine = campaign.start("run", &[]);
    wait_until("the task", || campaign.path("waits").exists());
    engine.kill();
    campaign.path("run")
}

const WAITS: &str = r#"touch "$here/waits"; while [ ! -e "$here/go" ]; do sleep 0.02; done"#;

#[test]
fn a_task_that_ends_while_no_engine_is_there_is_collected() {
    let campaign = Campaign::of_a_program().with_fault(WAITS);
    let run_dir = killed_while_a_task_waits(&campaign);
    let run = format!("{}.", run_name(&run_dir));
    assert!(!processes(&run).is_empty());
    std::fs::write(campaign.path("go"), "").unwrap();
    wait_until("the end of all tasks", || processes(&run).is_empty());
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(failures(&journal(&run_dir)), []);
    assert_each_computed_once(&campaign);
    assert_all_computed(&run_dir);
}

#[test]
fn a_task_that_still_runs_is_adopted_and_not_doubled() {
    let campaign = Campaign::of_a_program().with_fault(WAITS);
    let run_dir = killed_while_a_task_waits(&campaign);
    let mut engine = Engine::resume(&run_dir);
    engine.wait_for_journal(|journal| journal.iter().any(|event| event.fact == Fact::Resumed));
    std::fs::write(campaign.path("go"), "").unwrap();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_eq!(failures(&journal(&run_dir)), []);
    assert_each_computed_once(&campaign);
    assert_all_computed(&run_dir);
}

#[test]
fn a_task_that_is_gone_without_a_result_is_tried_again_and_not_counted() {
    let campaign = Campaign::of_a_program()
        .with_fault(WAITS)
        .with("retries: 1", "retries: 0");
    let run_dir = killed_while_a_task_waits(&campaign);
    let run = format!("{}.", run_name(&run_dir));
    for id in processes(&run) {
        let _ = std::process::Command::new("kill")
            .args(["-9", &id.to_string()])
            .output();
    }
    wait_until("their end", || processes(&run).is_empty());
    on(&run_dir, &["resume"]).with_code(0);
    let failures = failures(&journal(&run_dir));
    assert!(
        !failures.is_empty() && failures.iter().all(|kind| *kind == FailureKind::Lost),
        "{failures:?}"
    );
    assert_all_computed(&run_dir);
}

#[test]
fn a_timeout_goes_on_counting_when_another_engine_takes_over() {
    // Every engine is killed before the timeout, which would never expire if each engine restarted
    // it.
    let campaign = Campaign::of_a_program()
        .with("qc, timeout: 5m", "qc, timeout: 6s")
        .with_fault(r#"touch "$here/waits"; sleep 1000"#);
    let run_dir = killed_while_a_task_waits(&campaign);
    let timed_out = |journal: &[Event]| {
        failed(journal)
            .iter()
            .any(|f| f.kind == FailureKind::Timeout)
    };
    let mut engines = 0;
    while !timed_out(&journal(&run_dir)) {
        engines += 1;
        assert!(engines < 30, "the timeout begins anew with each engine");
        let mut engine = Engine::resume(&run_dir);
        std::thread::sleep(std::time::Duration::from_secs(2));
        if engine.has_ended() {
            break;
        }
        engine.kill();
    }
    on(&run_dir, &["resume"]).with_code(0);
    assert!(timed_out(&journal(&run_dir)));
    assert_all_computed(&run_dir);
    nothing_is_left(&run_dir);
}

#[test]
fn an_engine_and_its_tasks_that_were_stopped_for_longer_than_a_timeout_go_on() {
    let campaign = Campaign::of_a_program()
        .with("qc, timeout: 5m", "qc, timeout: 4s")
        .with_fault(r#"touch "$here/waits"; sleep 1"#);
    let mut engine = campaign.start("run", &[]);
    wait_until("the task", || campaign.path("waits").exists());
    let run_dir = campaign.path("run");
    let tasks = processes(&format!("{}.", run_name(&run_dir)));
    let signal = |name: &str| {
        engine.signal(name);
        for id in &tasks {
            let _ = std::process::Command::new("kill")
                .args([&format!("-{name}"), &id.to_string()])
                .output();
        }
    };
    signal("STOP");
    std::thread::sleep(std::time::Duration::from_secs(7));
    signal("CONT");
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_eq!(
        failures(&journal(&run_dir)),
        [],
        "time that was slept through counts for nothing"
    );
    assert_all_computed(&run_dir);
}

fn assert_each_computed_once(campaign: &Campaign) {
    let done = std::fs::read_to_string(campaign.path("done")).unwrap();
    let mut lines: Vec<&str> = done.lines().collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "{done}");
    answers(&journal(&campaign.path("run")));
}
