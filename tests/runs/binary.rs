//! The program itself on tiny campaigns: results of a run, its directory, and exit statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::runs::{
    assert_same, export_without_usage, failures, files_below, molecules, names,
};
use crate::support::{
    Campaign, EVALUATIONS, ProgramOutput, journal, moldflow, on, rows, run_to_end,
};
use moldflow::task::{Fact, FailureKind, Outcome};

/// A row of an export, by the names of the columns.
type Row = BTreeMap<String, String>;

#[test]
fn a_run_ends_with_what_was_asked_for() {
    let tiny = Campaign::tiny();
    let output = tiny.run("run", &["--json"]).with_code(0);
    let json = output.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "run_dir",
            "evaluations",
            "failures",
            "failures_by_kind",
            "failed_attempts_by_kind",
            "cached",
            "batches",
            "best",
            "stopped_by",
            "core_hours"
        ]
    );
    assert!(json["core_hours"].as_f64().unwrap() > 0.0);
    let keys: Vec<&String> = json["best"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["smiles", "name", "property", "value", "unit"]);
    assert_eq!(json["evaluations"], EVALUATIONS);
    assert_eq!(json["failures"], 0);
    assert_eq!(json["stopped_by"], "evaluations");
    let run_dir = tiny.path("run");
    assert_eq!(
        json["run_dir"],
        run_dir.canonicalize().unwrap().display().to_string()
    );

    let rows = rows(&run_dir);
    let columns = "smiles atomization_energy_hartree energy.energy_hartree status failure batch rank prediction_mean_hartree level_of_theory submitted started finished";
    for column in columns.split(' ') {
        assert!(rows[0].contains_key(column), "no column {column}");
    }
    let computed: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .collect();
    assert_eq!(computed.len(), EVALUATIONS);
    assert_eq!(
        molecules(&rows).iter().collect::<BTreeSet<_>>().len(),
        rows.len()
    );
    assert_energies(&computed);
    let best = computed
        .iter()
        .min_by(|a, b| {
            number(a, "atomization_energy_hartree")
                .total_cmp(&number(b, "atomization_energy_hartree"))
        })
        .unwrap();
    assert_eq!(json["best"]["smiles"], best["smiles"].as_str());
    assert_eq!(
        json["best"]["value"].as_f64(),
        Some(number(best, "atomization_energy_hartree"))
    );
    assert_ranked(&rows);
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

/// Requires consistent units and times.
#[track_caller]
fn assert_energies(computed: &[&Row]) {
    for row in computed {
        let energy = number(row, "atomization_energy_hartree");
        assert!(
            number(row, "energy.energy_hartree") < energy && energy < 0.0,
            "{row:?}"
        );
        assert!(
            row["submitted"] <= row["started"] && row["started"] <= row["finished"],
            "{row:?}"
        );
    }
}

/// Requires that each batch is sorted by prediction.
#[track_caller]
fn assert_ranked(rows: &[Row]) {
    for pair in rows
        .windows(2)
        .filter(|pair| pair[0]["batch"] == pair[1]["batch"] && pair[0]["batch"] != "0")
    {
        assert!(number(&pair[0], "rank") < number(&pair[1], "rank"));
        assert!(
            number(&pair[0], "prediction_mean_hartree")
                <= number(&pair[1], "prediction_mean_hartree"),
            "rank 0 is the best: {pair:?}"
        );
    }
}

#[test]
fn an_energy_is_that_of_the_molecule_less_those_of_its_atoms() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("run", &[]);
    let rows = rows(&run_dir);
    let journal = journal(&run_dir);
    let mut atoms = BTreeMap::new();
    let mut checked = 0;
    for event in &journal {
        let Fact::Ended {
            outcome:
                Outcome::Simulated {
                    quantities,
                    atoms: of,
                    ..
                },
            ..
        } = &event.fact
        else {
            continue;
        };
        let total_energy = quantities["energy"];
        if of.values().sum::<u32>() == 1 {
            atoms.insert(of.keys().next().unwrap().clone(), total_energy);
            continue;
        }
        let apart: f64 = of
            .iter()
            .map(|(element, count)| atoms[element] * f64::from(*count))
            .sum();
        let total = total_energy.to_string();
        let row = rows
            .iter()
            .find(|row| row["energy.energy_hartree"] == total)
            .expect("its row");
        let energy: f64 = row["atomization_energy_hartree"].parse().unwrap();
        assert!((energy - (total_energy - apart)).abs() < 1e-10, "{row:?}");
        checked += 1;
    }
    assert_eq!((atoms.len(), checked), (5, EVALUATIONS));
}

