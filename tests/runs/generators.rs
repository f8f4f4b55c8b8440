//! Small campaigns by each generator that searches around the best measured molecules.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Campaign, on, rows};

const QUICKSTART: &str = "    engine: moldqn
    settings:
      episodes: 2
      steps: 8
      fingerprint_bits: 512
      hidden: [128, 32]
";

/// The campaign of the quickstart on small molecules with another generator.
fn campaign(generator: &str) -> Campaign {
    Campaign::shipped("quickstart.yml")
        .with(QUICKSTART, generator)
        .with(
            "gfn2//mmff94, ",
            "gfn2//mmff94, settings: {conformers: 1}, ",
        )
        .with(
            "max_heavy_atoms: 9",
            "max_heavy_atoms: 5\n  allowed_ring_sizes: [3, 5]",
        )
}

/// Runs it with the schedule `batch`; returns its molecules with their energies.
fn run(campaign: &Campaign, name: &str) -> Vec<(String, String)> {
    let run_dir = campaign.completed(name, &["--schedule", "batch"]);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "evaluations");
    on(&run_dir, &["check"]).with_code(0);
    let found = rows(&run_dir).into_iter();
    found
        .map(|row| {
            (
                row["smiles"].clone(),
                row["atomization_energy_hartree"].clone(),
            )
        })
        .collect()
}

/// Metrics of the generator in each batch, and the number of new candidates.
fn batches(run_dir: &Path) -> Vec<(Value, u64)> {
    let text = fs::read_to_string(run_dir.join("rl_records.jsonl")).expect("records");
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        let new = record["new_candidates"].as_u64().expect("a number");
        (record["metrics"]["generate"].clone(), new)
    };
    text.lines().map(record).collect()
}

#[test]
fn searches_around_the_best_are_run_and_repeat_themselves() {
    for generator in [
        "    engine: edits\n    settings: {width: 3, depth: 2}\n",
        "    engine: genetic\n    settings: {population: 8, generations: 2, pairs: 6}\n",
        "    engine: moldqn\n    settings: {episodes: 2, steps: 4, hidden: [16], start: best, \
         proposals: enumerated, replace_elements: true}\n",
    ] {
        let campaign = campaign(generator);
        let first = run(&campaign, "first");
        assert_eq!(first.len(), 10, "{generator}: {first:?}");
        assert_eq!(first, run(&campaign, "second"), "{generator}");
        let batches = batches(&campaign.path("first"));
        assert_eq!(batches.len(), 3, "{generator}: {batches:?}");
        for (metrics, new) in batches {
            assert_eq!(new, 2);
            assert!(metrics["candidates"].as_f64() > Some(50.0), "{metrics}");
            assert!(metrics["new"].as_f64() >= Some(2.0), "{metrics}");
            assert_eq!(metrics["scarce_rounds"], 0.0);
        }
    }
}

/// An episode of one step from nothing proposes one molecule, and a batch takes two.
#[test]
fn a_generator_that_proposes_less_than_a_batch_is_widened_before_a_batch_is_barren() {
    let generator = "    engine: moldqn\n    settings: {episodes: 1, steps: 1, hidden: [16], \
                     epsilon_start: 0.1, epsilon_min: 0.1}\n";
    let campaign = campaign(generator);
    run(&campaign, "run");
    let batches = batches(&campaign.path("run"));
    let metric = |batch: usize, name: &str| batches[batch].0[name].as_f64().expect(name);
    assert_eq!(
        (metric(0, "scarce_rounds"), metric(0, "candidates")),
        (0.0, 1.0)
    );
    assert_eq!((metric(0, "new"), batches[0].1), (1.0, 1), "not barren");
    assert_eq!(metric(1, "scarce_rounds"), 1.0);
    assert_eq!(
        metric(1, "epsilon"),
        0.5 * 0.995,
        "raised, then decayed once"
    );
    assert!(
        metric(1, "candidates") > 1.0,
        "a fresh molecule and a step from it"
    );
}
