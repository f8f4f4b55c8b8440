//! Free atoms: retried after any failure, and again by `resume`; those that fail for good cost only
//! the molecules that need them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::runs::failures;
use crate::support::{Campaign, EVALUATIONS, journal, on, rows};
use moldflow::task::FailureKind;

/// A campaign whose program does this first for free atoms.
fn with_atoms_that(script: &str) -> Campaign {
    let campaign = Campaign::of_a_program();
    let path = campaign.path("program");
    let program = fs::read_to_string(&path).unwrap();
    let program = program.replace("scale=1 ;;", &format!("scale=1\n{script}\n;;"));
    fs::write(&path, program).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    campaign
}

#[test]
fn free_atoms_that_fail_now_and_then_cost_attempts_and_no_run() {
    // Each of the first six attempts fails in another way; no retries are asked for.
    let script = "case $PWD in */1) exit 7;; */2) echo '{}' > \"$2\"; exit 0;; */3) echo '{\"energy\": NaN}' > \"$2\"; exit 0;; \
                  */4) kill -9 $$;; */5) exit 0;; */6) echo '{\"energy\": 1e999}' > \"$2\"; exit 0;; esac";
    let campaign = with_atoms_that(script).with("retries: 1", "retries: 0");
    campaign.run("run", &[]).with_code(0);
    let run_dir = campaign.path("run");
    let failed = failures(&journal(&run_dir));
    // Hydrogen and the four elements of the search space.
    assert_eq!(failed.len(), 5 * 6, "{failed:?}");
    let of = |kind| failed.iter().filter(|failed| **failed == kind).count();
    assert_eq!(of(FailureKind::NotANumber), 5);
    assert_eq!(of(FailureKind::Exit), 10);
    assert_eq!(of(FailureKind::Unreadable), 15);
    let computed = rows(&run_dir)
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .count();
    assert_eq!(computed, EVALUATIONS);
}

const NO_NITROGEN: &str = "[ \"$smiles\" != '[N]' ] || [ -e \"$here/repaired\" ] || { echo 'no nitrogen today' >&2; exit 1; }";

fn has_nitrogen(smiles: &str) -> bool {
    smiles.contains(['N', 'n'])
}

/// Rows of the molecules that were computed and that MMFF94 has parameters for.
fn treated(run_dir: &Path) -> Vec<BTreeMap<String, String>> {
    let rows = rows(run_dir).into_iter();
    let is_of_interest = |row: &BTreeMap<String, String>| {
        row["failure"] != "unsupported" && row["status"] != "superseded"
    };
    rows.filter(is_of_interest).collect()
}

#[test]
fn a_free_atom_that_fails_for_good_costs_the_molecules_that_need_it_and_resume_tries_again() {
    let campaign = with_atoms_that(NO_NITROGEN).with("random: 3", "random: 6");
    campaign.run("run", &[]).with_code(0);
    let run_dir = campaign.path("run");
    let exits = || {
        let failed = failures(&journal(&run_dir)).into_iter();
        failed.filter(|kind| *kind == FailureKind::Exit).count()
    };
    assert_eq!(exits(), 20);
    let first = treated(&run_dir);
    for row in &first {
        let expected = if has_nitrogen(&row["smiles"]) {
            "failed"
        } else {
            "evaluated"
        };
        assert_eq!(row["status"], expected, "{row:?}");
        // They are drawn, but not proposed.
        assert!(
            row["batch"] == "0" || !has_nitrogen(&row["smiles"]),
            "{row:?}"
        );
    }
    let drawn = first.iter().filter(|row| row["status"] == "failed").count();
    assert!(drawn > 0, "no molecule with nitrogen was drawn");
    on(&run_dir, &["check"]).with_code(0);

    // Without a repair: the same end, and nothing else is computed again.
    let done = || {
        fs::read_to_string(campaign.path("done"))
            .unwrap()
            .lines()
            .count()
    };
    let before = done();
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(exits(), 40);
    assert_eq!(done(), before);
    assert_eq!(treated(&run_dir).len(), first.len());

    fs::write(campaign.path("repaired"), "").unwrap();
    on(&run_dir, &["resume"]).with_code(0);
    let repaired = treated(&run_dir);
    assert!(
        repaired.iter().all(|row| row["status"] == "evaluated"),
        "{repaired:?}"
    );
    assert_eq!(repaired.len(), first.len());
    // The atom and the molecules that waited for it.
    assert_eq!(done(), before + 1 + drawn);
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn a_run_without_hydrogen_ends_and_is_taken_up_by_resume() {
    let script = NO_NITROGEN.replace("[N]", "[H]");
    let campaign = with_atoms_that(&script);
    let ended = campaign.run("run", &[]).with_code(3);
    assert!(ended.err.contains("no nitrogen today"), "{}", ended.err);
    assert!(ended.err.contains("moldflow resume"), "{}", ended.err);
    let run_dir = campaign.path("run");
    assert_eq!(failures(&journal(&run_dir)), [FailureKind::Exit; 20]);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "references");

    fs::write(campaign.path("repaired"), "").unwrap();
    on(&run_dir, &["resume"]).with_code(0);
    let computed = rows(&run_dir)
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .count();
    assert_eq!(computed, EVALUATIONS);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "evaluations");
    on(&run_dir, &["check"]).with_code(0);
}
