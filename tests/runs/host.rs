//! The program itself on a faulty host: no file descriptors, a closed terminal, files deleted or
//! replaced during a run, and texts with control characters of terminals or formulas of
//! spreadsheets.

use crate::support;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::runs::{assert_same, assert_whole, failures};
use crate::support::{
    Campaign, Engine, journal, moldflow, on, processes, run_name, run_to_end, wait_until,
};

fn shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", script, "bash"]);
    shell.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell.stdin(Stdio::null());
    shell
}

fn assert_nothing_runs(run_dir: &Path) {
    let run = format!("{}.", run_name(run_dir));
    wait_until("the end of all tasks", || processes(&run).is_empty());
}

#[test]
fn a_run_without_file_descriptors_stops_and_resumes_to_the_same_end() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let run_dir = campaign.path("run");
    let mut engine = campaign.start("run", &["--schedule", "batch"]);
    engine.wait_for_facts(6);
    let limited = Command::new("prlimit")
        .args(["--nofile=5:5", "--pid", &engine.id().to_string()])
        .output()
        .expect("prlimit, of util-linux");
    assert!(limited.status.success(), "{limited:?}");
    assert_eq!(engine.exit_code(), Some(5), "{}", engine.err());
    let err = engine.err();
    assert!(err.contains("no file descriptors are left"), "{err}");
    assert!(err.contains("moldflow resume"), "{err}");
    assert_eq!(failures(&journal(&run_dir)), []);
    on(&run_dir, &["resume"]).with_code(0);
    assert_same(&run_dir, &calm);
    assert_whole(&run_dir);
}

#[test]
fn a_terminal_that_is_gone_ends_no_run() {
    let campaign = Campaign::tiny();
    for (name, script) in [
        ("full", "\"$@\" 2>/dev/full"),
        ("closed", "\"$@\" >&- 2>&-"),
        ("head", "\"$@\" 2>&1 | head -1"),
    ] {
        let command = campaign.run_command(name, &[]);
        run_to_end(&mut shell(script, &command)).with_code(0);
        assert_whole(&campaign.path(name));
    }
    // The result could not be printed: the run has ended, and an error says so.
    let command = campaign.run_command("out", &[]);
    let printed = run_to_end(&mut shell("\"$@\" >/dev/full", &command)).with_code(1);
    assert!(
        printed.err.contains("could not write the output"),
        "{}",
        printed.err
    );
    assert_whole(&campaign.path("out"));
}

#[test]
fn a_hangup_ends_a_run_like_a_termination() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let command = campaign.run_command("run", &["--schedule", "batch"]);
    let run_dir = campaign.path("run");
    // The tests themselves may have been started with `nohup`.
    let mut engine = Engine::start(
        shell("exec env --default-signal=HUP \"$@\"", &command),
        run_dir.clone(),
    );
    engine.wait_for_facts(6);
    engine.signal("HUP");
    assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
    assert_nothing_runs(&run_dir);
    assert_eq!(failures(&journal(&run_dir)), []);
    on(&run_dir, &["resume"]).with_code(0);
    assert_same(&run_dir, &calm);
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let campaign = Campaign::tiny();
    let command = campaign.run_command("run", &[]);
    let mut engine = Engine::start(
        shell("trap '' HUP; exec \"$@\"", &command),
        campaign.path("run"),
    );
    engine.wait_for_facts(6);
    engine.signal("HUP");
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_whole(&campaign.path("run"));
}

/// A run that was killed halfway, with all its tasks.
fn killed(campaign: &Campaign, name: &str) -> PathBuf {
    let mut engine = campaign.start(name, &["--schedule", "batch"]);
    engine.wait_for_facts(12);
    engine.kill();
    let run_dir = campaign.path(name);
    assert_nothing_runs(&run_dir);
    run_dir
}

#[test]
fn a_note_of_the_journal_that_was_written_by_halves_needs_no_repair() {
    let campaign = Campaign::tiny();
    let run_dir = killed(&campaign, "run");
    let note = run_dir.join("journal.head");
    let whole = fs::read(&note).unwrap();
    for length in [0, 1, 20, 30, whole.len() - 1] {
        fs::write(&note, &whole[..length]).unwrap();
        on(&run_dir, &["check"]).with_code(0);
    }
    // Its first half over an earlier note.
    let mut mixed = whole.clone();
    mixed[..20].copy_from_slice(b"00000000000000000099");
    fs::write(&note, mixed).unwrap();
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);
}

#[test]
fn settings_that_are_missing_are_written_again() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let run_dir = killed(&campaign, "run");
    let files = ["campaign.yml", "site.yml"].map(|name| run_dir.join(name));
    let before = files.clone().map(|file| fs::read(file).unwrap());
    for missing in [vec![0], vec![1], vec![0, 1]] {
        for file in missing {
            fs::remove_file(&files[file]).unwrap();
        }
        let printed = on(&run_dir, &["check"]).with_code(0);
        assert!(printed.err.contains("was missing"), "{}", printed.err);
        assert_eq!(files.clone().map(|file| fs::read(file).unwrap()), before);
    }
    on(&run_dir, &["resume"]).with_code(0);
    assert_same(&run_dir, &calm);
}

