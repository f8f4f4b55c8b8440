//! The program itself on tiny campaigns: run to the end, killed, interrupted, resumed, watched, refused.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use moldflow::task::{Event, Fact, FailureKind, Outcome, TaskId};
use support::{
    Campaign, EVALUATIONS, Engine, Said, journal, moldflow, on, processes, rows, run_name, said,
    wait_until,
};

/// A run without what it cost: what two runs of the same campaign have in common.
fn export_without_usage(run_dir: &Path) -> Vec<BTreeMap<String, String>> {
    let mut rows = rows(run_dir);
    for row in &mut rows {
        row.retain(|column, _| {
            !["submitted", "started", "finished", "peak_memory_mib"].contains(&column.as_str())
        });
    }
    rows
}

/// The answer of every task that succeeded; fails if one was computed twice.
fn answers(journal: &[Event]) -> BTreeMap<TaskId, Outcome> {
    let mut answers = BTreeMap::new();
    for event in journal {
        if let Fact::Ended { task, outcome, .. } = &event.fact {
            assert!(!answers.contains_key(task), "task {task} was done before");
            if !matches!(outcome, Outcome::Failed(_)) {
                answers.insert(*task, outcome.clone());
            }
        }
    }
    answers
}

/// Attempts that failed, by what.
fn failures(journal: &[Event]) -> Vec<FailureKind> {
    let failed = journal.iter().filter_map(|event| match &event.fact {
        Fact::Ended {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.kind),
        _ => None,
    });
    failed.collect()
}

fn molecules(rows: &[BTreeMap<String, String>]) -> Vec<&str> {
    rows.iter().map(|row| row["smiles"].as_str()).collect()
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return vec![];
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What holds of every run that was resumed to its end.
fn assert_whole(run_dir: &Path) {
    let rows = rows(run_dir);
    let evaluated: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "computed")
        .cloned()
        .collect();
    assert_eq!(evaluated.len(), EVALUATIONS);
    assert_eq!(
        molecules(&rows).iter().collect::<BTreeSet<_>>().len(),
        rows.len(),
        "a molecule is there twice"
    );
    let journal = journal(run_dir);
    answers(&journal);
    // The machine took a few attempts; no task is to blame.
    assert!(
        failures(&journal)
            .iter()
            .all(|kind| *kind == FailureKind::Lost),
        "{:?}",
        failures(&journal)
    );
    wait_until("the end of all tasks", || {
        processes(&format!("{}.", run_name(run_dir))).is_empty()
    });
    assert!(
        names(&run_dir.join("state")).len() <= 1,
        "{:?}",
        names(&run_dir.join("state"))
    );
    let tasks = run_dir.join("tasks");
    let kept: usize = names(&tasks)
        .iter()
        .map(|task| names(&tasks.join(task)).len())
        .sum();
    assert_eq!(
        kept,
        failures(&journal).len(),
        "only failed attempts are kept"
    );
}

fn assert_same(run_dir: &Path, calm: &Path) {
    assert_eq!(export_without_usage(run_dir), export_without_usage(calm));
    // Agents, models and predictions included: files are named by their content.
    assert_eq!(answers(&journal(run_dir)), answers(&journal(calm)));
}

