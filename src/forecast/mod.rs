//! A campaign forecast: the engine that runs campaigns, its events from a simulation of the site instead of processes.

mod machine;
mod partition;
mod table;
mod tally;
mod times;
mod world;

pub use machine::{BlockRules, Machine, MachineError, Supply};
pub use table::Table;
pub use tally::Spread;
pub use times::{Millis, Times};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::engine::{Config, Effect, Engine, Step, stream};
use crate::plan::Plan;
use crate::spec::campaign::Campaign;
use crate::task::{Event, Fact, FailureKind, IllegalEvent, StoppedBy, TaskId};

use machine::millis;
use partition::{Agenda, Due, How, Partition, Waiting};
use tally::Tally;
use world::{World, failed};

/// Molecules drawn beyond the initial ones, as `run` does.
const RESERVE: usize = 256;

/// What nobody knows before a campaign has run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Of a simulation.
    pub task_time: Times,
    /// Of a `generate` task.
    pub ml_time: Times,
    /// Of a `train` and of a `screen` task.
    pub fit_time: Times,
    /// Of 1, the attempts at a simulation that fail.
    pub failures: f64,
    /// How long a job or a block waits in the batch system's queue.
    pub queue_wait: Millis,
    /// Correlation of the surrogate's predictions with the truth, of (0, 1].
    pub skill: f64,
}

/// What is to be expected of a campaign on a machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    #[serde(serialize_with = "word")]
    pub stopped_by: StoppedBy,
    /// From beginning to end.
    pub seconds: f64,
    pub node_hours: f64,
    /// Tasks of all kinds, attempts at them not counted.
    pub tasks: u64,
    /// Molecules whose evaluation ended, the initial ones included.
    pub evaluations: usize,
    pub failures: usize,
    /// Batches that brought new candidates.
    pub batches: u32,
    pub partitions: BTreeMap<String, PartitionForecast>,
    /// From the first candidate handed over to the last; none without candidates.
    pub search: Option<Search>,
    pub best: Option<Best>,
}

/// A partition of the machine, from beginning to end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PartitionForecast {
    pub slots: usize,
    pub tasks: u64,
    /// Share of the time of all slots in which they compute.
    pub utilisation: f64,
}

/// The partition that evaluates candidates, while there are candidates to come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    pub partition: String,
    pub from_seconds: f64,
    pub until_seconds: f64,
    pub utilisation: f64,
    /// Share of slot time idle because no candidate was there.
    pub idle_without_candidates: f64,
    /// Share of slot time idle because tasks waited for nodes.
    pub idle_without_nodes: f64,
    /// Candidates queued, and those of them that newer ones pushed out.
    pub queued: u64,
    pub superseded: u64,
    /// Age of a candidate when it is handed over: batches that are newer.
    pub age_in_batches: Spread,
    /// Age of a candidate when it is handed over: results that its model had not seen.
    pub age_in_results: Spread,
}

/// The best molecule, and how it compares. The search is a rough model: see `docs/scale.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    pub smiles: String,
    /// Of the objective, hartree.
    pub value_hartree: f64,
    pub found_after_evaluations: usize,
    pub found_after_seconds: f64,
    /// The lowest of all molecules of the table, hartree.
    pub lowest_hartree: f64,
    /// Molecules of the table.
    pub molecules: usize,
}

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    #[error("the table holds {found} molecules, and {asked} are to be drawn at the start")]
    TooFewMolecules { found: usize, asked: usize },
    #[error("the stage `{stage}` waits for something that never comes")]
    Stuck { stage: String },
    #[error("the engine was told what cannot have happened")]
    Illegal(#[from] IllegalEvent),
}

/// Runs the campaign on the machine with the molecules of the table, as assumed.
pub fn forecast(
    campaign: &Campaign,
    plan: &Plan,
    machine: &Machine,
    table: &Table,
    assumptions: &Assumptions,
) -> Result<Forecast, ForecastError> {
    let mut simulation = Simulation::new(campaign, plan, machine, table, assumptions);
    let stopped_by = simulation.run()?;
    Ok(simulation.forecast(machine, stopped_by))
}

struct Simulation<'t> {
    engine: Engine,
    world: World<'t>,
    random: ChaCha8Rng,
    now: Millis,
    agenda: BinaryHeap<Reverse<Entry>>,
    entries: u64,
    names: Vec<String>,
    partitions: Vec<Partition>,
    stages: BTreeMap<String, StageTimes>,
    /// The partition that evaluates candidates.
    evaluating: usize,
    initial: usize,
    tally: Tally,
    best: Option<Best>,
}

