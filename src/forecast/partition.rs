//! Simulated partition: tasks wait, start once there is a slot and a node for them, and end. Time
//! is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::machine::{BlockRules, Supply, millis};
use super::times::Millis;
use crate::task::{Attempt, Limits, TaskId, block_time};

/// Slots of a partition, with waiting and running tasks.
#[derive(Debug)]
pub struct SimulatedPartition {
    supply: Supply,
    /// Time that a job or block waits in the scheduler's queue.
    queue_wait: Millis,
    waiting: VecDeque<WaitingTask>,
    running: BTreeMap<TaskId, SimulatedTask>,
    /// Number of tasks in slots, those whose job waits included.
    used: usize,
    /// Number of tasks that compute.
    busy: usize,
    blocks: BTreeMap<u64, SimulatedBlock>,
    next_block: u64,
    /// True once the first blocks were submitted.
    begun: bool,
    /// Time of nodes of ended jobs and blocks, node milliseconds.
    node_time: u64,
}

/// A task that waits for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingTask {
    pub task: TaskId,
    pub attempt: Attempt,
    /// Duration unless a limit terminates it.
    pub time: Millis,
    pub limits: Limits,
}

/// A task in a slot.
#[derive(Clone, Copy, Debug)]
struct SimulatedTask {
    attempt: Attempt,
    block: Option<u64>,
    /// Time at which it got its nodes; None while its job waits.
    since: Option<Millis>,
}

/// A block of nodes.
#[derive(Clone, Copy, Debug, Default)]
struct SimulatedBlock {
    /// Begin and end of its walltime; None while it waits.
    times: Option<(Millis, Millis)>,
    /// Number of tasks in it.
    used: usize,
    /// Time at which its last task ended; None while it has tasks.
    idle_since: Option<Millis>,
}

/// Event of a partition that is due at a later time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueEvent {
    /// The job of an attempt gets its nodes.
    Starts(TaskId, Attempt),
    /// An attempt ends.
    Ends(TaskId, Attempt, SimulatedEnd),
    /// A block gets its nodes.
    BlockStarts(u64),
    /// A block may have idled for too long, or its walltime may be over.
    BlockChecked(u64),
}

/// End of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimulatedEnd {
    Done,
    TimedOut,
    Walltime,
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    pub task: TaskId,
    pub attempt: Attempt,
    /// Time at which it got its nodes.
    pub since: Option<Millis>,
    pub end: SimulatedEnd,
}

/// Events with their times, in no order.
pub type Agenda = Vec<(Millis, DueEvent)>;

impl SimulatedPartition {
    /// Returns a partition without tasks. `queue_wait`: time of jobs and blocks in the queue.
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

    /// Returns the number of slots.
    pub fn slots(&self) -> usize {
        self.supply.slots()
    }

    /// Returns the number of tasks that compute.
    pub fn busy(&self) -> usize {
        self.busy
    }

    /// Returns true if a task waits for nodes.
    pub fn wants_nodes(&self) -> bool {
        !self.waiting.is_empty() || self.busy < self.used
    }

    /// Returns the time of nodes of jobs and blocks until `now`, node milliseconds.
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

    /// Adds a task to those that wait.
    pub fn submit(&mut self, task: WaitingTask) {
        self.waiting.push_back(task);
    }

    /// Ends tasks without an event.
    pub fn cancel(&mut self, now: Millis, tasks: &BTreeSet<TaskId>) {
        self.waiting
            .retain(|waiting| !tasks.contains(&waiting.task));
        for task in tasks {
            self.leave(now, *task);
        }
    }

    /// Applies a due event; returns the attempt that it ends, if that still runs.
    pub fn take(&mut self, now: Millis, due: DueEvent) -> Option<EndedAttempt> {
        match due {
            DueEvent::Starts(task, attempt) => {
                let running = self.running.get_mut(&task);
                if let Some(running) = running.filter(|running| running.attempt == attempt) {
                    running.since = Some(now);
                    self.busy += 1;
                }
                None
            }
            DueEvent::Ends(task, attempt, end) => {
                let running = self.running.get(&task)?;
                if running.attempt != attempt {
                    return None;
                }
                let since = running.since;
                self.leave(now, task);
                Some(EndedAttempt {
                    task,
                    attempt,
                    since,
                    end,
                })
            }
            DueEvent::BlockStarts(name) => {
                if let (Some(block), Supply::Blocks { rules, .. }) =
                    (self.blocks.get_mut(&name), &self.supply)
                {
                    block.times = Some((now, now + rules.walltime));
                    block.idle_since = Some(now);
                }
                None
            }
            // `advance` checks all blocks.
            DueEvent::BlockChecked(_) => None,
        }
    }

    /// Starts tasks and blocks that can start, and adds their events to `agenda`.
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
                self.submit_blocks(now, &rules, agenda);
                self.plan_releases(now, &rules, agenda);
            }
        }
    }

    /// Starts a task. `left`: remaining walltime at its start.
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
            agenda.push((begin, DueEvent::Starts(task, attempt)));
        }
        let since = (wait == 0).then_some(now);
        let (length, end) = [
            (millis(limits.timeout), SimulatedEnd::TimedOut),
            (left, SimulatedEnd::Walltime),
        ]
        .into_iter()
        .fold((time, SimulatedEnd::Done), |shortest, end| {
            if end.0 < shortest.0 { end } else { shortest }
        });
        agenda.push((begin + length, DueEvent::Ends(task, attempt, end)));
        let running = SimulatedTask {
            attempt,
            block,
            since,
        };
        self.running.insert(task, running);
        self.used += 1;
        self.busy += usize::from(since.is_some());
    }

    /// Removes a running task.
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

    /// Starts waiting tasks in blocks that have room and time for them.
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

    /// Submits blocks as the queue grows.
    fn submit_blocks(&mut self, now: Millis, rules: &BlockRules, agenda: &mut Agenda) {
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
            agenda.push((
                now + self.queue_wait,
                DueEvent::BlockStarts(self.next_block),
            ));
            self.next_block += 1;
        }
    }

    /// Adds the times at which idle blocks may be released to `agenda`.
    fn plan_releases(&self, now: Millis, rules: &BlockRules, agenda: &mut Agenda) {
        for (name, block) in &self.blocks {
            let (Some((begun, until)), Some(since)) = (block.times, block.idle_since) else {
                continue;
            };
            if since == now || begun == now {
                let checked = (since + rules.idle).min(until);
                agenda.push((checked, DueEvent::BlockChecked(*name)));
                agenda.push((until, DueEvent::BlockChecked(*name)));
            }
        }
    }
}

impl BlockRules {
    /// Returns true if a block that ends at `until` has time for a task that is expected to take
    /// `expected`. The executor of blocks has the same rule.
    fn lasts(&self, now: Millis, until: Millis, expected: Duration) -> bool {
        let walltime = Duration::from_millis(self.walltime);
        now + millis(block_time(expected, walltime)) <= until
    }
}
