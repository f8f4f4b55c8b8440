//! `moldflow init`: campaigns from a few answers.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::binary::{moldflow_in, run_to_end};

/// Answers the questions on a terminal; returns what was asked.
fn answered(folder: &Path, answers: &str) -> String {
    let code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let mut python = Command::new("python3");
    python.args([
        "-c",
        code,
        env!("CARGO_BIN_EXE_moldflow"),
        "init",
        "mine.yml",
    ]);
    python
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(answers.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn four_answers_make_a_campaign_that_passes_its_check() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.smi"), "CCO ethanol\nOCCBr\nC1CCC1\n").unwrap();
    let told = answered(dir.path(), "3\nmine.smi\n1\n1\n");
    assert_eq!(
        told.matches("Number [1]").count() + told.matches(" [qm9]").count(),
        4,
        "{told}"
    );
    let text = fs::read_to_string(dir.path().join("mine.yml")).unwrap();
    for part in [
        "objective: { maximize: gap }",
        "source: \"mine.smi\"",
        "elements: [C, O, Br]",
        "max_heavy_atoms: 4",
        "allowed_ring_sizes: [4]",
        "forbid: [\"[r3,r4]=,:*\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let checked = run_to_end(&mut moldflow_in(dir.path(), &["check", "mine.yml"])).with_code(0);
    assert!(
        checked.out.contains("3 read, 0 duplicates, 0 skipped"),
        "{}",
        checked.out
    );
}

#[test]
fn every_choice_makes_a_campaign_that_passes_its_check() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("list.csv"),
        "name,smiles\nx,CCO\ny,CCB(O)O\n",
    )
    .unwrap();
    let written = |file: &str, objective, molecules, mode, engine| {
        let choice = ["--objective", objective, "--molecules", molecules];
        let choice = [
            &["init", file, "--mode", mode, "--engine", engine][..],
            &choice,
        ]
        .concat();
        run_to_end(&mut moldflow_in(dir.path(), &choice)).with_code(0);
        run_to_end(&mut moldflow_in(dir.path(), &["check", file])).with_code(0);
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        let line = text.lines().find(|line| line.contains("elements: ["));
        line.unwrap().split(" #").next().unwrap().trim().to_owned()
    };
    written("1.yml", "atomization-energy", "qm9", "search", "nwchem");
    written("2.yml", "dipole", "list.csv", "search", "gfn2//mmff94");
    written("3.yml", "highest-gap", "list.csv", "list", "nwchem");
    // xtb relaxes boron, for which MMFF94 has no parameters.
    let relaxed = written("4.yml", "lowest-gap", "list.csv", "list", "xtb");
    assert_eq!(relaxed, "elements: [B, C, O]");
    let built_in = written("5.yml", "lowest-gap", "list.csv", "list", "gfn2//mmff94");
    assert_eq!(built_in, "elements: [C, O]");
}

#[test]
fn a_search_forbids_no_pattern_that_a_given_molecule_has() {
    let dir = tempfile::tempdir().unwrap();
    let molecules = "C=C=C allene\nCCO\nCCCO\nC1=CC1 cyclopropene\n[Na+].[Cl-] salt\n";
    fs::write(dir.path().join("al.smi"), molecules).unwrap();
    let moldflow = |arguments: &[&str]| run_to_end(&mut moldflow_in(dir.path(), arguments));
    let init = ["init", "al.yml", "--molecules", "al.smi"];
    let told = moldflow(&[&init[..], &["--objective", "highest-gap"]].concat()).with_code(0);
    let counts = "al.smi: 5 read, 0 duplicates, 1 skipped: 1 salt\n";
    assert!(told.out.contains(counts), "{}", told.out);
    let text = fs::read_to_string(dir.path().join("al.yml")).unwrap();
    assert!(text.contains("  forbid: [\"*#@*\"]\n"), "{text}");
    assert!(text.contains("initial: {value: 4,"), "{text}");
}

#[test]
fn what_it_writes_runs_to_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let moldflow = |arguments: &[&str]| run_to_end(&mut moldflow_in(dir.path(), arguments));
    moldflow(&["init"]).with_code(0);
    let set = ["--set", "evaluations=1", "--set", "initial=3"];
    let run = [&["run", "campaign.yml", "--json"][..], &set].concat();
    let ended = moldflow(&run).with_code(0).json();
    assert_eq!(
        (&ended["evaluations"], &ended["failures"]),
        (&4.into(), &0.into())
    );
}

#[test]
fn nothing_is_overwritten_and_nothing_wrong_is_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("campaign.yml"), "mine\n").unwrap();
    fs::write(dir.path().join("bad.smi"), "CCO\nthis is no SMILES(\n").unwrap();
    fs::write(dir.path().join("ions.smi"), "[Na+]\n").unwrap();
    for (arguments, reason) in [
        (&["init"][..], "`campaign.yml` exists already"),
        (
            &["init", "new.yml", "--molecules", "nowhere.smi"],
            "nowhere.smi",
        ),
        (&["init", "new.yml", "--molecules", "bad.smi"], "bad.smi:2"),
        (
            &["init", "new.yml", "--molecules", "ions.smi"],
            "none of the 1 molecules of `ions.smi`",
        ),
        (&["init", "new.yml", "--site", "nowhere"], "nowhere"),
    ] {
        let told = run_to_end(&mut moldflow_in(dir.path(), arguments))
            .with_code(1)
            .err;
        assert!(told.contains(reason), "{arguments:?}: {told}");
    }
    assert_eq!(
        fs::read_to_string(dir.path().join("campaign.yml")).unwrap(),
        "mine\n"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}
