//! Handling of failures by a campaign's policy: retries by kind, backoff, quarantine, the limit,
//! with real programs that fail.

use crate::support;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::runs::{failures, molecules};
use crate::support::{
    Campaign, EVALUATIONS, Engine, journal, on, processes, rows, run_name, run_to_end,
};
use moldflow::task::{Event, Fact, FailureKind, TaskId};

const ENERGY: &str =
    "engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m, retries: 1";

/// A campaign on xtb, wrapped in a script that handles some calls itself.
fn with_broken_xtb(script: &str, retries: &str) -> (Campaign, String) {
    let energy =
        format!("engine: xtb, topic: simulator, partition: qc, timeout: 5m, retries: {retries}");
    let campaign = Campaign::tiny().with(ENERGY, &energy);
    let folder = campaign.path("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("xtb");
    let paths = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&paths)
        .map(|folder| folder.join("xtb"))
        .find(|path| path.is_file())
        .expect("the program xtb: scripts/test installs it");
    let text = format!("#!/bin/sh\n{script}\nexec '{}' \"$@\"\n", real.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (campaign, format!("{}:{paths}", folder.display()))
}

fn run_with_path(campaign: &Campaign, path: &str, arguments: &[&str]) -> Command {
    let mut command = campaign.run_command("run", arguments);
    command.env("PATH", path);
    command
}

#[test]
fn an_engine_that_is_broken_stops_the_run_and_its_last_words_are_shown() {
    // Free atoms work: what is broken is not found out before the first molecules.
    let script = "case \" $* \" in *' --opt '*) echo 'the licence has expired' >&2; exit 1;; esac";
    let (campaign, path) = with_broken_xtb(script, "0");
    let campaign = campaign.with("{random: 3}", "{random: 60}");
    let output = run_to_end(&mut run_with_path(&campaign, &path, &["--json"])).with_code(3);
    assert!(output.err.contains("too large a share"), "{}", output.err);
    assert!(
        output.err.contains("the licence has expired"),
        "{}",
        output.err
    );
    let json = output.json();
    assert_eq!(json["stopped_by"], "failure_share");
    assert_eq!(json["failures"], json["failures_by_kind"]["exit"]);
    assert_eq!(json["failures"], json["evaluations"]);
    // Ten are judged; a few more may have ended by then.
    assert!(json["failures"].as_i64().unwrap() < 20, "{json}");
    let status = on(&campaign.path("run"), &["status"]).with_code(0).out;
    let failed = &json["failures"];
    assert!(
        status.contains(&format!("quarantined   {failed}")),
        "{status}"
    );
    assert!(
        status.contains(&format!("({failed} failed: {failed} exit)")),
        "{status}"
    );
}

/// Ends of attempts: task, attempt, when it started, when its end was known.
fn ends(journal: &[Event]) -> Vec<(TaskId, u32, i64, i64)> {
    let end = |event: &Event| match &event.fact {
        Fact::Ended {
            task,
            attempt,
            usage,
            ..
        } => Some((*task, *attempt, usage.started?, event.at)),
        _ => None,
    };
    journal.iter().filter_map(end).collect()
}

#[test]
fn retries_wait_for_their_backoff_even_if_the_engine_is_killed_meanwhile() {
    // The first two attempts at every molecule fail.
    let script = "case \" $* \" in *' --opt '*) case \"$PWD\" in */1 | */2) exit 7;; esac;; esac";
    let (campaign, path) = with_broken_xtb(script, "{exit: 2, backoff: 700ms}");
    // No fluorine or oxygen: xtb turns some of their molecules into others, which fails for good.
    let campaign = campaign.with("[C, N, O, F]", "[C, N]");
    let command = run_with_path(&campaign, &path, &["--quiet"]);
    let run_dir = campaign.path("run");
    let mut engine = Engine::start(command, run_dir.clone());
    engine.wait_for_journal(|journal| failures(journal).len() >= 2);
    engine.kill();
    let mut resume = support::moldflow(&["resume", "--quiet"]);
    run_to_end(resume.arg(&run_dir).env("PATH", &path)).with_code(0);

    let mut computed = rows(&run_dir);
    computed.retain(|row| row["status"] != "superseded");
    assert_eq!(computed.len(), EVALUATIONS);
    for row in &computed {
        assert_eq!(
            (row["status"].as_str(), row["attempts"].as_str()),
            ("evaluated", "3")
        );
    }
    let mut waits = 0;
    let mut failed: BTreeMap<TaskId, (u32, i64)> = BTreeMap::new();
    for (task, attempt, started, at) in ends(&journal(&run_dir)) {
        if let Some((before, known)) = failed.insert(task, (attempt, at)) {
            assert_eq!(attempt, before + 1);
            let backoff = 700 << (before - 1);
            assert!(
                started - known >= backoff,
                "task {task}, attempt {attempt}: {started} {known}"
            );
            waits += 1;
        }
    }
    assert!(waits >= 2 * EVALUATIONS - 4, "{waits}");
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["failures"], 0);
    assert_eq!(status["failed_attempts_by_kind"]["exit"], 2 * EVALUATIONS);
    let task = computed[0]["smiles"].clone();
    let explained = on(&run_dir, &["explain", &task]).with_code(0).out;
    assert!(explained.contains("succeeded, 3 attempts"), "{explained}");
    assert_eq!(explained.matches("(exit)").count(), 2, "{explained}");
}

