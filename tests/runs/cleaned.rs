//! Files that nothing needs: `moldflow clean`.

use std::fs;

use crate::support::{Campaign, Engine, journal, moldflow, on, rows, run_to_end};

/// A campaign of which one molecule fails, so that its files are kept.
fn with_a_failure() -> Campaign {
    Campaign::of_a_program().with_fault("echo out of luck >&2; exit 1")
}

#[test]
fn files_of_failed_attempts_are_deleted_after_a_yes() {
    let campaign = with_a_failure();
    let run_dir = campaign.completed("run", &[]);
    let folders = |name: &str| fs::read_dir(run_dir.join(name)).unwrap().count();
    assert_eq!(folders("tasks"), 1);
    let before = rows(&run_dir);

    let listed = on(&run_dir, &["clean", "--dry-run"]).with_code(0).out;
    assert!(
        listed.contains("1 folders, ") && listed.contains("would be deleted"),
        "{listed}"
    );
    let asked = on(&run_dir, &["clean"]).with_code(1).err;
    assert!(asked.contains("`--yes` deletes without asking"), "{asked}");
    let mistyped = run_to_end(moldflow(&["clean", "--yes"]).arg(&run_dir).arg("nowhere"));
    assert!(mistyped.with_code(1).err.contains("does not exist"));
    let another = run_to_end(moldflow(&["clean", "--yes"]).args([&run_dir, &campaign.path("")]));
    assert!(another.with_code(1).err.contains("is not a run directory"));
    assert_eq!(folders("tasks"), 1, "nothing is deleted unless all is well");

    let state = folders("state");
    on(&run_dir, &["clean", "--yes"]).with_code(0);
    assert_eq!((folders("tasks"), folders("state")), (0, state));
    assert_eq!(rows(&run_dir), before);
    on(&run_dir, &["check"]).with_code(0);
    let again = on(&run_dir, &["clean", "--yes"]).with_code(0).out;
    assert!(again.contains("nothing to delete"), "{again}");
}

#[test]
fn an_interrupted_run_keeps_what_its_resume_needs_and_a_running_one_all() {
    let campaign = with_a_failure();
    let mut engine = campaign.start("run", &[]);
    engine.stop_at_facts(8);
    let run_dir = campaign.path("run");
    let busy = on(&run_dir, &["clean", "--yes"]).with_code(1).err;
    assert!(busy.contains("run"), "{busy}");
    engine.kill();
    on(&run_dir, &["clean", "--yes"]).with_code(0);
    let known = journal(&run_dir).len();
    let mut engine = Engine::resume(&run_dir);
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert!(journal(&run_dir).len() > known);
    on(&run_dir, &["check"]).with_code(0);
}
