//! State machine of the allocation executor: which task runs on which nodes with which GPUs, and
//! which nodes are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pool::NodePool;
use crate::exec::Termination;
use crate::exec::actor::Core;
use crate::task::Token;

/// Client of a task that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEnd {
    /// End of the client.
    pub exit: Termination,
    /// Start of the client, milliseconds since the Unix epoch.
    pub started: Option<i64>,
}

/// Fact about tasks and their clients.
#[derive(Clone, Debug)]
pub enum AllocationEvent {
    /// Tasks to be run, in this order.
    Submitted(Vec<Token>),
    /// Task that an earlier engine started on these nodes, with this share of the GPUs of the
    /// first.
    Adopted {
        token: Token,
        nodes: Vec<String>,
        gpu_share: Option<usize>,
    },
    Cancel(Vec<Token>),
    DropWaiting,
    /// The client of a task has ended. `is_orderly`: its end shows that the nodes did their part.
    ClientEnded {
        token: Token,
        end: ClientEnd,
        is_orderly: bool,
    },
    /// The nodes of a task were examined whose client did not end in good order; these do not
    /// answer.
    Examined {
        token: Token,
        end: ClientEnd,
        lost_nodes: Vec<String>,
    },
}

/// Action on tasks and their clients.
#[derive(Clone, Debug, PartialEq)]
pub enum AllocationCommand {
    /// Start a task on these nodes, with this share of the GPUs of the first.
    Start {
        token: Token,
        nodes: Vec<String>,
        gpu_share: Option<usize>,
    },
    /// Terminate the clients of these tasks.
    Terminate(Vec<Token>),
    /// Forget tasks that are not to start any more.
    Forget(Vec<Token>),
    /// Find out which of the nodes of a task do not answer.
    Examine {
        token: Token,
        end: ClientEnd,
        nodes: Vec<String>,
    },
    /// A node is lost; room for `slots` tasks is left.
    LoseNode { node: String, slots: usize },
    /// Report the end of a task.
    Report {
        token: Token,
        end: ClientEnd,
        lost_nodes: Vec<String>,
        cancelled: bool,
    },
}

/// Tasks on the nodes of a partition.
#[derive(Debug)]
pub struct AllocationCore {
    pool: NodePool,
    /// Shares of the GPUs of a node; 0 where tasks have none of their own.
    gpu_shares: usize,
    /// First node of each task that has GPUs, and its share of that node's.
    taken_shares: BTreeMap<Token, (String, usize)>,
    cancelled: BTreeSet<Token>,
}

impl AllocationCore {
    /// Creates a core whose tasks run on `pool`.
    pub fn new(pool: NodePool, gpu_shares: usize) -> Self {
        Self {
            pool,
            gpu_shares,
            taken_shares: BTreeMap::new(),
            cancelled: BTreeSet::new(),
        }
    }

    /// Tokens of the tasks that run.
    pub fn running(&self) -> Vec<Token> {
        self.pool.running().keys().cloned().collect()
    }

    /// Takes the first free share of the GPUs of a task's first node, if there are shares.
    fn take_share(&mut self, token: &Token, nodes: &[String]) -> Option<usize> {
        let node = nodes.first()?;
        let on_node = self
            .taken_shares
            .values()
            .filter(|(other, _)| other == node);
        let taken: BTreeSet<usize> = on_node.map(|(_, share)| *share).collect();
        let share = (0..self.gpu_shares).find(|share| !taken.contains(share))?;
        self.taken_shares
            .insert(token.clone(), (node.clone(), share));
        Some(share)
    }

    fn cancel(&mut self, tokens: Vec<Token>, commands: &mut Vec<AllocationCommand>) {
        self.pool.forget(&tokens);
        let running = self.pool.running();
        let cancelled = tokens.iter().filter(|token| running.contains_key(token));
        self.cancelled.extend(cancelled.cloned());
        commands.push(AllocationCommand::Terminate(tokens));
    }

    fn client_ended(
        &mut self,
        token: Token,
        end: ClientEnd,
        is_orderly: bool,
        commands: &mut Vec<AllocationCommand>,
    ) {
        match self.pool.running().get(&token) {
            Some(nodes) if !is_orderly && !self.cancelled.contains(&token) => {
                let nodes = nodes.clone();
                commands.push(AllocationCommand::Examine { token, end, nodes });
            }
            _ => self.conclude(token, end, Vec::new(), commands),
        }
    }