#[test]
fn a_run_whose_database_or_lock_is_deleted_does_not_work_on() {
    let campaign = Campaign::tiny().with("parallel: 2", "parallel: 1");
    for (name, replaced) in [
        ("moldflow.db", false),
        ("moldflow.db", true),
        ("moldflow.db-wal", false),
        ("lock", false),
    ] {
        let run_dir = campaign.path("run");
        let mut engine = campaign.start("run", &[]);
        engine.wait_for_facts(6);
        let file = run_dir.join(name);
        if replaced {
            fs::copy(&file, run_dir.join("copy")).unwrap();
            fs::rename(run_dir.join("copy"), &file).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        assert_eq!(engine.exit_code(), Some(1), "{name}: {}", engine.err());
        let err = engine.err();
        assert!(
            err.contains(name) && err.contains("deleted or replaced"),
            "{err}"
        );
        fs::remove_dir_all(run_dir).unwrap();
    }
}

#[test]
fn no_link_is_followed_out_of_a_run_directory() {
    let campaign = Campaign::tiny();
    let whole = killed(&campaign, "whole");
    let outside = campaign.path("outside");
    fs::create_dir_all(outside.join("1")).unwrap();
    fs::write(outside.join("secret"), "a secret").unwrap();
    let target = |name: &str| match name {
        "state" | "tasks" | "tasks/9" | "tasks/9/1" => outside.clone(),
        _ => outside.join("secret"),
    };
    for name in [
        "campaign.yml",
        "site.yml",
        "moldflow.db",
        "journal.head",
        "lock",
        "runtime.log",
        "state",
        "tasks",
        "tasks/9",
        "tasks/9/1",
        "state/x",
    ] {
        let run_dir = campaign.path("run");
        let copied = Command::new("cp")
            .arg("-a")
            .args([&whole, &run_dir])
            .output();
        assert!(copied.unwrap().status.success());
        let link = run_dir.join(name);
        let _ = fs::remove_file(&link);
        let _ = fs::remove_dir_all(&link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target(name), &link).unwrap();
        for command in ["check", "resume", "status"] {
            let printed = on(&run_dir, &[command]).with_code(1);
            assert!(
                printed.err.contains("symbolic link"),
                "{name}: {}",
                printed.err
            );
            assert!(!printed.err.contains("a secret"), "{}", printed.err);
        }
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"a secret");
        assert!(outside.join("1").is_dir());
        fs::remove_dir_all(run_dir).unwrap();
    }
}

/// Returns true for text with control characters of terminals: C0 except line ends and tabs, DEL,
/// and C1.
fn steers(text: &str) -> bool {
    text.chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
}

#[test]
fn what_a_program_and_a_campaign_say_steers_no_terminal() {
    let fault = r#"printf '=cmd\033]0;title\007\233\302\2332J\r\n' >&2; exit 3"#;
    let campaign = Campaign::of_a_program()
        .with("retries: 1", "retries: 0")
        .with("name: tiny", "name: \"\\e[31m\\x9b2J=1+1\"")
        .with("level: a sum", "level: \"=cmd|' /C calc'!A0\"")
        .with_fault(fault);
    let run_dir = campaign.path("run");
    let told = campaign.run("run", &[]).with_code(0);
    let failed = support::rows(&run_dir)
        .into_iter()
        .find(|row| row["status"] == "failed");
    let failed = failed.expect("a molecule that failed")["smiles"].clone();
    let mut texts = vec![told.out, told.err];
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["explain", &failed],
        &["export", "--format", "csv"],
        &["export", "--format", "jsonl"],
        &["report", "--out", "-"],
        &["check"],
    ] {
        let printed = on(&run_dir, command).with_code(0);
        texts.extend([printed.out, printed.err]);
    }
    for text in &texts {
        assert!(!steers(text), "{text:?}");
    }
    let told = texts.concat();
    assert!(told.contains("title"), "the message is shown");
    let methods = support::rows(&run_dir);
    assert!(
        methods
            .iter()
            .any(|row| row["level_of_theory"].starts_with("'=cmd"))
    );
    assert!(
        methods
            .iter()
            .any(|row| row["atomization_energy_hartree"].starts_with('-'))
    );
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_its_control_characters() {
    let campaign = Campaign::tiny();
    let path = campaign.path("bad\u{1b}[31m.yml");
    for text in [
        "name: \u{1b}]0;x\u{7}\nseed: [\n",
        "name: x\nobjective: \"\\e[2J\"\n\u{9b}key: 1\n",
        "name: x\nmethods: {\"\\e[2J\": {kind: \"\\x9b\"}}\n",
        "\u{1b}",
    ] {
        fs::write(&path, text).unwrap();
        let printed = run_to_end(moldflow(&["check"]).arg(&path)).with_code(1);
        assert!(!printed.err.is_empty());
        assert!(!steers(&printed.err), "{:?}", printed.err);
    }
}
