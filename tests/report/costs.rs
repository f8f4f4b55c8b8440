//! Core-hours on a page, held against the views of the database by Python's own SQLite.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::html::{field, table};
use crate::support::run_to_end;

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

/// Requires that the core-hours are those of the view `attempts`, and those for each better molecule too.
#[track_caller]
pub fn assert_costs(page: &str, run_dir: &Path, computed: &[BTreeMap<String, String>]) {
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(f'file:{sys.argv[1]}/moldflow.db?mode=ro', uri=True)\n\
        print(db.execute(\"SELECT sum((finished - started) * cores) / 3.6e6 FROM attempts WHERE state IN ('succeeded', 'failed')\").fetchone()[0])\n";
    let mut python = Command::new("python3");
    let output = run_to_end(python.args(["-c", script]).arg(run_dir)).with_code(0);
    let total: f64 = output.out.trim().parse().unwrap();
    let near = |shown: &str, expected: f64| {
        let shown: f64 = shown.parse().unwrap();
        assert!(
            (shown - expected).abs() <= 0.006 * expected,
            "{shown} {expected}"
        );
    };
    near(&field(page, "core_hours"), total);
    let methods = table(page, "costs");
    let sum: f64 = methods
        .iter()
        .map(|row| row[1].parse::<f64>().unwrap())
        .sum();
    near(&sum.to_string(), total);
    let of_source = computed.iter().filter(|row| row["batch"] == "0");
    let energies = of_source.map(|row| number(row, "atomization_energy_hartree"));
    let best = energies.fold(f64::INFINITY, f64::min);
    let better = computed
        .iter()
        .map(|row| number(row, "atomization_energy_hartree"));
    let better = better.filter(|energy| *energy < best).count();
    let said = field(page, "of_better");
    match better {
        0 => assert!(said.starts_with("No molecule is better than"), "{said}"),
        1 => assert!(said.starts_with("One molecule is better than"), "{said}"),
        _ => {
            assert!(
                said.starts_with(&format!("{better} molecules are better than")),
                "{said}"
            );
            let each = said.rsplit(": ").next().unwrap().split(' ').next().unwrap();
            near(each, total / better as f64);
        }
    }
}
