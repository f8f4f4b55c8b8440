//! The declared order of the stages: cycles, and an order in which each stage comes behind those
//! that it names in `after`.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::config::campaign::LoadedCampaign;
use crate::config::diagnostic::{Diagnostic, Diagnostics};

/// Returns the names of the stages in an order that `after` allows; among those that could come
/// next the first by name. Stages of a cycle are left out and become diagnostics.
pub(super) fn ordered<'c>(
    loaded: &'c LoadedCampaign,
    diagnostics: &mut Diagnostics,
) -> Vec<&'c str> {
    cycles(loaded, diagnostics);
    let stages = &loaded.campaign.stages;
    let mut ordered: Vec<&str> = Vec::new();
    let is_next = |ordered: &[&str], name: &str| {
        let placed = |before: &String| ordered.contains(&before.as_str());
        !ordered.contains(&name) && stages[name].after.iter().all(placed)
    };
    while let Some(name) = stages.keys().find(|name| is_next(&ordered, name)) {
        ordered.push(name);
    }
    ordered
}

fn cycles(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) {
    let graph = declared_graph(loaded);
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
        let hint = "the loops begin again by themselves: `loop: generator` and `loop: consumer` need no `after` that leads back";
        let place = loaded.place(&["stages", members[0], "after"]);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
}

/// Returns the declared order: an edge from each stage to those that come after it.
fn declared_graph(loaded: &LoadedCampaign) -> DiGraph<&str, ()> {
    let stages = &loaded.campaign.stages;
    let mut graph = DiGraph::new();
    let nodes: BTreeMap<&str, NodeIndex> = stages
        .keys()
        .map(|name| (name.as_str(), graph.add_node(name.as_str())))
        .collect();
    for (name, stage) in stages {
        for before in &stage.after {
            if let Some(before) = nodes.get(before.as_str()) {
                graph.add_edge(*before, nodes[name.as_str()], ());
            }
        }
    }
    graph
}
