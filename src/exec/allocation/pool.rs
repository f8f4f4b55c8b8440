//! The nodes of a partition, and which task has which: its own, or one that it shares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::task::Token;

/// The nodes that a partition has in a batch job.
#[derive(Clone, Debug)]
pub struct NodePool {
    /// Tasks on each node that is not lost, in the scheduler's order.
    nodes: Vec<(String, usize)>,
    nodes_per_task: usize,
    tasks_per_node: usize,
    waiting: VecDeque<Token>,
    running: BTreeMap<Token, Vec<String>>,
}

impl NodePool {
    /// A pool of idle nodes. One of the two numbers is 1.
    pub fn new(nodes: Vec<String>, nodes_per_task: usize, tasks_per_node: usize) -> Self {
        Self {
            nodes: nodes.into_iter().map(|name| (name, 0)).collect(),
            nodes_per_task,
            tasks_per_node,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
        }
    }

    /// Tasks that its nodes can run at once.
    pub fn slots(&self) -> usize {
        self.nodes.len() / self.nodes_per_task * self.tasks_per_node
    }

    /// Tasks that run, and the nodes of each.
    pub fn running(&self) -> &BTreeMap<Token, Vec<String>> {
        &self.running
    }

    /// Lets a task wait for its turn.
    pub fn want(&mut self, token: Token) {
        self.waiting.push_back(token);
    }

    /// Takes over a task that runs on these nodes already; those of another job are not ours to
    /// count.
    pub fn hold(&mut self, token: Token, nodes: &[String]) {
        let ours = |(name, _): &&mut (String, usize)| nodes.contains(name);
        let held = self.nodes.iter_mut().filter(ours).map(|(name, tasks)| {
            *tasks += 1;
            name.clone()
        });
        self.running.insert(token, held.collect());
    }

    /// The next task that starts, with its nodes: the emptiest.
    pub fn start_next(&mut self) -> Option<(Token, Vec<String>)> {
        let room = |(_, tasks): &&mut (String, usize)| *tasks < self.tasks_per_node;
        let mut free: Vec<&mut (String, usize)> = self.nodes.iter_mut().filter(room).collect();
        if free.len() < self.nodes_per_task {
            return None;
        }
        let token = self.waiting.pop_front()?;
        // Stable: of equals the first.
        free.sort_by_key(|(_, tasks)| *tasks);
        let taken = free
            .into_iter()
            .take(self.nodes_per_task)
            .map(|(name, tasks)| {
                *tasks += 1;
                name.clone()
            });
        let taken: Vec<String> = taken.collect();
        self.running.insert(token.clone(), taken.clone());
        Some((token, taken))
    }

    /// A task has ended: its nodes are free again.
    pub fn end(&mut self, token: &Token) {
        let held = self.running.remove(token).unwrap_or_default();
        for (name, tasks) in &mut self.nodes {
            *tasks -= usize::from(held.contains(name));
        }
    }

    /// Removes a lost node. Returns false if it was removed before.
    pub fn lose(&mut self, node: &str) -> bool {
        let before = self.nodes.len();
        self.nodes.retain(|(name, _)| name != node);
        self.nodes.len() < before
    }

    /// Forgets those of these tasks that wait.
    pub fn forget(&mut self, tokens: &[Token]) {
        let tokens: BTreeSet<&Token> = tokens.iter().collect();
        self.waiting.retain(|token| !tokens.contains(token));
    }

    /// Forgets all tasks that wait, and names them.
    pub fn forget_waiting(&mut self) -> Vec<Token> {
        self.waiting.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn token(task: u64) -> Token {
        format!("r.{task}.1").parse().expect("a token")
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("n{n}")).collect()
    }

    #[test]
    fn tasks_that_share_nodes_are_spread_over_them() {
        let mut pool = NodePool::new(names(2), 1, 2);
        (0..5).for_each(|task| pool.want(token(task)));
        let places = std::iter::from_fn(|| Some(pool.start_next()?.1.concat()));
        assert_eq!(places.collect::<Vec<_>>(), ["n0", "n1", "n0", "n1"]);
    }

    #[test]
    fn a_task_that_is_taken_over_holds_its_nodes() {
        let mut pool = NodePool::new(names(2), 1, 1);
        pool.hold(token(0), &["n1".into(), "of another job".into()]);
        pool.want(token(1));
        pool.want(token(2));
        assert_eq!(pool.start_next(), Some((token(1), vec!["n0".into()])));
        assert_eq!(pool.start_next(), None);
        pool.end(&token(0));
        assert_eq!(pool.start_next(), Some((token(2), vec!["n1".into()])));
    }

    proptest! {
        #[test]
        fn a_task_has_its_own_nodes_or_a_share_of_one_and_a_lost_node_leaves_the_pool(
            count in 1..8usize,
            (per_task, per_node) in prop_oneof![(1..4usize, Just(1)), (Just(1), 1..4usize)],
            steps in proptest::collection::vec((0..4u8, 0..8usize), 0..60),
        ) {
            let mut pool = NodePool::new(names(count), per_task, per_node);
            let mut lost = HashSet::new();
            let mut wanted = VecDeque::new();
            let mut next = 0;
            for (kind, which) in steps {
                match kind {
                    0 | 1 => {
                        pool.want(token(next));
                        wanted.push_back(token(next));
                        next += 1;
                    }
                    2 => {
                        let ended = pool.running().keys().nth(which).cloned();
                        ended.into_iter().for_each(|token| pool.end(&token));
                    }
                    _ => {
                        let name = format!("n{which}");
                        let there = which < count && !lost.contains(&name);
                        prop_assert_eq!(pool.lose(&name), there);
                        lost.insert(name);
                    }
                }
                while let Some((token, nodes)) = pool.start_next() {
                    prop_assert_eq!(Some(token), wanted.pop_front(), "out of turn");
                    let distinct: HashSet<&String> = nodes.iter().collect();
                    prop_assert_eq!(distinct.len(), per_task);
                    prop_assert!(nodes.iter().all(|node| !lost.contains(node)));
                }
                // No node has more than its share, and no room is left while a task waits.
                let alive = names(count).into_iter().filter(|name| !lost.contains(name));
                let mut room = 0;
                for node in alive {
                    let on_it = pool.running().values().filter(|nodes| nodes.contains(&node));
                    let tasks = on_it.count();
                    prop_assert!(tasks <= per_node);
                    room += usize::from(tasks < per_node);
                }
                prop_assert!(wanted.is_empty() || room < per_task);
            }
            let alive = (0..count).filter(|n| !lost.contains(&format!("n{n}"))).count();
            prop_assert_eq!(pool.slots(), alive / per_task * per_node);
        }
    }
}
