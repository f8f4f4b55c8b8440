//! Placement of tasks in blocks, and the number of blocks.

use std::time::Duration;

use super::{Block, BlockCommand, BlockPhase, BlockPool, BlockStep};
use crate::task::block_time;

impl BlockPool {
    fn used(&self, block: &str) -> usize {
        self.steps
            .values()
            .filter(|step| step.block == block)
            .count()
    }

    /// Returns true if a block lasts long enough for a task that may take `time`. One that may take
    /// longer than any block lasts needs a block that has hardly begun.
    fn lasts(&self, at: Duration, until: Option<Duration>, time: Duration) -> bool {
        let needed = block_time(time, self.policy.walltime);
        until.is_none_or(|until| at + needed <= until)
    }

    /// Starts tasks, in order, wherever there is room and time enough.
    pub(super) fn place(&mut self, at: Duration, commands: &mut Vec<BlockCommand>) {
        while let Some(entry) = self.waiting.first_entry() {
            let (token, time) = entry.get().clone();
            let room = self
                .blocks
                .iter()
                .find_map(|(name, block)| match &block.phase {
                    BlockPhase::Running { until }
                        if self.used(name) < self.policy.capacity
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
            let step = BlockStep {
                block: block.clone(),
                ..BlockStep::default()
            };
            self.steps.insert(token.clone(), step);
            commands.push(BlockCommand::Start { token, block, id });
        }
    }

    /// Releases blocks that idle for long, and those whose time is too short for what waits.
    pub(super) fn release(&mut self, at: Duration, commands: &mut Vec<BlockCommand>) {
        let first = self.waiting.values().next().map(|(_, time)| *time);
        let mut live = self
            .blocks
            .values()
            .filter(|b| b.phase != BlockPhase::Releasing)
            .count();
        let names = self.blocks();
        for name in names {
            let used = self.used(&name);
            let short = match (self.blocks.get(&name).map(|b| &b.phase), first) {
                (Some(BlockPhase::Running { until }), Some(time)) => !self.lasts(at, *until, time),
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
            let spare = live > self.policy.min && at >= since + self.policy.idle;
            if block.phase != BlockPhase::Releasing && (short || spare) {
                block.phase = BlockPhase::Releasing;
                live -= 1;
                commands.push(BlockCommand::Release(name));
            }
        }
    }

    /// Asks for blocks as the queue grows.
    pub(super) fn submit_blocks(&mut self, at: Duration, commands: &mut Vec<BlockCommand>) {
        if self.waiting.is_empty() && !self.begun {
            return;
        }
        let time = self
            .waiting
            .values()
            .next()
            .map_or(Duration::ZERO, |(_, time)| *time);
        let open = |block: &Block| match block.phase {
            BlockPhase::Submitted => true,
            BlockPhase::Running { until } => self.lasts(at, until, time),
            BlockPhase::Releasing => false,
        };
        let open: Vec<&String> = self
            .blocks
            .iter()
            .filter(|(_, block)| open(block))
            .map(|(name, _)| name)
            .collect();
        let demand = self.waiting.len() + open.iter().map(|name| self.used(name)).sum::<usize>();
        let first = if self.begun { 0 } else { self.policy.init };
        let target = demand
            .div_ceil(self.policy.capacity)
            .max(self.policy.min)
            .max(first);
        let room = self.policy.max.saturating_sub(self.blocks.len());
        let missing = target.saturating_sub(open.len()).min(room);
        self.begun = true;
        for _ in 0..missing {
            // Unlike that of any block before, an earlier engine's included.
            let name = format!("{}{}.{}", self.prefix, at.as_millis(), self.next);
            self.next += 1;
            self.blocks.insert(name.clone(), Block::submitted());
            commands.push(BlockCommand::Submit(name));
        }
    }
}
