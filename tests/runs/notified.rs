//! Notifications: the command of the user receives each event once, and can do a run no harm.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Campaign, Engine, moldflow, on, run_to_end};

/// Command of the user: adds its input and its variables to a file.
const TELL: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\ncat >> \"$here/told\"\necho \"$MOLDFLOW_EVENT $MOLDFLOW_RUN_DIR $MOLDFLOW_MESSAGE\" >> \"$here/variables\"\n";

/// A campaign with these settings of notifications, and a program `tell` beside it.
fn notifying(settings: &str) -> Campaign {
    let campaign = Campaign::of_a_program();
    write_program(&campaign, "tell", TELL);
    campaign.with(
        "stop: {evaluations: 6",
        &format!("notify: {settings}\nstop: {{evaluations: 6"),
    )
}

fn write_program(campaign: &Campaign, name: &str, text: &str) {
    let path = campaign.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Objects that the command received.
fn told(campaign: &Campaign) -> Vec<Value> {
    let text = fs::read_to_string(campaign.path("told")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(campaign: &Campaign) -> Vec<String> {
    let told = told(campaign);
    told.iter()
        .map(|object| object["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_end_is_told_once_with_what_was_found() {
    let campaign = notifying("{command: [./tell], events: [end]}");
    let run_dir = campaign.completed("run", &[]);
    let objects = told(&campaign);
    let status = on(&run_dir, &["status", "--json"]).json();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(objects[0]["event"], "end");
    assert_eq!(objects[0]["campaign"], "tiny");
    assert_eq!(objects[0]["stopped_by"], "evaluations");
    assert_eq!(objects[0]["best"], status["best"]);
    let message = objects[0]["message"].as_str().unwrap();
    assert!(
        message.contains(status["best"]["smiles"].as_str().unwrap()),
        "{message}"
    );
    let variables = fs::read_to_string(campaign.path("variables")).unwrap();
    assert_eq!(variables, format!("end {} {message}\n", run_dir.display()));
    // The same end again is no news, another one is.
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(told(&campaign).len(), 1);
    on(&run_dir, &["resume", "--set", "stop.evaluations=7"]).with_code(0);
    assert_eq!(events(&campaign), ["end", "end"]);
}

#[test]
fn a_better_molecule_is_told_of_and_a_killed_engine_tells_nothing_twice() {
    let campaign = notifying("{command: [./tell], best_every: 1ms}");
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_facts(12);
    engine.kill();
    assert_eq!(Engine::resume(&campaign.path("run")).exit_code(), Some(0));
    let objects = told(&campaign);
    let best: Vec<(String, String)> = objects
        .iter()
        .filter(|object| object["event"] == "best")
        .map(|object| {
            let best = &object["best"];
            (best["smiles"].to_string(), best["value"].to_string())
        })
        .collect();
    let mut once = best.clone();
    once.dedup();
    assert_eq!(best, once);
    // Each is better than the one before.
    let values: Vec<f64> = best
        .iter()
        .map(|(_, value)| value.parse().unwrap())
        .collect();
    assert!(
        values.windows(2).all(|pair| pair[1] < pair[0]),
        "{values:?}"
    );
    assert_eq!(
        events(&campaign)
            .iter()
            .filter(|event| *event == "end")
            .count(),
        1
    );
}

#[test]
fn too_many_failures_are_told_of() {
    let campaign = notifying("{command: [./tell], events: [failures, end]}");
    fs::write(campaign.path("program"), "#!/bin/sh\nexit 3\n").unwrap();
    campaign.run("run", &[]).with_code(3);
    assert_eq!(events(&campaign), ["failures"]);
    assert!(
        told(&campaign)[0]["message"]
            .as_str()
            .unwrap()
            .contains("has ended")
    );
}

#[test]
fn a_message_can_be_plain_text() {
    let campaign = notifying("{command: [sh, -c, 'cat > letter'], events: [end], input: text}");
    let run_dir = campaign.completed("run", &[]);
    let letter = fs::read_to_string(run_dir.join("letter")).unwrap();
    assert!(
        letter.starts_with("tiny has ended: all evaluations asked for are done. "),
        "{letter}"
    );
}

#[test]
fn a_command_that_fails_or_hangs_is_a_notice_in_the_log() {
    let campaign = notifying("{command: [sh, -c, 'echo no network >&2; exit 7'], best_every: 1ms}");
    let run_dir = campaign.completed("run", &[]);
    let log = fs::read_to_string(run_dir.join("runtime.log")).unwrap();
    assert!(
        log.contains("the user was not notified: `sh` ended with exit status: 7: no network"),
        "{log}"
    );

    for (command, why) in [
        ("[sleep, '1000']", "sleep"),
        ("[./no-interpreter]", "no-interpreter"),
    ] {
        let campaign = notifying(&format!(
            "{{command: {command}, events: [end], timeout: 1s}}"
        ));
        write_program(&campaign, "no-interpreter", "#!/no/such/interpreter\n");
        let run_dir = campaign.completed("run", &[]);
        let log = fs::read_to_string(run_dir.join("runtime.log")).unwrap();
        assert!(
            log.contains("the user was not notified") && log.contains(why),
            "{log}"
        );
    }
}

#[test]
fn notifications_are_no_part_of_a_campaign_that_results_depend_on() {
    let campaign = notifying("{command: [./tell], events: [end]}");
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_facts(8);
    engine.kill();
    let run_dir = campaign.path("run");
    let file = run_dir.join("campaign.yml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("notify:"), "{text}");
    let begin = text.find("notify:").unwrap();
    let rest: String = text[begin..]
        .lines()
        .skip(1)
        .skip_while(|line| line.starts_with([' ', '-']))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&file, format!("{}{rest}", &text[..begin])).unwrap();
    // No `--accept-changes` is needed, and nobody is told.
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(told(&campaign), Vec::<Value>::new());
    let check = run_to_end(moldflow(&["check"]).arg(&run_dir)).with_code(0);
    assert!(!check.out.contains("notify"), "{}", check.out);
}

#[test]
fn a_program_that_is_not_there_is_refused_before_a_run_but_not_when_one_is_resumed() {
    let campaign = notifying("{command: [./tell], events: [end]}");
    let run_dir = campaign.completed("run", &[]);
    fs::remove_file(campaign.path("tell")).unwrap();
    for command in ["check", "run"] {
        let mut refused = moldflow(&[command, "campaign-file.yml"]);
        let refused = run_to_end(refused.current_dir(campaign.path(""))).with_code(1);
        let expected = "error: the program `./tell` of `notify` is not installed";
        assert!(refused.err.starts_with(expected), "{}", refused.err);
        assert!(
            refused.err.contains("--> campaign-file.yml:"),
            "{}",
            refused.err
        );
        assert!(
            refused.err.contains("page: docs/watching.md#notifications"),
            "{}",
            refused.err
        );
    }
    on(&run_dir, &["resume", "--set", "stop.evaluations=10"]).with_code(0);
    assert!(told(&campaign).len() == 1, "its end could not be sent");
}
