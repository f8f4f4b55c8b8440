//! Laws of the pool against blocks that come late, end at their walltime, get lost, and are
//! forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::pool::{BlockCommand, BlockEvent, BlockPolicy, BlockPool};
use crate::exec::Termination;
use crate::exec::actor::Core;
use crate::exec::job_wrapper::{AttemptEnd, AttemptFiles};
use crate::scheduler::{JobOutcome, JobState, JobStatus, Submission};
use crate::task::{TaskId, Token};

const PREFIX: &str = "1f.qc.block.";

fn token(task: u64) -> Token {
    Token {
        run: "1f".into(),
        task: TaskId(task),
        attempt: 1,
    }
}

/// The id of the job of a block.
fn id(name: &str) -> String {
    name.trim_start_matches(PREFIX).replace('.', "")
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[derive(Clone, Debug)]
enum PoolAction {
    Pass(u64),
    Poll,
    /// A list that lacks some of the blocks, without saying so.
    PollPart(u8),
    StartBlock(usize),
    LoseBlock(usize, bool),
    EndStep(usize),
    /// The answer to the next request for a block is lost, and the request as well.
    LoseRequest,
    Cancel(u64),
}

fn actions() -> impl Strategy<Value = PoolAction> {
    prop_oneof![
        3 => (1u64..400).prop_map(PoolAction::Pass),
        5 => Just(PoolAction::Poll),
        3 => any::<u8>().prop_map(PoolAction::PollPart),
        3 => (0usize..5).prop_map(PoolAction::StartBlock),
        1 => ((0usize..5), any::<bool>()).prop_map(|(n, forget)| PoolAction::LoseBlock(n, forget)),
        4 => (0usize..9).prop_map(PoolAction::EndStep),
        1 => Just(PoolAction::LoseRequest),
        1 => (1u64..13).prop_map(PoolAction::Cancel),
    ]
}

struct PoolSimulation {
    pool: BlockPool,
    policy: BlockPolicy,
    now: Duration,
    blocks: BTreeMap<String, (JobState, Option<Duration>)>,
    forgotten: BTreeSet<String>,
    steps: BTreeMap<Token, String>,
    started: BTreeSet<Token>,
    reported: BTreeMap<Token, Termination>,
    /// Tasks that a block took with it at its walltime.
    at_walltime: BTreeSet<Token>,
    lose: bool,
    timeout: Duration,
}

impl PoolSimulation {
    fn new(policy: &BlockPolicy, tasks: u64, timeout: Duration) -> Self {
        let mut simulation = Self {
            pool: BlockPool::new(policy.clone(), usize::MAX, PREFIX.into()),
            policy: policy.clone(),
            now: Duration::ZERO,
            blocks: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            steps: BTreeMap::new(),
            started: BTreeSet::new(),
            reported: BTreeMap::new(),
            at_walltime: BTreeSet::new(),
            lose: false,
            timeout,
        };
        let tasks = (1..=tasks).map(|task| (token(task), timeout)).collect();
        simulation.event(BlockEvent::Submitted(tasks));
        simulation
    }

    fn event(&mut self, event: BlockEvent) {
        let mut commands: VecDeque<BlockCommand> = self.pool.handle(self.now, event).into();
        while let Some(command) = commands.pop_front() {
            if let BlockCommand::Show(blocks) = command {
                for (name, of) in blocks {
                    let listed = self.listed(&name).filter(|listed| listed.id == of);
                    let event = BlockEvent::Shown(name, listed);
                    commands.extend(self.pool.handle(self.now, event));
                }
                continue;
            }
            let answer = self.carry_out(command);
            commands.extend(
                answer
                    .into_iter()
                    .flat_map(|event| self.pool.handle(self.now, event)),
            );
        }
    }

    fn carry_out(&mut self, command: BlockCommand) -> Option<BlockEvent> {
        match command {
            BlockCommand::Submit(name) => {
                if std::mem::take(&mut self.lose) {
                    return Some(BlockEvent::BlockSubmitted(name, Submission::Unknown));
                }
                let known = self.blocks.insert(name.clone(), (JobState::Pending, None));
                assert_eq!(known, None, "two blocks of one name");
                let id = id(&name);
                Some(BlockEvent::BlockSubmitted(name, Submission::Accepted(id)))
            }
            BlockCommand::Release(name) => {
                if self.blocks.contains_key(&name) {
                    self.blocks
                        .insert(name.clone(), (JobState::Ended(JobOutcome::Cancelled), None));
                }
                assert!(
                    self.steps.values().all(|block| *block != name),
                    "a block in use is released"
                );
                None
            }
            BlockCommand::Start { token, block, .. } => {
                assert!(
                    self.started.insert(token.clone()),
                    "{token} is started twice"
                );
                if let Some((JobState::Running, Some(until))) = self.blocks.get(&block) {
                    let needed = self.timeout.min(self.policy.walltime * 9 / 10);
                    // The state of a block is known as of the last poll.
                    assert!(
                        self.now + needed <= *until,
                        "it may not end before its block"
                    );
                }
                self.steps.insert(token, block.clone());
                let used = self.steps.values().filter(|other| **other == block).count();
                assert!(used <= self.policy.capacity, "too many tasks in a block");
                None
            }
            BlockCommand::Show(_) => unreachable!("carried out before"),
            BlockCommand::Terminate(token) => {
                self.steps.remove(&token)?;
                Some(BlockEvent::ClientEnded(
                    token,
                    Termination::Signal(15),
                    AttemptFiles::default(),
                ))
            }
            BlockCommand::Report(token, exit, _) => {
                assert_eq!(self.reported.insert(token, exit), None, "reported twice");
                None
            }
        }
    }

    fn live(&self) -> usize {
        let ended = |state: &JobState| matches!(state, JobState::Ended(_));
        self.blocks
            .values()
            .filter(|(state, _)| !ended(state))
            .count()
    }

    fn end_block(&mut self, name: &str, outcome: JobOutcome) {
        self.blocks
            .insert(name.to_owned(), (JobState::Ended(outcome.clone()), None));
        let steps = self.steps.iter().filter(|(_, block)| *block == name);
        let steps: Vec<Token> = steps.map(|(token, _)| token.clone()).collect();
        for token in steps {
            self.steps.remove(&token);
            if outcome == JobOutcome::Walltime {
                self.at_walltime.insert(token.clone());
            }
            // Killed at once, ended by SIGTERM, or a shell that outlived its program.
            let exit = match token.task.0 % 3 {
                0 => None,
                1 => Some(Termination::Signal(15)),
                _ => Some(Termination::Code(143)),
            };
            let traces = exit.map_or_else(AttemptFiles::default, recorded);
            self.event(BlockEvent::ClientEnded(token, Termination::Code(1), traces));
        }
    }

    fn listed(&self, name: &str) -> Option<JobStatus> {
        let (state, until) = self.blocks.get(name)?;
        (!self.forgotten.contains(name)).then(|| JobStatus {
            id: id(name),
            name: name.to_owned(),
            state: state.clone(),
            submitted: String::new(),
            reason: String::new(),
            left: until.map(|until| until.saturating_sub(self.now)),
        })
    }

    /// A list without the blocks whose bits are set in `lacking`.
    fn poll(&mut self, lacking: u8) {
        let names = self.blocks.keys().zip((0..8).cycle());
        let names = names.filter(|(_, bit)| lacking & (1 << bit) == 0);
        let listed = names.filter_map(|(name, _)| self.listed(name)).collect();
        self.event(BlockEvent::Listed(listed));
    }

    fn apply(&mut self, action: PoolAction) {
        match action {
            PoolAction::Pass(count) => {
                self.now += seconds(count);
                let over = |(_, (state, until)): &(&String, &(JobState, Option<Duration>))| {
                    *state == JobState::Running && until.is_some_and(|until| until <= self.now)
                };
                let over: Vec<String> = self
                    .blocks
                    .iter()
                    .filter(over)
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in over {
                    self.end_block(&name, JobOutcome::Walltime);
                }
                self.event(BlockEvent::Tick);
            }
            PoolAction::Poll => self.poll(0),
            PoolAction::PollPart(lacking) => self.poll(lacking),
            PoolAction::StartBlock(n) => {
                let until = self.now + self.policy.walltime;
                let waiting = self
                    .blocks
                    .values_mut()
                    .filter(|(state, _)| *state == JobState::Pending);
                if let Some(block) = waiting.into_iter().nth(n) {
                    *block = (JobState::Running, Some(until));
                }
            }
            PoolAction::LoseBlock(n, forget) => {
                let running = self
                    .blocks
                    .iter()
                    .filter(|(_, (state, _))| *state == JobState::Running);
                let name = running.map(|(name, _)| name.clone()).nth(n);
                if let Some(name) = name {
                    self.end_block(&name, JobOutcome::NodeLost("NODE_FAIL".into()));
                    if forget {
                        self.forgotten.insert(name);
                    }
                }
            }
            PoolAction::EndStep(n) => {
                let token = self.steps.keys().nth(n).cloned();
                if let Some(token) = token {
                    self.steps.remove(&token);
                    let exit = Termination::Code(0);
                    let traces = recorded(exit.clone());
                    self.event(BlockEvent::ClientEnded(token, exit, traces));
                }
            }
            PoolAction::LoseRequest => self.lose = true,
            PoolAction::Cancel(task) => self.event(BlockEvent::Cancel(vec![token(task)])),
        }
    }
}

/// Files of an attempt that recorded this end.
fn recorded(exit: Termination) -> AttemptFiles {
    AttemptFiles {
        result: None,
        ended: Some(AttemptEnd {
            exit,
            started: 0,
            ended: 1,
        }),
    }
}

fn policy() -> impl Strategy<Value = BlockPolicy> {
    (0usize..2, 0usize..3, 1usize..4, 1usize..4).prop_map(|(min, init, max, capacity)| {
        BlockPolicy {
            min,
            init,
            max,
            capacity,
            walltime: seconds(600),
            idle: seconds(60),
        }
    })
}

proptest! {
    #[test]
    fn every_task_is_started_once_where_it_can_end_and_reported_once(
        policy in policy(),
        tasks in 1u64..13,
        timeout in 1u64..900,
        actions in prop::collection::vec(actions(), 0..100),
    ) {
        let mut simulation = PoolSimulation::new(&policy, tasks, seconds(timeout));
        let mut cancelled = BTreeSet::new();
        for action in actions {
            if let PoolAction::Cancel(task) = action {
                cancelled.insert(token(task));
            }
            simulation.apply(action);
            prop_assert!(simulation.live() <= policy.max, "more blocks than asked for");
        }
        for _ in 0..200 {
            simulation.apply(PoolAction::Pass(20));
            simulation.apply(PoolAction::Poll);
            simulation.apply(PoolAction::StartBlock(0));
            simulation.apply(PoolAction::Poll);
            simulation.apply(PoolAction::EndStep(0));
        }
        for task in (1..=tasks).map(token).filter(|task| !cancelled.contains(task)) {
            prop_assert!(simulation.reported.contains_key(&task), "{} has no end", task);
        }
        for task in simulation.at_walltime.difference(&cancelled) {
            prop_assert_eq!(&simulation.reported[task], &Termination::Walltime);
        }
        prop_assert_eq!(simulation.pool.unreported(), 0);
        prop_assert!(simulation.live() <= policy.min, "idle blocks are kept");
    }
}
