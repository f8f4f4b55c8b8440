//! Scratch folders of real tasks: their owners, their places, and their removal.

use crate::support;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Campaign, Engine, on, processes, rows, run_name, wait_until};

const SITE: &str = "name: tests\nscratch: SCRATCH\npartitions:\n  qc: {executor: local, slots: 2}\n  ml: {executor: local, slots: 1}\n";

/// Energies by a program that writes to its scratch folder, and runs until there is a file `go`.
fn campaign(scratch: &str, timeout: &str) -> Campaign {
    let plain = Campaign::tiny();
    let program = plain.path("program");
    let script = format!(
        "cd {}; stat -c %a \"$MOLDFLOW_SCRATCH\" > mode; echo \"$MOLDFLOW_SCRATCH\" > where.$$; mv where.$$ where; \
         touch \"$MOLDFLOW_SCRATCH/file\"; test -e go || sleep 600; \
         cd - > /dev/null; echo '{{\"energy\": -1.0}}' > \"$1\"",
        plain.path("").display()
    );
    fs::write(&program, script).unwrap();
    fs::write(plain.path("site2.yml"), SITE.replace("SCRATCH", scratch)).unwrap();
    plain
        .with(
            "engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m",
            &format!(
                "engine: command, settings: {{argv: [sh, ./program, \"{{output}}\"], level: none, unit: hartree}}, \
                 topic: simulator, partition: qc, timeout: {timeout}"
            ),
        )
        .with("retries: 1", "retries: 0")
        .with("max_heavy_atoms: 5", "max_heavy_atoms: 2")
        .with("evaluations: 6", "evaluations: 1")
}

fn folders(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn what_a_killed_task_left_in_scratch_is_deleted_on_resuming() {
    let campaign = campaign("./scratch", "5m");
    let run_dir = campaign.path("run");
    let scratch = run_dir.join("scratch");
    let engine: Engine = campaign.start("run", &[]);
    wait_until("a file in scratch", || {
        let entries = fs::read_dir(&scratch).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| entry.path().join("file").exists())
    });
    engine.kill();
    for id in processes(&format!("{}.", run_name(&run_dir))) {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).output();
    }
    assert!(folders(&scratch) > 0);
    fs::write(campaign.path("go"), "").unwrap();
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(folders(&scratch), 0);
    let mode = fs::read_to_string(campaign.path("mode")).unwrap();
    assert_eq!(mode.trim(), "700", "nobody else's");
}

#[test]
fn scratch_may_be_in_a_variable_and_is_emptied_of_a_task_past_its_timeout() {
    let campaign = campaign("${SCRATCH_OF_TESTS}/mine", "5s");
    let scratch = campaign.path("elsewhere");
    let mut command = campaign.run_command("run", &[]);
    let run = support::run_to_end(command.env("SCRATCH_OF_TESTS", &scratch)).with_code(3);
    assert!(run.err.contains("(timeout)"), "{}", run.err);
    let place = fs::read_to_string(campaign.path("where")).unwrap();
    assert!(
        Path::new(place.trim()).starts_with(scratch.join("mine")),
        "{place}"
    );
    assert_eq!(folders(&scratch.join("mine")), 0);
}

#[test]
fn a_variable_that_is_not_set_fails_the_task_and_is_named() {
    let campaign = campaign("$SCRATCH_OF_TESTS", "1m");
    let run = campaign.run("run", &[]).with_code(3);
    assert!(run.err.contains("`$SCRATCH_OF_TESTS`"), "{}", run.err);
    assert!(
        rows(&campaign.path("run")).is_empty(),
        "no molecule was begun"
    );
}
