//! Two-step levels by real programs: xtb on one partition gives the geometry, NWChem on another the
//! energy there.

use std::collections::BTreeMap;
use std::fs;

use crate::support::runs::export_without_usage;
use crate::support::{Campaign, Engine, journal, on, rows};
use moldflow::task::{Event, Fact, Outcome, TaskId};
use serde_json::{Value, json};

/// Molecules with one or two heavy atoms, which take NWChem less than a second.
fn two_steps() -> Campaign {
    Campaign::tiny()
        .with(
            "energy: {kind: simulate, engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m, retries: 1}",
            "energy: {kind: simulate, engine: nwchem, geometry: relax, topic: simulator, partition: qc, timeout: 5m, retries: 1}\n  \
             relax: {kind: simulate, engine: xtb, topic: simulator, partition: ml, timeout: 5m, retries: 1}",
        )
        .with("max_heavy_atoms: 5", "max_heavy_atoms: 2")
        .with("{random: 3}", "{random: 2}")
        .with("evaluations: 6", "evaluations: 2")
}

fn geometries(journal: &[Event]) -> BTreeMap<TaskId, String> {
    let relaxed = journal.iter().filter_map(|event| match &event.fact {
        Fact::Ended {
            task,
            outcome: Outcome::Simulated { xyz: Some(xyz), .. },
            ..
        } => Some((*task, xyz.clone())),
        _ => None,
    });
    relaxed.collect()
}

#[test]
fn each_molecule_is_relaxed_in_a_task_of_its_own_and_a_crash_between_the_steps_changes_nothing() {
    let campaign = two_steps();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let relaxed = geometries(&journal(&calm));
    let rows = rows(&calm);
    assert_eq!((rows.len(), relaxed.len()), (4, 4));
    assert!(relaxed.values().all(|xyz| xyz.contains("\nGFN2-xTB\n")));
    for row in &rows {
        assert_eq!(row["status"], "evaluated", "{row:?}");
        assert_eq!(row["level_of_theory"], "HF/3-21G//GFN2-xTB");
        assert_eq!(row["engine"], "nwchem");
    }
    let left = fs::read_dir(calm.join("scratch")).unwrap().count();
    assert_eq!(left, 0, "scratch folders");

    let run_dir = campaign.path("killed");
    let mut engine: Engine = campaign.start("killed", &["--schedule", "batch"]);
    engine.wait_for_journal(|journal| !geometries(journal).is_empty());
    engine.kill();
    on(&run_dir, &["resume"]).with_code(0);
    assert_eq!(export_without_usage(&run_dir), export_without_usage(&calm));
    assert_eq!(geometries(&journal(&run_dir)), relaxed);
}

#[test]
fn a_molecule_whose_geometry_fails_has_failed_with_that_kind() {
    let campaign = two_steps().with(
        "engine: xtb,",
        "engine: command, settings: {argv: [\"false\"], level: none, unit: hartree},",
    );
    campaign.run("failed", &[]).with_code(3);
    let rows = rows(&campaign.path("failed"));
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(
            (row["status"].as_str(), row["failure"].as_str()),
            ("failed", "exit")
        );
    }
}

#[test]
fn a_plan_shows_both_steps_and_where_each_runs() {
    let campaign = two_steps();
    // Writes the file.
    drop(campaign.run_command("never", &[]));
    let file = campaign.path("campaign-file.yml");
    let plan = on(&file, &["plan", "--format", "json"]).with_code(0).json();
    let place = |method: &str| {
        let method: &Value = &plan["plan"]["methods"][method];
        [&method["engine"], &method["partition"]].map(|v| v.as_str().unwrap().to_owned())
    };
    assert_eq!(place("relax"), ["xtb", "ml"]);
    assert_eq!(place("energy"), ["nwchem", "qc"]);
    let recipe = &plan["plan"]["properties"]["atomization_energy"]["recipe"];
    let steps = json!([{"method": "relax"}, {"method": "energy", "geometry": "relax"}]);
    assert_eq!(*recipe, steps);
    let text = on(&file, &["plan"]).with_code(0).out;
    assert!(text.contains("relax, energy (geometry of relax)"), "{text}");
    let mermaid = on(&file, &["plan", "--format", "mermaid"]).with_code(0).out;
    for step in ["relax: xtb on ml", "energy: nwchem on qc"] {
        assert!(mermaid.contains(step), "{mermaid}");
    }
    let output = on(&file, &["check"]).with_code(0).out;
    for step in [
        "relax by xtb on partition ml",
        "energy by nwchem on partition qc",
    ] {
        assert!(output.contains(step), "{output}");
    }
}
