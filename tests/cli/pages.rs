//! Every error names its page of the documentation: an error of each kind that a user can meet, from
//! the real binary.

use std::fs::{self, File};
use std::path::Path;

use crate::support::binary::{ProgramOutput, run_to_end};
use crate::support::{Campaign, moldflow, on};

/// Requires that a command failed, and that each of its errors names this page.
#[track_caller]
fn assert_page(output: &ProgramOutput, page: &str) {
    let text = &output.err;
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_ne!(output.code, Some(0), "{text}");
    assert!(lines("error: ") > 0, "{text}");
    assert_eq!(lines("error: "), lines("  page: "), "{text}");
    let named = text
        .lines()
        .filter_map(|line| line.strip_prefix("  page: "));
    assert!(named.clone().all(|named| named == page), "{page}: {text}");
}

/// Output of a command in the folder of a campaign.
fn output(campaign: &Campaign, arguments: &[&str]) -> ProgramOutput {
    run_to_end(moldflow(arguments).current_dir(campaign.path("")))
}

const RUN_DIRECTORY: &str = "docs/results.md#the-run-directory";

#[test]
fn what_is_no_run_directory_leads_to_the_page_on_it() {
    let campaign = Campaign::tiny();
    for arguments in [
        &["status", "none"][..],
        &["top", "none", "--once"],
        &["resume", "none"],
        &["report", "none"],
        &["export", "none", "--format", "csv"],
        &["show", "none", "C"],
        &["explain", "none", "C"],
        &["check", "."],
        &["clean", "none"],
        &["diff", "none", "none"],
    ] {
        assert_page(&output(&campaign, arguments), RUN_DIRECTORY);
    }
}

#[test]
fn errors_without_a_place_lead_to_the_page_of_their_command() {
    let campaign = Campaign::tiny();
    for (arguments, page) in [
        (&["run", "none.yml"][..], "docs/first-run.md#run-a-campaign"),
        (&["check", "none.yml"], "docs/campaigns.md"),
        (&["plan", "none.yml"], "docs/scale.md#forecasts"),
        (&["simulate", "none.yml"], "docs/scale.md#forecasts"),
        (
            &["compare", "none.yml"],
            "docs/search.md#comparing-policies",
        ),
        (&["sites", "show", "none"], "docs/sites.md"),
        (&["sites", "check", "none"], "docs/sites.md"),
        (
            &["runs", "none"],
            "docs/first-run.md#find-compare-and-clean-runs",
        ),
        (&["man", "/dev/null/none"], "README.md#commands"),
        // The command line itself.
        (&["status"], "docs/watching.md"),
        (
            &["export", "none", "--format", "none"],
            "docs/results.md#export",
        ),
        (&["statsu", "none"], "README.md#commands"),
    ] {
        assert_page(&output(&campaign, arguments), page);
    }
    // Help is no error.
    for arguments in [&["--help"][..], &["top", "--help"], &["--version"]] {
        let shown = output(&campaign, arguments).with_code(0);
        assert!(
            shown.err.is_empty() && !shown.out.contains("page: "),
            "{}",
            shown.err
        );
    }
}

#[test]
fn errors_of_a_run_lead_to_the_pages_of_their_topics() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let of = |arguments: &[&str]| on(&run_dir, arguments);
    assert_page(&campaign.run("run", &[]), RUN_DIRECTORY);
    assert_page(&campaign.run("other", &["--from", "none"]), RUN_DIRECTORY);
    assert_page(
        &of(&["explain", "C1CC("]),
        "docs/first-run.md#ask-about-a-molecule",
    );
    assert_page(
        &of(&["show", "ClCl"]),
        "docs/first-run.md#ask-about-a-molecule",
    );
    assert_page(&of(&["top"]), "docs/watching.md#moldflow-top");
    assert_page(
        &of(&["export", "--format", "csv", "--out", "none/a.csv"]),
        "docs/results.md#export",
    );
    assert_page(
        &of(&["report", "--out", "none/a.html"]),
        "docs/results.md#reporthtml",
    );
    let settings = "docs/campaigns.md#a-run-with-other-conditions";
    assert_page(&of(&["resume", "--set", "seed=8"]), settings);
    assert_page(&of(&["resume", "--set", "stop.evaluations=1"]), settings);
    {
        let lock = File::open(run_dir.join("lock")).expect("a lock");
        lock.lock().expect("the lock");
        assert_page(&of(&["resume"]), RUN_DIRECTORY);
    }
    change(&run_dir.join("campaign.yml"), "seed: ", "seed: 1");
    assert_page(&of(&["resume"]), settings);
    change(&run_dir.join("campaign.yml"), "seed: 1", "seed: ");
    fs::write(run_dir.join("moldflow.db"), "no database").unwrap();
    assert_page(&of(&["check"]), "docs/reliability.md#after-a-fault");
    assert_page(&of(&["status"]), "docs/reliability.md#after-a-fault");
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_function_that_cannot_be_imported_leads_to_the_page_on_python() {
    let campaign = Campaign::tiny().with(
        "engine: gfn2//mmff94",
        "engine: python, settings: {call: \"no_such_module:energy\", quantities: {energy: hartree}}",
    );
    assert_page(
        &campaign.run("run", &[]),
        "docs/python.md#what-can-go-wrong",
    );
}

#[test]
fn the_program_of_notifications_leads_to_the_page_on_them() {
    let campaign = Campaign::of_a_program();
    let campaign = campaign.with("stop: {", "notify: {command: [no-such-program]}\nstop: {");
    assert_page(&campaign.run("run", &[]), "docs/watching.md#notifications");
}
