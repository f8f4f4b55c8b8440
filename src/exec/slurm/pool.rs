//! Pool of blocks: which blocks are submitted and released, and which task starts in which. Events
//! in, commands out; time is an argument.

mod event;
mod placement;

pub use event::{BlockCommand, BlockEvent};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::exec::Termination;
use crate::exec::actor::Core;
use crate::exec::job_wrapper::AttemptFiles;
use crate::exec::verdict::Evidence;
use crate::scheduler::{JobOutcome, JobState, JobStatus, Submission};
use crate::task::Token;

/// Polls in a row that must agree before a block or step counts as gone. A block whose id is known
/// is gone only when Slurm denies the id: a list may lack live jobs.
const LOOKS: u32 = 2;

/// Number, size and lifetime of the blocks of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPolicy {
    /// Blocks that are kept although idle.
    pub min: usize,
    /// Blocks asked for when the first task comes.
    pub init: usize,
    /// Most blocks at once.
    pub max: usize,
    /// Tasks of a block at once.
    pub capacity: usize,
    /// Walltime of the job that holds a block.
    pub walltime: Duration,
    /// Time that a block may be idle before it is released.
    pub idle: Duration,
}

/// The blocks of a partition and the tasks in them.
#[derive(Debug)]
pub struct BlockPool {
    policy: BlockPolicy,
    slots: usize,
    /// First part of the names of its blocks.
    prefix: String,
    /// True once Slurm has listed the blocks that an earlier engine left.
    looked: bool,
    begun: bool,
    next: u64,
    /// Tasks by their order, each with its expected time.
    waiting: BTreeMap<u64, (Token, Duration)>,
    steps: BTreeMap<Token, BlockStep>,
    blocks: BTreeMap<String, Block>,
}

#[derive(Debug, Default)]
struct BlockStep {
    block: String,
    cancelled: bool,
    /// End of its client, and the files of the attempt; the reason of the end is still sought.
    ended: Option<(Termination, AttemptFiles)>,
    /// It outlived its client, whose exit status then says nothing about it.
    orphaned: bool,
    /// Polls since then in which its block was live.
    looks: u32,
}

#[derive(Debug)]
struct Block {
    phase: BlockPhase,
    /// Id of its job; None until Slurm names it.
    id: Option<String>,
    idle_since: Option<Duration>,
    absences: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum BlockPhase {
    /// Submitted; Slurm has it, or may have it.
    Submitted,
    Running {
        until: Option<Duration>,
    },
    Releasing,
}

impl BlockPool {
    /// Creates a pool that runs at most `slots` tasks at once. The names of its blocks begin with
    /// `prefix`, which must differ from that of any other pool.
    pub fn new(policy: BlockPolicy, slots: usize, prefix: String) -> Self {
        Self {
            policy,
            slots,
            prefix,
            looked: false,
            begun: false,
            next: 0,
            waiting: BTreeMap::new(),
            steps: BTreeMap::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// Returns true if nothing is expected but the end of running steps.
    pub fn is_settled(&self) -> bool {
        let runs = |block: &Block| matches!(block.phase, BlockPhase::Running { .. });
        let goes_on = |step: &BlockStep| step.ended.is_none() && !step.cancelled;
        self.looked
            && self.waiting.is_empty()
            && self.blocks.values().all(runs)
            && self.steps.values().all(goes_on)
    }

    /// Returns true if there is nothing to poll for.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.steps.is_empty() && self.blocks.is_empty()
    }

    /// Returns the steps whose clients have ended, and which may still run or have ended unseen.
    pub fn doubtful(&self) -> Vec<Token> {
        let doubtful = self.steps.iter().filter(|(_, step)| step.ended.is_some());
        doubtful.map(|(token, _)| token.clone()).collect()
    }

    /// Returns the names of the blocks that Slurm has or may have.
    pub fn blocks(&self) -> Vec<String> {
        self.blocks.keys().cloned().collect()
    }

    /// Returns the ids of those, where they are known.
    pub fn ids(&self) -> Vec<String> {
        let blocks = self.blocks.values();
        blocks.filter_map(|block| block.id.clone()).collect()
    }

    /// Returns true if Slurm may have a block whose job id is not known.
    pub fn is_in_doubt(&self) -> bool {
        self.blocks.values().any(|block| block.id.is_none())
    }

    fn cancel(&mut self, tokens: &[Token], commands: &mut Vec<BlockCommand>) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        self.waiting.retain(|_, (token, _)| !tokens.contains(token));
        for (token, step) in &mut self.steps {
            if tokens.contains(token) {
                step.cancelled = true;
                commands.push(BlockCommand::Terminate(token.clone()));
            }
        }
    }

