//! The task graph: the role of every stage, and the edges between the stages.

use super::role::Role;
use super::stage_check::StageCheck;
use super::{Edge, EdgeKind, geometry_stage};
use crate::config::campaign::{Campaign, LoadedCampaign, MethodKind, Molecules};
use crate::config::diagnostic::Diagnostics;

/// Names of the stages by their roles.
pub(super) struct Roles<'a> {
    pub(super) references: &'a str,
    pub(super) initial: &'a str,
    pub(super) train: &'a str,
    pub(super) generate: &'a str,
    pub(super) screen: &'a str,
    pub(super) evaluate: &'a str,
}

/// Finds the role of every stage.
///
/// # Errors
///
/// Fails with all errors of the stages.
pub(super) fn roles(loaded: &LoadedCampaign) -> Result<Roles<'_>, Diagnostics> {
    let check = StageCheck {
        loaded,
        campaign: &loaded.campaign,
    };
    let mut diagnostics = Diagnostics::default();
    check.references_exist(&mut diagnostics);
    if !diagnostics.is_empty() {
        // Cycles and unused parts can only be found when all names are right.
        return Err(diagnostics);
    }
    check.cycles(&mut diagnostics);
    let stages = check.roles(&mut diagnostics);
    check.unused_methods(&mut diagnostics);
    check.step_names(&mut diagnostics);
    check.one_level_of_theory(&stages, &mut diagnostics);
    if diagnostics.is_empty() {
        check.order(&stages, &mut diagnostics);
    }
    if diagnostics.is_empty() {
        check.unused_stages(&stages, &mut diagnostics);
    }
    let name = |role| stages.get(&role).copied().unwrap_or_default();
    diagnostics.or(Roles {
        references: name(Role::References),
        initial: name(Role::Initial),
        train: name(Role::Train),
        generate: name(Role::Generate),
        screen: name(Role::Screen),
        evaluate: name(Role::Evaluate),
    })
}

/// Returns the declared edges, those that close the loops, and the results that join the loops.
pub(super) fn edges(campaign: &Campaign, roles: &Roles) -> Vec<Edge> {
    let edge = |from: &str, to: &str, kind| Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        kind,
    };
    // First step of a stage.
    let first = |stage: &str| match geometry(campaign, stage) {
        Some(method) => geometry_stage(stage, method),
        None => stage.to_owned(),
    };
    let order = [
        roles.references,
        roles.initial,
        roles.train,
        roles.generate,
        roles.screen,
        roles.evaluate,
    ];
    let declared = order.iter().flat_map(|to| {
        campaign.stages[*to]
            .after
            .iter()
            .map(|from| edge(from, &first(to), EdgeKind::After))
    });
    let mut edges: Vec<Edge> = declared.collect();
    edges.push(edge(roles.screen, roles.train, EdgeKind::Loop));
    for stage in [roles.initial, roles.evaluate] {
        if first(stage) != stage {
            edges.push(edge(&first(stage), stage, EdgeKind::Geometry));
        }
    }
    let begins = first(roles.evaluate);
    edges.push(edge(roles.evaluate, &begins, EdgeKind::Loop));
    edges.push(edge(roles.evaluate, roles.train, EdgeKind::Results));
    edges
}

/// Returns the method that relaxes the molecules of a stage first, if there is one. Free atoms need
/// none.
pub(super) fn geometry<'c>(campaign: &'c Campaign, stage: &str) -> Option<&'c str> {
    let stage = &campaign.stages[stage];
    match &campaign.methods[&stage.method].kind {
        MethodKind::Simulate { geometry, .. } if stage.molecules != Some(Molecules::Atoms) => {
            geometry.as_deref()
        }
        MethodKind::Simulate { .. }
        | MethodKind::Train { .. }
        | MethodKind::Generate { .. }
        | MethodKind::Screen { .. } => None,
    }
}
