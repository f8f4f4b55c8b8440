//! Campaigns whose quantities come from functions in Python, with the python3 of this host.

use std::collections::BTreeSet;
use std::fs;

use crate::support::counting::{MODULE, counted};
use crate::support::{Engine, journal, on, processes, rows, run_name, wait_until};

fn value(row: &std::collections::BTreeMap<String, String>) -> f64 {
    row["count.letters"].parse().expect("a number")
}

#[test]
fn a_list_is_computed_without_geometries_and_shown_like_any_other() {
    let campaign = counted(12);
    let run_dir = campaign.completed("run", &[]);
    let rows = rows(&run_dir);
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert_eq!(value(row), 2.0 * row["smiles"].len() as f64);
        let level = row["level_of_theory"].split_once(' ').expect("a hash");
        assert_eq!(level.0, "counting:letters");
        assert_eq!(level.1.len(), 12);
    }
    for command in [
        &["status"][..],
        &["report"],
        &["explain", "CCC"],
        &["check"],
    ] {
        let (command, rest) = command.split_first().expect("a command");
        let mut arguments = vec![*command];
        arguments.extend(rest);
        on(&run_dir, &arguments).with_code(0);
    }
    assert!(processes(&run_name(&run_dir)).is_empty());
}

#[test]
fn a_run_keeps_the_code_that_it_began_with_and_the_cache_never_takes_other_code_for_it() {
    let campaign = counted(4);
    let first = campaign.completed("first", &["--cache", "results.db"]);
    let level = |run: &std::path::Path| rows(run)[0]["level_of_theory"].clone();
    let values = |run: &std::path::Path| rows(run).iter().map(value).collect::<Vec<_>>();
    let cached = campaign.completed("cached", &["--cache", "results.db"]);
    assert_eq!(values(&cached), values(&first));
    let from_cache = |run: &std::path::Path| {
        let is_cached = |event: &moldflow::task::Event| {
            matches!(event.fact, moldflow::task::Fact::Cached { .. })
        };
        journal(run).into_iter().filter(is_cached).count()
    };
    assert_eq!(from_cache(&cached), 4);
    // A module that the function imports has changed.
    fs::write(campaign.path("constants.py"), "factor = 3\n").expect("a file");
    let changed = campaign.completed("changed", &["--cache", "results.db"]);
    assert_eq!(from_cache(&changed), 0);
    assert_ne!(level(&changed), level(&first));
    let doubled: Vec<f64> = values(&first).iter().map(|value| value * 1.5).collect();
    assert_eq!(values(&changed), doubled);
}

#[test]
fn a_killed_engine_leaves_no_interpreter_and_its_run_is_resumed() {
    let slow = MODULE.replace(
        "    return",
        "    import time; time.sleep(0.05)\n    return",
    );
    let campaign = counted(40);
    fs::write(campaign.path("counting.py"), slow).expect("a file");
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_facts(8);
    engine.kill();
    let run_dir = campaign.path("run");
    let run = run_name(&run_dir);
    wait_until("the end of the interpreters", || processes(&run).is_empty());
    // The run has its own copy of the code.
    fs::write(campaign.path("counting.py"), "raise SystemExit\n").expect("a file");
    let mut engine = Engine::resume(&run_dir);
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    let rows = rows(&run_dir);
    let molecules: BTreeSet<&String> = rows.iter().map(|row| &row["smiles"]).collect();
    assert_eq!((rows.len(), molecules.len()), (40, 40));
    assert!(
        rows.iter()
            .all(|row| value(row) == 2.0 * row["smiles"].len() as f64)
    );
}

#[test]
fn what_cannot_be_loaded_is_found_before_anything_is_computed() {
    let campaign = counted(3);
    fs::write(campaign.path("constants.py"), "import nonesuch\n").expect("a file");
    let refused = campaign.run("run", &[]).with_code(1);
    assert!(
        refused.err.contains("No module named 'nonesuch'"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.contains("call: counting:letters"),
        "{}",
        refused.err
    );
    assert!(!campaign.path("run").exists());
    let misspelt = counted(3).with("counting:letters", "counting:leters");
    let refused = misspelt.run("run", &[]).with_code(1);
    assert!(
        refused.err.contains("has no function `leters`"),
        "{}",
        refused.err
    );
    let absent = counted(3).with("call:", "interpreter: ./none/python, call:");
    let refused = absent.run("run", &[]).with_code(1);
    assert!(refused.err.contains("none/python"), "{}", refused.err);
    let unit = counted(3).with("letters: '1'}}", "letters: parsecs}}");
    let refused = unit.run("run", &[]).with_code(1);
    assert!(refused.err.contains("parsecs"), "{}", refused.err);
    let given = counted(3).with("engine: python\n", "engine: python\n    geometry: other\n");
    let refused = given.run("run", &[]).with_code(1);
    assert!(
        refused.err.contains("its settings say that it needs none"),
        "{}",
        refused.err
    );
}

#[test]
fn a_function_that_always_fails_quarantines_its_molecules_and_shows_the_traceback() {
    let campaign = counted(3);
    let module = MODULE.replace(
        "return factor",
        "raise ValueError(molecule['smiles'])\n    return factor",
    );
    fs::write(campaign.path("counting.py"), module).expect("a file");
    campaign.run("run", &[]).with_code(3);
    let explained = on(&campaign.path("run"), &["explain", "CC"]).with_code(0);
    assert!(
        explained.out.contains("ValueError: CC"),
        "{}",
        explained.out
    );
    let log = fs::read_to_string(campaign.path("run").join("runtime.log")).expect("a log");
    assert!(log.contains("counting.py\", line 5, in letters"), "{log}");
}

/// A program that is given no geometry, and says so if it is.
const PROGRAM: &str = "\
import json, sys
molecule = json.load(open(sys.argv[1]))
assert not [key for key in molecule if key.startswith('geometry')], molecule
json.dump({'energy': -len(molecule['smiles'])}, open(sys.argv[2], 'w'))
";

#[test]
fn a_command_that_needs_no_geometry_is_given_none() {
    let campaign = counted(3)
        .with("engine: python", "engine: command")
        .with(
            "{call: counting:letters, quantities: {letters: '1'}}",
            "{argv: [python3, ./program.py, '{input}', '{output}'], level: letters, unit: hartree, geometry: false}",
        )
        .with("{value: count.letters, unit: '1'}", "{value: count.energy, unit: hartree}");
    fs::write(campaign.path("program.py"), PROGRAM).expect("a file");
    for row in rows(&campaign.completed("run", &[])) {
        let energy: f64 = row["count.energy_hartree"].parse().expect("a number");
        assert_eq!(energy, -(row["smiles"].len() as f64));
    }
}
