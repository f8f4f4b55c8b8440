//! The program itself on run directories that are damaged, read, locked, moved, copied, changed, or
//! of an earlier version.

use crate::support;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::runs::{
    answers, assert_same, assert_whole, export_without_usage, failures, names,
};
use crate::support::{
    Campaign, EVALUATIONS, Engine, copy, journal, on, processes, rows, run_name, wait_until,
};
use moldflow::task::{Fact, FailureKind};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A run killed after some facts, all its tasks gone.
fn killed(campaign: &Campaign, name: &str, facts: usize) -> PathBuf {
    let mut engine = campaign.start(name, &["--schedule", "batch"]);
    engine.wait_for_facts(facts);
    engine.kill();
    let run_dir = campaign.path(name);
    let run = format!("{}.", run_name(&run_dir));
    wait_until("the end of all tasks", || processes(&run).is_empty());
    run_dir
}

/// Runs statements on the database of a run, as another program would.
fn sql(run_dir: &Path, statements: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .arg(run_dir.join("moldflow.db"))
        .arg(statements);
    let output = python.output().expect("python3");
    assert!(output.status.success(), "{output:?}");
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Flips a bit behind every occurrence of `words`, since SQLite leaves copies of moved rows.
fn flip(bytes: &mut [u8], words: &[u8], behind: usize) {
    let found: Vec<usize> = (0..bytes.len() - words.len())
        .filter(|at| bytes[*at..].starts_with(words))
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at + behind] ^= 1;
    }
}

/// It is refused with a hint, the hint works, and the run continues to its end.
fn assert_refused_and_repaired(run_dir: &Path) -> String {
    for command in ["resume", "check"] {
        let printed = on(run_dir, &[command]).with_code(1);
        let way_out = format!(
            "moldflow check --repair {}",
            run_dir.canonicalize().unwrap().display()
        );
        assert!(printed.err.contains(&way_out), "{command}: {}", printed.err);
    }
    let repaired = on(run_dir, &["check", "--repair"]).with_code(0).out;
    assert!(names(run_dir).contains("damaged-1"), "{repaired}");
    on(run_dir, &["check"]).with_code(0);
    let json = on(run_dir, &["resume", "--json"]).with_code(0).json();
    assert_eq!(
        (&json["evaluations"], &json["failures"]),
        (&EVALUATIONS.into(), &0.into())
    );
    // Files of a later state than the journal's are lost with it, and tasks that need them fail.
    let failed = failures(&journal(run_dir));
    assert!(
        failed
            .iter()
            .all(|kind| matches!(kind, FailureKind::Lost | FailureKind::Unreadable)),
        "{failed:?}"
    );
    on(run_dir, &["check"]).with_code(0);
    repaired
}

#[test]
fn a_damaged_database_is_refused_and_repaired() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let whole = killed(&campaign, "whole", 14);
    // Into one file: the log has its own test.
    sql(&whole, "PRAGMA wal_checkpoint(TRUNCATE);");
    let facts = journal(&whole).len();
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2)),
        ("short", |bytes| bytes.truncate(bytes.len() - 4096)),
        ("header", |bytes| bytes[3] ^= 1),
        ("energy", |bytes| flip(bytes, b"{\"energy\":-", 13)),
        ("fact", |bytes| flip(bytes, b"\"began\"", 2)),
    ];
    for (name, damage) in damages {
        let run_dir = campaign.path(name);
        copy(&whole, &run_dir);
        change(&run_dir.join("moldflow.db"), damage);
        if name == "truncated" {
            // The tables may be unreadable too: then an error says so, and nothing changes.
            let printed = on(&run_dir, &["resume"]).with_code(1);
            assert!(printed.err.contains("check --repair"), "{}", printed.err);
            continue;
        }
        let repaired = assert_refused_and_repaired(&run_dir);
        if name == "header" {
            assert!(repaired.contains(&format!("{facts} facts")), "{repaired}");
            assert_same(&run_dir, &calm);
        }
    }
}

#[test]
fn a_log_that_is_damaged_or_left_behind_loses_no_fact_unnoticed() {
    let campaign = Campaign::tiny();
    let whole = killed(&campaign, "whole", 14);
    for name in ["damaged", "gone"] {
        let run_dir = campaign.path(name);
        copy(&whole, &run_dir);
        let log = run_dir.join("moldflow.db-wal");
        match name {
            "damaged" => change(&log, |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
            }),
            _ => fs::remove_file(&log).unwrap(),
        }
        if name == "gone" {
            // The one file was still empty: nothing can be restored from it.
            let printed = on(&run_dir, &["resume"]).with_code(1);
            assert!(printed.err.contains("moldflow.db"), "{}", printed.err);
            continue;
        }
        let repaired = assert_refused_and_repaired(&run_dir);
        assert!(repaired.contains("lost"), "{repaired}");
    }
}