#[test]
fn a_run_ends_with_what_was_asked_for() {
    let tiny = Campaign::tiny();
    let said = tiny.run("run", &["--json"]).with_code(0);
    let json = said.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "run_dir",
            "evaluations",
            "failures",
            "batches",
            "best",
            "stopped_by"
        ]
    );
    let keys: Vec<&String> = json["best"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["smiles", "value", "unit"]);
    assert_eq!(json["evaluations"], EVALUATIONS);
    assert_eq!(json["failures"], 0);
    assert_eq!(json["stopped_by"], "evaluations");
    let run_dir = tiny.path("run");
    assert_eq!(
        json["run_dir"],
        run_dir.canonicalize().unwrap().display().to_string()
    );

    let rows = rows(&run_dir);
    let columns = "smiles energy_hartree energy_kcal_mol total_energy_hartree status failure batch rank predicted method submitted started finished";
    for column in columns.split(' ') {
        assert!(rows[0].contains_key(column), "no column {column}");
    }
    let computed: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "computed")
        .collect();
    assert_eq!(computed.len(), EVALUATIONS);
    assert_eq!(
        molecules(&rows).iter().collect::<BTreeSet<_>>().len(),
        rows.len()
    );
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().unwrap();
    for row in &computed {
        let (energy, kcal) = (
            number(row, "energy_hartree"),
            number(row, "energy_kcal_mol"),
        );
        assert!(
            (kcal - 627.509474 * energy).abs() < 1e-5 * kcal.abs(),
            "{row:?}"
        );
        assert!(
            number(row, "total_energy_hartree") < energy && energy < 0.0,
            "{row:?}"
        );
        assert!(
            row["submitted"] <= row["started"] && row["started"] <= row["finished"],
            "{row:?}"
        );
    }
    let best = computed
        .iter()
        .min_by(|a, b| number(a, "energy_hartree").total_cmp(&number(b, "energy_hartree")))
        .unwrap();
    assert_eq!(json["best"]["smiles"], best["smiles"].as_str());
    assert_eq!(
        json["best"]["value"].as_f64(),
        Some(number(best, "energy_hartree"))
    );
    for pair in rows
        .windows(2)
        .filter(|pair| pair[0]["batch"] == pair[1]["batch"] && pair[0]["batch"] != "0")
    {
        assert!(number(&pair[0], "rank") < number(&pair[1], "rank"));
        assert!(
            number(&pair[0], "predicted") <= number(&pair[1], "predicted"),
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
                    total_energy_hartree,
                    atoms: of,
                },
            ..
        } = &event.fact
        else {
            continue;
        };
        if of.values().sum::<u32>() == 1 {
            atoms.insert(of.keys().next().unwrap().clone(), *total_energy_hartree);
            continue;
        }
        let apart: f64 = of
            .iter()
            .map(|(element, count)| atoms[element] * f64::from(*count))
            .sum();
        let total = total_energy_hartree.to_string();
        let row = rows
            .iter()
            .find(|row| row["total_energy_hartree"] == total)
            .expect("its row");
        let energy: f64 = row["energy_hartree"].parse().unwrap();
        assert!(
            (energy - (total_energy_hartree - apart)).abs() < 1e-10,
            "{row:?}"
        );
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
fn killed_at_any_moment_and_resumed_a_run_is_the_same() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    let facts = journal(&calm).len();
    for n in (1..facts).step_by(3) {
        let name = format!("killed{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "batch"]);
        engine.wait_for_facts(n);
        engine.kill();
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
        assert_whole(&run_dir);
    }
}

#[test]
fn killed_again_and_again_a_run_is_the_same() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    let run_dir = tiny.path("killed");
    let mut engine = tiny.start("killed", &["--schedule", "batch"]);
    for n in 0.. {
        // Now and then the whole machine fails, and its tasks with it.
        let machine_fails = n % 3 == 2;
        let before = journal(&run_dir).len();
        engine.wait_for_facts(before + 2);
        if engine.has_ended() {
            break;
        }
        engine.kill();
        if machine_fails {
            for id in processes(&format!("{}.", run_name(&run_dir))) {
                let _ = std::process::Command::new("kill")
                    .args(["-9", &id.to_string()])
                    .output();
            }
        }
        engine = Engine::resume(&run_dir);
    }
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_same(&run_dir, &calm);
    assert_whole(&run_dir);
}

#[test]
fn killed_in_its_first_moments_a_run_is_resumed() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    for (name, file) in [
        ("campaign", "campaign.yml"),
        ("database", "moldflow.db"),
        ("log", "runtime.log"),
    ] {
        let run_dir = tiny.path(name);
        let engine = tiny.start(name, &["--schedule", "batch"]);
        wait_until(file, || run_dir.join(file).exists());
        engine.kill();
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
    }
}

