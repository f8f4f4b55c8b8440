//! `moldflow top`: pictures of real runs, and the program in a pseudo terminal that pyte 0.8.2 emulates.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::terminal::{in_terminal, screen};
use crate::support::{Campaign, Engine, moldflow, on, processes, run_name, run_to_end};

/// SIGTERM.
const TERM: i32 = 15;

/// Lines of one picture of a run.
fn picture(run_dir: &Path, size: &str) -> Vec<String> {
    let output = on(run_dir, &["top", "--once", "--size", size]).with_code(0);
    assert_eq!(output.err, "");
    let (_, rows) = size.split_once('x').unwrap();
    let lines: Vec<String> = output.out.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), rows.parse::<usize>().unwrap());
    lines
}

fn top(run_dir: &Path) -> Command {
    let mut command = moldflow(&["top"]);
    command
        .arg(run_dir)
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR");
    command
}

/// Best molecule of a run and its value as it is shown.
fn best(run_dir: &Path) -> (String, String) {
    let status = on(run_dir, &["status", "--json"]).with_code(0).json();
    let smiles = status["best"]["smiles"].as_str().unwrap().to_owned();
    (
        smiles,
        format!("{:.6}", status["best"]["value"].as_f64().unwrap()),
    )
}

#[test]
fn a_picture_of_any_size_shows_what_the_database_holds() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let (smiles, value) = best(&run_dir);
    for size in ["80x24", "100x30", "139x40", "140x40", "200x50", "1000x1000"] {
        let lines = picture(&run_dir, size);
        let text = lines.join("\n");
        let (columns, _) = size.split_once('x').unwrap();
        let columns: usize = columns.parse().unwrap();
        assert!(
            lines.iter().all(|line| line.chars().count() <= columns),
            "{size}"
        );
        assert!(
            lines[0].contains("tiny  finished  9/9 evaluations, 0 failed"),
            "{text}"
        );
        assert!(lines[1].contains("core-hours used, no limit"), "{text}");
        for title in [
            "1 objective",
            "2 slots",
            "3 best molecules",
            "4 queue",
            "5 failures",
        ] {
            assert!(text.contains(title), "{size} {title}: {text}");
        }
        assert!(
            text.contains(&format!("best {value} hartree {smiles}")),
            "{size}: {text}"
        );
        assert!(text.contains("qc simulation 0/2 busy"), "{size}: {text}");
        assert!(text.contains("ml learning 0/1 busy"), "{size}: {text}");
        // Ranks count from 1.
        let row = lines.iter().find(|line| line.contains("│   1 "));
        assert!(
            row.is_some_and(|row| row.contains(&smiles) && row.contains(&value)),
            "{text}"
        );
        assert!(text.contains("no attempt has failed"), "{text}");
    }
    let small = picture(&run_dir, "79x24");
    assert!(small[0].contains("80 x 24 are needed"), "{small:?}");
    for size in ["0x24", "80", "80x", "axb", "5000x20"] {
        on(&run_dir, &["top", "--once", "--size", size]).with_code(2);
    }
}

#[test]
fn without_a_terminal_top_names_the_ways_out() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let refused = on(&run_dir, &["top"]).with_code(1).err;
    assert!(refused.contains("needs a terminal"), "{refused}");
    assert!(refused.contains("`--once`"), "{refused}");
    let mut command = top(&run_dir);
    command.env("TERM", "dumb");
    let dumb = in_terminal(&command, "80x24", &json!([]));
    assert_eq!(dumb["status"], 1);
    assert!(!dumb["raw"].as_str().unwrap().contains("[?1049"));
}

