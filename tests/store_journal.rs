//! The database of a run: what is committed, what is seen while it is written, and what the journal
//! alone gives back.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use moldflow::config::campaign::Overrides;
use moldflow::engine::Engine;
use moldflow::plan;
use moldflow::store::{CandidateRow, Commit, FILE, ObjectiveInfo, RunInfo, SimulationRow, Store};
use moldflow::task::{Candidate, Event, Fact, Outcome, Prediction, Record, TaskId};
use support::{Campaign, journal, wait};
use tempfile::TempDir;

fn info() -> RunInfo {
    RunInfo {
        name: "00c0ffee".into(),
        campaign: "a campaign".into(),
        created: 1_795_000_000_000,
        version: "0.2.0".into(),
        objectives: vec![ObjectiveInfo {
            property: "atomization_energy".into(),
            label: "atomization energy".into(),
            unit: "hartree".into(),
            highest: false,
        }],
    }
}

fn began(at: i64) -> Event {
    let fact = Fact::Began {
        molecules: BTreeMap::from([("initial".into(), vec!["C".into(), "CC".into()])]),
        reserve: vec![],
        pool: None,
        atom_retries: 0,
    };
    Event { at, fact }
}

fn queued(rank: u32) -> Record {
    let prediction = Prediction {
        mean: -0.1 - 0.2,
        std: 1.0 / 3.0,
    };
    Record::Queued(Candidate {
        smiles: format!("C{rank}"),
        batch: 1,
        rank,
        predictions: BTreeMap::from([("atomization_energy".into(), prediction)]),
        generator: None,
        parents: vec![],
    })
}

fn batch(event: Event, records: Vec<Record>) -> Commit {
    Commit {
        facts: vec![(event, records)],
        ..Commit::default()
    }
}

fn resumed(at: i64) -> Event {
    Event {
        at,
        fact: Fact::Resumed,
    }
}

async fn facts(store: &mut Store) -> Vec<Event> {
    let mut events = Vec::new();
    store
        .replay(|_, event| events.push(event))
        .await
        .expect("readable");
    events
}

#[test]
fn what_was_committed_is_there_when_the_database_is_opened_again() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        store
            .commit(&batch(began(1), vec![queued(0)]))
            .await
            .unwrap();
        store
            .commit(&batch(resumed(2), vec![queued(1)]))
            .await
            .unwrap();
        // Dropped, not closed: as by a kill.
        drop(store);
        let mut store = Store::open(dir.path()).await.unwrap();
        assert_eq!(store.run_info().await.unwrap(), info());
        assert_eq!(facts(&mut store).await, [began(1), resumed(2)]);
        let candidates = store.candidates().await.unwrap();
        assert_eq!(
            candidates
                .iter()
                .map(|c| c.smiles.as_str())
                .collect::<Vec<_>>(),
            ["C0", "C1"]
        );
        assert_eq!(
            candidates[0].prediction("atomization_energy"),
            Some(Prediction {
                mean: -0.1 - 0.2,
                std: 1.0 / 3.0,
            }),
            "to the last bit"
        );
        store.close().await.unwrap();
    });
}

#[test]
fn of_a_batch_all_is_committed_or_nothing() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        store
            .commit(&batch(began(1), vec![queued(0)]))
            .await
            .unwrap();
        let simulation = SimulationRow {
            task: TaskId(1),
            engine: "e".into(),
            version: "v".into(),
            level_of_theory: "l".into(),
            xyz: "0\n\n".into(),
        };
        let bad = Commit {
            facts: vec![
                (resumed(2), vec![queued(1)]),
                // A second candidate in the place of the first.
                (resumed(3), vec![queued(2), queued(0)]),
            ],
            simulations: vec![simulation],
            started: vec![],
            lookups: vec![],
            settings: None,
        };
        let error = store
            .commit(&bad)
            .await
            .expect_err("two candidates in one place");
        assert!(error.to_string().contains(FILE), "{error}");
        assert_eq!(facts(&mut store).await, [began(1)]);
        assert_eq!(store.candidates().await.unwrap().len(), 1);
        // The database still works.
        store
            .commit(&batch(resumed(4), vec![queued(1)]))
            .await
            .unwrap();
        assert_eq!(store.candidates().await.unwrap().len(), 2);
    });
}