#[test]
fn an_interleaved_run_that_is_killed_and_resumed_loses_nothing_and_doubles_nothing() {
    let tiny = Campaign::tiny();
    for n in [4, 9, 13, 18] {
        let name = format!("killed{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "interleaved"]);
        engine.wait_for_facts(n);
        engine.kill();
        let json = on(&run_dir, &["resume", "--json"]).with_code(0).json();
        assert_eq!(
            (&json["evaluations"], &json["failures"]),
            (&EVALUATIONS.into(), &0.into())
        );
        assert_whole(&run_dir);
    }
}

/// A campaign whose generator takes long, so that there is time to look at the run.
fn slow() -> Campaign {
    Campaign::tiny().with("episodes: 2, steps: 6", "episodes: 30, steps: 20")
}

/// A run whose generator is at work.
fn at_work(campaign: &Campaign, name: &str) -> (Engine, PathBuf) {
    let mut engine = campaign.start(name, &["--schedule", "batch"]);
    let trained = |event: &Event| {
        matches!(
            event.fact,
            Fact::Ended {
                outcome: Outcome::Trained { .. },
                ..
            }
        )
    };
    engine.wait_for_journal(|journal| journal.iter().any(trained));
    let run_dir = campaign.path(name);
    assert!(!engine.has_ended(), "{}", engine.err());
    (engine, run_dir)
}

#[test]
fn a_second_engine_is_refused_and_the_run_can_be_watched() {
    let campaign = slow();
    let (mut engine, run_dir) = at_work(&campaign, "run");
    for second in [on(&run_dir, &["resume"]), campaign.run("run", &[])] {
        let Said { err, .. } = second.with_code(1);
        assert!(
            err.contains("another engine is at work") || err.contains("there is a run in"),
            "{err}"
        );
        assert!(err.contains(&run_dir.display().to_string()), "{err}");
    }
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let keys: BTreeSet<&str> = status
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in "run_dir evaluations failures batches best stopped_by state queued in_flight slots"
        .split(' ')
    {
        assert!(keys.contains(key), "no key {key}: {status}");
    }
    assert!(status["evaluations"].as_u64() >= Some(3), "{status}");
    assert_eq!(status["stopped_by"], serde_json::Value::Null);
    if !engine.has_ended() {
        assert_eq!(status["state"], "running");
    }
    assert_eq!(status["slots"]["qc"]["all"], 2);
    assert_eq!(status["slots"]["ml"]["all"], 1);
    assert!(rows(&run_dir).len() >= 3);
    let lines = on(&run_dir, &["export", "--format", "jsonl"])
        .with_code(0)
        .out;
    assert!(lines.lines().count() >= 3);
    assert!(
        on(&run_dir, &["status"])
            .with_code(0)
            .out
            .contains("evaluations")
    );
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["state"], "finished");
    assert_eq!(status["stopped_by"], "evaluations");
    assert_eq!(status["slots"]["ml"]["busy"], 0);
}

#[test]
fn looking_at_a_run_does_not_keep_it_from_being_resumed() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("run", &[]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    on(&run_dir, &["status"]).with_code(0);
                }
            });
        }
        let codes: Vec<_> = (0..10).map(|_| on(&run_dir, &["resume"]).code).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(codes, [Some(0); 10]);
    });
}

#[test]
fn ctrl_c_waits_for_what_runs_and_the_run_can_be_resumed() {
    let tiny = Campaign::tiny();
    let calm = tiny.completed("calm", &["--schedule", "batch"]);
    for n in [2, 7, 10, 16] {
        let name = format!("interrupted{n}");
        let run_dir = tiny.path(&name);
        let mut engine = tiny.start(&name, &["--schedule", "batch"]);
        engine.wait_for_facts(n);
        engine.signal("INT");
        assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
        let resume = format!(
            "moldflow resume {}",
            run_dir.canonicalize().unwrap().display()
        );
        assert!(engine.err().contains(&resume), "{}", engine.err());
        let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
        assert_eq!(
            (&status["state"], &status["stopped_by"]),
            (&"interrupted".into(), &"interrupted".into())
        );
        assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
        assert_whole(&run_dir);
        assert!(
            failures(&journal(&run_dir)).is_empty(),
            "what ran was waited for"
        );
    }
}

