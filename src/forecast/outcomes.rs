//! Simulated outcomes of tasks: energies from the table, and a generator that beats random search.

use std::collections::HashSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::table::Table;
use super::times::normal;
use crate::engine::TaskInput;
use crate::task::{Failure, FailureKind, FileRef, Metrics, Outcome, Prediction, RankedCandidate};

/// Message of a simulated failure.
const ASSUMED: &str = "one of the failures assumed";

/// Source of the outcomes of tasks: the table of molecules, and the assumptions on failures and
/// skill.
pub struct OutcomeModel<'t> {
    /// Molecules with their energies.
    pub table: &'t Table,
    /// Share of attempts at a simulation that fail, 0 to 1.
    failures: f64,
    /// Standard deviation of the surrogate's error, hartree.
    error: f64,
    /// Share of a deviation from the mean that the surrogate predicts.
    shrinkage: f64,
    /// Number of molecules that the generators propose for a batch.
    visits: usize,
    /// Number of files made.
    files: u64,
}

impl<'t> OutcomeModel<'t> {
    /// `failures`: share of simulations that fail, 0 to 1; `skill`: correlation of predictions with
    /// computed values, in (0, 1].
    pub fn new(table: &'t Table, failures: f64, skill: f64) -> Self {
        Self {
            // The best linear prediction is mean + r^2 (value + error - mean), with an error of
            // this deviation.
            error: table.deviation() * (skill.powi(-2) - 1.0).sqrt(),
            shrinkage: skill * skill,
            table,
            failures,
            visits: 0,
            files: 0,
        }
    }

    /// Returns the outcome of an attempt with this input.
    pub fn outcome(&mut self, input: &TaskInput, random: &mut ChaCha8Rng) -> Outcome {
        match input {
            TaskInput::Simulate(input) => match self.table.energy(&input.request.smiles) {
                _ if self.fails(&input.request.smiles, random) => {
                    failed(FailureKind::Exit, ASSUMED)
                }
                Some((energy, atoms)) => Outcome::Simulated {
                    // Only energies are in the table; the others are there for the engine to go on.
                    quantities: (input.request.engine.quantities().into_keys())
                        .map(|name| (name, energy))
                        .collect(),
                    atoms,
                    xyz: input.keep_geometry.then(String::new),
                },
                None => failed(FailureKind::Unsupported, "not in the table"),
            },
            TaskInput::Train(_) => Outcome::Trained {
                model: self.file(),
                memory: self.file(),
                molecules: 0,
                metrics: Metrics::default(),
            },
            TaskInput::Generate(input) => {
                let count = input.engine.implementation().typical_count();
                self.visits = count.unwrap_or(self.table.size());
                Outcome::Generated {
                    state: self.file(),
                    candidates: self.file(),
                    count: self.visits,
                    metrics: Metrics::default(),
                }
            }
            TaskInput::Screen(input) => {
                let mut ranked = self.ranked(input.targets.saturating_sub(1), random);
                ranked.truncate(input.most);
                Outcome::Screened { ranked }
            }
        }
    }

    /// Returns true if the simulation of a molecule fails. Free atoms never do: the campaign needs
    /// them.
    fn fails(&self, name: &str, random: &mut ChaCha8Rng) -> bool {
        !self.table.is_atom(name) && random.random::<f64>() < self.failures
    }

    /// Returns random molecules, as many as the generators propose, by their predictions; `further`
    /// targets have the same.
    fn ranked(&mut self, further: usize, random: &mut ChaCha8Rng) -> Vec<RankedCandidate> {
        let mut visited: Vec<(f64, usize)> = (0..self.visits)
            .map(|_| {
                let molecule = random.random_range(0..self.table.size());
                let seen = self.table.value(molecule) + self.error * normal(random);
                let mean = self.table.mean();
                (mean + self.shrinkage * (seen - mean), molecule)
            })
            .collect();
        visited.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut distinct = HashSet::new();
        visited.retain(|(_, molecule)| distinct.insert(*molecule));
        let std = self.error;
        let ranked = visited.into_iter().map(|(mean, molecule)| RankedCandidate {
            smiles: self.table.name(molecule),
            prediction: Prediction { mean, std },
            further: vec![Prediction { mean, std }; further],
            generator: 0,
            parents: Vec::new(),
        });
        ranked.collect()
    }

    /// Returns a reference to a new file, which does not exist.
    fn file(&mut self) -> FileRef {
        self.files += 1;
        FileRef {
            sha256: format!("{:064x}", self.files),
            bytes: 0,
        }
    }
}

/// Returns the outcome of a failed attempt.
pub fn failed(kind: FailureKind, message: &str) -> Outcome {
    let message = message.to_owned();
    Outcome::Failed(Failure { kind, message })
}