#[test]
fn with_schedule_batch_a_seed_gives_the_same_run_on_any_number_of_slots() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    for (name, slots) in [
        ("again", "site2.yml"),
        ("one", "site1.yml"),
        ("three", "site3.yml"),
    ] {
        let site = tiny.path(slots).display().to_string();
        let run_dir = tiny.completed(name, &["--schedule", "batch", "--site", &site]);
        assert_same(&run_dir, &calm);
    }
    let other = tiny.completed("other", &["--schedule", "batch", "--seed", "8"]);
    assert_ne!(
        export_without_usage(&other),
        export_without_usage(&calm),
        "the seed matters"
    );
}

#[test]
fn a_wrong_campaign_is_exit_1_and_makes_nothing() {
    let wrong = Campaign::tiny().with("kind: train", "kind: tarin");
    let output = wrong.run("run", &[]).with_code(1);
    assert!(output.err.contains("tarin"), "{}", output.err);
    assert!(!wrong.path("run").exists());
    let missing = run_program(&["run", "no-such-campaign.yml", "--run-dir", "x"]).with_code(1);
    assert!(
        missing.err.contains("no-such-campaign.yml"),
        "{}",
        missing.err
    );
    let greedy = Campaign::tiny().with("source: qm9", "source: few.smi");
    fs::write(greedy.path("few.smi"), "C\nCC\n").unwrap();
    let output = greedy.run("run", &[]).with_code(1);
    assert!(
        output.err.contains('3') && output.err.contains('2'),
        "{}",
        output.err
    );
    assert!(
        !greedy.path("run").exists(),
        "{:?}",
        names(&greedy.path("run"))
    );
}

