//! `compare`, from the real binary: searches over a table of the user, and over a run.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{ProgramOutput, moldflow_in, run_to_end};

const CAMPAIGN: &str = "\
name: table
properties: {stability: {value: lookup.energy, unit: hartree}}
objective: {minimize: stability}
search_space: {source: molecules.csv, elements: [C, N, O], max_heavy_atoms: 9}
methods:
  lookup:
    {kind: simulate, engine: table, settings: {table: molecules.csv, quantities: {energy: kJ/mol}}, topic: simulator, partition: qc, timeout: 1m}
  fit: {kind: train, engine: group_contribution, topic: ml, partition: ml, timeout: 1m}
  propose: {kind: generate, engine: pool, topic: ml, partition: ml, timeout: 1m}
  rank: {kind: screen, engine: greedy, topic: ml, partition: ml, timeout: 1m}
stages:
  initial: {compute: stability, molecules: {random: 3}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: propose, after: train, loop: generator}
  screen: {method: rank, after: generate, loop: generator, select: 2}
  evaluate: {compute: stability, after: screen, loop: consumer, molecules: queue, parallel: 2}
stop: {evaluations: 9}
";

/// A folder with a campaign over a table of 36 alkyl chains, of which the longest is the best.
fn folder() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let mut table = "smiles,energy\n".to_owned();
    for (place, end) in ["", "O", "N", "C=O"].iter().enumerate() {
        for length in 1..=9 {
            let energy = -400.0 * f64::from(length) + 7.0 * place as f64;
            table += &format!("{}{end},{energy}\n", "C".repeat(length as usize));
        }
    }
    // Nine carbon atoms and a group are too many for the search space.
    fs::write(dir.path().join("molecules.csv"), table).expect("a file");
    fs::write(dir.path().join("pool.yml"), CAMPAIGN).expect("a file");
    dir
}

fn compare(dir: &Path, arguments: &[&str]) -> ProgramOutput {
    run_to_end(moldflow_in(dir, &["compare", "--quiet"]).args(arguments))
}

fn policy<'v>(comparison: &'v Value, name: &str) -> &'v Value {
    let policies = comparison["policies"].as_array().expect("policies");
    let found = policies.iter().find(|policy| policy["name"] == name);
    found.expect(name)
}

#[test]
fn a_policy_is_compared_with_random_search_on_the_same_initial_molecules() {
    let dir = folder();
    let arguments = [
        "pool.yml",
        "--seeds",
        "3-6",
        "--json",
        "--html",
        "page.html",
    ];
    let output = compare(dir.path(), &arguments).with_code(0);
    let comparison = output.json();
    assert_eq!(comparison["seeds"], serde_json::json!([3, 4, 5, 6]));
    assert_eq!(comparison["evaluations"], 12);
    assert_eq!(comparison["scale"]["known"], true);
    let best = comparison["scale"]["best"].as_f64().expect("a number");
    assert!((best + 9.0 * 400.0 / 2_625.499_64).abs() < 1e-5, "{best}");
    let (learnt, random) = (policy(&comparison, "pool"), policy(&comparison, "random"));
    assert_eq!(learnt["found"], 4, "{learnt}");
    let area = |policy: &Value| policy["auc"]["mean"].as_f64().expect("a number");
    assert!(
        area(learnt) > area(random),
        "{} {}",
        area(learnt),
        area(random)
    );
    for seed in 0..4 {
        let values = |policy: &Value| {
            policy["searches"][seed]["values"]
                .as_array()
                .expect("values")
                .clone()
        };
        let (learnt, random) = (values(learnt), values(random));
        assert_eq!((learnt.len(), random.len()), (12, 12));
        assert_eq!(
            learnt[..3],
            random[..3],
            "the initial molecules of seed {seed}"
        );
    }
    let page = fs::read_to_string(dir.path().join("page.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("stability") && page.contains(">random<"));
    // To the last bit, whatever the order in which threads end.
    assert_eq!(compare(dir.path(), &arguments).out, output.out);
    let table = compare(dir.path(), &["pool.yml", "--seeds", "2"])
        .with_code(0)
        .out;
    assert!(
        table.starts_with("lowest stability, 12 evaluations, 2 seeds\n"),
        "{table}"
    );
}

#[test]
fn a_finished_run_is_a_table_for_other_policies() {
    let dir = folder();
    let run = [
        "run",
        "pool.yml",
        "--run-dir",
        "run",
        "--quiet",
        "--set",
        "stop.evaluations=20",
    ];
    run_to_end(&mut moldflow_in(dir.path(), &run)).with_code(0);
    let arguments = ["pool.yml", "--seeds", "2", "--on", "run", "--json"];
    let comparison = compare(dir.path(), &arguments).with_code(0).json();
    assert_eq!(comparison["scale"]["molecules"], 23);
    assert_eq!(policy(&comparison, "pool")["found"], 2);
    let other = CAMPAIGN.replace("lookup", "another");
    fs::write(dir.path().join("other.yml"), other).expect("a file");
    let refused = compare(dir.path(), &["other.yml", "--on", "run"]).with_code(1);
    assert!(
        refused
            .err
            .contains("the run has no results of the method `another`"),
        "{}",
        refused.err
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let dir = folder();
    let higher = CAMPAIGN.replace("minimize", "maximize");
    fs::write(dir.path().join("higher.yml"), higher).expect("a file");
    let refused = |arguments: &[&str]| compare(dir.path(), arguments).with_code(1).err;
    let other = refused(&["pool.yml", "higher.yml"]);
    assert!(
        other.contains("`higher` searches for another property than `pool`"),
        "{other}"
    );
    let few = refused(&["pool.yml", "--evaluations", "3"]);
    assert!(few.contains("`pool` begins with 3 molecules"), "{few}");
    let usage = compare(dir.path(), &["pool.yml", "--seeds", "7-3"])
        .with_code(2)
        .err;
    assert!(usage.contains("give 1 to 10000 seeds"), "{usage}");
}
