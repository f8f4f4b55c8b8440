//! A partition in a forecast: tasks wait, start when there is a slot and a node for them, and end.
//! Time is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::machine::{BlockRules, Supply, millis};
use super::times::Millis;
use crate::task::{Attempt, Limits, TaskId, block_time};

/// The slots of a partition and what is in them.
#[derive(Debug)]
pub struct SimulatedPartition {
    supply: Supply,
    /// Time that a job or a block waits in the scheduler's queue.
    queue_wait: Millis,
    waiting: VecDeque<WaitingTask>,
    running: BTreeMap<TaskId, SimulatedTask>,
    /// Tasks in slots, those whose job waits included.
    used: usize,
    /// Tasks that compute.
    busy: usize,
    blocks: BTreeMap<u64, SimulatedBlock>,
    next_block: u64,
    begun: bool,
    /// Milliseconds of nodes, those that are held throughout left out.
    node_time: u64,
}

/// A task that is handed to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingTask {
    pub task: TaskId,
    pub attempt: Attempt,
    /// Duration if nothing terminates it.
    pub time: Millis,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct SimulatedTask {
    attempt: Attempt,
    block: Option<u64>,
    /// When its nodes came; none while its job waits.
    since: Option<Millis>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SimulatedBlock {
    /// Once it runs.
    times: Option<(Millis, Millis)>,
    used: usize,
    idle_since: Option<Millis>,
}

/// Something that a partition will want to be told of, at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The job of a task gets its nodes.
    Starts(TaskId, Attempt),
    Ends(TaskId, Attempt, SimulatedEnd),
    BlockStarts(u64),
    /// It may have idled long enough, or be at its end.
    BlockChecked(u64),
}

/// End of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimulatedEnd {
    Done,
    TimedOut,
    Walltime,
}

/// Future events by time.
pub type Agenda = Vec<(Millis, Due)>;

impl SimulatedPartition {
    pub fn new(supply: Supply, queue_wait: Millis) -> Self {
        Self {
            supply,
            queue_wait,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            used: 0,
            busy: 0,
            blocks: BTreeMap::new(),
            next_block: 0,
            begun: false,
            node_time: 0,
        }
    }

    pub fn slots(&self) -> usize {
        self.supply.slots()
    }

    /// Tasks that compute.
    pub fn busy(&self) -> usize {
        self.busy
    }

    /// Returns true if a waiting task could use an idle slot but for its node.
    pub fn wants_nodes(&self) -> bool {
        !self.waiting.is_empty() || self.busy < self.used
    }

    /// Milliseconds of nodes until `now`.
    pub fn node_time(&self, now: Millis) -> u64 {
        let held = match &self.supply {
            Supply::Held { .. } => 0,
            Supply::Jobs { nodes_per_task, .. } => {
                let since = self.running.values().filter_map(|running| running.since);
                since.map(|since| now - since).sum::<u64>() * *nodes_per_task as u64
            }
            Supply::Blocks { rules, .. } => {
                let begun = self.blocks.values().filter_map(|block| block.times);
                begun.map(|(begun, _)| now - begun).sum::<u64>() * rules.nodes as u64
            }
        };
        self.node_time + held
    }

    /// Takes a task on.
    pub fn submit(&mut self, task: WaitingTask) {
        self.waiting.push_back(task);
    }

    /// Ends tasks of whose end nobody will be told.
    pub fn cancel(&mut self, now: Millis, tasks: &BTreeSet<TaskId>) {
        self.waiting
            .retain(|waiting| !tasks.contains(&waiting.task));
        for task in tasks {
            self.leave(now, *task);
        }
    }

    /// Returns true if a due event ends an attempt that still runs.
    pub fn take(&mut self, now: Millis, due: Due) -> Option<(TaskId, Attempt, SimulatedEnd)> {
        match due {
            Due::Starts(task, attempt) => {
                let running = self.running.get_mut(&task);
                if let Some(running) = running.filter(|running| running.attempt == attempt) {
                    running.since = Some(now);
                    self.busy += 1;
                }
                None
            }
            Due::Ends(task, attempt, how) => {
                let running = self.running.get(&task)?;
                if running.attempt != attempt {
                    return None;
                }
                self.leave(now, task);
                Some((task, attempt, how))
            }
            Due::BlockStarts(name) => {
                if let (Some(block), Supply::Blocks { rules, .. }) =
                    (self.blocks.get_mut(&name), &self.supply)
                {
                    block.times = Some((now, now + rules.walltime));
                    block.idle_since = Some(now);
                }
                None
            }
            // `advance` looks at all blocks.
            Due::BlockChecked(_) => None,
        }
    }

    /// Starts what can start.
    pub fn advance(&mut self, now: Millis, agenda: &mut Agenda) {
        match self.supply {
            Supply::Held { slots } => {
                while self.used < slots
                    && let Some(task) = self.waiting.pop_front()
                {
                    self.start(now, task, None, Millis::MAX, agenda);
                }
            }
            Supply::Jobs {
                slots, walltime, ..
            } => {
                while self.used < slots
                    && let Some(task) = self.waiting.pop_front()
                {
                    self.start(now, task, None, walltime, agenda);
                }
            }
            Supply::Blocks { slots, rules } => {
                self.end_blocks(now, &rules);
                self.place(now, slots, &rules, agenda);
                self.ask(now, &rules, agenda);
                self.plan_releases(now, &rules, agenda);
            }
        }
    }

