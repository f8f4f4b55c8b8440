//! Runs that begin with the results of an earlier one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::runs::molecules;
use crate::support::{Campaign, journal, moldflow, on, rows, run_to_end};
use moldflow::task::{Fact, Outcome};

/// Lines of the file in which the program notes each molecule or atom that it computed.
fn computed(campaign: &Campaign) -> Vec<String> {
    let text = fs::read_to_string(campaign.path("done")).unwrap_or_default();
    let smiles = text.lines().filter_map(|line| line.split(' ').nth(1));
    smiles.map(str::to_owned).collect()
}

fn evaluated(run_dir: &Path) -> BTreeSet<String> {
    let rows = rows(run_dir);
    let evaluated = rows.iter().filter(|row| row["status"] == "evaluated");
    evaluated.map(|row| row["smiles"].clone()).collect()
}

#[test]
fn known_molecules_are_results_from_the_beginning_even_if_the_earlier_run_is_gone() {
    let campaign = Campaign::of_a_program();
    let first = campaign.completed("first", &[]);
    let old = evaluated(&first);
    let before = computed(&campaign);
    assert_eq!(old.len(), 9);

    let from = first.display().to_string();
    let arguments = [
        "--from",
        &from,
        "--set",
        "stop.evaluations=4",
        "--seed",
        "8",
    ];
    let mut engine = campaign.start("second", &arguments);
    engine.wait_for_facts(3);
    fs::remove_dir_all(&first).expect("it is deleted");
    engine.kill();
    let second = campaign.path("second");
    on(&second, &["resume"]).with_code(0);

    let said = fs::read_to_string(second.with_extension("err")).expect("its messages");
    assert!(
        said.contains("the objective of 9 molecules is known"),
        "{said}"
    );
    let new = evaluated(&second);
    assert_eq!(new.len(), 9 + 3 + 4);
    assert!(new.is_superset(&old));
    let rows = rows(&second);
    assert_eq!(
        rows.len(),
        molecules(&rows).iter().collect::<BTreeSet<_>>().len()
    );
    let cached = rows.iter().filter(|row| row["cached"] == "true");
    let cached: BTreeSet<String> = cached.map(|row| row["smiles"].clone()).collect();
    assert_eq!(cached, old);
    // Free atoms and molecules of the earlier run are not computed again.
    let again = computed(&campaign).split_off(before.len());
    assert!(
        again.iter().all(|smiles| !before.contains(smiles)),
        "{again:?}"
    );
    assert_eq!(again.len(), 3 + 4, "{again:?}");
    on(&second, &["check"]).with_code(0);
    // The model learns from them too.
    let batches: Vec<usize> = journal(&second)
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Ended {
                outcome: moldflow::task::Outcome::Trained { molecules, .. },
                ..
            } => Some(*molecules),
            _ => None,
        })
        .collect();
    assert!(
        batches.iter().all(|molecules| *molecules >= 9 + 3),
        "{batches:?}"
    );
}

#[test]
fn results_of_another_level_are_not_taken_and_that_is_said() {
    let campaign = Campaign::of_a_program();
    let first = campaign.completed("first", &[]);
    let from = first.display().to_string();
    let other = "methods.energy.settings.level=another sum";
    let output = campaign
        .run("second", &["--from", &from, "--set", other])
        .with_code(0);
    assert!(
        output.err.contains("the objective of 0 molecules is known"),
        "{}",
        output.err
    );
    assert!(
        output.err.contains("9 computed by other methods"),
        "{}",
        output.err
    );
    assert!(
        output
            .err
            .contains("no method of that run computes like `energy` (another sum"),
        "{}",
        output.err
    );
    let second = campaign.path("second");
    assert_eq!(evaluated(&second).len(), 9);
    assert!(rows(&second).iter().all(|row| row["cached"] != "true"));

    // A smaller search space.
    let small = "search_space.max_heavy_atoms=4";
    let output = campaign.run("third", &["--from", &from, "--set", small]);
    assert!(output.err.contains("too large"), "{}", output.err);
    let sizes = rows(&campaign.path("third"));
    assert!(
        sizes
            .iter()
            .all(|row| row["status"] != "evaluated" || heavy(&row["smiles"]) <= 4)
    );
}

/// Heavy atoms of a molecule of C, N, O and F.
fn heavy(smiles: &str) -> usize {
    smiles.chars().filter(|c| "CNOFcno".contains(*c)).count()
}

#[test]
fn molecules_that_failed_stay_in_quarantine_by_the_same_method_only() {
    let campaign = Campaign::of_a_program()
        .with_fault("echo broken >&2; exit 1")
        .with("retries: 1", "retries: 0");
    let first = campaign.completed("first", &[]);
    let failed: Vec<String> = rows(&first)
        .into_iter()
        .filter(|row| row["status"] == "failed")
        .map(|row| row["smiles"].clone())
        .collect();
    assert_eq!(failed.len(), 1);
    let from = first.display().to_string();
    let output = campaign.run("second", &["--from", &from]).with_code(0);
    assert!(output.err.contains("1 failed there"), "{}", output.err);
    let second = rows(&campaign.path("second"));
    assert!(!molecules(&second).contains(&failed[0].as_str()));
    let other = "methods.energy.settings.level=another sum";
    let output = campaign.run("third", &["--from", &from, "--set", other]);
    assert!(output.err.contains("0 failed there"), "{}", output.err);
}

