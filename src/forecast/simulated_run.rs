//! Simulated run of a campaign: events in order of time, until it ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::machine::Machine;
use super::outcomes::{OutcomeModel, failed};
use super::partition::{
    Agenda, DueEvent, EndedAttempt, SimulatedEnd, SimulatedPartition, WaitingTask,
};
use super::table::Table;
use super::tally::{Spread, Tally};
use super::times::{Millis, Times};
use super::{Assumptions, Best, Forecast, ForecastError, PartitionForecast, SearchForecast};
use crate::config::campaign::Loop;
use crate::config::draw::RESERVE;
use crate::engine::{Effect, Engine, EngineStep, stream};
use crate::plan::Plan;
use crate::task::{Attempt, Event, Fact, FailureKind, Limits, StoppedBy, TaskId, Usage};

/// An engine with its partitions and future events.
pub struct SimulatedRun<'t> {
    engine: Engine,
    outcomes: OutcomeModel<'t>,
    random: ChaCha8Rng,
    /// Time since the begin.
    now: Millis,
    agenda: BinaryHeap<Reverse<AgendaEntry>>,
    /// Number of entries made.
    entries: u64,
    /// Names of the partitions.
    names: Vec<String>,
    partitions: Vec<SimulatedPartition>,
    methods: BTreeMap<String, MethodTimes>,
    /// The partition that evaluates candidates.
    evaluating: usize,
    tally: Tally,
    best: Option<Best>,
    /// True if the table has the values of the objective.
    is_of_table: bool,
    /// The deadline that is in the agenda.
    deadline: Option<Millis>,
}

/// Molecules of the stages that take them from the source, by stage, and some more.
struct DrawnMolecules {
    molecules: BTreeMap<String, Vec<String>>,
    reserve: Vec<String>,
}

/// A future event. Entries are ordered by time, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AgendaEntry {
    at: Millis,
    number: u64,
    event: PendingEvent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PendingEvent {
    /// An event of the partition with this index.
    Due(usize, DueEvent),
    /// The backoff of an attempt is over.
    Submit(TaskId, Attempt),
    TimeIsUp,
}

/// The tasks of a method.
#[derive(Clone, Copy)]
struct MethodTimes {
    partition: usize,
    limits: Limits,
    times: Times,
}

impl<'t> SimulatedRun<'t> {
    /// Returns a run that has not begun.
    pub fn new(
        plan: &Plan,
        machine: &Machine,
        table: &'t Table,
        assumptions: &Assumptions,
    ) -> Self {
        let names: Vec<String> = machine.partitions.keys().cloned().collect();
        let place = |name: &str| names.iter().position(|other| other == name).unwrap_or(0);
        let methods = plan.methods.values().map(|planned| {
            let times = assumptions.times_of(planned);
            let method = MethodTimes {
                partition: place(&planned.partition_name),
                limits: planned.limits,
                times,
            };
            (planned.name.clone(), method)
        });
        Self {
            random: ChaCha8Rng::seed_from_u64(stream(plan.seed, "forecast", 0)),
            outcomes: OutcomeModel::new(table, assumptions.failures, assumptions.skill),
            now: 0,
            agenda: BinaryHeap::new(),
            entries: 0,
            partitions: (machine.partitions.values())
                .map(|supply| SimulatedPartition::new(*supply, assumptions.queue_wait))
                .collect(),
            methods: methods.collect(),
            evaluating: place(evaluating(plan)),
            tally: Tally::new(names.len()),
            engine: Engine::new(plan.clone()),
            best: None,
            is_of_table: plan.only_objective().is_some()
                && plan.objective_property().is_atomization_energy(),
            names,
            deadline: None,
        }
    }

    /// From the first molecule to the end; why that came.
    pub fn run_to_end(&mut self) -> Result<StoppedBy, ForecastError> {
        let DrawnMolecules { molecules, reserve } = self.draw()?;
        self.take(Fact::Began {
            molecules,
            reserve,
            pool: None,
            atom_retries: 0,
        })?;
        loop {
            if let Some(stopped_by) = self.engine.stopped_by() {
                return Ok(stopped_by);
            }
            let Some(Reverse(AgendaEntry { at, event, .. })) = self.agenda.pop() else {
                return Err(self.stuck());
            };
            let partitions = self.partitions.iter();
            let state = partitions.map(|p| (p.slots(), p.busy(), p.wants_nodes()));
            self.tally.pass(at, state);
            self.now = at;
            match event {
                PendingEvent::TimeIsUp => {
                    // One of a stage that is complete meanwhile is none any more.
                    if self.engine.deadline().is_some_and(|due| due <= at as i64) {
                        self.take(Fact::TimeIsUp)?;
                    }
                }
                PendingEvent::Submit(task, attempt) => {
                    if self.engine.awaits(task, attempt)
                        && let Some(place) = self.submit(task, attempt)
                    {
                        self.advance(place);
                    }
                }
                PendingEvent::Due(place, due) => {
                    if let Some(ended) = self.partitions[place].take(at, due) {
                        self.ended(ended)?;
                    }
                    self.advance(place);
                }
            }
        }
    }