/// When, in which order of those of the same time, and what.
type Entry = (Millis, u64, What);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Due(usize, Due),
    /// The back-off of an attempt is over.
    Submit(TaskId, u32),
    TimeIsUp,
}

/// The tasks of a stage.
#[derive(Clone, Copy)]
struct StageTimes {
    partition: usize,
    timeout: Millis,
    times: Times,
}

impl<'t> Simulation<'t> {
    fn new(
        campaign: &Campaign,
        plan: &Plan,
        machine: &Machine,
        table: &'t Table,
        assumptions: &Assumptions,
    ) -> Self {
        let config = Config::new(campaign, plan);
        let names: Vec<String> = machine.partitions.keys().cloned().collect();
        let place = |name: &str| names.iter().position(|other| other == name).unwrap_or(0);
        let stages = plan.stages().into_iter().map(|planned| {
            let times = match planned.kind {
                "simulate" => assumptions.task_time,
                "generate" => assumptions.ml_time,
                _ => assumptions.fit_time,
            };
            let stage = StageTimes {
                partition: place(&planned.partition),
                timeout: millis(campaign.methods[&planned.method].timeout.get()),
                times,
            };
            (planned.stage.clone(), stage)
        });
        let mut simulation = Self {
            random: ChaCha8Rng::seed_from_u64(stream(config.seed, "forecast", 0)),
            world: World::new(table, assumptions.failures, assumptions.skill),
            now: 0,
            agenda: BinaryHeap::new(),
            entries: 0,
            partitions: (machine.partitions.values())
                .map(|supply| Partition::new(*supply, assumptions.queue_wait))
                .collect(),
            stages: stages.collect(),
            evaluating: place(&plan.evaluate.partition),
            initial: config.initial_count,
            tally: Tally::new(names.len()),
            engine: Engine::new(config),
            best: None,
            names,
        };
        if let Some(limit) = campaign.stop.wall_time {
            simulation.enter(millis(limit.get()), What::TimeIsUp);
        }
        simulation
    }

    fn run(&mut self) -> Result<StoppedBy, ForecastError> {
        let (initial, reserve) = self.draw()?;
        self.take(Fact::Began { initial, reserve })?;
        loop {
            if let Some(stopped_by) = self.engine.stopped_by() {
                return Ok(stopped_by);
            }
            let Some(Reverse((at, _, what))) = self.agenda.pop() else {
                return Err(self.stuck());
            };
            let partitions = self.partitions.iter();
            let state = partitions.map(|p| (p.slots(), p.busy(), p.wants_nodes()));
            self.tally.pass(at, state);
            self.now = at;
            match what {
                What::TimeIsUp => self.take(Fact::TimeIsUp)?,
                What::Submit(task, attempt) => {
                    if self.engine.awaits(task, attempt)
                        && let Some(place) = self.submit(task, attempt)
                    {
                        self.advance(place);
                    }
                }
                What::Due(place, due) => {
                    if let Some((task, attempt, how)) = self.partitions[place].take(at, due) {
                        self.ended(task, attempt, how)?;
                    }
                    self.advance(place);
                }
            }
        }
    }

    /// The initial molecules and some more, without repetition.
    fn draw(&mut self) -> Result<(Vec<String>, Vec<String>), ForecastError> {
        let (found, asked) = (self.world.table.len(), self.initial);
        if found < asked {
            return Err(ForecastError::TooFewMolecules { found, asked });
        }
        let mut all: Vec<usize> = (0..found).collect();
        let (drawn, _) = all.partial_shuffle(&mut self.random, asked + RESERVE.min(found - asked));
        let mut initial: Vec<String> = drawn.iter().map(|m| self.world.table.name(*m)).collect();
        let reserve = initial.split_off(asked);
        Ok((initial, reserve))
    }

    fn ended(&mut self, task: TaskId, attempt: u32, how: How) -> Result<(), ForecastError> {
        let Some((input, _)) = self.engine.input(task) else {
            return Ok(());
        };
        let outcome = match how {
            How::Done => self.world.outcome(&input, &mut self.random),
            How::TimedOut => failed(FailureKind::Timeout, "ran past its timeout"),
            How::Walltime => failed(FailureKind::Walltime, "ended at the walltime"),
        };
        self.take(Fact::Ended {
            task,
            attempt,
            usage: Default::default(),
            outcome,
        })
    }