    /// `left`: what remains of the walltime once it runs.
    fn start(
        &mut self,
        now: Millis,
        task: WaitingTask,
        block: Option<u64>,
        left: Millis,
        agenda: &mut Agenda,
    ) {
        let WaitingTask {
            task,
            attempt,
            time,
            limits,
        } = task;
        let wait = match self.supply {
            Supply::Jobs { .. } => self.queue_wait,
            Supply::Held { .. } | Supply::Blocks { .. } => 0,
        };
        let begin = now + wait;
        if wait > 0 {
            agenda.push((begin, Due::Starts(task, attempt)));
        }
        let since = (wait == 0).then_some(now);
        let (length, how) = [
            (millis(limits.timeout), SimulatedEnd::TimedOut),
            (left, SimulatedEnd::Walltime),
        ]
        .into_iter()
        .fold((time, SimulatedEnd::Done), |shortest, end| {
            if end.0 < shortest.0 { end } else { shortest }
        });
        agenda.push((begin + length, Due::Ends(task, attempt, how)));
        let running = SimulatedTask {
            attempt,
            block,
            since,
        };
        self.running.insert(task, running);
        self.used += 1;
        self.busy += usize::from(since.is_some());
    }

    fn leave(&mut self, now: Millis, task: TaskId) {
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        self.used -= 1;
        self.busy -= usize::from(running.since.is_some());
        if let (Supply::Jobs { nodes_per_task, .. }, Some(since)) = (&self.supply, running.since) {
            self.node_time += (now - since) * *nodes_per_task as u64;
        }
        if let Some(block) = running.block.and_then(|name| self.blocks.get_mut(&name)) {
            block.used -= 1;
            block.idle_since = (block.used == 0).then_some(now);
        }
    }

    /// Releases blocks whose walltime is over, that idled for too long, or whose remaining time is
    /// too short for the waiting tasks.
    fn end_blocks(&mut self, now: Millis, rules: &BlockRules) {
        let first = self.waiting.front().map(|task| task.limits.expected);
        let mut left = self.blocks.len();
        let node_time = &mut self.node_time;
        self.blocks.retain(|_, block| {
            let Some((begun, until)) = block.times else {
                return true;
            };
            let idle = |since: Millis| now >= since + rules.idle && left > rules.min;
            let short = first.is_some_and(|time| !rules.lasts(now, until, time));
            let idles = first.is_none() && block.idle_since.is_some_and(idle);
            let ends = now >= until || block.used == 0 && (short || idles);
            if ends {
                left -= 1;
                *node_time += (now.min(until) - begun) * rules.nodes as u64;
            }
            !ends
        });
    }

    fn place(&mut self, now: Millis, slots: usize, rules: &BlockRules, agenda: &mut Agenda) {
        while let Some(task) = self.waiting.front().copied() {
            let room = self.blocks.iter_mut().find_map(|(name, block)| {
                let (_, until) = block.times?;
                let fits =
                    block.used < rules.capacity && rules.lasts(now, until, task.limits.expected);
                fits.then_some((*name, block, until))
            });
            let Some((name, block, until)) = room.filter(|_| self.used < slots) else {
                return;
            };
            block.used += 1;
            block.idle_since = None;
            self.waiting.pop_front();
            self.start(now, task, Some(name), until - now, agenda);
        }
    }

    /// Asks for blocks as the queue grows.
    fn ask(&mut self, now: Millis, rules: &BlockRules, agenda: &mut Agenda) {
        if self.waiting.is_empty() && !self.begun {
            return;
        }
        let time = self
            .waiting
            .front()
            .map_or(Duration::ZERO, |task| task.limits.expected);
        let is_open = |block: &&SimulatedBlock| {
            let until = block.times.map(|(_, until)| until);
            until.is_none_or(|until| rules.lasts(now, until, time))
        };
        let open: Vec<&SimulatedBlock> = self.blocks.values().filter(is_open).collect();
        let demand = self.waiting.len() + open.iter().map(|block| block.used).sum::<usize>();
        let first = if self.begun { 0 } else { rules.init };
        let target = demand.div_ceil(rules.capacity).max(rules.min).max(first);
        let room = rules.max.saturating_sub(self.blocks.len());
        let missing = target.saturating_sub(open.len()).min(room);
        self.begun = true;
        for _ in 0..missing {
            self.blocks
                .insert(self.next_block, SimulatedBlock::default());
            agenda.push((now + self.queue_wait, Due::BlockStarts(self.next_block)));
            self.next_block += 1;
        }
    }

    /// When to look at the blocks that idle, or whose end comes.
    fn plan_releases(&self, now: Millis, rules: &BlockRules, agenda: &mut Agenda) {
        for (name, block) in &self.blocks {
            let (Some((begun, until)), Some(since)) = (block.times, block.idle_since) else {
                continue;
            };
            if since == now || begun == now {
                let checked = (since + rules.idle).min(until);
                agenda.push((checked, Due::BlockChecked(*name)));
                agenda.push((until, Due::BlockChecked(*name)));
            }
        }
    }
}

impl BlockRules {
    /// Returns true if a block lasts long enough for a task that is `expected` to take so long, as
    /// in the executor of blocks.
    fn lasts(&self, now: Millis, until: Millis, expected: Duration) -> bool {
        let walltime = Duration::from_millis(self.walltime);
        now + millis(block_time(expected, walltime)) <= until
    }
}