#[test]
fn ctrl_c_twice_stops_at_once_and_the_run_can_be_resumed() {
    let campaign = slow();
    let (mut engine, run_dir) = at_work(&campaign, "run");
    engine.signal("INT");
    wait_until("the answer", || {
        engine.err().contains("no new tasks") || engine.has_ended()
    });
    engine.signal("INT");
    assert_eq!(engine.exit_code(), Some(130), "{}", engine.err());
    assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
    let trained = journal(&run_dir).last().is_some_and(|event| {
        matches!(
            event.fact,
            Fact::Ended {
                outcome: Outcome::Trained { .. },
                ..
            }
        )
    });
    assert!(trained, "the generator was not waited for");
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);
    assert_eq!(failures(&journal(&run_dir)), [FailureKind::Lost]);
}

#[test]
fn a_generator_that_was_cancelled_leaves_neither_process_nor_file() {
    // Once the last evaluation has ended the generator is of no use any more: it is cancelled in the middle.
    let campaign = slow()
        .with("evaluations: 6", "evaluations: 1")
        .with("barren_batches: 10", "barren_batches: 10, target: -0.01");
    let run_dir = campaign.completed("run", &[]);
    assert!(processes(&format!("{}.", run_name(&run_dir))).is_empty());
    assert!(names(&run_dir.join("state")).len() <= 1);
    assert!(files_below(&run_dir.join("tasks")).is_empty());
}

#[test]
fn a_wrong_campaign_is_exit_1_and_makes_nothing() {
    let wrong = Campaign::tiny().with("kind: train", "kind: tarin");
    let said = wrong.run("run", &[]).with_code(1);
    assert!(said.err.contains("tarin"), "{}", said.err);
    assert!(!wrong.path("run").exists());
    let missing = said_of(&["run", "no-such-campaign.yml", "--run-dir", "x"]).with_code(1);
    assert!(
        missing.err.contains("no-such-campaign.yml"),
        "{}",
        missing.err
    );
    let greedy = Campaign::tiny().with("source: qm9", "source: few.smi");
    fs::write(greedy.path("few.smi"), "C\nCC\n").unwrap();
    let said = greedy.run("run", &[]).with_code(1);
    assert!(
        said.err.contains('3') && said.err.contains('2'),
        "{}",
        said.err
    );
    assert!(
        !greedy.path("run").exists(),
        "{:?}",
        names(&greedy.path("run"))
    );
}

fn said_of(arguments: &[&str]) -> Said {
    said(&mut moldflow(arguments))
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
        let said = said_of(arguments).with_code(2);
        assert!(!said.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn when_nothing_can_be_computed_it_is_exit_3_with_the_last_failure() {
    let hopeless = Campaign::tiny()
        .with("source: qm9", "source: hopeless.smi")
        .with("count: 3", "count: 2");
    fs::write(hopeless.path("hopeless.smi"), "F\nO=O\n[O-]C\n").unwrap();
    let said = hopeless.run("run", &["--json"]).with_code(3);
    assert_eq!(said.json()["stopped_by"], "nothing_computed");
    assert_eq!(said.json()["best"], serde_json::Value::Null);
    assert_eq!(said.json()["evaluations"], said.json()["failures"]);
    assert!(said.err.contains("last failure"), "{}", said.err);
    let run_dir = hopeless.path("run");
    let failed = rows(&run_dir);
    assert!(
        failed
            .iter()
            .all(|row| row["status"] == "failed" && !row["failure"].is_empty()),
        "{failed:?}"
    );
    // Of each failed attempt everything is kept.
    let kept = files_below(&run_dir.join("tasks"));
    for name in ["stdout", "stderr", "input.json", "result.json"] {
        assert_eq!(
            kept.iter().filter(|path| path.ends_with(name)).count(),
            failed.len(),
            "{name}: {kept:?}"
        );
    }
    assert!(said.err.contains("kept in tasks/"), "{}", said.err);
    on(&run_dir, &["resume"]).with_code(3);
}

#[test]
fn a_directory_that_holds_a_run_is_refused_and_a_finished_run_shows_its_table_again() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("run", &[]);
    let before = fs::read(run_dir.join("campaign.yml")).unwrap();
    let said = tiny.run("run", &["--seed", "9"]).with_code(1);
    assert!(said.err.contains("moldflow resume"), "{}", said.err);
    assert_eq!(fs::read(run_dir.join("campaign.yml")).unwrap(), before);
    let facts = journal(&run_dir);
    let again = on(&run_dir, &["resume"]).with_code(0);
    let best = rows(&run_dir)
        .into_iter()
        .min_by(|a, b| number(a).total_cmp(&number(b)))
        .unwrap();
    assert!(again.out.contains(&best["smiles"]), "{}", again.out);
    assert_eq!(journal(&run_dir), facts, "nothing happened");
}

fn number(row: &BTreeMap<String, String>) -> f64 {
    row["energy_hartree"].parse().unwrap_or(f64::INFINITY)
}

#[test]
fn two_runs_started_in_one_directory_at_once_are_one_run() {
    let tiny = Campaign::tiny();
    let (mut one, mut other) = (
        tiny.run_command("run", &[]),
        tiny.run_command("run", &["--seed", "9"]),
    );
    let codes = std::thread::scope(|scope| {
        let runs = [
            scope.spawn(|| said(&mut one).code),
            scope.spawn(|| said(&mut other).code),
        ];
        runs.map(|run| run.join().unwrap())
            .into_iter()
            .collect::<BTreeSet<_>>()
    });
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]));
    assert_whole(&tiny.path("run"));
}

