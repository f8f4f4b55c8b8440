//! `docs/database.md` describes the views as they are, read by Python's `sqlite3` alone.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Campaign, copy, on, rows, run_to_end};

const PAGE: &str = include_str!("../../docs/database.md");

/// Columns and types that the page gives a view or table, in order.
fn documented(name: &str) -> Vec<(String, String)> {
    let begin = format!("\n## `{name}`\n");
    let section = PAGE.split(&begin).nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    cells.collect()
}

fn read(run_dir: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("python3");
    python.arg(root.join("tests/docs/database.py"));
    python.arg(root.join("docs/database.md")).arg(run_dir);
    run_to_end(&mut python).with_code(0).json()
}

#[track_caller]
fn assert_as_documented(found: &Value) {
    let views = [
        "results",
        "candidates",
        "batches",
        "attempts",
        "utilisation",
    ];
    let tables = ["properties", "objectives", "quantity_units"];
    for (names, kind) in [(&views[..], "view"), (&tables[..], "table")] {
        for name in names {
            assert_eq!(found["kinds"][name], kind, "{name}");
            let columns = found["columns"][name].as_array().unwrap();
            let expected = documented(name);
            let names: Vec<&str> = columns.iter().map(|c| c[0].as_str().unwrap()).collect();
            let documented: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, documented, "{name}");
            for (column, (_, kind)) in columns.iter().zip(&expected) {
                for found in column[1].as_array().unwrap() {
                    assert_eq!(
                        found.as_str().unwrap(),
                        kind.to_lowercase(),
                        "{name}: {column}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_column_is_documented_and_the_examples_return_rows() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let found = read(&run_dir);
    assert_as_documented(&found);
    let examples = found["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 5);
    let evaluated = rows(&run_dir);
    let evaluated = evaluated.iter().filter(|row| row["status"] == "evaluated");
    assert_eq!(examples[0].as_array().unwrap().len(), evaluated.count());
    for example in examples {
        for row in example.as_array().unwrap() {
            let row = row.as_array().unwrap();
            assert!(!row.is_empty() && !row.contains(&Value::Null), "{example}");
        }
    }
    let shares = examples[4].as_array().unwrap();
    assert_eq!(shares.len(), 2, "{shares:?}");
    for share in shares {
        let busy = share[1].as_f64().unwrap();
        assert!(0.0 < busy && busy <= 1.0, "{share}");
    }
}

#[test]
fn a_run_of_the_first_version_gets_the_views() {
    let campaign = Campaign::tiny();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/run-of-0.1.0");
    let run_dir = campaign.path("run");
    copy(&golden, &run_dir);
    on(&run_dir, &["status"]).with_code(0);
    let found = read(&run_dir);
    assert_as_documented(&found);
    let evaluated = rows(&run_dir);
    let evaluated = evaluated.iter().filter(|row| row["status"] == "evaluated");
    let results = found["columns"]["results"].as_array().unwrap();
    let engines = results.iter().find(|column| column[0] == "engine");
    assert_eq!(engines.unwrap()[1][0], "text");
    assert!(evaluated.count() > 0);
}
