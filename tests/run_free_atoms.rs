//! Free atoms, on which a whole run depends: retried after any failure, and again by `resume`.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use moldflow::task::FailureKind;
use support::runs::failures;
use support::{Campaign, EVALUATIONS, journal, on, rows};

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

#[test]
fn a_run_that_ended_for_want_of_a_free_atom_is_taken_up_by_resume() {
    let script = "[ \"$smiles\" != '[N]' ] || [ -e \"$here/repaired\" ] || { echo 'no nitrogen today' >&2; exit 1; }";
    let campaign = with_atoms_that(script);
    let ended = campaign.run("run", &[]).with_code(3);
    assert!(ended.err.contains("no nitrogen today"), "{}", ended.err);
    assert!(ended.err.contains("moldflow resume"), "{}", ended.err);
    let run_dir = campaign.path("run");
    assert_eq!(failures(&journal(&run_dir)), [FailureKind::Exit; 20]);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "references");

    // Without a repair: the same end, and nothing else is computed again.
    on(&run_dir, &["resume"]).with_code(3);
    assert_eq!(failures(&journal(&run_dir)), [FailureKind::Exit; 40]);
    let done = fs::read_to_string(campaign.path("done")).unwrap();
    assert_eq!(done.lines().count(), 4, "{done}");

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
