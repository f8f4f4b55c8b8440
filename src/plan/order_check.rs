//! Checks of the order of the stages: the stages in `after` exist, the graph has no cycle, and each
//! stage comes after those that its role needs.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::role::Role;
use super::stage_check::{StageCheck, StagesByRole};
use crate::config::diagnostic::{Diagnostics, hint_for};

impl<'a> StageCheck<'a> {
    /// Checks that the methods and stages that a stage names exist.
    pub(super) fn references_exist(&self, diagnostics: &mut Diagnostics) {
        let stages = self.campaign.stages.keys().map(String::as_str);
        let methods = self.campaign.methods.keys().map(String::as_str);
        for (name, stage) in &self.campaign.stages {
            if !self.campaign.methods.contains_key(&stage.method) {
                let message = format!(
                    "the stage `{name}` uses the method `{}`, which does not exist",
                    stage.method
                );
                diagnostics.push(self.diagnostic(
                    &[name, "method"],
                    message,
                    hint_for(&stage.method, methods.clone()),
                ));
            }
            for before in &stage.after {
                if !self.campaign.stages.contains_key(before) {
                    let message =
                        format!("the stage `{name}` comes after `{before}`, which does not exist");
                    diagnostics.push(self.diagnostic(
                        &[name, "after"],
                        message,
                        hint_for(before, stages.clone()),
                    ));
                }
            }
        }
    }

    /// Checks that no stages wait for each other.
    pub(super) fn cycles(&self, diagnostics: &mut Diagnostics) {
        let graph = self.declared_graph();
        for circle in tarjan_scc(&graph) {
            if circle.len() == 1 && !graph.contains_edge(circle[0], circle[0]) {
                continue;
            }
            // Tarjan's order is against the arrows.
            let mut members: Vec<&str> = circle.iter().rev().map(|node| graph[*node]).collect();
            let start = members
                .iter()
                .enumerate()
                .min_by_key(|(_, name)| **name)
                .map_or(0, |(at, _)| at);
            members.rotate_left(start);
            let circle: Vec<String> = members
                .iter()
                .chain([&members[0]])
                .map(|name| format!("`{name}`"))
                .collect();
            let message = format!("these stages wait for each other: {}", circle.join(" -> "));
            let hint = "the loops repeat by themselves: `loop: generator` and `loop: consumer` need no `after` that leads back";
            diagnostics.push(self.diagnostic(&[members[0], "after"], message, hint.to_owned()));
        }
    }

    /// Checks that each stage comes after those that its role needs, and only after them.
    pub(super) fn order(&self, stages: &StagesByRole, diagnostics: &mut Diagnostics) {
        for (role, name) in stages {
            let stage = &self.campaign.stages[*name];
            let allowed = |before: &str| match (role, role_of(stages, before)) {
                (Role::References, _) => false,
                (Role::Initial, Some(Role::References)) => true,
                (Role::Train, Some(Role::References | Role::Initial)) => true,
                (Role::Evaluate, Some(Role::References | Role::Initial | Role::Screen)) => true,
                (_, Some(part)) => role.after().contains(&part),
                (_, None) => false,
            };
            let missing = role
                .after()
                .iter()
                .map(|needed| stages[needed])
                .filter(|needed| !stage.after.iter().any(|before| before == needed));
            let hint = |before: &str| {
                format!(
                    "write `after: {before}`; the order is references, initial, train, generate, screen, evaluate"
                )
            };
            let missing: Vec<&str> = missing.collect();
            for needed in &missing {
                let message = format!("the stage `{name}` does not come after `{needed}`");
                diagnostics.push(self.diagnostic(&[name, "after"], message, hint(needed)));
            }
            for before in stage
                .after
                .iter()
                .filter(|before| missing.is_empty() && !allowed(before))
            {
                let message = format!("the stage `{name}` cannot come after `{before}`");
                let instead = role.after().first().map(|needed| hint(stages[needed]));
                diagnostics.push(self.diagnostic(
                    &[name, "after"],
                    message,
                    instead.or(Some(format!("remove `{before}`"))),
                ));
            }
        }
    }

    /// Checks that every stage leads to the one that evaluates.
    pub(super) fn unused_stages(&self, stages: &StagesByRole, diagnostics: &mut Diagnostics) {
        let graph = self.declared_graph();
        let evaluate = stages[&Role::Evaluate];
        for node in graph.node_indices() {
            let mut search = Dfs::new(&graph, node);
            let mut reached = std::iter::from_fn(|| search.next(&graph));
            if !reached.any(|stage| graph[stage] == evaluate) {
                let name = graph[node];
                let message = format!("nothing comes after the stage `{name}`: it leads nowhere");
                diagnostics.push(self.diagnostic(
                    &[name],
                    message,
                    "name it in the `after` of a stage, or remove it".to_owned(),
                ));
            }
        }
    }

    /// Returns the declared order: an edge from each stage to those that come after it.
    pub(super) fn declared_graph(&self) -> DiGraph<&'a str, ()> {
        let mut graph = DiGraph::new();
        let nodes: BTreeMap<&str, NodeIndex> = self
            .campaign
            .stages
            .keys()
            .map(|name| (name.as_str(), graph.add_node(name.as_str())))
            .collect();
        for (name, stage) in &self.campaign.stages {
            for before in &stage.after {
                graph.add_edge(nodes[before.as_str()], nodes[name.as_str()], ());
            }
        }
        graph
    }
}

fn role_of(stages: &StagesByRole, stage: &str) -> Option<Role> {
    stages
        .iter()
        .find(|(_, name)| **name == stage)
        .map(|(role, _)| *role)
}