#[test]
fn a_finished_run_is_looked_through_by_keys_and_the_terminal_is_restored() {
    let campaign = Campaign::of_a_program().with("retries: 1", "retries: 0");
    let campaign = campaign.with_fault("echo 'the basis is missing' >&2; exit 3");
    let run_dir = campaign.completed("run", &[]);
    let (smiles, value) = best(&run_dir);
    let steps = json!([
        {"wait": "q quit"},
        {"show": "all"},
        {"resize": [120, 40]},
        {"wait": "q quit"},
        {"show": "larger"},
        {"send": "5"},
        {"wait": "exit"},
        {"show": "failures"},
        {"send": "\u{1b}[B0"},
        {"wait": "2 slots"},
        {"send": "?"},
        {"wait": "Shift-Tab"},
        {"resize": [60, 20]},
        {"wait": "80 x 24 are needed"},
        {"send": "q"},
    ]);
    let seen = in_terminal(&top(&run_dir), "80x24", &steps);
    assert_eq!(seen["status"], 0);
    assert_eq!(seen["is_restored"], true);
    assert_eq!(seen["hides_cursor"], false);
    assert!(seen["raw"].as_str().unwrap().ends_with("\u{1b}[?1049l"));
    assert_ne!(seen["colours"], json!([]));
    let incumbent = format!("best {value} hartree {smiles}");
    assert!(
        screen(&seen, "all").contains(&incumbent),
        "{}",
        screen(&seen, "all")
    );
    assert_eq!(seen["shown"]["all"].as_array().unwrap().len(), 24);
    assert_eq!(seen["shown"]["larger"].as_array().unwrap().len(), 40);
    // The whole picture is that of the other way to draw it.
    let larger: Vec<String> = serde_json::from_value(seen["shown"]["larger"].clone()).unwrap();
    assert_eq!(larger, picture(&run_dir, "120x40"));
    let failures = screen(&seen, "failures");
    assert!(failures.contains("the basis is missing"), "{failures}");
    assert!(!failures.contains("2 slots"), "{failures}");
}

#[test]
fn no_colour_code_is_written_where_none_is_wanted() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let mut command = top(&run_dir);
    command.env("NO_COLOR", "1");
    let seen = in_terminal(
        &command,
        "80x24",
        &json!([{"wait": "q quit"}, {"show": "all"}, {"send": "q"}]),
    );
    assert_eq!((&seen["status"], &seen["colours"]), (&json!(0), &json!([])));
    let coloured = |code: &str| {
        let numbers = code
            .split(';')
            .filter_map(|number| number.parse::<u8>().ok());
        numbers
            .into_iter()
            .any(|number| (30..=49).contains(&number) || number >= 90)
    };
    let raw = seen["raw"].as_str().unwrap();
    let styles = raw
        .split("\u{1b}[")
        .skip(1)
        .filter_map(|rest| rest.split_once('m'));
    let styles: Vec<&str> = styles
        .map(|(code, _)| code)
        .filter(|code| code.chars().all(|c| c.is_ascii_digit() || c == ';'))
        .collect();
    assert!(styles.contains(&"0;1"), "words are bold: {styles:?}");
    assert!(!styles.into_iter().any(coloured), "{raw}");
}

#[test]
fn several_watch_a_run_at_work_without_disturbing_it() {
    let campaign =
        Campaign::of_a_program().with_fault("while [ ! -e \"$here/go\" ]; do sleep 0.1; done");
    let mut engine = campaign.start("run", &[]);
    let run_dir = campaign.path("run");
    engine.wait_for_journal(|journal| !journal.is_empty() && campaign.path("hit").exists());
    let go = campaign.path("go");
    let until_end = |steps: Value| {
        let (run_dir, steps) = (run_dir.clone(), steps.clone());
        std::thread::spawn(move || in_terminal(&top(&run_dir), "100x30", &steps))
    };
    let first = until_end(json!([
        {"wait": "running"}, {"show": "at work"}, {"wait": "finished"}, {"show": "end"}, {"send": "q"},
    ]));
    let second = in_terminal(
        &top(&run_dir),
        "80x24",
        &json!([
            {"wait": "simulation 1/2 busy"}, {"show": "busy"}, {"signal": TERM},
        ]),
    );
    assert_eq!(second["status"], 130);
    assert_eq!(
        (&second["is_restored"], &second["hides_cursor"]),
        (&json!(true), &json!(false))
    );
    let busy = screen(&second, "busy");
    assert!(
        busy.contains("since its start") && busy.contains("initial "),
        "{busy}"
    );
    std::fs::write(go, "").unwrap();
    assert_eq!(engine.exit_code(), Some(0));
    let seen = first.join().unwrap();
    assert_eq!(seen["status"], 0);
    assert!(screen(&seen, "at work").contains("running"));
    // What was added bit by bit is what is read at once.
    let end: Vec<String> = serde_json::from_value(seen["shown"]["end"].clone()).unwrap();
    assert_eq!(end, picture(&run_dir, "100x30"));
    assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
    // All of it is in the main file, though somebody was reading when the engine left.
    let log = run_dir.join("moldflow.db-wal");
    assert!(log.metadata().map_or(0, |log| log.len()) == 0);
}

