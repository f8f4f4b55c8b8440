//! A campaign whose quantity comes from a function in Python.

use std::fs;

use super::Campaign;

const LIST: &str = "\
name: list
seed: 1
site: site2.yml
properties: {size: {value: count.letters, unit: '1'}}
objective: {maximize: size}
search_space: {source: list.smi, elements: [C, N, O, F], max_heavy_atoms: 60}
methods:
  count:
    kind: simulate
    engine: python
    settings: {call: counting:letters, quantities: {letters: '1'}}
    topic: simulator
    partition: qc
    timeout: 5m
    retries: 1
stages: {all: {compute: size, molecules: all}}
stop: {failure_share: 1}
";

/// Module of its function, whose factor is in another one.
pub const MODULE: &str = "\
import os
from constants import factor

def letters(molecule):
    return factor * len(molecule['smiles'])
";

/// A list of so many alkanes and a function in Python that counts letters, on the site `site2.yml`.
pub fn counted(molecules: usize) -> Campaign {
    let campaign = Campaign::of_text(LIST);
    let list: String = (1..=molecules).map(|n| "C".repeat(n) + "\n").collect();
    fs::write(campaign.path("list.smi"), list).expect("a file");
    fs::write(campaign.path("counting.py"), MODULE).expect("a file");
    fs::write(campaign.path("constants.py"), "factor = 2\n").expect("a file");
    campaign
}