    /// Tells the engine, counts what that changed, and does what it wants.
    fn take(&mut self, fact: Fact) -> Result<(), ForecastError> {
        let at = self.now as i64;
        let Step { records, effects } = self.engine.handle(&Event { at, fact })?;
        self.tally.count(&records, self.evaluating);
        self.note_best();
        let mut cancelled = BTreeSet::new();
        let mut changed = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Submit { task, attempt } => changed.extend(self.submit(task, attempt)),
                Effect::SubmitLater {
                    task,
                    attempt,
                    not_before,
                } => self.enter(not_before as Millis, What::Submit(task, attempt)),
                Effect::Cancel { task, .. } => drop(cancelled.insert(task)),
                Effect::End => {}
            }
        }
        if !cancelled.is_empty() {
            for partition in &mut self.partitions {
                partition.cancel(self.now, &cancelled);
            }
        }
        for place in changed {
            self.advance(place);
        }
        Ok(())
    }

    /// Has an attempt wait for a slot, and says in which partition.
    fn submit(&mut self, task: TaskId, attempt: u32) -> Option<usize> {
        let stage = self.stages.get(self.engine.stage_of(task)?)?;
        self.tally.tasks[stage.partition] += u64::from(attempt == 1);
        self.partitions[stage.partition].submit(Waiting {
            task,
            attempt,
            time: stage.times.draw(&mut self.random),
            timeout: stage.timeout,
        });
        Some(stage.partition)
    }

    fn advance(&mut self, place: usize) {
        let mut agenda = Agenda::new();
        self.partitions[place].advance(self.now, &mut agenda);
        for (at, due) in agenda {
            self.enter(at, What::Due(place, due));
        }
    }

    fn enter(&mut self, at: Millis, what: What) {
        self.entries += 1;
        self.agenda.push(Reverse((at, self.entries, what)));
    }

    fn note_best(&mut self) {
        let Some((smiles, value)) = self.engine.incumbent() else {
            return;
        };
        if self
            .best
            .as_ref()
            .is_none_or(|best| best.value_hartree != value)
        {
            self.best = Some(Best {
                smiles: smiles.to_owned(),
                value_hartree: value,
                found_after_evaluations: self.engine.measured().len(),
                found_after_seconds: seconds(self.now),
                lowest_hartree: self.world.table.lowest(),
                molecules: self.world.table.distinct(),
            });
        }
    }

    fn stuck(&self) -> ForecastError {
        let waiting = self.engine.outstanding();
        let stage = waiting
            .first()
            .and_then(|(task, _)| self.engine.stage_of(*task));
        ForecastError::Stuck {
            stage: stage.unwrap_or_default().to_owned(),
        }
    }

    fn forecast(self, machine: &Machine, stopped_by: StoppedBy) -> Forecast {
        let progress = self.engine.progress();
        let held = machine.nodes as u64 * self.now;
        let jobs = self.partitions.iter().map(|p| p.node_time(self.now));
        let partitions = self
            .names
            .iter()
            .zip(&self.partitions)
            .zip(&self.tally.slots);
        let partitions = partitions.zip(&self.tally.tasks);
        let partitions = partitions.map(|(((name, partition), slots), tasks)| {
            let forecast = PartitionForecast {
                slots: partition.slots(),
                tasks: *tasks,
                utilisation: slots.shares()[0],
            };
            (name.clone(), forecast)
        });
        let partitions = partitions.collect();
        let node_time = held + jobs.sum::<u64>();
        let ages = self.tally.ages;
        let ages = Spread::of(ages.batches).zip(Spread::of(ages.results));
        let search = self.tally.search.zip(ages);
        let search = search.map(|((first, last), (age_in_batches, age_in_results))| {
            let [utilisation, idle_without_candidates, idle_without_nodes] =
                last.slots.since(first.slots).shares();
            Search {
                partition: self.names[self.evaluating].clone(),
                from_seconds: seconds(first.at),
                until_seconds: seconds(last.at),
                utilisation,
                idle_without_candidates,
                idle_without_nodes,
                queued: self.tally.queued,
                superseded: self.tally.superseded,
                age_in_batches,
                age_in_results,
            }
        });
        Forecast {
            stopped_by,
            seconds: seconds(self.now),
            node_hours: node_time as f64 / 3_600_000.0,
            tasks: self.tally.tasks.iter().sum(),
            evaluations: progress.evaluations,
            failures: progress.failures,
            batches: progress.batches,
            partitions,
            search,
            best: self.best,
        }
    }
}

fn seconds(time: Millis) -> f64 {
    time as f64 / 1000.0
}

fn word<S: serde::Serializer>(stopped_by: &StoppedBy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(stopped_by.word())
}
