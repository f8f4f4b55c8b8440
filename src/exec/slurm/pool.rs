//! Blocks: which allocations are asked for and released, and which task starts in which. Events in, commands out; time is
//! an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::exec::Exit;
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::jobs::verdict;
use crate::scheduler::{JobOutcome, JobState, JobStatus, Submission};
use crate::task::{Token, block_time};

/// Looks in a row that must bear something out before it is believed. A block whose id is known is gone only when Slurm
/// says that it does not know the id: a list may lack jobs that live.
const LOOKS: u32 = 2;

/// How blocks are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Blocks that are kept although idle.
    pub min: usize,
    /// Blocks asked for when the first task comes.
    pub init: usize,
    pub max: usize,
    /// Tasks of a block at once.
    pub capacity: usize,
    pub walltime: Duration,
    /// How long a block may idle.
    pub idle: Duration,
}

/// The blocks of a partition and the tasks in them.
#[derive(Debug)]
pub struct Pool {
    rules: Rules,
    /// What the names of its blocks begin with.
    prefix: String,
    /// Whether Slurm has told which blocks an earlier engine left.
    looked: bool,
    begun: bool,
    next: u64,
    /// Each with the time that it may take.
    waiting: BTreeMap<u64, (Token, Duration)>,
    steps: BTreeMap<Token, Step>,
    blocks: BTreeMap<String, Block>,
}

#[derive(Debug, Default)]
struct Step {
    block: String,
    cancelled: bool,
    /// Its client has ended, and what is left is to know why.
    ended: Option<(Exit, AttemptFiles)>,
    /// It outlived its client, which then says nothing of it.
    orphaned: bool,
    /// Looks since then in which its block still lived.
    looks: u32,
}

#[derive(Debug)]
struct Block {
    phase: Phase,
    /// The id of its job, once Slurm has told it.
    id: Option<String>,
    idle_since: Option<Duration>,
    absences: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Asked for; Slurm has it, or may have it.
    Asked,
    Running {
        until: Option<Duration>,
    },
    Releasing,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Tasks to be run, in this order, and how long each may take.
    Wanted(Vec<(Token, Duration)>),
    /// A step that an earlier engine started in this block.
    Adopted(Token, String),
    Cancel(Vec<Token>),
    DropWaiting,
    /// What asking for a block came to.
    Asked(String, Submission),
    Listed(Vec<JobStatus>),
    /// What Slurm says of the id that the block of this name had; None if it does not know the id.
    Shown(String, Option<JobStatus>),
    /// The client of a step has ended.
    StepEnded(Token, Exit, AttemptFiles),
    /// Steps whose clients have ended, but which run on.
    RunOn(Vec<Token>),
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Ask for a block of this name.
    Ask(String),
    Release(String),
    /// Ask for blocks by their ids, each with its name.
    Show(Vec<(String, String)>),
    /// Start a task in the block of this name and id.
    Start {
        token: Token,
        block: String,
        id: String,
    },
    /// End the client of a step, and with it the step.
    Kill(Token),
    Ended(Token, Exit, AttemptFiles),
}