#[test]
fn what_is_no_run_directory_is_exit_1() {
    let tiny = Campaign::tiny();
    let dir = tiny.path("");
    for arguments in [&["resume"][..], &["status"], &["export", "--format", "csv"]] {
        let said = on(&dir, arguments).with_code(1);
        assert!(said.err.contains("no run directory"), "{}", said.err);
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
    let said = campaign.run("run", &["--json"]).with_code(3);
    assert_eq!(said.json()["stopped_by"], "generator_failed");
    assert_eq!(said.json()["evaluations"], 3);
    assert!(
        said.err.contains("generator failed") && said.err.contains("timeout"),
        "{}",
        said.err
    );
    let journal = journal(&campaign.path("run"));
    assert_eq!(failures(&journal), [FailureKind::Timeout; 2]);
}

#[test]
fn a_run_directory_holds_what_it_should_and_is_the_users_alone() {
    let tiny = Campaign::tiny();
    let run_dir = tiny.completed("made/below/run", &[]);
    let expected = "campaign.yml host_info.json lock moldflow.db qc_spec.json rl_records.jsonl run_params.json runtime.log \
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
    // The agent, as the last call left it.
    let agents = journal(&run_dir)
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::Ended {
                outcome: Outcome::Generated { agent, .. },
                ..
            } => Some(agent.sha256),
            _ => None,
        });
    assert_eq!(
        names(&run_dir.join("state")),
        agents.last().into_iter().collect()
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
    let campaign = Campaign::tiny().with(
        "objective: atomization_energy",
        "objective: atomization_energy_per_atom",
    );
    let json = campaign.run("run", &["--json"]).with_code(0).json();
    let rows = rows(&campaign.path("run"));
    let per_atom = |row: &BTreeMap<String, String>| {
        row["energy_per_atom_hartree"]
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
        if let Ok(predicted) = row["predicted"].parse::<f64>() {
            assert!(
                predicted.abs() < 0.6,
                "predictions are per atom too: {row:?}"
            );
        }
    }
}

#[test]
fn a_run_goes_on_after_its_source_is_gone() {
    let campaign = Campaign::tiny().with("source: qm9", "source: some.smi");
    let source = campaign.path("some.smi");
    fs::write(&source, "C\nCC\nCO\nC=O\nCCO\nCN\n").unwrap();
    let mut engine = campaign.start("run", &[]);
    engine.wait_for_facts(3);
    engine.kill();
    fs::remove_file(&source).unwrap();
    on(&campaign.path("run"), &["resume"]).with_code(0);
    assert_whole(&campaign.path("run"));
}