#[test]
fn a_front_is_watched_with_its_hypervolume() {
    let campaign = Campaign::shipped("redoxmers.yml");
    let output = campaign.run(
        "run",
        &["--set", "search_size=2", "--set", "initial_count=3"],
    );
    let run_dir = match output.code {
        Some(0) => campaign.path("run"),
        _ => panic!("{}", output.err),
    };
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let front = status["front"].as_array().unwrap().len();
    let volume = status["hypervolume"].as_f64().unwrap();
    let text = picture(&run_dir, "120x40").join("\n");
    assert!(
        text.contains(&format!(
            "Pareto front: {front} molecules, hypervolume {volume:.6}"
        )),
        "{text}"
    );
}

#[test]
fn a_wide_list_fits_a_narrow_terminal() {
    let campaign = Campaign::of_a_program();
    campaign.completed("run", &[]);
    let mut command = campaign.run_command("other", &[]);
    command.env("TERM", "xterm-256color");
    let seen = in_terminal(
        &command,
        "60x200",
        &json!([{"wait": "evaluations (0 failed)"}, {"show": "end"}]),
    );
    assert_eq!(seen["status"], 0);
    // A table that is too wide would continue at the beginning of the next line.
    let raw = seen["raw"].as_str().unwrap();
    let table = raw
        .split("\r\n")
        // The first line comes after the progress, which was erased.
        .map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or(line))
        .skip_while(|line| !line.contains("SMILES"));
    let table: Vec<&str> = table.take(5).collect();
    assert!(
        table.len() == 5 && table.iter().all(|line| line.chars().count() <= 60),
        "{table:?}"
    );
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_plain_lines() {
    let campaign = Campaign::of_a_program();
    let mut command = campaign.run_command("run", &[]);
    command.env("TERM", "dumb");
    let seen = in_terminal(
        &command,
        "200x100",
        &json!([{"wait": "all evaluations asked for"}]),
    );
    let raw = seen["raw"].as_str().unwrap();
    assert!(!raw.contains('\u{1b}'), "{raw}");
    assert!(raw.contains("9/9 evaluations, 0 failed"), "{raw}");
}

#[test]
fn a_run_ends_with_a_sentence_on_what_it_found() {
    let campaign = Campaign::of_a_program();
    let output = campaign.run("run", &[]).with_code(0);
    let (smiles, value) = best(&campaign.path("run"));
    let last = output.err.trim_end().lines().next_back().unwrap();
    assert!(last.contains(&smiles) && last.contains(&value), "{last}");
    assert!(last.ends_with('.'), "{last}");
    let first = output.out.lines().nth(1).unwrap();
    assert!(first.trim_start().starts_with("1 "), "{first}");
    let quiet = run_to_end(&mut campaign.run_command("quiet", &["--quiet"])).with_code(0);
    assert_eq!(quiet.err, "");
}

#[test]
fn the_log_is_json_lines_too() {
    let campaign = Campaign::of_a_program().with("retries: 1", "retries: 0");
    let campaign = campaign.with_fault("echo 'the basis is missing' >&2; exit 3");
    let run_dir = campaign.completed("run", &[]);
    // Python's own reader of JSON.
    let script = "import json, sys\n\
        for line in open(sys.argv[1]):\n\
        \x20   entry = json.loads(line)\n\
        \x20   assert sorted(entry) == ['fields', 'level', 'message', 'target', 'time'], entry\n\
        \x20   print(entry['level'], entry['target'], entry['time'], entry['message'])\n";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .arg(run_dir.join("runtime.jsonl"));
    let read = run_to_end(&mut python).with_code(0).out;
    assert!(read.contains("WARN moldflow::driver"), "{read}");
    assert!(read.contains("the basis is missing"), "{read}");
    let text = std::fs::read_to_string(run_dir.join("runtime.log")).unwrap();
    assert!(text.contains("the basis is missing"), "{text}");
}

/// Requires that an engine that is interrupted is shown as such.
#[test]
fn an_interrupted_run_is_shown_as_it_was_left() {
    let campaign = Campaign::of_a_program().with_fault("sleep 1000");
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_journal(|journal| !journal.is_empty() && campaign.path("hit").exists());
    engine.interrupt_twice();
    assert_eq!(engine.exit_code(), Some(130));
    let lines = picture(&campaign.path("run"), "100x30");
    assert!(lines[0].contains("tiny  interrupted"), "{}", lines[0]);
    assert!(lines[1].contains("took "), "{}", lines[1]);
    let _ = Engine::resume(&campaign.path("run")).exit_code();
}