impl Pool {
    /// A pool whose blocks have names that begin with `prefix`, which no other pool's may.
    pub fn new(rules: Rules, prefix: String) -> Self {
        Self {
            rules,
            prefix,
            looked: false,
            begun: false,
            next: 0,
            waiting: BTreeMap::new(),
            steps: BTreeMap::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// Tasks that run.
    pub fn busy(&self) -> usize {
        self.steps.len()
    }

    /// The walltime of a block.
    pub fn walltime(&self) -> Duration {
        self.rules.walltime
    }

    /// Whether nothing is awaited but the end of what runs.
    pub fn is_settled(&self) -> bool {
        let runs = |block: &Block| matches!(block.phase, Phase::Running { .. });
        let goes_on = |step: &Step| step.ended.is_none() && !step.cancelled;
        self.looked
            && self.waiting.is_empty()
            && self.blocks.values().all(runs)
            && self.steps.values().all(goes_on)
    }

    /// Whether there is nothing to look at.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.steps.is_empty() && self.blocks.is_empty()
    }

    /// Steps whose clients have ended, and of which it is not known how they ended or whether they run on.
    pub fn doubtful(&self) -> Vec<Token> {
        let doubtful = self.steps.iter().filter(|(_, step)| step.ended.is_some());
        doubtful.map(|(token, _)| token.clone()).collect()
    }

    /// Names of the blocks that Slurm has or may have.
    pub fn blocks(&self) -> Vec<String> {
        self.blocks.keys().cloned().collect()
    }

    /// Ids of those, where they are known.
    pub fn ids(&self) -> Vec<String> {
        let blocks = self.blocks.values();
        blocks.filter_map(|block| block.id.clone()).collect()
    }

    /// Whether Slurm may have a block whose id is not known.
    pub fn is_in_doubt(&self) -> bool {
        self.blocks.values().any(|block| block.id.is_none())
    }

    /// `at`: time since some moment.
    pub fn handle(&mut self, at: Duration, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Wanted(tasks) => {
                for task in tasks {
                    self.waiting.insert(self.next, task);
                    self.next += 1;
                }
            }
            Event::Adopted(token, block) => {
                let step = Step {
                    block,
                    ..Step::default()
                };
                self.steps.insert(token, step);
            }
            Event::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            Event::DropWaiting => self.waiting.clear(),
            Event::Asked(name, answer) => self.asked(&name, answer, &mut commands),
            Event::Listed(list) => self.listed(at, &list, &mut commands),
            Event::Shown(name, listed) => self.shown(at, &name, listed, &mut commands),
            Event::StepEnded(token, exit, traces) => {
                self.step_ended(&token, exit, traces, &mut commands);
            }
            Event::RunOn(tokens) => {
                for token in tokens {
                    if let Some(step) = self.steps.get_mut(&token) {
                        step.looks = 0;
                        step.orphaned = true;
                    }
                }
            }
            Event::Tick => {}
        }
        if self.looked {
            self.place(at, &mut commands);
            self.release(at, &mut commands);
            self.ask(at, &mut commands);
        }
        commands
    }