#[test]
fn a_reader_sees_each_commit_while_the_writer_has_the_database_open() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let mut writer = Store::create(dir.path(), &info()).await.unwrap();
        let mut reader = Store::open_to_read(dir.path()).await.unwrap();
        assert_eq!(reader.summary().await.unwrap().counts.queued, 0);
        for rank in 0..3 {
            writer
                .commit(&batch(began(rank.into()), vec![queued(rank)]))
                .await
                .unwrap();
            assert_eq!(
                reader.summary().await.unwrap().counts.queued,
                i64::from(rank) + 1
            );
            assert_eq!(facts(&mut reader).await.len(), rank as usize + 1);
        }
    });
}

#[test]
fn a_reader_cannot_write() {
    let dir = TempDir::new().unwrap();
    wait(async {
        Store::create(dir.path(), &info())
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        let mut reader = Store::open_to_read(dir.path()).await.unwrap();
        assert!(reader.commit(&batch(began(1), vec![])).await.is_err());
        assert!(facts(&mut reader).await.is_empty());
    });
}

#[test]
fn a_second_migration_changes_nothing() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        store
            .commit(&batch(began(1), vec![queued(0)]))
            .await
            .unwrap();
        store.close().await.unwrap();
        let before = fs::read(dir.path().join(FILE)).unwrap();
        Store::open(dir.path())
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        assert!(
            before == fs::read(dir.path().join(FILE)).unwrap(),
            "the file has changed"
        );
    });
}

#[test]
fn a_database_that_is_made_again_keeps_its_name() {
    let dir = TempDir::new().unwrap();
    wait(async {
        drop(Store::create(dir.path(), &info()).await.unwrap());
        let other = RunInfo {
            name: "another".into(),
            ..info()
        };
        let mut store = Store::create(dir.path(), &other).await.unwrap();
        assert_eq!(store.run_info().await.unwrap(), info());
    });
}

#[test]
fn a_database_of_garbage_is_an_error_that_names_the_file() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join(FILE),
        "this is no database, however long one reads on in it ".repeat(100),
    )
    .unwrap();
    let path = dir.path().join(FILE).display().to_string();
    wait(async {
        let error = Store::open(dir.path()).await.err().expect("garbage");
        assert!(error.to_string().contains(&path), "{error}");
        let error = match Store::open_to_read(dir.path()).await {
            Ok(mut store) => store.summary().await.expect_err("garbage"),
            Err(error) => error,
        };
        assert!(error.to_string().contains(&path), "{error}");
    });
}

#[test]
fn a_fact_that_is_not_as_it_was_written_is_an_error_that_names_it() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        store.commit(&batch(began(1), vec![])).await.unwrap();
        store.close().await.unwrap();
        let file = dir.path().join(FILE);
        let text = fs::read(&file).unwrap();
        let at = text
            .windows(7)
            .position(|w| w == b"\"began\"")
            .expect("the fact");
        let mut changed = text.clone();
        changed[at..at + 7].copy_from_slice(b"\"rhyme\"");
        fs::write(&file, changed).unwrap();
        let error = Store::open(dir.path())
            .await
            .unwrap()
            .replay(|_, _| {})
            .await
            .expect_err("damaged");
        assert!(
            error.is_damage() && error.to_string().contains("fact 1 "),
            "{error}"
        );
    });
}