    /// The molecules of the stages that take them from the source, by stage, and some more; without
    /// repetition.
    fn draw(&mut self) -> Result<DrawnMolecules, ForecastError> {
        let found = self.outcomes.table.size();
        let draws = self.engine.plan().draws();
        // The whole source has as many molecules as the table has distinct ones.
        let draws = draws.map(|(stage, count)| {
            (
                stage.to_owned(),
                count.unwrap_or(self.outcomes.table.distinct()),
            )
        });
        let draws: Vec<(String, usize)> = draws.collect();
        let asked: usize = draws.iter().map(|(_, count)| count).sum();
        if found < asked {
            return Err(ForecastError::TooFewMolecules { found, asked });
        }
        let mut all: Vec<usize> = (0..found).collect();
        let (drawn, _) = all.partial_shuffle(&mut self.random, asked + RESERVE.min(found - asked));
        let mut drawn: Vec<String> = drawn.iter().map(|m| self.outcomes.table.name(*m)).collect();
        let mut molecules = BTreeMap::new();
        for (stage, count) in draws {
            molecules.insert(stage, drawn.drain(..count).collect());
        }
        let reserve = drawn;
        Ok(DrawnMolecules { molecules, reserve })
    }

    fn ended(&mut self, ended: EndedAttempt) -> Result<(), ForecastError> {
        let EndedAttempt {
            task,
            attempt,
            since,
            end,
        } = ended;
        let Some((input, _)) = self.engine.input(task) else {
            return Ok(());
        };
        let outcome = match end {
            SimulatedEnd::Done => self.outcomes.outcome(&input, &mut self.random),
            SimulatedEnd::TimedOut => failed(FailureKind::Timeout, "ran past its timeout"),
            SimulatedEnd::Walltime => failed(FailureKind::Walltime, "ended at the walltime"),
        };
        self.take(Fact::Ended {
            task,
            attempt,
            usage: Usage {
                started: since.map(|since| since as i64),
                ..Usage::default()
            },
            outcome,
        })
    }

    /// Passes a fact to the engine, counts its records and performs its effects.
    fn take(&mut self, fact: Fact) -> Result<(), ForecastError> {
        let at = self.now as i64;
        let EngineStep { records, effects } = self.engine.handle(&Event { at, fact })?;
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
                } => self.enter(not_before as Millis, PendingEvent::Submit(task, attempt)),
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
        let deadline = self.engine.deadline().map(|at| at.max(0) as Millis);
        if deadline != self.deadline {
            self.deadline = deadline;
            if let Some(at) = deadline {
                self.enter(at, PendingEvent::TimeIsUp);
            }
        }
        Ok(())
    }

    /// Adds an attempt to its partition; returns the index of that.
    fn submit(&mut self, task: TaskId, attempt: Attempt) -> Option<usize> {
        let method = self.methods.get(self.engine.method_of(task)?)?;
        self.tally.tasks[method.partition] += u64::from(attempt == 1);
        self.partitions[method.partition].submit(WaitingTask {
            task,
            attempt,
            time: method.times.draw(&mut self.random),
            limits: method.limits,
        });
        Some(method.partition)
    }

    fn advance(&mut self, place: usize) {
        let mut agenda = Agenda::new();
        self.partitions[place].advance(self.now, &mut agenda);
        for (at, due) in agenda {
            self.enter(at, PendingEvent::Due(place, due));
        }
    }

    /// Adds an event to the agenda.
    fn enter(&mut self, at: Millis, event: PendingEvent) {
        self.entries += 1;
        let number = self.entries;
        self.agenda.push(Reverse(AgendaEntry { at, number, event }));
    }

    fn note_best(&mut self) {
        let Some(incumbent) = self.engine.incumbent().filter(|_| self.is_of_table) else {
            return;
        };
        if self
            .best
            .as_ref()
            .is_none_or(|best| best.value != incumbent.value())
        {
            self.best = Some(Best {
                smiles: incumbent.smiles.clone(),
                value: incumbent.value(),
                found_after_evaluations: self.engine.evaluated().len(),
                found_after_seconds: seconds(self.now),
                molecules: self.outcomes.table.distinct(),
            });
        }
    }

    fn stuck(&self) -> ForecastError {
        let waiting = self.engine.outstanding();
        let method = waiting
            .first()
            .and_then(|(task, _)| self.engine.method_of(*task));
        ForecastError::Stuck {
            method: method.unwrap_or_default().to_owned(),
        }
    }

    /// Returns the forecast once the run has ended.
    pub fn forecast(self, machine: &Machine, stopped_by: StoppedBy) -> Forecast {
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
            SearchForecast {
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
            core_hours: self.engine.core_hours(),
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

/// The partition that evaluates candidates: that of the last method of the consumer loop, or of the
/// first stage without one.
fn evaluating(plan: &Plan) -> &str {
    let consumer = plan
        .stages_in(Loop::Consumer)
        .map(|(_, stage)| stage)
        .next();
    let stage = consumer.or(plan.stages.first());
    let methods = stage
        .map(|stage| plan.methods_of(stage))
        .unwrap_or_default();
    methods.last().map_or("", |method| &method.partition_name)
}

fn seconds(time: Millis) -> f64 {
    time as f64 / 1000.0
}
