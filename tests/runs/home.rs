//! `~/` in the paths of campaigns, profiles and the command line, through the real binary.

use std::fs;
use std::path::PathBuf;

use crate::support::runs::names;
use crate::support::{Campaign, moldflow, run_to_end};

/// A campaign whose molecules, cache, program, site and scratch are in a home directory.
fn at_home() -> (Campaign, PathBuf) {
    let campaign = Campaign::of_a_program();
    let home = campaign.path("home");
    fs::create_dir_all(home.join("bin")).expect("a directory");
    fs::copy(campaign.path("program"), home.join("bin/program")).expect("a copy");
    let smiles = "C\nCC\nCCC\nCCCC\nCO\nCCO\nCN\nCCN\nCOC\nCCCO\nCC(C)O\nCCOC\n";
    fs::write(home.join("molecules.smi"), smiles).expect("a file");
    let site = "name: mine\nscratch: ~/scratch\npartitions:\n  \
        qc: {executor: local, slots: 2, environment: {ANSWERS: ~/answers}}\n  ml: {executor: local, slots: 1}\n";
    fs::write(home.join("site.yml"), site).expect("a file");
    let campaign = campaign
        .with("./program", "~/bin/program")
        .with("source: qm9", "source: ~/molecules.smi")
        .with("seed: 7", "seed: 7\ncache: ~/cache.db")
        .with("site: site2.yml", "site: ~/site.yml");
    (campaign, home)
}

#[test]
fn a_run_finds_and_puts_everything_in_the_home_directory() {
    let (campaign, home) = at_home();
    // The program writes its scratch folder and environment to a file.
    let told = "#!/bin/sh\necho \"$MOLDFLOW_SCRATCH $ANSWERS\" >> \"$(dirname \"$0\")/told\"\n";
    let program = fs::read_to_string(home.join("bin/program")).expect("a script");
    let program = program.replacen("#!/bin/sh\n", told, 1);
    fs::write(home.join("bin/program"), program).expect("a script");
    let mut command = campaign.run_command("run", &[]);
    run_to_end(command.env("HOME", &home)).with_code(0);
    assert!(names(&home).contains("cache.db"));
    let told = fs::read_to_string(home.join("bin/told")).expect("the program ran");
    let (scratch, answers) = (home.join("scratch"), home.join("answers"));
    for line in told.lines() {
        let (folder, variable) = line.split_once(' ').expect("two words");
        assert!(PathBuf::from(folder).starts_with(&scratch), "{line}");
        assert_eq!(PathBuf::from(variable), answers, "{line}");
    }
    assert!(names(&scratch).is_empty(), "deleted with their tasks");
    let kept = fs::read_to_string(campaign.path("run/campaign.yml")).expect("a file");
    assert!(
        kept.contains(&format!("cache: {}", home.join("cache.db").display())),
        "{kept}"
    );
}

#[test]
fn paths_of_the_command_line_are_expanded_where_a_shell_leaves_them() {
    let (campaign, home) = at_home();
    let file = home.join("campaign.yml");
    // It writes the file.
    campaign.run_command("run", &[]);
    fs::rename(campaign.path("campaign-file.yml"), &file).expect("a file");
    let run = |arguments: &[&str]| {
        let mut command = moldflow(arguments);
        run_to_end(command.current_dir(campaign.path("")).env("HOME", &home))
    };
    let arguments = [
        "--site=~/site.yml",
        "--cache=~/other.db",
        "--run-dir=~/runs/one",
    ];
    let told = run(&[
        &[
            "run",
            "~/campaign.yml",
            "--set=search_space.source=~/molecules.smi",
        ],
        &arguments[..],
    ]
    .concat());
    told.with_code(0);
    assert!(home.join("other.db").exists());
    run(&["report", "~/runs/one", "--out=~/page.html"]).with_code(0);
    assert!(home.join("page.html").exists());
    for command in ["status", "export", "check", "resume"] {
        run(&[command, "~/runs/one"]).with_code(0);
    }
    run(&["sites", "show", "~/site.yml"]).with_code(0);
    assert!(!campaign.path("~").exists());
}

#[test]
fn what_only_a_shell_would_expand_is_refused_with_its_line() {
    let (campaign, home) = at_home();
    for (from, to, line, message, hint) in [
        (
            "~/molecules.smi",
            "$HOME/molecules.smi",
            6,
            "begins with a variable",
            "write `~/molecules.smi`",
        ),
        (
            "~/molecules.smi",
            "\"${HOME}/molecules.smi\"",
            6,
            "begins with a variable",
            "write `~/molecules.smi`",
        ),
        (
            "~/cache.db",
            "~me/cache.db",
            3,
            "home directory of another user",
            "absolute path",
        ),
        (
            "~/site.yml",
            "$SITES/site.yml",
            4,
            "begins with a variable",
            "the path itself",
        ),
    ] {
        campaign.run_command("run", &[]);
        let file = campaign.path("campaign-file.yml");
        let text = fs::read_to_string(&file).expect("a file").replace(from, to);
        fs::write(&file, text).expect("a file");
        let mut command = moldflow(&["check"]);
        let told = run_to_end(command.arg(&file).env("HOME", &home)).with_code(1);
        assert!(
            told.err.contains(message) && told.err.contains(hint),
            "{}",
            told.err
        );
        assert!(
            told.err.contains(&format!("campaign-file.yml:{line}:")),
            "{}",
            told.err
        );
    }
}