/// Everything that is derived, the rest taken out: what simulations returned besides their energy
/// is beside the journal.
async fn derived(dir: &Path) -> impl PartialEq + std::fmt::Debug {
    let mut store = Store::open_to_read(dir).await.unwrap();
    let candidates = store.candidates().await.unwrap().into_iter();
    let candidates: Vec<_> = candidates
        .map(|row| CandidateRow {
            level_of_theory: None,
            engine: None,
            engine_version: None,
            ..row
        })
        .collect();
    let summary = store.summary().await.unwrap();
    (
        candidates,
        store.free_atoms().await.unwrap(),
        store.batches().await.unwrap(),
        store.tasks_by_state().await.unwrap(),
        summary.counts,
        summary.stopped_by,
    )
}

#[test]
fn the_derived_tables_are_what_a_replay_of_the_journal_gives() {
    let tiny = Campaign::tiny();
    let dir = tiny.completed("run", &[]);
    let again = TempDir::new().unwrap();
    let journal = journal(&dir);
    let overrides = Overrides {
        site: Some(dir.join("site.yml").display().to_string()),
        ..Overrides::default()
    };
    let (_, plan) = plan::load(
        &dir.join("campaign.yml"),
        &overrides,
        &plan::HostEnvironment::default(),
    )
    .unwrap();
    wait(async {
        let mut engine = Engine::new(plan);
        let mut store = Store::create(again.path(), &info()).await.unwrap();
        for event in journal {
            let records = engine.handle(&event).unwrap().records;
            store.commit(&batch(event, records)).await.unwrap();
        }
        store.close().await.unwrap();
        let (derived, rebuilt) = (derived(&dir).await, derived(again.path()).await);
        assert_eq!(derived, rebuilt);
    });
}

#[test]
fn quantities_come_back_from_the_tables_to_the_last_bit() {
    let dir = TempDir::new().unwrap();
    let energies = [
        -16.976577904093823,
        0.1 + 0.2,
        -1234.5678901234567,
        1.0 / 3e5,
    ];
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        for (rank, energy) in (0..).zip(energies) {
            let task = TaskId(u64::from(rank) + 1);
            let smiles = format!("C{rank}");
            let records = vec![
                queued(rank),
                Record::TaskCreated {
                    task,
                    stage: "evaluate".into(),
                    method: "energy".into(),
                    smiles: Some(smiles),
                    batch: Some(1),
                },
                Record::Quantities {
                    task,
                    quantities: BTreeMap::from([("energy".into(), energy)]),
                },
                Record::Evaluated {
                    batch: 1,
                    rank,
                    values: BTreeMap::from([("p".into(), energy)]),
                    objective: None,
                    feasible: None,
                },
            ];
            store.commit(&batch(resumed(1), records)).await.unwrap();
        }
        for (row, energy) in store.candidates().await.unwrap().iter().zip(energies) {
            let number = |json: &str, name: &str| {
                let object: serde_json::Value = serde_json::from_str(json).unwrap();
                object[name].as_f64()
            };
            assert_eq!(number(&row.quantities, "energy.energy"), Some(energy));
            assert_eq!(number(&row.properties, "p"), Some(energy));
        }
    });
}

#[test]
fn energies_come_back_from_the_journal_to_the_last_bit() {
    let dir = TempDir::new().unwrap();
    let energies = [-16.976577904093823, 0.1 + 0.2, -1e-300, 4.9e-324, f64::MAX];
    wait(async {
        let mut store = Store::create(dir.path(), &info()).await.unwrap();
        for (task, energy) in (1..).zip(energies) {
            let outcome = Outcome::Simulated {
                quantities: BTreeMap::from([("energy".into(), energy)]),
                atoms: BTreeMap::new(),
                xyz: None,
            };
            let fact = Fact::Ended {
                task: TaskId(task),
                attempt: 1,
                usage: Default::default(),
                outcome,
            };
            store
                .commit(&batch(Event { at: 1, fact }, vec![]))
                .await
                .unwrap();
        }
        let back: Vec<f64> = facts(&mut store)
            .await
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::Ended {
                    outcome: Outcome::Simulated { quantities, .. },
                    ..
                } => Some(quantities["energy"]),
                _ => None,
            })
            .collect();
        assert_eq!(back, energies);
    });
}