fn run_program(arguments: &[&str]) -> ProgramOutput {
    run_to_end(&mut moldflow(arguments))
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    for arguments in [
        &["run"][..],
        &["ran"],
        &["run", "x.yml", "--schedule", "never"],
        &["export", "runs", "--format", "xls"],
        &[],
    ] {
        let output = run_program(arguments).with_code(2);
        assert!(!output.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn when_nothing_can_be_computed_it_is_exit_3_with_the_last_failure() {
    let hopeless = Campaign::tiny()
        .with("source: qm9", "source: hopeless.smi")
        .with("{random: 3}", "{random: 2}");
    // Rings that no distances fit in three dimensions.
    fs::write(
        hopeless.path("hopeless.smi"),
        "C1#CC#C1\nC1#CO1\nC1=C2CC=12\n",
    )
    .unwrap();
    let output = hopeless.run("run", &["--json"]).with_code(3);
    assert_eq!(output.json()["stopped_by"], "nothing_computed");
    assert_eq!(output.json()["best"], serde_json::Value::Null);
    assert_eq!(output.json()["evaluations"], output.json()["failures"]);
    assert!(output.err.contains("last failure"), "{}", output.err);
    let run_dir = hopeless.path("run");
    let failed = rows(&run_dir);
    assert!(
        failed
            .iter()
            .all(|row| row["status"] == "failed" && !row["failure"].is_empty()),
        "{failed:?}"
    );
    // All files of failed attempts are kept.
    let kept = files_below(&run_dir.join("tasks"));
    for name in ["stdout", "stderr", "input.json", "result.json"] {
        assert_eq!(
            kept.iter().filter(|path| path.ends_with(name)).count(),
            failed.len(),
            "{name}: {kept:?}"
        );
    }
    assert!(output.err.contains("kept in tasks/"), "{}", output.err);
    on(&run_dir, &["resume"]).with_code(3);
}

#[test]
fn a_directory_that_holds_a_run_is_refused_and_a_finished_run_shows_its_table_again() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("run", &[]);
    let before = fs::read(run_dir.join("campaign.yml")).unwrap();
    let output = tiny.run("run", &["--seed", "9"]).with_code(1);
    assert!(output.err.contains("moldflow resume"), "{}", output.err);
    assert_eq!(fs::read(run_dir.join("campaign.yml")).unwrap(), before);
    let facts = journal(&run_dir);
    let again = on(&run_dir, &["resume"]).with_code(0);
    let best = rows(&run_dir)
        .into_iter()
        .min_by(|a, b| energy(a).total_cmp(&energy(b)))
        .unwrap();
    assert!(again.out.contains(&best["smiles"]), "{}", again.out);
    assert_eq!(journal(&run_dir), facts, "nothing happened");
}

/// Atomization energy in hartree, infinite for molecules without one.
fn energy(row: &Row) -> f64 {
    row["atomization_energy_hartree"]
        .parse()
        .unwrap_or(f64::INFINITY)
}

#[test]
fn what_is_no_run_directory_is_exit_1() {
    let tiny = Campaign::tiny();
    let dir = tiny.path("");
    for arguments in [&["resume"][..], &["status"], &["export", "--format", "csv"]] {
        let output = on(&dir, arguments).with_code(1);
        assert!(output.err.contains("not a run directory"), "{}", output.err);
        on(&tiny.path("nowhere"), arguments).with_code(1);
    }
    assert!(!dir.join("lock").exists());
}

#[test]
fn a_generator_that_always_fails_ends_the_run_and_says_why() {
    let campaign = Campaign::tiny().with(
        "topic: ml, partition: ml, timeout: 5m}\n  rank",
        "topic: ml, partition: ml, timeout: 1ms}\n  rank",
    );
    let campaign = campaign.with("barren_batches: 10", "barren_batches: 2");
    let output = campaign.run("run", &["--json"]).with_code(3);
    assert_eq!(output.json()["stopped_by"], "generator_failed");
    assert_eq!(output.json()["evaluations"], 3);
    assert!(
        output.err.contains("generator failed") && output.err.contains("timeout"),
        "{}",
        output.err
    );
    let journal = journal(&campaign.path("run"));
    assert_eq!(failures(&journal), [FailureKind::Timeout; 2]);
}

#[test]
fn a_run_directory_holds_what_it_should_and_is_the_users_alone() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("made/below/run", &[]);
    let expected = "campaign.yml host_info.json journal.head lock moldflow.db qc_spec.json report.html rl_records.jsonl run_params.json runtime.jsonl runtime.log \
                    screening_records.jsonl simulation_records.jsonl site.yml state tasks";
    assert_eq!(
        names(&run_dir),
        expected.split_whitespace().map(str::to_owned).collect()
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&run_dir), 0o700);
    for path in files_below(&run_dir) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(
        files_below(&run_dir.join("tasks")).is_empty(),
        "a success leaves no directory"
    );
    // The generator and the memory of the trainings, as the last calls left them.
    let journal = journal(&run_dir);
    let outcomes = journal.iter().rev().filter_map(|event| match &event.fact {
        Fact::Ended { outcome, .. } => Some(outcome),
        _ => None,
    });
    let generator = outcomes.clone().find_map(|outcome| match outcome {
        Outcome::Generated { state, .. } => Some(state),
        _ => None,
    });
    let memory = outcomes.clone().find_map(|outcome| match outcome {
        Outcome::Trained { memory, .. } => Some(memory),
        _ => None,
    });
    let kept = generator.into_iter().chain(memory);
    assert_eq!(
        names(&run_dir.join("state")),
        kept.map(|file| file.sha256.clone()).collect()
    );
    for (name, lines) in [
        ("simulation_records.jsonl", rows(&run_dir).len()),
        ("rl_records.jsonl", 3),
        ("screening_records.jsonl", 3),
    ] {
        let text = fs::read_to_string(run_dir.join(name)).unwrap();
        assert!(text.lines().count() >= lines, "{name}");
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[test]
fn energy_per_atom_is_minimised_when_asked_for() {
    let campaign = Campaign::tiny().with(": atomization_energy", ": atomization_energy_per_atom");
    let json = campaign.run("run", &["--json"]).with_code(0).json();
    let rows = rows(&campaign.path("run"));
    let per_atom = |row: &BTreeMap<String, String>| {
        row["atomization_energy_per_atom_hartree"]
            .parse()
            .unwrap_or(f64::INFINITY)
    };
    let best = rows
        .iter()
        .min_by(|a, b| per_atom(a).total_cmp(&per_atom(b)))
        .unwrap();
    assert_eq!(json["best"]["smiles"], best["smiles"].as_str());
    assert_eq!(json["best"]["value"].as_f64(), Some(per_atom(best)));
    assert!(per_atom(best) > -0.5, "a bond or two for each atom");
    for row in &rows {
        if let Ok(predicted) = row["prediction_mean_hartree"].parse::<f64>() {
            assert!(
                predicted.abs() < 0.6,
                "predictions are per atom too: {row:?}"
            );
        }
    }
}
