//! `report.html`: its numbers are those of the database, its text is text, and its size has a
//! bound.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::costs::assert_costs;
use crate::html::{assert_inert, field, table, text};
use crate::support::{Campaign, Engine, on, rows, wait, wait_until};
use moldflow::config::campaign::Overrides;
use moldflow::plan;
use moldflow::report::{PageContext, RunOrigin, RunState, page};
use moldflow::store::{Commit, ObjectiveInfo, RunInfo, Store};
use moldflow::task::{
    Candidate, EndState, Event, Fact, Failure, FailureKind, Prediction, Record, TaskId, Usage,
};
use tempfile::TempDir;

fn read(run_dir: &Path) -> String {
    fs::read_to_string(run_dir.join("report.html")).expect("a page")
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

#[test]
fn the_numbers_of_a_page_are_those_of_the_database() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let page = read(&run_dir);
    assert_inert(&page);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    for count in ["evaluations", "failures", "cached", "queued", "in_flight"] {
        assert_eq!(field(&page, count), status[count].to_string(), "{count}");
    }
    assert_eq!(field(&page, "batches_made"), status["batches"].to_string());
    assert_eq!(field(&page, "state"), "finished");
    assert_eq!(field(&page, "why"), "all evaluations asked for are done");
    assert_eq!(field(&page, "level"), "GFN2-xTB//MMFF94");
    assert_eq!(
        field(&page, "objective"),
        "lowest atomization energy, hartree"
    );

    let mut computed = rows(&run_dir);
    computed.retain(|row| row["status"] == "evaluated");
    computed.sort_by(|a, b| {
        number(a, "atomization_energy_hartree").total_cmp(&number(b, "atomization_energy_hartree"))
    });
    assert_best(&page, &computed);

    let proposed = computed.iter().filter(|row| row["batch"] != "0");
    let errors = proposed.map(|row| {
        (number(row, "prediction_mean_hartree") - number(row, "atomization_energy_hartree")).abs()
    });
    let errors: Vec<f64> = errors.collect();
    assert_eq!(field(&page, "predictions"), errors.len().to_string());
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let shown: f64 = field(&page, "error").parse().unwrap();
    assert!((shown - mean).abs() < 1e-6, "{shown} {mean}");

    assert_stages(&page, &run_dir);
    assert_costs(&page, &run_dir, &computed);
}

/// Requires that the table of the best molecules has these rows of an export.
#[track_caller]
fn assert_best(page: &str, computed: &[BTreeMap<String, String>]) {
    let expected = (1..).zip(computed).map(|(place, row)| {
        let is_initial = row["batch"] == "0";
        vec![
            place.to_string(),
            row["smiles"].clone(),
            format!("{:.6}", number(row, "atomization_energy_hartree")),
            format!(
                "{:.2}",
                627.509_474 * number(row, "atomization_energy_hartree")
            ),
            if is_initial {
                "source".into()
            } else {
                row["batch"].clone()
            },
            (row["rank"].parse::<u32>().unwrap() + 1).to_string(),
            if is_initial {
                "-".into()
            } else {
                let mean = number(row, "prediction_mean_hartree");
                let std = number(row, "prediction_std_hartree");
                Prediction { mean, std }.to_string()
            },
        ]
    });
    assert_eq!(table(page, "best_table"), expected.collect::<Vec<_>>());
}

#[track_caller]
fn assert_stages(page: &str, run_dir: &Path) {
    let stages = table(page, "stages");
    let tasks: i64 = stages
        .iter()
        .map(|row| row[3].parse::<i64>().unwrap())
        .sum();
    let store = async { Store::open_to_read(run_dir).await?.tasks_by_state().await };
    assert_eq!(
        tasks,
        wait(store)
            .unwrap()
            .iter()
            .map(|kind| kind.count)
            .sum::<i64>()
    );
    let names: BTreeSet<&str> = stages.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        names,
        BTreeSet::from([
            "evaluate",
            "free_atoms",
            "generate",
            "initial",
            "screen",
            "train"
        ])
    );
    assert_eq!(table(page, "places").len(), 2);
}

#[test]
fn a_failed_attempt_is_shown_with_what_its_program_said() {
    let fault = "echo '<script>alert(\"1\")</script>' >&2; exit 3";
    let campaign = Campaign::of_a_program().with_fault(fault);
    let run_dir = campaign.completed("run", &[]);
    let page = read(&run_dir);
    assert_inert(&page);
    assert_eq!(field(&page, "retries"), "1");
    assert_eq!(field(&page, "failures"), "0");
    let failed = page.split("<div class=\"failure\">").skip(1);
    let failed: Vec<String> = failed.map(text).collect();
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0].starts_with("<strong>exit</strong>"),
        "{}",
        failed[0]
    );
    assert!(
        failed[0].contains("<script>alert(\"1\")</script>"),
        "{}",
        failed[0]
    );
}

