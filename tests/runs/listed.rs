//! The list of runs: `moldflow runs`.

use std::fs;

use serde_json::Value;

use crate::support::{Campaign, ProgramOutput, moldflow, run_to_end};

#[test]
fn runs_are_listed_with_what_became_of_them() {
    let campaign = Campaign::tiny();
    let finished = campaign.run("finished", &["--json"]).with_code(0).json();
    fs::create_dir(campaign.path("no-run")).unwrap();
    fs::create_dir(campaign.path("damaged")).unwrap();
    fs::write(campaign.path("damaged/moldflow.db"), "no database").unwrap();
    let list = |arguments: &[&str]| -> ProgramOutput {
        let mut command = moldflow(&["runs"]);
        run_to_end(command.arg(campaign.path("")).args(arguments)).with_code(0)
    };
    let state = |place: usize| -> (Value, Value) {
        let run = &list(&["--json"]).json()[place];
        (run["state"].clone(), run["resumable"].clone())
    };

    let mut engine = campaign.start("second", &[]);
    engine.stop_at_facts(3);
    assert_eq!(state(1), ("running".into(), false.into()));
    drop(engine);
    assert_eq!(state(1), ("interrupted".into(), true.into()));

    let listed = list(&["--json"]);
    let runs = listed.json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    for key in ["evaluations", "failures"] {
        assert_eq!(runs[0][key], finished[key], "{key}");
    }
    for key in ["smiles", "value", "unit"] {
        assert_eq!(runs[0]["best"][key], finished["best"][key], "{key}");
    }
    assert_eq!(state(0), ("finished".into(), false.into()));
    let left_out = "damaged` is left out";
    assert!(listed.err.contains(left_out), "{}", listed.err);

    let table = list(&[]).out;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    let best = finished["best"]["smiles"].as_str().unwrap();
    for word in ["finished", "just now", best] {
        assert!(rows[1].contains(word), "{word}: {table}");
    }
}
