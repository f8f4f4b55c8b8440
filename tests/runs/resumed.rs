//! The program itself, killed, interrupted, watched and resumed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::runs::{assert_same, assert_whole, failures, files_below, names};
use crate::support::{
    Campaign, EVALUATIONS, Engine, ProgramOutput, journal, on, processes, rows, run_name,
    run_to_end, wait, wait_until,
};
use jiff::Timestamp;
use moldflow::store::Store;
use moldflow::task::{Event, Fact, FailureKind, Outcome};

#[test]
fn killed_at_any_moment_and_resumed_a_run_is_the_same() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    let facts = journal(&calm).len();
    for n in (1..facts).step_by(3) {
        let name = format!("killed{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "batch"]);
        engine.wait_for_facts(n);
        engine.kill();
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
        assert_whole(&run_dir);
    }
}

#[test]
fn a_task_that_ended_without_an_engine_ran_until_its_end_and_not_until_the_resume() {
    let fault = r#"touch "$here/waits"; while [ ! -e "$here/go" ]; do sleep 0.02; done"#;
    let campaign = Campaign::of_a_program().with_fault(fault);
    // Batches wait for each other, so that the end of the run cancels nothing.
    let engine = campaign.start("run", &["--schedule", "batch"]);
    wait_until("the task", || campaign.path("waits").exists());
    engine.kill();
    let now = || Timestamp::now().as_millisecond();
    let killed = now();
    fs::write(campaign.path("go"), "").unwrap();
    let run_dir = campaign.path("run");
    let run = format!("{}.", run_name(&run_dir));
    wait_until("the end of all tasks", || processes(&run).is_empty());
    let ended = now();
    std::thread::sleep(Duration::from_secs(1));
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);

    let events = journal(&run_dir);
    let resumed = events.iter().find(|event| event.fact == Fact::Resumed);
    let resumed = resumed.expect("it was resumed").at;
    let spans = async { Store::open_to_read(&run_dir).await?.attempt_spans().await };
    let spans: Vec<(i64, i64)> = (wait(spans).unwrap().iter())
        .map(|span| (span.started, span.finished.expect("it ended")))
        .collect();
    assert!(
        spans.iter().any(|(_, end)| (killed..=ended).contains(end)),
        "{killed} {ended} {spans:?}"
    );
    assert!(
        !spans
            .iter()
            .any(|(start, end)| *start < resumed && *end > ended),
        "{ended} {resumed} {spans:?}"
    );
    // One core each: what `status` says is the sum of these times, and so is what budgets count.
    let ms: i64 = spans.iter().map(|(start, end)| end - start).sum();
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let hours = status["core_hours"].as_f64().expect("core-hours");
    assert!((hours - ms as f64 / 3.6e6).abs() < 1e-9, "{hours} {ms}");
    let counted: u64 = (events.iter())
        .filter_map(|event| match &event.fact {
            Fact::Ended { usage, .. } => usage.took(event.at),
            _ => None,
        })
        .sum();
    assert_eq!(counted, ms.cast_unsigned());
}

#[test]
fn killed_again_and_again_a_run_is_the_same() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    let run_dir = tiny.path("killed");
    let mut engine = tiny.start("killed", &["--schedule", "batch"]);
    for n in 0.. {
        // Sometimes the whole machine fails, with its tasks.
        let machine_fails = n % 3 == 2;
        let before = journal(&run_dir).len();
        engine.wait_for_facts(before + 2);
        if engine.has_ended() {
            break;
        }
        engine.kill();
        if machine_fails {
            for id in processes(&format!("{}.", run_name(&run_dir))) {
                let _ = std::process::Command::new("kill")
                    .args(["-9", &id.to_string()])
                    .output();
            }
        }
        engine = Engine::resume(&run_dir);
    }
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_same(&run_dir, &calm);
    assert_whole(&run_dir);
}

#[test]
fn killed_in_its_first_moments_a_run_is_resumed() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    for (name, file) in [
        ("campaign", "campaign.yml"),
        ("database", "moldflow.db"),
        ("log", "runtime.log"),
    ] {
        let run_dir = tiny.path(name);
        let engine = tiny.start(name, &["--schedule", "batch"]);
        wait_until(file, || run_dir.join(file).exists());
        engine.kill();
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
    }
}

