//! The cache across runs, on real runs: hits cost no task, misses are explained, and a faulty cache
//! harms no run.

use std::fs;
use std::path::Path;

use crate::support::runs::{export_without_usage, molecules};
use crate::support::{Campaign, EVALUATIONS, Engine, journal, on, rows, wait};
use moldflow::task::{Event, Fact, Outcome};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

/// H, C, N, O and F.
const ATOMS: usize = 5;

fn campaign() -> Campaign {
    Campaign::tiny().with("seed: 7\n", "seed: 7\nschedule: batch\ncache: answers.db\n")
}

fn cached(journal: &[Event]) -> usize {
    let hits = journal
        .iter()
        .filter(|event| matches!(event.fact, Fact::Cached { .. }));
    hits.count()
}

/// Simulations that ran as processes.
fn computed(journal: &[Event]) -> usize {
    let simulated = |event: &&Event| {
        matches!(
            &event.fact,
            Fact::Ended {
                outcome: Outcome::Simulated { .. },
                ..
            }
        )
    };
    journal.iter().filter(simulated).count()
}

/// Does this to a database.
fn sql(path: &Path, statement: &'static str) {
    wait(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut db = options.connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

#[test]
fn what_one_run_computed_another_does_not_compute_again() {
    let campaign = campaign();
    let (one, two) = (
        campaign.completed("one", &[]),
        campaign.completed("two", &[]),
    );
    assert_eq!(computed(&journal(&one)), ATOMS + EVALUATIONS);
    assert_eq!(cached(&journal(&one)), 0);
    assert_eq!(computed(&journal(&two)), 0);
    assert_eq!(cached(&journal(&two)), ATOMS + EVALUATIONS);
    assert_eq!(export_without_usage(&one), export_without_usage(&two));
    for row in rows(&two) {
        assert_eq!(
            (row["cached"].as_str(), row["attempts"].as_str()),
            ("true", "0")
        );
        assert!(row["started"].is_empty() && !row["engine_version"].is_empty());
    }
    let status = on(&two, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["cached"], ATOMS + EVALUATIONS);
    let smiles = rows(&two)[0]["smiles"].clone();
    let explained = on(&two, &["explain", &smiles]).with_code(0).out;
    assert!(explained.contains("that of an earlier run"), "{explained}");
    // And without one nothing is known of another run.
    let campaign = campaign.with("cache: answers.db\n", "");
    let alone = campaign.completed("alone", &[]);
    assert_eq!(computed(&journal(&alone)), ATOMS + EVALUATIONS);
    let explained = on(&alone, &["explain", "1"]).with_code(0).out;
    assert!(explained.contains("the campaign has none"), "{explained}");
}

#[test]
fn a_miss_is_explained_by_the_parts_of_the_key_that_differ() {
    let campaign = campaign();
    campaign.completed("one", &[]);
    let set = [
        "--set",
        "methods.energy.settings={embed_timeout_seconds: 11}",
    ];
    let two = campaign.completed("two", &set);
    assert_eq!(cached(&journal(&two)), 0);
    let smiles = rows(&two)[0]["smiles"].clone();
    let explained = on(&two, &["explain", &smiles]).with_code(0).out;
    let differing: Vec<_> = explained
        .lines()
        .filter(|line| line.ends_with(" in this run"))
        .collect();
    assert_eq!(
        differing,
        ["        settings.embed_timeout_seconds: 60 in the cache, 11 in this run"],
        "{explained}"
    );
    let one = on(&campaign.path("one"), &["explain", &smiles])
        .with_code(0)
        .out;
    assert!(one.contains("had no entry for this molecule"), "{one}");
    let other = on(&two, &["explain", "CCCCCCCCCCC"]).with_code(0).out;
    assert!(other.contains("CCCCCCCCCCC: not computed"), "{other}");
    on(&two, &["explain", "no molecule"]).with_code(1);
}

#[test]
fn an_answer_that_was_damaged_is_computed_again() {
    let campaign = campaign();
    let one = campaign.completed("one", &[]);
    sql(
        &campaign.path("answers.db"),
        "UPDATE entries SET answer = replace(answer, 'total_energy_hartree\":-', 'total_energy_hartree\":-1') \
         WHERE molecule = 'CC' OR molecule = '[C]'",
    );
    let two = campaign.completed("two", &[]);
    assert_eq!(computed(&journal(&two)), 2);
    assert_eq!(export_without_usage(&one), export_without_usage(&two));
}

#[test]
fn a_cache_that_is_damaged_foreign_or_nowhere_never_harms_a_run() {
    let campaign = campaign();
    let one = campaign.completed("one", &[]);
    let foreign = one.join("moldflow.db");
    let before = fs::read(&foreign).unwrap();
    let rubbish = campaign.path("rubbish.db");
    fs::write(&rubbish, "this is no database ".repeat(1000)).unwrap();
    let truncated = campaign.path("truncated.db");
    let whole = fs::read(campaign.path("answers.db")).unwrap();
    fs::write(&truncated, &whole[..whole.len() / 3]).unwrap();
    let nowhere = campaign.path("nowhere/answers.db");
    for (name, cache) in [
        ("two", &foreign),
        ("three", &rubbish),
        ("four", &truncated),
        ("five", &nowhere),
    ] {
        let output = campaign
            .run(name, &["--cache", cache.to_str().unwrap()])
            .with_code(0);
        let log = fs::read_to_string(campaign.path(name).join("runtime.log")).unwrap();
        let told = output.err.contains("warning: the cache is not used");
        assert!(
            told || log.contains("the cache is not used any more"),
            "{name}: {}{log}",
            output.err
        );
        assert_eq!(
            export_without_usage(&campaign.path(name)),
            export_without_usage(&one),
            "{name}"
        );
    }
    let text = "this is no database ".repeat(1000);
    for (path, before) in [(foreign, before), (rubbish, text.into())] {
        assert!(
            fs::read(path).unwrap() == before,
            "somebody else's file is left alone"
        );
    }
}

#[test]
fn a_locked_cache_never_harms_a_run() {
    let campaign = campaign();
    let one = campaign.completed("one", &[]);
    let two = wait(async {
        let options = SqliteConnectOptions::new().filename(campaign.path("answers.db"));
        let mut db = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE")
            .execute(&mut db)
            .await
            .unwrap();
        campaign.completed("two", &[])
    });
    assert_eq!(computed(&journal(&two)), ATOMS + EVALUATIONS);
    assert_eq!(export_without_usage(&one), export_without_usage(&two));
}

#[test]
fn runs_at_the_same_time_share_a_cache() {
    let campaign = campaign();
    // All commands first: each writes the campaign's file again.
    let commands = ["a", "b", "c"].map(|name| (campaign.run_command(name, &["--quiet"]), name));
    let mut engines = commands.map(|(command, name)| Engine::start(command, campaign.path(name)));
    for engine in &mut engines {
        assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
        assert!(!engine.err().contains("warning"), "{}", engine.err());
    }
    for name in ["a", "b", "c"] {
        let log = fs::read_to_string(campaign.path(name).join("runtime.log")).unwrap();
        assert!(!log.contains("not used any more"), "{log}");
    }
    let after = campaign.completed("after", &[]);
    assert_eq!(computed(&journal(&after)), 0);
    assert_eq!(
        export_without_usage(&after),
        export_without_usage(&campaign.path("a"))
    );
    assert_eq!(molecules(&rows(&after)).len(), EVALUATIONS);
}
