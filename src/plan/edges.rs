//! The edges of the task graph.

use serde::Serialize;

use super::objective::Objective;
use super::stage::{MoleculeSource, PlannedStage, StageKind};
use crate::config::campaign::Loop;

/// An edge of the task graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Name of the stage that it leaves.
    pub from: String,
    /// Name of the stage that it enters.
    pub to: String,
    /// Its meaning.
    pub kind: EdgeKind,
}

/// Meaning of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The second stage comes after the first.
    After,
    /// The loop begins again.
    Loop,
    /// Results of the consumer loop reach the generator loop.
    Results,
}

/// Returns every edge: those that are declared, those that close the loops, and the results that
/// of the objective that join them.
pub(super) fn edges(stages: &[PlannedStage], objectives: &[Objective]) -> Vec<Edge> {
    let edge = |from: usize, to: usize, kind| Edge {
        from: stages[from].name.clone(),
        to: stages[to].name.clone(),
        kind,
    };
    let places = || stages.iter().enumerate();
    let mut edges = Vec::new();
    for (to, stage) in places() {
        edges.extend(
            stage
                .after
                .iter()
                .map(|from| edge(*from, to, EdgeKind::After)),
        );
    }
    for (place, stage) in places() {
        match &stage.kind {
            StageKind::Screen { model, .. } => edges.push(edge(place, *model, EdgeKind::Loop)),
            StageKind::Compute {
                molecules: MoleculeSource::Queue(_),
                ..
            } => {
                edges.push(edge(place, place, EdgeKind::Loop));
            }
            _ => {}
        }
    }
    // The surrogate learns the objectives.
    let computes = |stage: &PlannedStage| match &stage.kind {
        StageKind::Compute { properties, .. } => objectives
            .iter()
            .all(|objective| properties.contains(&objective.property)),
        _ => false,
    };
    let consumers = places().filter(|(_, stage)| stage.in_loop == Some(Loop::Consumer));
    let consumers = consumers.filter(|(_, stage)| computes(stage));
    for (consumer, _) in consumers {
        let trains = places().filter(|(_, stage)| matches!(stage.kind, StageKind::Train { .. }));
        edges.extend(trains.map(|(train, _)| edge(consumer, train, EdgeKind::Results)));
    }
    edges
}
