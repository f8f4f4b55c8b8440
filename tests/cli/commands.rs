//! Output of `check`, `plan`, `sites` and `schema`, from the real binary.

use crate::support::binary::{PACKAGE, moldflow_in, run_to_end};

/// Standard output, standard error and exit status of the binary in the folder of the package.
fn moldflow(arguments: &[&str]) -> String {
    let mut output = run_to_end(&mut moldflow_in(PACKAGE, arguments));
    // The number of cores differs between hosts.
    if let Some(rest) = output
        .err
        .strip_prefix("warning: tasks that run at once need ")
    {
        let rest = rest.lines().skip(2).map(|line| format!("{line}\n"));
        output.err = rest.collect();
    }
    output.text()
}

const CAMPAIGN: &str = "campaigns/moldqn.yml";

#[test]
fn check_sums_up_a_campaign_that_is_right() {
    insta::assert_snapshot!(moldflow(&["check", CAMPAIGN]));
}

#[test]
fn check_judges_what_the_command_line_changes() {
    let arguments = [
        "check",
        CAMPAIGN,
        "--set",
        "rl_episode=8",
        "--set",
        "search_size=0",
        "--set",
        "initial_count=few",
    ];
    insta::assert_snapshot!(moldflow(&arguments));
    insta::assert_snapshot!(moldflow(&[
        "check",
        CAMPAIGN,
        "--set",
        "stop.wall_tim=2h",
        "--set",
        "seed.x=1"
    ]));
    insta::assert_snapshot!(moldflow(&[
        "check",
        CAMPAIGN,
        "--set",
        "search_size",
        "--site",
        "thta"
    ]));
    insta::assert_snapshot!(moldflow(&["check", CAMPAIGN, "--site", "no/such.yml"]));
}

#[test]
fn check_says_how_to_install_a_program_that_is_missing() {
    let arguments = ["check", CAMPAIGN, "--set", "methods.energy.engine=xtb"];
    let mut command = moldflow_in(PACKAGE, &arguments);
    let output = run_to_end(command.env("PATH", "/nonexistent")).with_code(1);
    insta::assert_snapshot!(output.err);
}

#[test]
fn plan_prints_every_format() {
    for format in ["text", "dot", "mermaid", "json"] {
        insta::assert_snapshot!(
            format!("plan_{format}"),
            moldflow(&["plan", CAMPAIGN, "--format", format])
        );
    }
}

#[test]
fn plan_follows_what_the_command_line_changes() {
    let plan = moldflow(&[
        "plan",
        CAMPAIGN,
        "--set",
        "parallel_guesses=7",
        "--set",
        "stop.evaluations=99",
    ]);
    assert!(plan.contains("selects 7"), "{plan}");
    assert!(plan.contains("99 molecules, 7 at once"), "{plan}");
}

#[test]
fn sites_are_listed_with_where_they_come_from() {
    insta::assert_snapshot!(moldflow(&["sites", "list"]));
    insta::assert_snapshot!(moldflow(&["sites", "list", "--json"]));
}

#[test]
fn a_site_is_shown_as_resolved() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"cores: \d+", "cores: [of this host]");
    settings.bind(|| insta::assert_snapshot!(moldflow(&["sites", "show", "local"])));
    insta::assert_snapshot!(moldflow(&["sites", "show", "lokal"]));
}

#[test]
fn schemas_are_printed() {
    insta::assert_snapshot!(moldflow(&["schema", "campaign"]));
    insta::assert_snapshot!(moldflow(&["schema", "site"]));
}

#[test]
fn wrong_usage_has_status_two() {
    for arguments in [
        &["chekc", CAMPAIGN][..],
        &["check"],
        &["plan", CAMPAIGN, "--format", "png"],
        &["check", CAMPAIGN, "--seed", "x"],
    ] {
        assert!(
            moldflow(arguments).ends_with("exit status 2"),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_site_profile_in_the_home_folder_is_found() {
    let home = tempfile::tempdir().unwrap();
    let sites = home.path().join(".config/moldflow/sites");
    std::fs::create_dir_all(&sites).unwrap();
    let profile = "name: mine\nrecognise: {environment: [NO_SUCH_VARIABLE]}\npartitions:\n  qc: {executor: local, slots: cores}\n  ml: {executor: local, slots: 1}\n";
    std::fs::write(sites.join("mine.yml"), profile).unwrap();
    let in_home =
        |arguments: &[&str]| run_to_end(moldflow_in(PACKAGE, arguments).env("HOME", home.path()));
    in_home(&["check", CAMPAIGN, "--site", "mine"]).with_code(0);
    let list = in_home(&["sites", "list", "--json"]).json();
    let mine = list
        .as_array()
        .unwrap()
        .iter()
        .find(|site| site["name"] == "mine")
        .unwrap();
    assert_eq!(mine["here"], false);
}