#[test]
fn a_page_is_written_while_an_engine_runs_after_a_kill_and_at_the_end() {
    let fault = r#"touch "$here/waits"; while [ ! -e "$here/go" ]; do sleep 0.02; done"#;
    let campaign = Campaign::of_a_program().with_fault(fault);
    let run_dir = campaign.path("run");
    let engine = campaign.start("run", &[]);
    wait_until("the task", || campaign.path("waits").exists());
    let output = on(&run_dir, &["report"]).with_code(0);
    assert_eq!(
        Path::new(output.out.trim_end()),
        run_dir.canonicalize().unwrap().join("report.html")
    );
    assert_eq!(field(&read(&run_dir), "state"), "running");
    engine.kill();
    let out = campaign.path("page.html");
    on(&run_dir, &["report", "--out", out.to_str().unwrap()]).with_code(0);
    assert_eq!(
        field(&fs::read_to_string(&out).unwrap(), "state"),
        "interrupted"
    );
    assert_eq!(
        field(&read(&run_dir), "state"),
        "running",
        "only the other file was written"
    );
    let mut engine = Engine::resume(&run_dir);
    fs::write(campaign.path("go"), "").unwrap();
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    assert_eq!(field(&read(&run_dir), "state"), "finished");
    let printed = on(&run_dir, &["report", "--out", "-"]).with_code(0).out;
    assert_eq!(
        field(&printed, "evaluations"),
        field(&read(&run_dir), "evaluations")
    );
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_that_names_it() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let out = campaign.path("nowhere/page.html");
    let output = on(&run_dir, &["report", "--out", out.to_str().unwrap()]).with_code(1);
    assert!(output.err.contains(out.to_str().unwrap()), "{}", output.err);
    let output = on(&campaign.path("none"), &["report"]).with_code(1);
    assert!(output.err.contains("does not exist"), "{}", output.err);
}

fn objective(label: &str, unit: &str) -> ObjectiveInfo {
    ObjectiveInfo {
        property: "atomization_energy".into(),
        label: label.into(),
        unit: unit.into(),
        highest: false,
    }
}

/// Page of a run with these records.
fn made(campaign: &str, objective: ObjectiveInfo, records: Vec<Record>) -> String {
    let dir = TempDir::new().unwrap();
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/quickstart.yml");
    let (loaded, _) = plan::load(
        &quickstart,
        &Overrides::default(),
        &plan::HostEnvironment::default(),
    )
    .unwrap();
    let info = RunInfo {
        name: "00c0ffee".into(),
        campaign: campaign.into(),
        created: 1_795_000_000_000,
        version: "0.2.0".into(),
        objectives: vec![objective],
    };
    let event = Event {
        at: 1_795_000_060_000,
        fact: Fact::Resumed,
    };
    let batch = Commit {
        facts: vec![(event, records)],
        ..Commit::default()
    };
    let context = PageContext {
        state: RunState::Interrupted,
        level_of_theory: "GFN2-xTB//MMFF94".into(),
        constraints: vec![],
        site: loaded.site,
        partitions: BTreeMap::from([("energy".into(), "qc".into())]),
        cores: BTreeMap::from([("energy".into(), 2)]),
        target: None,
        origin: RunOrigin {
            directory: "run".into(),
            ..RunOrigin::default()
        },
        at: 1_795_000_120_000,
    };
    wait(async {
        let mut store = Store::create(dir.path(), &info).await.unwrap();
        store.commit(&batch).await.unwrap();
        page(&mut store, &context).await.unwrap()
    })
}

/// A molecule that was proposed, handed over and computed, or failed so.
fn evaluation(n: u32, smiles: &str, outcome: Result<f64, Failure>) -> Vec<Record> {
    let (batch, rank, task) = (n / 10, n % 10, TaskId(u64::from(n) + 1));
    let prediction = Prediction {
        mean: -1.0 - f64::from(n % 97) / 50.0,
        std: 0.25,
    };
    let predictions = (batch > 0).then(|| ("atomization_energy".to_owned(), prediction));
    let candidate = Candidate {
        smiles: smiles.into(),
        batch,
        rank,
        predictions: predictions.into_iter().collect(),
        generator: None,
        parents: vec![],
    };
    let (stage, failure) = ("evaluate".into(), outcome.clone().err());
    let state = match failure.clone() {
        Some(failure) => EndState::Failed(failure),
        None => EndState::Succeeded,
    };
    let smiles = Some(smiles.to_owned());
    let mut records = vec![
        Record::Queued(candidate),
        Record::TaskCreated {
            task,
            stage,
            method: "energy".into(),
            smiles,
            batch: Some(batch),
        },
        Record::Evaluating { batch, rank, task },
    ];
    records.extend(failure.clone().map(|failure| Record::AttemptFailed {
        task,
        attempt: 1,
        failure,
        usage: Usage::default(),
    }));
    records.push(match outcome {
        Ok(value) => Record::Evaluated {
            batch,
            rank,
            values: BTreeMap::from([("atomization_energy".into(), value)]),
            objective: Some(value),
            feasible: None,
        },
        Err(_) => Record::EvaluationFailed { batch, rank, task },
    });
    records.push(Record::TaskEnded {
        task,
        state,
        usage: Usage::default(),
    });
    records
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "<script>alert('1')</script>\"><img src=x onerror=\"a()\">&{{state}}{{{state}}}";
    let message = format!("{hostile}\n\u{1b}[31mred\u{0}\n</pre></svg></style>\nfour\nfive");
    let failure = Failure {
        kind: FailureKind::Exit,
        message,
    };
    let mut records = evaluation(0, hostile, Ok(-1.0));
    records.extend(evaluation(11, &format!("{hostile}2"), Ok(-2.0)));
    records.extend(evaluation(12, hostile, Err(failure)));
    let page = made(hostile, objective(hostile, "<eV>"), records);
    assert_inert(&page);
    assert_eq!(field(&page, "evaluations"), "3");
    assert_eq!(field(&page, "failures"), "1");
    assert_eq!(field(&page, "objective"), format!("lowest {hostile}, <eV>"));
    assert_eq!(
        table(&page, "best_table")[1][1..4],
        [hostile, "-1.000000", "source"]
    );
    let (_, shown) = page.split_once("<pre>").unwrap();
    let shown = text(shown.split_once("</pre>").unwrap().0);
    assert_eq!(
        shown,
        format!("{hostile}\n\u{fffd}[31mred\u{fffd}\n</pre></svg></style>\nfour\n...")
    );
}