#[test]
fn an_interleaved_run_that_is_killed_and_resumed_loses_nothing_and_doubles_nothing() {
    let tiny = Campaign::tiny();
    for n in [4, 9, 13, 18] {
        let name = format!("killed{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "interleaved"]);
        engine.wait_for_facts(n);
        engine.kill();
        let json = on(&run_dir, &["resume", "--json"]).with_code(0).json();
        assert_eq!(
            (&json["evaluations"], &json["failures"]),
            (&EVALUATIONS.into(), &0.into())
        );
        assert_whole(&run_dir);
    }
}

/// A campaign with a slow generator, so that the run can be inspected.
fn slow() -> Campaign {
    Campaign::tiny().with("episodes: 2, steps: 6", "episodes: 100, steps: 20")
}

/// A run whose generator is running.
fn at_work(campaign: &Campaign, name: &str) -> (Engine, PathBuf) {
    let mut engine = campaign.start(name, &["--schedule", "batch"]);
    let trained = |event: &Event| {
        matches!(
            event.fact,
            Fact::Ended {
                outcome: Outcome::Trained { .. },
                ..
            }
        )
    };
    engine.wait_for_journal(|journal| journal.iter().any(trained));
    let run_dir = campaign.path(name);
    assert!(!engine.has_ended(), "{}", engine.err());
    (engine, run_dir)
}

#[test]
fn a_second_engine_is_refused_and_the_run_can_be_watched() {
    let campaign = slow();
    let (mut engine, run_dir) = at_work(&campaign, "run");
    engine.signal("STOP");
    for second in [on(&run_dir, &["resume"]), campaign.run("run", &[])] {
        let ProgramOutput { err, .. } = second.with_code(1);
        assert!(
            err.contains("another moldflow process is working")
                || err.contains("already contains a run"),
            "{err}"
        );
        assert!(err.contains(&run_dir.display().to_string()), "{err}");
    }
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let keys: BTreeSet<&str> = status
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in "run_dir evaluations failures batches best stopped_by state queued in_flight slots"
        .split(' ')
    {
        assert!(keys.contains(key), "no key {key}: {status}");
    }
    assert!(status["evaluations"].as_u64() >= Some(3), "{status}");
    assert_eq!(status["stopped_by"], serde_json::Value::Null);
    assert_eq!(status["state"], "running");
    assert_eq!(status["slots"]["qc"]["all"], 2);
    assert_eq!(status["slots"]["ml"]["all"], 1);
    assert!(rows(&run_dir).len() >= 3);
    let lines = on(&run_dir, &["export", "--format", "jsonl"])
        .with_code(0)
        .out;
    assert!(lines.lines().count() >= 3);
    assert!(
        on(&run_dir, &["status"])
            .with_code(0)
            .out
            .contains("evaluations")
    );
    engine.signal("CONT");
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["state"], "finished");
    assert_eq!(status["stopped_by"], "evaluations");
    assert_eq!(status["slots"]["ml"]["busy"], 0);
}

#[test]
fn looking_at_a_run_does_not_keep_it_from_being_resumed() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("run", &[]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    on(&run_dir, &["status"]).with_code(0);
                }
            });
        }
        let codes: Vec<_> = (0..10).map(|_| on(&run_dir, &["resume"]).code).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(codes, [Some(0); 10]);
    });
}

#[test]
fn ctrl_c_waits_for_what_runs_and_the_run_can_be_resumed() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    for n in [2, 7, 10, 16] {
        let name = format!("interrupted{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "batch"]);
        engine.wait_for_facts(n);
        engine.signal("INT");
        assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
        let resume = format!(
            "moldflow resume {}",
            run_dir.canonicalize().unwrap().display()
        );
        assert!(engine.err().contains(&resume), "{}", engine.err());
        let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
        assert_eq!(
            (&status["state"], &status["stopped_by"]),
            (&"interrupted".into(), &"interrupted".into())
        );
        assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
        assert_whole(&run_dir);
        assert!(
            failures(&journal(&run_dir)).is_empty(),
            "what ran was waited for"
        );
    }
}

#[test]
fn ctrl_c_twice_stops_at_once_and_the_run_can_be_resumed() {
    let campaign = slow();
    let (mut engine, run_dir) = at_work(&campaign, "run");
    engine.interrupt_twice();
    assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
    assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
    let trained = journal(&run_dir).last().is_some_and(|event| {
        matches!(
            event.fact,
            Fact::Ended {
                outcome: Outcome::Trained { .. },
                ..
            }
        )
    });
    assert!(trained, "the generator was not waited for");
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);
    assert_eq!(failures(&journal(&run_dir)), [FailureKind::Lost]);
}

#[test]
fn a_generator_that_was_cancelled_leaves_neither_process_nor_file() {
    // After the last evaluation the generator is no longer needed: it is cancelled.
    let campaign = slow()
        .with("evaluations: 6", "evaluations: 1")
        .with("barren_batches: 10", "barren_batches: 10, target: -0.01");
    let run_dir = campaign.completed("run", &[]);
    assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
    assert!(names(&run_dir.join("state")).len() <= 1);
    assert!(files_below(&run_dir.join("tasks")).is_empty());
}

#[test]
fn two_runs_started_in_one_directory_at_once_are_one_run() {
    let tiny = Campaign::tiny();
    let (mut one, mut other) = (
        tiny.run_command("run", &[]),
        tiny.run_command("run", &["--seed", "9"]),
    );
    let codes = std::thread::scope(|scope| {
        let runs = [
            scope.spawn(|| run_to_end(&mut one).code),
            scope.spawn(|| run_to_end(&mut other).code),
        ];
        runs.map(|run| run.join().unwrap())
            .into_iter()
            .collect::<BTreeSet<_>>()
    });
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]));
    assert_whole(&tiny.path("run"));
}

#[test]
fn a_run_goes_on_after_its_source_is_gone() {
    let campaign = Campaign::tiny().with("source: qm9", "source: some.smi");
    let source = campaign.path("some.smi");
    fs::write(&source, "C\nCC\nCO\nC=O\nCCO\nCN\n").unwrap();
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_facts(3);
    engine.kill();
    fs::remove_file(&source).unwrap();
    on(&campaign.path("run"), &["resume"]).with_code(0);
    assert_whole(&campaign.path("run"));
}