#[test]
fn a_wrong_number_in_a_derived_table_is_noticed_and_mended() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    for (name, statement) in [
        (
            "energy",
            "UPDATE proposals SET objective = objective - 1 WHERE objective IS NOT NULL AND rank = 0;",
        ),
        (
            "molecule",
            "UPDATE proposals SET smiles = 'CCCC' WHERE batch = 1 AND rank = 0;",
        ),
        (
            "property",
            "UPDATE property_values SET value = value - 1 WHERE rank = 0;",
        ),
        (
            "quantity",
            "UPDATE quantities SET value = value - 1 WHERE task = 8;",
        ),
        (
            "free atom",
            "UPDATE free_atoms SET value = 0 WHERE element = 'H';",
        ),
        ("task", "DELETE FROM tasks WHERE task = 7;"),
        (
            "geometry",
            "UPDATE calculations SET xyz = replace(xyz, '1', '2');",
        ),
    ] {
        let run_dir = campaign.path(name);
        copy(&calm, &run_dir);
        sql(&run_dir, statement);
        assert_refused_and_repaired(&run_dir);
        if name != "geometry" {
            assert_same(&run_dir, &calm);
        }
    }
}

#[test]
fn a_bit_that_flips_anywhere_never_gives_another_answer() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let answer = export_without_usage(&calm);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut refused = 0;
    for n in 0..24 {
        let run_dir = campaign.path(&format!("flipped{n}"));
        copy(&calm, &run_dir);
        change(&run_dir.join("moldflow.db"), |bytes| {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        });
        let printed = on(&run_dir, &["resume"]);
        match printed.code {
            Some(0) => assert_eq!(export_without_usage(&run_dir), answer, "flip {n}"),
            Some(1) => {
                refused += 1;
                assert!(
                    printed.err.contains("--repair"),
                    "flip {n}: {}",
                    printed.err
                );
                on(&run_dir, &["check", "--repair"]).with_code(0);
                on(&run_dir, &["resume"]).with_code(0);
            }
            code => panic!("flip {n}: {code:?}: {}", printed.err),
        }
    }
    assert!(refused > 0, "not one flip was noticed");
}

#[test]
fn a_damaged_agent_is_refused_and_replaced() {
    let campaign = Campaign::tiny();
    let run_dir = killed(&campaign, "run", 14);
    for file in support::runs::files_below(&run_dir.join("state")) {
        change(&file, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
    }
    let repaired = assert_refused_and_repaired(&run_dir);
    assert!(repaired.contains("agent"), "{repaired}");
    assert!(
        journal(&run_dir)
            .iter()
            .any(|event| event.fact == Fact::StateLost)
    );
}

/// Another program that keeps the database open until it is terminated.
fn holding(run_dir: &Path, begin: &str) -> Child {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60); c.execute(sys.argv[2]); \
                  print(c.execute('SELECT count(*) FROM journal').fetchall(), flush=True); sys.stdin.read()";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .arg(run_dir.join("moldflow.db"))
        .arg(begin);
    let mut child = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its first line: it holds the lock.
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    child
}

