//! Simulated outcomes of tasks: energies of the table, and a generator that is better than chance.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::table::Table;
use super::times::normal;
use crate::engine::TaskInput;
use crate::task::{Failure, FailureKind, FileRef, Outcome, Prediction, RankedCandidate};

const ASSUMED: &str = "one of the failures assumed";

/// The molecules and the chances of a forecast.
pub struct World<'t> {
    pub table: &'t Table,
    /// Share of attempts at a simulation that fail, 0 to 1.
    failures: f64,
    /// Standard deviation of the surrogate's error, hartree, and the share of a deviation from the
    /// mean that it predicts.
    error: f64,
    shrinkage: f64,
    /// Molecules that the agent visits for a batch.
    visits: usize,
    files: u64,
}

impl<'t> World<'t> {
    /// `skill`: correlation of the surrogate's predictions with the truth, of (0, 1].
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

    /// Outcome of an attempt at this task.
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
                statistics: Some(self.file()),
                molecules: 0,
                groups: 0,
                rmse: self.error,
            },
            TaskInput::Generate(input) => {
                self.visits = input.settings.episodes * input.settings.steps;
                Outcome::Generated {
                    agent: self.file(),
                    candidates: self.file(),
                    count: self.visits,
                    epsilon: 0.0,
                    mean_reward: 0.0,
                    mean_loss: None,
                }
            }
            TaskInput::Screen(_) => Outcome::Screened {
                ranked: self.ranked(random),
            },
        }
    }

    /// Returns true if an attempt at a molecule fails. Free atoms never do: the campaign needs
    /// them.
    fn fails(&self, name: &str, random: &mut ChaCha8Rng) -> bool {
        !self.table.is_atom(name) && random.random::<f64>() < self.failures
    }

    /// Molecules visited at random, as many as the agent has steps, by the surrogate's word on
    /// them.
    fn ranked(&mut self, random: &mut ChaCha8Rng) -> Vec<RankedCandidate> {
        let mut visited: Vec<(f64, usize)> = (0..self.visits)
            .map(|_| {
                let molecule = random.random_range(0..self.table.size());
                let seen = self.table.value(molecule) + self.error * normal(random);
                let mean = self.table.mean();
                (mean + self.shrinkage * (seen - mean), molecule)
            })
            .collect();
        visited.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let std = self.error;
        let ranked = visited.into_iter().map(|(mean, molecule)| RankedCandidate {
            smiles: self.table.name(molecule),
            prediction: Prediction { mean, std },
        });
        ranked.collect()
    }

    /// A file that nobody reads, unlike any other.
    fn file(&mut self) -> FileRef {
        self.files += 1;
        FileRef {
            sha256: format!("{:064x}", self.files),
            bytes: 0,
        }
    }
}

/// A failed attempt.
pub fn failed(kind: FailureKind, message: &str) -> Outcome {
    let message = message.to_owned();
    Outcome::Failed(Failure { kind, message })
}