#[test]
fn a_run_without_an_evaluation_has_a_page() {
    let page = made(
        "nothing yet",
        objective("atomization energy", "hartree"),
        vec![],
    );
    assert_inert(&page);
    assert_eq!(field(&page, "evaluations"), "0");
    assert_eq!(field(&page, "state"), "interrupted");
    assert!(!page.contains("<svg"), "nothing to draw");
    assert_eq!(
        field(&page, "verdict"),
        "No molecule has been computed yet: the run was interrupted and can be resumed."
    );
    let why = "<span id=\"why\">no engine is at work; <code>moldflow resume</code> continues the run</span>";
    assert!(page.contains(why));
}

#[test]
fn the_verdict_says_where_the_best_molecule_came_from_and_what_failed() {
    let failure = Failure {
        kind: FailureKind::Exit,
        message: "no".into(),
    };
    let energy = || objective("atomization energy", "hartree");
    let mut records = evaluation(0, "CC", Ok(-2.0));
    records.extend(evaluation(11, "CCC", Ok(-1.5)));
    records.extend(evaluation(12, "CCCC", Err(failure)));
    let interrupted = "the run was interrupted and can be resumed";
    assert_eq!(
        field(&made("source", energy(), records.clone()), "verdict"),
        format!(
            "So far the best of 2 computed molecules is CC at -2.000000 hartree: it was in the source, and \
             the only proposed molecule does not beat it; 1 of 3 molecules failed (1 exit), and a better \
             one may be among them; {interrupted}."
        )
    );
    // Predicted with a mean of -1.32 and a standard deviation of 0.25.
    records.extend(evaluation(16, "CCCCC", Ok(-2.5)));
    let page = made("proposed", energy(), records);
    assert_eq!(
        field(&page, "verdict"),
        format!(
            "So far the best of 3 computed molecules is CCCCC at -2.500000 hartree: it was proposed in \
             batch 1, the only one of 2 proposed molecules better than the best initial molecule, -2.000000 \
             hartree; the model had predicted -1.32 ± 0.25, 4.7 standard deviations off: look at \
             it before believing it; 1 of 4 molecules failed (1 exit), and a better one may be among them; \
             {interrupted}."
        )
    );
    // Of the two errors, 0.28 and 1.18, none is within 0.674 standard deviations, one within 1.645.
    assert_eq!(field(&page, "held-50"), "0 %");
    assert_eq!(field(&page, "held-90"), "50 %");
    assert_eq!(table(&page, "kinds"), [["exit", "1", "1"]]);
}

#[test]
fn the_page_of_a_run_of_5000_evaluations_is_below_2_mb() {
    let failure = |n| Failure {
        kind: FailureKind::Exit,
        message: format!("{n} ").repeat(10_000),
    };
    let outcome = |n| match n % 7 {
        0 => Err(failure(n)),
        // Better and better, so that every second one is the best so far.
        1 | 3 | 5 => Ok(-1.0 - f64::from(n) / 1234.5),
        _ => Ok(-f64::from(n * 7919 % 5003) / 5003.0),
    };
    let smiles = |n| format!("C{}", "(C)".repeat(n as usize % 20));
    let records = (0..5000).flat_map(|n| evaluation(n, &smiles(n), outcome(n)));
    let page = made(
        "large",
        objective("atomization energy", "hartree"),
        records.collect(),
    );
    assert_inert(&page);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert_eq!(field(&page, "evaluations"), "5000");
    assert_eq!(field(&page, "failures"), "715");
    assert_eq!(
        table(&page, "best_table")[0][2],
        format!("{:.6}", -1.0 - 4999.0_f64 / 1234.5)
    );
}