fn let_go(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn readers_and_locks_cost_no_fact() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let run_dir = campaign.path("run");
    let mut engine = campaign.start("run", &["--schedule", "batch"]);
    engine.wait_for_facts(3);
    // One has it open all along, another keeps it from being written for a while.
    let reader = holding(&run_dir, "BEGIN");
    let writer = holding(&run_dir, "BEGIN IMMEDIATE");
    for _ in 0..5 {
        on(&run_dir, &["status"]).with_code(0);
        on(&run_dir, &["export"]).with_code(0);
    }
    let_go(writer);
    while !engine.has_ended() {
        on(&run_dir, &["status", "--json"]).with_code(0);
        on(&run_dir, &["export", "--format", "jsonl"]).with_code(0);
    }
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    let_go(reader);
    assert_same(&run_dir, &calm);
    assert_whole(&run_dir);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn a_run_directory_can_be_moved_and_its_running_tasks_are_adopted() {
    let fault = r#"touch "$here/waits"; while [ ! -e "$here/go" ]; do sleep 0.02; done"#;
    let campaign = Campaign::of_a_program().with_fault(fault);
    let engine = campaign.start("run", &[]);
    wait_until("the task", || campaign.path("waits").exists());
    engine.kill();
    let moved = campaign.path("moved");
    fs::rename(campaign.path("run"), &moved).unwrap();
    let mut engine = Engine::resume(&moved);
    engine.wait_for_journal(|journal| journal.iter().any(|event| event.fact == Fact::Resumed));
    fs::write(campaign.path("go"), "").unwrap();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_whole(&moved);
    assert_eq!(failures(&journal(&moved)), []);
}

#[test]
fn a_copy_of_a_run_goes_on_beside_the_original_and_leaves_its_tasks_alone() {
    let fault = r#"touch "$here/waits"; while [ ! -e "$here/go" ]; do sleep 0.02; done"#;
    let campaign = Campaign::of_a_program().with_fault(fault);
    let mut engine = campaign.start("run", &["--schedule", "batch"]);
    wait_until("the task", || campaign.path("waits").exists());
    let original = campaign.path("run");
    // The engine is stopped, so that the copy is consistent.
    engine.signal("STOP");
    let copied = campaign.path("copied");
    copy(&original, &copied);
    engine.signal("CONT");
    on(&copied, &["resume"]).with_code(0);
    assert_whole(&copied);
    assert_ne!(run_name(&copied), run_name(&original));
    assert!(
        !engine.has_ended(),
        "its task waits still: {}",
        engine.err()
    );
    fs::write(campaign.path("go"), "").unwrap();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_whole(&original);
    assert_eq!(
        failures(&journal(&original)),
        [],
        "the copy has ended a task of the original"
    );
    assert!(
        failures(&journal(&copied))
            .iter()
            .all(|kind| *kind == FailureKind::Lost)
    );
    assert_eq!(answers(&journal(&copied)), answers(&journal(&original)));
}

#[test]
fn a_run_of_an_earlier_version_is_read_and_not_resumed() {
    // Made by version 0.1.0 (schema 1), killed after 14 facts of `Campaign::tiny` with `--schedule
    // batch`.
    let campaign = Campaign::tiny();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/run-of-0.1.0");
    let run_dir = campaign.path("run");
    copy(&golden, &run_dir);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["state"], "interrupted");
    assert_eq!(status["best"]["property"], "atomization_energy");
    let evaluated = rows(&run_dir);
    let evaluated = evaluated.iter().filter(|row| row["status"] == "evaluated");
    assert_eq!(status["evaluations"], evaluated.count());
    on(&run_dir, &["report"]).with_code(0);
    let page = fs::read_to_string(run_dir.join("report.html")).unwrap();
    let smiles = status["best"]["smiles"].as_str().unwrap();
    assert!(page.contains(&format!("<code>{smiles}</code>")), "{page}");
    let refused = on(&run_dir, &["resume"]).with_code(1).err;
    assert!(refused.contains("0.1.0"), "{refused}");
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    sql(
        &run_dir,
        "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, 1, checksum, 1 FROM _sqlx_migrations LIMIT 1;",
    );
    for command in ["resume", "status", "export"] {
        let printed = on(&run_dir, &[command]).with_code(1);
        assert!(
            printed.err.contains("later version"),
            "{command}: {}",
            printed.err
        );
    }
}

fn edit(run_dir: &Path, file: &str, from: &str, to: &str) {
    let path = run_dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn changed_settings_are_listed_and_need_to_be_accepted() {
    let campaign = Campaign::tiny();
    let run_dir = killed(&campaign, "run", 14);
    let before = journal(&run_dir);
    edit(&run_dir, "campaign.yml", "evaluations: 6", "evaluations: 8");
    edit(&run_dir, "site.yml", "slots: 2", "slots: 3");
    let printed = on(&run_dir, &["resume"]).with_code(1);
    for expected in [
        "campaign.yml: stop.evaluations: 6 became 8",
        "site.yml: partitions.qc.executor.slots: 2 became 3",
        "--accept-changes",
    ] {
        let other = expected.replace(".executor", "");
        assert!(
            printed.err.contains(expected) || printed.err.contains(&other),
            "{expected}: {}",
            printed.err
        );
    }
    assert_eq!(journal(&run_dir), before, "nothing happened");
    let json = on(&run_dir, &["resume", "--accept-changes", "--json"])
        .with_code(0)
        .json();
    assert_eq!(json["evaluations"], 3 + 8);
    let accepted = journal(&run_dir)
        .into_iter()
        .find_map(|event| match event.fact {
            Fact::SettingsChanged { changes, .. } => Some(changes),
            _ => None,
        });
    assert_eq!(accepted.map(|changes| changes.len()), Some(2));
    // Accepted once and for all.
    on(&run_dir, &["resume"]).with_code(0);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn what_results_depend_on_cannot_change_in_the_middle_of_a_run() {
    let campaign = Campaign::tiny();
    let run_dir = killed(&campaign, "run", 10);
    edit(&run_dir, "campaign.yml", "seed: 7", "seed: 8");
    for arguments in [&["resume"][..], &["resume", "--accept-changes"]] {
        let printed = on(&run_dir, arguments).with_code(1);
        assert!(printed.err.contains("seed: 7 became 8"), "{}", printed.err);
    }
    edit(&run_dir, "campaign.yml", "seed: 8", "# as it was\nseed: 7");
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);
}
