//! The examples in `docs/python.md`, run together as one campaign by the python3 of this host.

use std::fs;

use crate::support::{Campaign, on, rows};

const CAMPAIGN: &str = "\
name: manual
seed: 2
site: site2.yml
schedule: batch
properties: {length: {value: lengths.energy, unit: eV}}
objective: {minimize: length}
search_space: {source: qm9, elements: [C, N, O, F], max_heavy_atoms: 20}
methods:
  lengths:
    kind: simulate
    engine: python
    settings: {call: 'lengths:both', quantities: {energy: eV, bonds: '1'}}
    topic: simulator
    partition: qc
    timeout: 1m
  fit: {kind: train, engine: python, settings: {call: 'model:train', predict: 'model:predict'}, topic: ml, partition: ml, timeout: 1m}
  propose: {kind: generate, engine: python, settings: {call: 'proposals:propose', count: 50}, topic: ml, partition: ml, timeout: 1m}
  rank: {kind: screen, engine: python, settings: {call: 'ranking:score', arguments: {kappa: 1.5}}, topic: ml, partition: ml, timeout: 1m}
stages:
  initial: {compute: length, molecules: {random: 4}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: propose, after: train, loop: generator}
  screen: {method: rank, after: generate, loop: generator, select: 3}
  evaluate: {compute: length, after: screen, loop: consumer, molecules: queue, parallel: 2}
stop: {evaluations: 9, failure_share: 1}
";

/// Names and texts of the modules in the manual.
fn modules() -> Vec<(String, String)> {
    let page = include_str!("../../docs/python.md");
    let named = page.split("```python\n").collect::<Vec<_>>();
    let pairs = named.windows(2).map(|pair| {
        let before = pair[0].trim_end();
        let line = before.lines().last().expect("a line");
        let name = line.split('`').nth(1).expect("a name").to_owned();
        let text = pair[1].split("```").next().expect("a text").to_owned();
        (name, text)
    });
    pairs.collect()
}

/// The campaign with the modules of the manual beside it.
fn campaign() -> Campaign {
    let campaign = Campaign::of_text(CAMPAIGN);
    for (name, text) in modules() {
        fs::write(campaign.path(&name), text).expect("a file");
    }
    campaign
}

#[test]
fn the_examples_are_of_ten_lines_or_so_and_make_a_campaign_that_is_reproducible() {
    let names: Vec<String> = modules().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        names,
        ["lengths.py", "model.py", "proposals.py", "ranking.py"]
    );
    for (name, text) in modules() {
        assert!(text.lines().count() <= 12, "{name}");
    }
    let campaign = campaign();
    let first = campaign.completed("first", &[]);
    let second = campaign.completed("second", &[]);
    let table = rows(&first);
    let evaluated: Vec<_> = table
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .collect();
    assert!(evaluated.len() >= 9, "{table:?}");
    for row in &evaluated {
        let energy: f64 = row["length_eV"].parse().expect("a number");
        assert!(
            (energy + 1.5 * row["smiles"].len() as f64).abs() < 1e-9,
            "{row:?}"
        );
    }
    let molecules = |rows: &[std::collections::BTreeMap<String, String>]| {
        rows.iter()
            .map(|row| row["smiles"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(molecules(&table), molecules(&rows(&second)));
    // The chains of the best molecules grow.
    let longest = evaluated.iter().map(|row| row["smiles"].len()).max();
    let initial = evaluated
        .iter()
        .filter(|row| row["batch"] == "0")
        .map(|row| row["smiles"].len());
    assert!(longest > initial.max(), "{evaluated:?}");
    on(&first, &["report"]).with_code(0);
}

#[test]
fn what_a_function_of_the_loop_returns_wrongly_is_said_by_its_name() {
    let faults = [
        (
            "model.py",
            "    return [slope * len(s) for s in molecules], [1.0] * len(molecules)\n",
            "    return [1.0]\n",
            "`model:predict`: it did not return two lists",
        ),
        (
            "model.py",
            "        json.dump({\"slope\": slope}, file)\n",
            "        raise ValueError('no fit')\n",
            "ValueError: no fit",
        ),
        (
            "ranking.py",
            "mean - kappa * deviation",
            "float('nan')",
            "`ranking:score`: number 0 of the scores is nan",
        ),
        (
            "proposals.py",
            "\"molecules\": molecules",
            "\"molecules\": ['CC(']",
            "`proposals:propose`: it proposed nothing that is a molecule: `CC(`",
        ),
        (
            "proposals.py",
            "\"molecules\"",
            "\"smiles\"",
            "it returned no dict of `molecules` and `state`",
        ),
    ];
    for (name, from, to, words) in faults {
        let campaign = campaign();
        let text = fs::read_to_string(campaign.path(name)).expect("a file");
        assert!(text.contains(from), "{from}");
        fs::write(campaign.path(name), text.replace(from, to)).expect("a file");
        campaign.run("run", &[]);
        let log = fs::read_to_string(campaign.path("run").join("runtime.log")).expect("a log");
        assert!(log.contains(words), "{words}: {log}");
    }
}