#[test]
fn a_geometry_and_what_was_computed_at_it_are_taken_together() {
    let campaign = Campaign::shipped("redox.yml");
    let small = [
        "--set",
        "initial_count=2",
        "--set",
        "search_size=1",
        "--set",
        "search_space.max_heavy_atoms=4",
        "--schedule",
        "batch",
    ];
    let first = campaign.completed("first", &small);
    let from = first.display().to_string();
    let second = campaign.completed("second", &[&small[..], &["--from", &from]].concat());
    let old = evaluated(&first);
    let of = |run_dir: &Path| {
        let rows = rows(run_dir).into_iter();
        let known = rows.filter(|row| old.contains(&row["smiles"]));
        let mut values: Vec<_> = known
            .map(|row| {
                let quantities: Vec<String> = row
                    .iter()
                    .filter(|(column, _)| column.contains(".energy"))
                    .map(|(column, value)| format!("{column} {value}"))
                    .collect();
                (row["smiles"].clone(), quantities)
            })
            .collect();
        values.sort();
        values
    };
    let (before, after) = (of(&first), of(&second));
    // Those whose objective was known; what else an earlier stage computed is not asked for again.
    let is_known = |quantities: &[String]| {
        let potential = "cation_in_acetonitrile.energy_hartree ";
        let mut potentials = quantities.iter().filter(|q| q.starts_with(potential));
        potentials.any(|quantity| quantity.len() > potential.len())
    };
    let known: Vec<_> = before.iter().filter(|(_, q)| is_known(q)).collect();
    assert!(known.len() >= 3, "{known:?}");
    for (smiles, quantities) in known {
        let Some((_, again)) = after.iter().find(|(other, _)| other == smiles) else {
            panic!("{smiles} is not there");
        };
        assert!(is_known(again), "{smiles}: {again:?}");
        for quantity in again.iter().filter(|quantity| !quantity.ends_with(' ')) {
            assert!(
                quantities.contains(quantity),
                "{quantity} against {quantities:?}"
            );
        }
    }
}

#[test]
fn a_run_of_the_first_version_is_refused() {
    let campaign = Campaign::of_a_program();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/run-of-0.1.0");
    let old = campaign.path("old");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&golden, &old])
        .status();
    assert!(copied.expect("cp").success());
    let from = old.display().to_string();
    let refused = campaign.run("run", &["--from", &from]).with_code(1);
    assert!(
        refused.err.contains("begun by moldflow 0.1.0"),
        "{}",
        refused.err
    );
    assert!(!campaign.path("run").join("campaign.yml").exists());
    let refused = campaign.run("run", &["--from", "nowhere"]).with_code(1);
    assert!(refused.err.contains("does not exist"), "{}", refused.err);
}

#[test]
fn a_run_may_begin_with_the_results_of_one_that_is_at_work() {
    let campaign = Campaign::of_a_program();
    let mut first = campaign.start("first", &["--set", "stop.evaluations=100000"]);
    first.wait_for_facts(40);
    let from = campaign.path("first").display().to_string();
    let arguments = ["--from", &from, "--set", "stop.evaluations=4"];
    let second = campaign.completed("second", &[&arguments[..], &["--seed", "8"]].concat());
    assert!(!first.has_ended());
    first.kill();
    let inherited = journal(&second)
        .into_iter()
        .find_map(|event| match event.fact {
            Fact::Inherited { molecules, .. } => Some(molecules),
            _ => None,
        });
    let inherited = inherited.expect("a fact");
    assert!(inherited.len() >= 3, "{inherited:?}");
    let (old, new) = (evaluated(&campaign.path("first")), evaluated(&second));
    assert!(inherited.iter().all(|smiles| old.contains(smiles)));
    assert_eq!(new.len(), inherited.len() + 3 + 4);
    on(&second, &["check"]).with_code(0);
}

#[test]
fn costs_are_those_of_the_times_that_a_run_recorded() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let (dir, path) = (
        run_dir.display().to_string(),
        campaign.path("campaign-file.yml"),
    );
    let path = path.display().to_string();
    let core_hours = |options: &[&str]| {
        let arguments = [&["plan", path.as_str(), "--format", "json"], options].concat();
        let plan = run_to_end(&mut moldflow(&arguments)).with_code(0).json();
        let stages = plan["costs"]["stages"].as_array().expect("stages").clone();
        let initial = stages.iter().find(|stage| stage["stage"] == "initial");
        let cost = initial.expect("the stage")["cost"].clone();
        (
            cost["tasks"].as_f64(),
            cost["core_hours"].as_f64().expect("a number"),
        )
    };
    let took: Vec<f64> = journal(&run_dir)
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Ended {
                usage,
                outcome: Outcome::Simulated { .. },
                ..
            } => Some((event.at - usage.started?) as f64 / 1000.0),
            _ => None,
        })
        .collect();
    let (shortest, longest) = took
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    let (tasks, recorded) = core_hours(&["--times-from", &dir]);
    assert_eq!(tasks, Some(3.0));
    let seconds = recorded * 3600.0 / 3.0;
    assert!(
        (0.5 * shortest..=2.0 * longest).contains(&seconds),
        "{seconds} s, recorded {shortest} to {longest}"
    );
    let (_, given) = core_hours(&["--times-from", &dir, "--task-time", "10s"]);
    assert!((given - 30.0 / 3600.0).abs() < 1e-9, "{given}");
}
