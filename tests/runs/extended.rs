//! Runs whose stop conditions are changed: finished ones go on, others end elsewhere.

use crate::support;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::runs::{answers, molecules};
use crate::support::{Campaign, Engine, journal, on, rows, wait_until};
use moldflow::task::Fact;

/// Changes a run, which must go on to its end.
fn extended(run_dir: &Path, set: &[&str]) {
    let mut arguments = vec!["resume", "--quiet"];
    for value in set {
        arguments.extend(["--set", value]);
    }
    on(run_dir, &arguments).with_code(0);
}

/// Number of evaluations that have ended, where one that fails counts (the generator may propose a
/// ring without a geometry); no molecule may be there twice.
fn evaluations(run_dir: &Path) -> usize {
    count(run_dir, "evaluated") + count(run_dir, "failed")
}

fn count(run_dir: &Path, status: &str) -> usize {
    let rows = rows(run_dir);
    let distinct: BTreeSet<&str> = molecules(&rows).into_iter().collect();
    assert_eq!(distinct.len(), rows.len(), "a molecule is there twice");
    rows.iter().filter(|row| row["status"] == status).count()
}

fn campaign_of(run_dir: &Path) -> String {
    fs::read_to_string(run_dir.join("campaign.yml")).expect("a campaign")
}

#[test]
fn a_finished_run_goes_on_and_its_directory_says_so() {
    for schedule in ["batch", "interleaved"] {
        let tiny = Campaign::of_a_program();
        let run_dir = tiny.completed("run", &["--schedule", schedule]);
        assert_eq!(evaluations(&run_dir), 3 + 6);
        extended(&run_dir, &["stop.evaluations=10", "stop.stale_batches=50"]);
        assert_eq!(evaluations(&run_dir), 3 + 10);
        let text = campaign_of(&run_dir);
        assert!(text.contains("evaluations: 10"), "{text}");
        assert!(text.contains("stale_batches: 50"), "{text}");
        // No calculation was made twice.
        answers(&journal(&run_dir));
        let changes = journal(&run_dir)
            .into_iter()
            .find_map(|event| match event.fact {
                Fact::SettingsChanged { changes, .. } => Some(changes),
                _ => None,
            });
        let changes = changes.expect("a fact");
        assert_eq!(
            changes,
            [
                "campaign.yml: stop.evaluations: 6 became 10",
                "campaign.yml: stop.stale_batches: null became 50"
            ]
        );
        on(&run_dir, &["check"]).with_code(0);
        let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
        assert_eq!(status["stopped_by"], "evaluations");

        // And once more, from what is there now.
        extended(&run_dir, &["stop.evaluations=12"]);
        assert_eq!(evaluations(&run_dir), 3 + 12);
        on(&run_dir, &["check"]).with_code(0);
    }
}

#[test]
fn a_run_that_would_end_again_at_once_says_so_and_stays_as_it_is() {
    let tiny = Campaign::of_a_program();
    let run_dir = tiny.completed("run", &[]);
    let (before, facts) = (campaign_of(&run_dir), journal(&run_dir).len());
    for set in [
        "stop.evaluations=6",
        "stop.evaluations=4",
        "stop.target=-100000",
        "stop.wall_time=5h",
    ] {
        let refused = on(&run_dir, &["resume", "--set", set]).with_code(1);
        assert!(
            refused.err.contains("nothing was changed"),
            "{}",
            refused.err
        );
        assert!(
            refused.err.contains("hint: give `stop.evaluations`"),
            "{}",
            refused.err
        );
        assert_eq!(campaign_of(&run_dir), before);
        assert_eq!(journal(&run_dir).len(), facts);
    }
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(journal(&run_dir).len(), facts);
}

#[test]
fn what_cannot_be_changed_is_refused_with_a_way_out() {
    let tiny = Campaign::of_a_program()
        .with("seed: 7", "seed: 7\nparams: {size: 6}")
        .with("evaluations: 6", "evaluations: \"{{size}}\"");
    let run_dir = tiny.completed("run", &[]);
    let before = campaign_of(&run_dir);
    for (set, message, hint) in [
        ("stop.evaluation=9", "evaluation", "`evaluations`"),
        ("stop.evaluations=many", "many", "whole number"),
        ("stop.evaluations=0", "0", "at least 1"),
        ("stop.wall_time=60", "60", "60m"),
        (
            "size=9",
            "is a param of the campaign file",
            "stop.evaluations=500",
        ),
        ("sizes=9", "sizes", ""),
        ("stopp.evaluations=9", "there is no key `stopp`", "stop"),
        (
            "search_space.max_heavy_atoms=6",
            "results depend on it",
            "stop.KEY",
        ),
        (
            "stages.screen.budget.evaluations=6",
            "budget",
            "of a stage with `compute`",
        ),
        ("stop.evaluations", "KEY=VALUE", "--set"),
    ] {
        let refused = on(&run_dir, &["resume", "--set", set]).with_code(1);
        assert!(refused.err.contains(message), "{set}: {}", refused.err);
        assert!(refused.err.contains(hint), "{set}: {}", refused.err);
        assert_eq!(campaign_of(&run_dir), before, "{set}");
    }
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn killed_at_any_moment_after_a_change_nothing_is_lost() {
    let tiny = Campaign::of_a_program();
    let finished = tiny.completed("finished", &["--schedule", "batch"]);
    let begin = journal(&finished).len();
    for more in [1, 2, 4, 7, 10] {
        let run_dir = tiny.path(&format!("killed{more}"));
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([&finished, &run_dir])
            .status();
        assert!(copied.expect("cp").success());
        let mut command = support::moldflow(&["resume", "--set", "stop.evaluations=9"]);
        command.arg(&run_dir);
        let mut engine = Engine::start(command, run_dir.clone());
        engine.wait_for_facts(begin + more);
        engine.kill();
        on(&run_dir, &["resume"]).with_code(0);
        assert_eq!(evaluations(&run_dir), 3 + 9, "killed after {more} facts");
        assert!(campaign_of(&run_dir).contains("evaluations: 9"));
        assert!(!run_dir.join("campaign.yml.new").exists());
        on(&run_dir, &["check"]).with_code(0);
    }
}

#[test]
fn what_the_wall_time_cut_short_is_computed_when_there_is_more() {
    let slow = Campaign::of_a_program()
        .with("evaluations: 6", "evaluations: 6, wall_time: 2s")
        .with("parallel: 2", "parallel: 4");
    let program = slow.path("program");
    let text = fs::read_to_string(&program).expect("a program");
    let text = text.replace("scale=100\n", "scale=100\nsleep 0.7\n");
    fs::write(&program, text).expect("a file");
    let output = slow.run("run", &["--schedule", "interleaved"]);
    let run_dir = slow.path("run");
    assert!(
        output.err.contains("the wall time is over"),
        "{}",
        output.err
    );
    extended(&run_dir, &["stop.wall_time=10m"]);
    assert_eq!(evaluations(&run_dir), 3 + 6);
    assert_eq!(count(&run_dir, "cancelled"), 0);
    answers(&journal(&run_dir));
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn a_stopped_run_is_given_another_end() {
    let tiny = Campaign::of_a_program();
    let mut engine = tiny.start("run", &[]);
    engine.wait_for_facts(8);
    engine.signal("INT");
    wait_until("the end", || engine.has_ended());
    let run_dir = tiny.path("run");
    extended(&run_dir, &["stop.evaluations=8"]);
    assert_eq!(evaluations(&run_dir), 3 + 8);
    on(&run_dir, &["check"]).with_code(0);
}