#[test]
fn a_molecule_that_fails_for_good_is_kept_out_and_its_kind_is_told() {
    // Everything with nitrogen fails, as if for memory: the kind is that of the process.
    let script = "if grep -q '^N ' mol.xyz 2>/dev/null; then echo out of luck >&2; exit 1; fi";
    let (campaign, path) = with_broken_xtb(
        &format!("case \" $* \" in *' --opt '*) {script};; esac"),
        "{exit: 1}",
    );
    let campaign = campaign.with(
        "barren_batches: 10",
        "barren_batches: 10, failure_share: 1.0",
    );
    run_to_end(&mut run_with_path(&campaign, &path, &["--quiet"])).with_code(0);
    let run_dir = campaign.path("run");
    let rows = rows(&run_dir);
    let names = molecules(&rows);
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "failed")
        .collect();
    assert!(!failed.is_empty(), "{names:?}");
    for row in failed {
        assert!(row["smiles"].to_uppercase().contains('N'));
        assert_eq!(
            (row["failure"].as_str(), row["attempts"].as_str()),
            ("exit", "2")
        );
        assert!(row["failure_message"].contains("out of luck"), "{row:?}");
        assert_eq!(
            names.iter().filter(|name| **name == row["smiles"]).count(),
            1
        );
    }
}

#[test]
fn the_generator_survives_a_task_that_is_killed() {
    let campaign = Campaign::tiny().with("episodes: 2", "episodes: 40");
    let mut engine = campaign.start("run", &["--quiet"]);
    let run_dir = campaign.path("run");
    engine.wait_for_facts(1);
    let name = run_name(&run_dir);
    let is_generating = |id: &i32| {
        let dir = PathBuf::from(format!("/proc/{id}/cwd/input.json"));
        fs::read_to_string(dir).is_ok_and(|input| input.contains(r#""method":"generate""#))
    };
    support::wait_until("a generator that fails", || {
        for id in processes(&format!("{name}."))
            .into_iter()
            .filter(is_generating)
        {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        let journal = journal(&run_dir);
        failures(&journal).contains(&FailureKind::Exit) || engine.has_ended()
    });
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert!(failures(&journal(&run_dir)).contains(&FailureKind::Exit));
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["evaluations"], EVALUATIONS);
    assert_eq!(status["failures"], 0);
    assert!(status["failed_attempts_by_kind"]["exit"].as_i64() >= Some(1));
}