    fn conclude(
        &mut self,
        token: Token,
        end: ClientEnd,
        lost_nodes: Vec<String>,
        commands: &mut Vec<AllocationCommand>,
    ) {
        for node in &lost_nodes {
            if self.pool.lose(node) {
                commands.push(AllocationCommand::LoseNode {
                    node: node.clone(),
                    slots: self.pool.slots(),
                });
            }
        }
        self.pool.end(&token);
        self.taken_shares.remove(&token);
        let cancelled = self.cancelled.remove(&token);
        commands.push(AllocationCommand::Report {
            token,
            end,
            lost_nodes,
            cancelled,
        });
    }
}

impl Core for AllocationCore {
    type Event = AllocationEvent;
    type Command = AllocationCommand;

    fn handle(&mut self, _: Duration, event: AllocationEvent) -> Vec<AllocationCommand> {
        let mut commands = Vec::new();
        match event {
            AllocationEvent::Submitted(tokens) => {
                tokens.into_iter().for_each(|token| self.pool.want(token));
            }
            AllocationEvent::Adopted {
                token,
                nodes,
                gpu_share,
            } => {
                self.pool.hold(token.clone(), &nodes);
                if let (Some(share), Some(node)) = (gpu_share, nodes.into_iter().next()) {
                    self.taken_shares.insert(token, (node, share));
                }
            }
            AllocationEvent::Cancel(tokens) => self.cancel(tokens, &mut commands),
            AllocationEvent::DropWaiting => {
                commands.push(AllocationCommand::Forget(self.pool.forget_waiting()));
            }
            AllocationEvent::ClientEnded {
                token,
                end,
                is_orderly,
            } => self.client_ended(token, end, is_orderly, &mut commands),
            AllocationEvent::Examined {
                token,
                end,
                lost_nodes,
            } => self.conclude(token, end, lost_nodes, &mut commands),
        }
        while let Some((token, nodes)) = self.pool.start_next() {
            let gpu_share = self.take_share(&token, &nodes);
            commands.push(AllocationCommand::Start {
                token,
                nodes,
                gpu_share,
            });
        }
        commands
    }

    fn unreported(&self) -> usize {
        self.pool.running().len()
    }

    fn slots(&self) -> usize {
        self.pool.slots()
    }

    fn is_end(command: &AllocationCommand) -> bool {
        matches!(command, AllocationCommand::Report { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(task: u64) -> Token {
        format!("r.{task}.1").parse().expect("a token")
    }

    fn end() -> ClientEnd {
        ClientEnd {
            exit: Termination::Code(1),
            started: None,
        }
    }

    #[test]
    fn tasks_of_a_node_have_different_gpus_and_a_share_is_given_again() {
        let mut core = AllocationCore::new(NodePool::new(vec!["n1".into()], 1, 2), 2);
        let submitted = AllocationEvent::Submitted((0..3).map(token).collect());
        let shares = |commands: Vec<AllocationCommand>| -> Vec<Option<usize>> {
            let share = |command| match command {
                AllocationCommand::Start { gpu_share, .. } => Some(gpu_share),
                _ => None,
            };
            commands.into_iter().filter_map(share).collect()
        };
        let started = core.handle(Duration::ZERO, submitted);
        assert_eq!(shares(started), [Some(0), Some(1)]);
        let ended = AllocationEvent::ClientEnded {
            token: token(0),
            end: end(),
            is_orderly: true,
        };
        let started = core.handle(Duration::ZERO, ended);
        assert_eq!(shares(started), [Some(0)]);
        assert_eq!(core.unreported(), 2);
    }

    #[test]
    fn the_end_of_a_task_is_reported_after_its_nodes_were_examined() {
        let mut core = AllocationCore::new(NodePool::new(vec!["n1".into()], 1, 1), 0);
        core.handle(Duration::ZERO, AllocationEvent::Submitted(vec![token(0)]));
        let ended = AllocationEvent::ClientEnded {
            token: token(0),
            end: end(),
            is_orderly: false,
        };
        let examine = core.handle(Duration::ZERO, ended);
        assert!(matches!(examine[..], [AllocationCommand::Examine { .. }]));
        assert_eq!(core.unreported(), 1);
        let examined = AllocationEvent::Examined {
            token: token(0),
            end: end(),
            lost_nodes: vec!["n1".into()],
        };
        let commands = core.handle(Duration::ZERO, examined);
        assert!(commands.iter().any(AllocationCore::is_end));
        assert_eq!((core.unreported(), core.slots()), (0, 0));
    }
}
