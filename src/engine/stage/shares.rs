//! Shares of several generators in the batches of a `screen` stage. They move to the generator whose
//! molecules turn out to be good.

use std::collections::HashMap;

use crate::task::RankedCandidate;

/// A result is good if its cost is among this share of all costs so far.
const GOOD: f64 = 0.1;

/// Weight that a round keeps of what was learnt before.
const MEMORY: f64 = 0.8;

/// Smallest share of a generator: what it would find today stays known.
const LEAST: f64 = 0.05;

/// Generators of a `screen` stage, in its order, with their records.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) struct GeneratorShares {
    records: Vec<GeneratorRecord>,
    /// Generator of each molecule that was queued and not judged yet.
    proposed: HashMap<String, usize>,
    /// Evaluated molecules that were judged.
    judged: usize,
}

/// Share that the campaign gives a generator, and what came of its molecules.
#[derive(Clone, Debug, PartialEq)]
struct GeneratorRecord {
    initial: f64,
    evaluated: f64,
    good: f64,
}

impl GeneratorShares {
    /// Generators with their initial shares, which need not sum to one.
    pub fn new(initial: Vec<f64>) -> Self {
        let records = initial.into_iter().map(|initial| GeneratorRecord {
            initial,
            evaluated: 0.0,
            good: 0.0,
        });
        Self {
            records: records.collect(),
            proposed: HashMap::new(),
            judged: 0,
        }
    }

    /// Judges the results that have come since the last time: `costs` of all evaluated molecules, in
    /// order of arrival. The order within those that are new does not matter.
    pub fn judge(&mut self, costs: &[(&str, f64)]) {
        let mut sorted: Vec<f64> = costs.iter().map(|(_, cost)| *cost).collect();
        sorted.sort_by(f64::total_cmp);
        let good = (GOOD * sorted.len() as f64).ceil() as usize;
        let Some(limit) = sorted.get(good.saturating_sub(1)).copied() else {
            return;
        };
        for record in &mut self.records {
            record.evaluated *= MEMORY;
            record.good *= MEMORY;
        }
        for (smiles, cost) in &costs[self.judged..] {
            if let Some(generator) = self.proposed.remove(*smiles) {
                let record = &mut self.records[generator];
                record.evaluated += 1.0;
                record.good += f64::from(u8::from(*cost <= limit));
            }
        }
        self.judged = costs.len();
    }

    /// The share of each generator; they sum to one. It is proportional to the initial share and to
    /// the expected rate of good molecules, with one good of ten assumed before the first result
    /// (the mean of a beta distribution).
    pub fn current(&self) -> Vec<f64> {
        let rate = |r: &GeneratorRecord| r.initial * (r.good + 1.0) / (r.evaluated + 1.0 / GOOD);
        let rates: Vec<f64> = self.records.iter().map(rate).collect();
        let sum: f64 = rates.iter().sum();
        let rest = 1.0 - LEAST * rates.len() as f64;
        if rest <= 0.0 || sum <= 0.0 {
            return vec![1.0 / rates.len() as f64; rates.len()];
        }
        rates.iter().map(|r| LEAST + rest * r / sum).collect()
    }

    /// Chooses `room` of `ranked`, the best first, such that each generator has its share as far as
    /// its molecules go.
    pub fn choose(&mut self, ranked: Vec<RankedCandidate>, room: usize) -> Vec<RankedCandidate> {
        let shares = self.current();
        let mut taken = vec![0usize; shares.len()];
        let mut rest = ranked;
        let mut chosen = Vec::new();
        while chosen.len() < room {
            let lacks = |candidate: &RankedCandidate| {
                let generator = candidate.generator.min(shares.len() - 1);
                shares[generator] * (chosen.len() + 1) as f64 - taken[generator] as f64
            };
            // The first of those whose generator lacks most.
            let most = rest.iter().map(lacks).fold(f64::NEG_INFINITY, f64::max);
            let Some(next) = rest.iter().position(|candidate| lacks(candidate) >= most) else {
                break;
            };
            let candidate = rest.remove(next);
            let generator = candidate.generator.min(shares.len() - 1);
            taken[generator] += 1;
            self.proposed.insert(candidate.smiles.clone(), generator);
            chosen.push(candidate);
        }
        chosen
    }
}
