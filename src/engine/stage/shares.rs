//! Shares of several generators in the batches of a `screen` stage. They move to the generator whose
//! molecules turn out to be good.

use crate::engine::hash::HashMap;
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
    /// Molecules that its shares so far have promised it, less those that it was given: in small
    /// batches a small share is a molecule now and then.
    owed: f64,
}

impl GeneratorShares {
    /// Generators with their initial shares, which need not sum to one.
    pub fn new(initial: Vec<f64>) -> Self {
        let records = initial.into_iter().map(|initial| GeneratorRecord {
            initial,
            evaluated: 0.0,
            good: 0.0,
            owed: 0.0,
        });
        Self {
            records: records.collect(),
            proposed: HashMap::default(),
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

    /// Chooses `room` of `ranked`, the best first, such that each generator has its share of this and
    /// the earlier batches as far as its molecules go. At most one molecule remains owed.
    pub fn choose(&mut self, ranked: Vec<RankedCandidate>, room: usize) -> Vec<RankedCandidate> {
        let shares = self.current();
        let last = shares.len() - 1;
        let mut rest = ranked;
        let mut chosen = Vec::new();
        while chosen.len() < room {
            let owed = |candidate: &RankedCandidate| {
                let generator = candidate.generator.min(last);
                self.records[generator].owed + shares[generator]
            };
            // The first of those whose generator is owed most.
            let most = rest.iter().map(owed).fold(f64::NEG_INFINITY, f64::max);
            let Some(next) = rest.iter().position(|candidate| owed(candidate) >= most) else {
                break;
            };
            let candidate = rest.remove(next);
            let generator = candidate.generator.min(last);
            for (record, share) in self.records.iter_mut().zip(&shares) {
                record.owed += share;
            }
            self.records[generator].owed -= 1.0;
            self.proposed.insert(candidate.smiles.clone(), generator);
            chosen.push(candidate);
        }
        for record in &mut self.records {
            record.owed = record.owed.clamp(-1.0, 1.0);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Prediction;

    /// A batch of `room`, for which both generators propose enough.
    fn batch(shares: &mut GeneratorShares, round: usize, room: usize) -> Vec<RankedCandidate> {
        let candidate = |place: usize| RankedCandidate {
            smiles: format!("{round}/{place}"),
            prediction: Prediction {
                mean: 0.0,
                std: 1.0,
            },
            further: Vec::new(),
            generator: place % 2,
            parents: Vec::new(),
        };
        shares.choose((0..2 * room).map(candidate).collect(), room)
    }

    /// Runs rounds in which generator g finds what `cost(g, round)` says; returns the share of the
    /// second one after each, and its molecules in each batch.
    fn run(
        rounds: usize,
        room: usize,
        cost: impl Fn(usize, usize) -> f64,
    ) -> (Vec<f64>, Vec<usize>) {
        let mut shares = GeneratorShares::new(vec![0.5, 0.5]);
        let mut results: Vec<(String, f64)> = Vec::new();
        let (mut history, mut taken) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let chosen = batch(&mut shares, round, room);
            taken.push(chosen.iter().filter(|c| c.generator == 1).count());
            // No two results are equal.
            let found = chosen.iter().zip(0..).map(|(candidate, place)| {
                let spread = f64::from((place * 7 + 3 * round as i32) % 11) / 110.0;
                (
                    candidate.smiles.clone(),
                    cost(candidate.generator, round) + spread,
                )
            });
            results.extend(found);
            let costs = results
                .iter()
                .map(|(smiles, cost)| (smiles.as_str(), *cost));
            shares.judge(&costs.collect::<Vec<_>>());
            history.push(shares.current()[1]);
        }
        (history, taken)
    }

    #[test]
    fn the_share_moves_to_the_generator_that_finds_better_molecules_and_back() {
        for room in [2, 8] {
            // The second one leads, each round further, until it finds nothing good any more.
            let cost = |generator, round: usize| match (generator, round < 20) {
                (1, true) | (0, false) => -(round as f64),
                _ => 0.0,
            };
            let (shares, _) = run(40, room, cost);
            assert!(shares[19] > 0.75, "{room}: {shares:?}");
            assert!(shares[39] < 0.25, "{room}: {shares:?}");
        }
    }

    #[test]
    fn equal_generators_settle_at_equal_shares() {
        let (shares, _) = run(30, 8, |_, round| -(round as f64));
        let late = &shares[15..];
        assert!(
            late.iter().all(|share| (share - 0.5).abs() < 0.1),
            "{shares:?}"
        );
    }

    #[test]
    fn in_small_batches_a_small_share_is_a_molecule_now_and_then() {
        let (shares, taken) = run(60, 2, |generator, round| match generator {
            0 => -(round as f64),
            _ => 0.0,
        });
        let late: usize = taken[20..].iter().sum();
        let promised: f64 = shares[19..59].iter().map(|share| 2.0 * share).sum();
        assert!(
            (late as f64 - promised).abs() <= 2.0,
            "{late} of {promised}"
        );
        assert!(late > 2 && late < 30, "{late} of 80");
    }
}