    fn cancel(&mut self, tokens: &[Token], commands: &mut Vec<Command>) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        self.waiting.retain(|_, (token, _)| !tokens.contains(token));
        for (token, step) in &mut self.steps {
            if tokens.contains(token) {
                step.cancelled = true;
                commands.push(Command::Kill(token.clone()));
            }
        }
    }

    fn asked(&mut self, name: &str, answer: Submission, commands: &mut Vec<Command>) {
        match answer {
            Submission::Accepted(id) => {
                if let Some(block) = self.blocks.get_mut(name) {
                    block.id = Some(id);
                }
            }
            // The next lists tell where it stands, or that it never came.
            Submission::HostFault(..) | Submission::Unknown | Submission::QueueFull => {}
            Submission::Rejected(why) => {
                self.blocks.remove(name);
                if self.blocks.is_empty() {
                    for (_, (token, _)) in std::mem::take(&mut self.waiting) {
                        let exit = Exit::LaunchFailed(why.clone());
                        commands.push(Command::Ended(token, exit, AttemptFiles::default()));
                    }
                }
            }
        }
    }

    fn listed(&mut self, at: Duration, list: &[JobStatus], commands: &mut Vec<Command>) {
        self.looked = true;
        let ours = list.iter().filter(|job| job.name.starts_with(&self.prefix));
        let ours: Vec<&JobStatus> = ours.collect();
        let seen: BTreeSet<&str> = ours.iter().map(|job| job.name.as_str()).collect();
        let (mut gone, mut missing) = (Vec::new(), Vec::new());
        for (name, block) in &mut self.blocks {
            match &block.id {
                _ if seen.contains(name.as_str()) => {}
                Some(id) => missing.push((name.clone(), id.clone())),
                None => {
                    block.absences += 1;
                    if block.absences >= LOOKS {
                        gone.push(name.clone());
                    }
                }
            }
        }
        for job in ours {
            self.seen(at, job, commands);
        }
        for name in gone {
            self.gone(&name, None, commands);
        }
        if !missing.is_empty() {
            commands.push(Command::Show(missing));
        }
        self.look_at_steps(commands);
    }

    fn shown(
        &mut self,
        at: Duration,
        name: &str,
        listed: Option<JobStatus>,
        commands: &mut Vec<Command>,
    ) {
        // The id of another job is that of a block which Slurm has forgotten.
        if let Some(job) = listed.filter(|job| job.name == name) {
            return self.seen(at, &job, commands);
        }
        if let Some(block) = self.blocks.get_mut(name) {
            block.absences += 1;
            if block.absences >= LOOKS {
                self.gone(name, None, commands);
            }
        }
    }

    fn seen(&mut self, at: Duration, job: &JobStatus, commands: &mut Vec<Command>) {
        if let JobState::Ended(fate) = &job.state {
            return self.gone(&job.name, Some(fate), commands);
        }
        let block = self
            .blocks
            .entry(job.name.clone())
            .or_insert_with(Block::asked);
        block.absences = 0;
        block.id = Some(job.id.clone());
        match (&block.phase, &job.state) {
            (Phase::Releasing, _) => commands.push(Command::Release(job.name.clone())),
            (Phase::Asked | Phase::Running { .. }, JobState::Running) => {
                block.phase = Phase::Running {
                    until: job.left.map(|left| at + left),
                };
            }
            _ => {}
        }
    }

    fn gone(&mut self, name: &str, fate: Option<&JobOutcome>, commands: &mut Vec<Command>) {
        self.blocks.remove(name);
        self.conclude(name, fate, commands);
    }

    /// Concludes the steps of a block that is gone, as far as their clients have ended.
    fn conclude(&mut self, block: &str, fate: Option<&JobOutcome>, commands: &mut Vec<Command>) {
        let ended = self
            .steps
            .iter()
            .filter(|(_, s)| s.block == block && s.ended.is_some());
        let ended: Vec<Token> = ended.map(|(token, _)| token.clone()).collect();
        for token in ended {
            self.end(&token, fate, commands);
        }
    }

    /// Steps that ended while their block lives: not the block's doing, if it is borne out. And those whose client was
    /// to be killed, again.
    fn look_at_steps(&mut self, commands: &mut Vec<Command>) {
        let mut ended = Vec::new();
        for (token, step) in &mut self.steps {
            if step.ended.is_some() {
                step.looks += 1;
                if step.looks > LOOKS {
                    ended.push(token.clone());
                }
            } else if step.cancelled {
                commands.push(Command::Kill(token.clone()));
            }
        }
        for token in ended {
            self.end(&token, None, commands);
        }
    }

    fn step_ended(
        &mut self,
        token: &Token,
        exit: Exit,
        traces: AttemptFiles,
        commands: &mut Vec<Command>,
    ) {
        let Some(step) = self.steps.get_mut(token) else {
            return;
        };
        let seen = traces.ended.as_ref().map(|ended| &ended.exit);
        let plain = seen.is_some_and(|exit| !matches!(exit, Exit::Signal(_)));
        let cancelled = step.cancelled;
        step.ended = Some((exit, traces));
        if plain || cancelled {
            self.end(token, None, commands);
        }
    }

    fn end(&mut self, token: &Token, fate: Option<&JobOutcome>, commands: &mut Vec<Command>) {
        let Some(step) = self.steps.remove(token) else {
            return;
        };
        let (exit, traces) = step
            .ended
            .unwrap_or((Exit::Unseen, AttemptFiles::default()));
        let exit = match (verdict(fate, &traces, step.cancelled), fate) {
            // A block is no task: who cancels it takes the nodes away from its tasks.
            (Exit::CancelledByHand, _) => Exit::NodeLost("CANCELLED".into()),
            (Exit::Signal(_) | Exit::Unseen, _) if step.cancelled => Exit::Cancelled,
            (Exit::Unseen | Exit::Word(_), _) if step.orphaned => Exit::Unseen,
            // What the client saw is all that is known.
            (Exit::Unseen | Exit::Word(_), _) => exit,
            (verdict, _) => verdict,
        };
        commands.push(Command::Ended(token.clone(), exit, traces));
    }

    fn used(&self, block: &str) -> usize {
        self.steps
            .values()
            .filter(|step| step.block == block)
            .count()
    }

    /// Whether a block will last for a task that may take `time`. One that may take longer than any block lasts needs a
    /// block that has hardly begun.
    fn lasts(&self, at: Duration, until: Option<Duration>, time: Duration) -> bool {
        let needed = block_time(time, self.rules.walltime);
        until.is_none_or(|until| at + needed <= until)
    }

    /// Starts tasks, in order, wherever there is room and time enough.
    fn place(&mut self, at: Duration, commands: &mut Vec<Command>) {
        while let Some(entry) = self.waiting.first_entry() {
            let (token, time) = entry.get().clone();
            let room = self
                .blocks
                .iter()
                .find_map(|(name, block)| match &block.phase {
                    Phase::Running { until }
                        if self.used(name) < self.rules.capacity
                            && self.lasts(at, *until, time) =>
                    {
                        Some((name.clone(), block.id.clone()?))
                    }
                    _ => None,
                });
            let Some((block, id)) = room else {
                return;
            };
            self.waiting.pop_first();
            let step = Step {
                block: block.clone(),
                ..Step::default()
            };
            self.steps.insert(token.clone(), step);
            commands.push(Command::Start { token, block, id });
        }
    }

    /// Releases blocks that idle for long, and those whose time is too short for what waits.
    fn release(&mut self, at: Duration, commands: &mut Vec<Command>) {
        let first = self.waiting.values().next().map(|(_, time)| *time);
        let mut live = self
            .blocks
            .values()
            .filter(|b| b.phase != Phase::Releasing)
            .count();
        let names = self.blocks();
        for name in names {
            let used = self.used(&name);
            let short = match (self.blocks.get(&name).map(|b| &b.phase), first) {
                (Some(Phase::Running { until }), Some(time)) => !self.lasts(at, *until, time),
                _ => false,
            };
            let Some(block) = self.blocks.get_mut(&name) else {
                continue;
            };
            if used > 0 || first.is_some() && !short {
                block.idle_since = None;
                continue;
            }
            let since = *block.idle_since.get_or_insert(at);
            let spare = live > self.rules.min && at >= since + self.rules.idle;
            if block.phase != Phase::Releasing && (short || spare) {
                block.phase = Phase::Releasing;
                live -= 1;
                commands.push(Command::Release(name));
            }
        }
    }

    /// Asks for blocks as the queue grows.
    fn ask(&mut self, at: Duration, commands: &mut Vec<Command>) {
        if self.waiting.is_empty() && !self.begun {
            return;
        }
        let time = self
            .waiting
            .values()
            .next()
            .map_or(Duration::ZERO, |(_, time)| *time);
        let open = |block: &Block| match block.phase {
            Phase::Asked => true,
            Phase::Running { until } => self.lasts(at, until, time),
            Phase::Releasing => false,
        };
        let open: Vec<&String> = self
            .blocks
            .iter()
            .filter(|(_, block)| open(block))
            .map(|(name, _)| name)
            .collect();
        let demand = self.waiting.len() + open.iter().map(|name| self.used(name)).sum::<usize>();
        let first = if self.begun { 0 } else { self.rules.init };
        let target = demand
            .div_ceil(self.rules.capacity)
            .max(self.rules.min)
            .max(first);
        let room = self.rules.max.saturating_sub(self.blocks.len());
        let missing = target.saturating_sub(open.len()).min(room);
        self.begun = true;
        for _ in 0..missing {
            // Unlike that of any block before, an earlier engine's included.
            let name = format!("{}{}.{}", self.prefix, at.as_millis(), self.next);
            self.next += 1;
            self.blocks.insert(name.clone(), Block::asked());
            commands.push(Command::Ask(name));
        }
    }
}

impl Block {
    fn asked() -> Self {
        Self {
            phase: Phase::Asked,
            id: None,
            idle_since: None,
            absences: 0,
        }
    }
}