    fn block_submitted(
        &mut self,
        name: &str,
        answer: Submission,
        commands: &mut Vec<BlockCommand>,
    ) {
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
                        let exit = Termination::LaunchFailed(why.clone());
                        commands.push(BlockCommand::Report(token, exit, AttemptFiles::default()));
                    }
                }
            }
        }
    }

    fn listed(&mut self, at: Duration, list: &[JobStatus], commands: &mut Vec<BlockCommand>) {
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
            commands.push(BlockCommand::Show(missing));
        }
        self.look_at_steps(commands);
    }

    fn shown(
        &mut self,
        at: Duration,
        name: &str,
        listed: Option<JobStatus>,
        commands: &mut Vec<BlockCommand>,
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

    fn seen(&mut self, at: Duration, job: &JobStatus, commands: &mut Vec<BlockCommand>) {
        if let JobState::Ended(outcome) = &job.state {
            return self.gone(&job.name, Some(outcome), commands);
        }
        let block = self
            .blocks
            .entry(job.name.clone())
            .or_insert_with(Block::submitted);
        block.absences = 0;
        block.id = Some(job.id.clone());
        match (&block.phase, &job.state) {
            (BlockPhase::Releasing, _) => commands.push(BlockCommand::Release(job.name.clone())),
            (BlockPhase::Submitted | BlockPhase::Running { .. }, JobState::Running) => {
                block.phase = BlockPhase::Running {
                    until: job.left.map(|left| at + left),
                };
            }
            _ => {}
        }
    }

    fn gone(&mut self, name: &str, outcome: Option<&JobOutcome>, commands: &mut Vec<BlockCommand>) {
        self.blocks.remove(name);
        self.conclude(name, outcome, commands);
    }

    /// Concludes the steps of a block that is gone, as far as their clients have ended.
    fn conclude(
        &mut self,
        block: &str,
        outcome: Option<&JobOutcome>,
        commands: &mut Vec<BlockCommand>,
    ) {
        let ended = self
            .steps
            .iter()
            .filter(|(_, s)| s.block == block && s.ended.is_some());
        let ended: Vec<Token> = ended.map(|(token, _)| token.clone()).collect();
        for token in ended {
            self.end(&token, outcome, commands);
        }
    }

    /// Steps that ended while their block lives: not the block's doing, if it is borne out. And
    /// those whose client was to be killed, again.
    fn look_at_steps(&mut self, commands: &mut Vec<BlockCommand>) {
        let mut ended = Vec::new();
        for (token, step) in &mut self.steps {
            if step.ended.is_some() {
                step.looks += 1;
                if step.looks > LOOKS {
                    ended.push(token.clone());
                }
            } else if step.cancelled {
                commands.push(BlockCommand::Terminate(token.clone()));
            }
        }
        for token in ended {
            self.end(&token, None, commands);
        }
    }

    fn client_ended(
        &mut self,
        token: &Token,
        exit: Termination,
        traces: AttemptFiles,
        commands: &mut Vec<BlockCommand>,
    ) {
        let Some(step) = self.steps.get_mut(token) else {
            return;
        };
        let seen = traces.ended.as_ref().map(|ended| &ended.exit);
        let plain = seen.is_some_and(|exit| !exit.may_be_a_signal());
        let cancelled = step.cancelled;
        step.ended = Some((exit, traces));
        if plain || cancelled {
            self.end(token, None, commands);
        }
    }

    fn end(
        &mut self,
        token: &Token,
        outcome: Option<&JobOutcome>,
        commands: &mut Vec<BlockCommand>,
    ) {
        let Some(step) = self.steps.remove(token) else {
            return;
        };
        let (client, traces) = step
            .ended
            .unwrap_or((Termination::Unseen, AttemptFiles::default()));
        // A block is no task: who cancels it takes the nodes away from its tasks.
        let taken_away = JobOutcome::NodeLost("CANCELLED".into());
        let scheduler = match outcome {
            Some(JobOutcome::Cancelled) if !step.cancelled => Some(&taken_away),
            outcome => outcome,
        };
        let evidence = Evidence {
            recorded: traces.ended.as_ref().map(|ended| &ended.exit),
            scheduler,
            client: Some(match step.orphaned {
                true => &Termination::Unseen,
                false => &client,
            }),
            lost_nodes: &[],
            cancelled: step.cancelled,
        };
        let exit = evidence.verdict();
        commands.push(BlockCommand::Report(token.clone(), exit, traces));
    }
}

impl Core for BlockPool {
    type Event = BlockEvent;
    type Command = BlockCommand;

    fn handle(&mut self, at: Duration, event: BlockEvent) -> Vec<BlockCommand> {
        let mut commands = Vec::new();
        match event {
            BlockEvent::Submitted(tasks) => {
                for task in tasks {
                    self.waiting.insert(self.next, task);
                    self.next += 1;
                }
            }
            BlockEvent::Adopted(token, block) => {
                let step = BlockStep {
                    block,
                    ..BlockStep::default()
                };
                self.steps.insert(token, step);
            }
            BlockEvent::Cancel(tokens) => self.cancel(&tokens, &mut commands),
            BlockEvent::DropWaiting => self.waiting.clear(),
            BlockEvent::BlockSubmitted(name, answer) => {
                self.block_submitted(&name, answer, &mut commands)
            }
            BlockEvent::Listed(list) => self.listed(at, &list, &mut commands),
            BlockEvent::Shown(name, listed) => self.shown(at, &name, listed, &mut commands),
            BlockEvent::ClientEnded(token, exit, traces) => {
                self.client_ended(&token, exit, traces, &mut commands);
            }
            BlockEvent::StepsRunning(tokens) => {
                for token in tokens {
                    if let Some(step) = self.steps.get_mut(&token) {
                        step.looks = 0;
                        step.orphaned = true;
                    }
                }
            }
            BlockEvent::Tick => {}
        }
        if self.looked {
            self.place(at, &mut commands);
            self.release(at, &mut commands);
            self.submit_blocks(at, &mut commands);
        }
        commands
    }

    fn unreported(&self) -> usize {
        self.steps.len()
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn is_end(command: &BlockCommand) -> bool {
        matches!(command, BlockCommand::Report(..))
    }
}

impl Block {
    fn submitted() -> Self {
        Self {
            phase: BlockPhase::Submitted,
            id: None,
            idle_since: None,
            absences: 0,
        }
    }
}
