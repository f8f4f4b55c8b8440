//! The stages as a graph, and every way in which it is not one that the engine can run.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Dfs;

use super::role::{ROLES, Role};
use super::{Edge, EdgeKind, geometry_stage};
use crate::config::campaign::{Campaign, Loaded, Loop, MethodKind, Molecules, Stage};
use crate::config::fault::{Fault, Faults, hint_for};

/// The name of the stage that plays each part.
pub struct Roles<'a> {
    pub references: &'a str,
    pub initial: &'a str,
    pub train: &'a str,
    pub generate: &'a str,
    pub screen: &'a str,
    pub evaluate: &'a str,
}

/// Finds the part of every stage, or everything that is wrong with the stages.
pub fn roles(loaded: &Loaded) -> Result<Roles<'_>, Faults> {
    let judge = Judge {
        loaded,
        campaign: &loaded.campaign,
    };
    let mut faults = Faults::default();
    judge.references_exist(&mut faults);
    if !faults.is_empty() {
        // Without its names neither the graph is known nor what is unused.
        return Err(faults);
    }
    judge.cycles(&mut faults);
    let parts = judge.parts(&mut faults);
    judge.unused_methods(&mut faults);
    judge.names(&mut faults);
    judge.one_level_of_theory(&parts, &mut faults);
    if faults.is_empty() {
        judge.order(&parts, &mut faults);
    }
    if faults.is_empty() {
        judge.unused_stages(&parts, &mut faults);
    }
    let name = |role| parts.get(&role).copied().unwrap_or_default();
    faults.or(Roles {
        references: name(Role::References),
        initial: name(Role::Initial),
        train: name(Role::Train),
        generate: name(Role::Generate),
        screen: name(Role::Screen),
        evaluate: name(Role::Evaluate),
    })
}

/// Every arrow: what was declared, what closes the loops, and the results that join them.
pub fn edges(campaign: &Campaign, roles: &Roles) -> Vec<Edge> {
    let edge = |from: &str, to: &str, kind| Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        kind,
    };
    // Where a molecule enters a stage.
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

/// The method that relaxes the molecules of a stage first, if there is one. Free atoms need none.
pub fn geometry<'c>(campaign: &'c Campaign, stage: &str) -> Option<&'c str> {
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

struct Judge<'a> {
    loaded: &'a Loaded,
    campaign: &'a Campaign,
}

type Parts<'a> = BTreeMap<Role, &'a str>;

impl<'a> Judge<'a> {
    fn fault(&self, path: &[&str], message: String, hint: impl Into<Option<String>>) -> Fault {
        let path: Vec<&str> = ["stages"].iter().chain(path).copied().collect();
        Fault::new(message).at(self.loaded.place(&path)).hint(hint)
    }

    fn kind(&self, stage: &Stage) -> &'a MethodKind {
        &self.campaign.methods[&stage.method].kind
    }

    /// The declared order: an arrow from each stage to those that come after it.
    fn graph(&self) -> DiGraph<&'a str, ()> {
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

    fn references_exist(&self, faults: &mut Faults) {
        let stages = self.campaign.stages.keys().map(String::as_str);
        let methods = self.campaign.methods.keys().map(String::as_str);
        for (name, stage) in &self.campaign.stages {
            if !self.campaign.methods.contains_key(&stage.method) {
                let message = format!(
                    "the stage `{name}` uses the method `{}`, which does not exist",
                    stage.method
                );
                faults.push(self.fault(
                    &[name, "method"],
                    message,
                    hint_for(&stage.method, methods.clone()),
                ));
            }
            for before in &stage.after {
                if !self.campaign.stages.contains_key(before) {
                    let message =
                        format!("the stage `{name}` comes after `{before}`, which does not exist");
                    faults.push(self.fault(
                        &[name, "after"],
                        message,
                        hint_for(before, stages.clone()),
                    ));
                }
            }
        }
    }

    fn cycles(&self, faults: &mut Faults) {
        let graph = self.graph();
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
            faults.push(self.fault(&[members[0], "after"], message, hint.to_owned()));
        }
    }

    fn parts(&self, faults: &mut Faults) -> Parts<'a> {
        let mut parts = Parts::new();
        for (name, stage) in &self.campaign.stages {
            let Some(role) = self.role(name, stage, faults) else {
                continue;
            };
            self.keys(name, stage, role, faults);
            if let Some(first) = parts.get(&role) {
                let message = format!(
                    "`{name}` and `{first}` are both {}; the engine runs one",
                    role.recipe()
                );
                faults.push(self.fault(&[name], message, format!("remove `{name}` or `{first}`")));
            } else {
                parts.insert(role, name.as_str());
            }
        }
        // A stage that is not understood may be the missing one.
        if faults.is_empty() {
            for role in ROLES.into_iter().filter(|role| !parts.contains_key(role)) {
                let message = format!("`stages` lacks {}", role.recipe());
                faults.push(self.fault(&[], message, format!("add it: it {}", role.purpose())));
            }
        }
        parts
    }

    fn role(&self, name: &str, stage: &Stage, faults: &mut Faults) -> Option<Role> {
        match (self.kind(stage), stage.molecules) {
            (MethodKind::Simulate { .. }, Some(Molecules::Atoms)) => Some(Role::References),
            (MethodKind::Simulate { .. }, Some(Molecules::Random)) => Some(Role::Initial),
            (MethodKind::Simulate { .. }, Some(Molecules::Queue)) => Some(Role::Evaluate),
            (MethodKind::Simulate { .. }, None) => {
                let message =
                    format!("the stage `{name}` simulates, but does not say which `molecules`");
                let hint = "`molecules` is one of `atoms`, `random`, `queue`";
                faults.push(self.fault(&[name], message, hint.to_owned()));
                None
            }
            (MethodKind::Train { .. }, _) => Some(Role::Train),
            (MethodKind::Generate { .. }, _) => Some(Role::Generate),
            (MethodKind::Screen { .. }, _) => Some(Role::Screen),
        }
    }

    /// The keys that a part needs, and those that mean nothing to it.
    fn keys(&self, name: &str, stage: &Stage, role: Role, faults: &mut Faults) {
        let kind = self.kind(stage).name();
        let simulates = matches!(role, Role::References | Role::Initial | Role::Evaluate);
        let keys = [
            (
                "molecules",
                stage.molecules.is_some(),
                simulates,
                "of a `simulate` stage",
            ),
            (
                "count",
                stage.count.is_some(),
                role == Role::Initial,
                "of a stage with `molecules: random`",
            ),
            (
                "select",
                stage.select.is_some(),
                role == Role::Screen,
                "of a `screen` stage",
            ),
            (
                "parallel",
                stage.parallel.is_some(),
                role == Role::Evaluate,
                "of a stage with `molecules: queue`",
            ),
        ];
        for (key, given, wanted, whose) in keys {
            if given && !wanted {
                let message =
                    format!("`{key}` means nothing to the stage `{name}`: it is a key {whose}");
                faults.push(self.fault(&[name, key], message, format!("remove `{key}`")));
            } else if wanted && !given {
                let message = format!("the stage `{name}` has no `{key}`");
                faults.push(self.fault(
                    &[name],
                    message,
                    format!("add `{key}`: it is {}", role.recipe()),
                ));
            }
        }
        if stage.in_loop != role.in_loop() {
            let word = |in_loop| match in_loop {
                Some(Loop::Generator) => "`loop: generator`",
                Some(Loop::Consumer) => "`loop: consumer`",
                None => "no `loop`",
            };
            let molecules = stage
                .molecules
                .and_then(|molecules| serde_json::to_value(molecules).ok());
            let what = match molecules.as_ref().and_then(|word| word.as_str()) {
                Some(word) if simulates => format!("molecules: {word}"),
                _ => format!("kind: {kind}"),
            };
            let message = format!(
                "the stage `{name}` has {}, but a stage with `{what}` has {}",
                word(stage.in_loop),
                word(role.in_loop())
            );
            let hint = match role.in_loop() {
                None => "remove `loop`: it runs once, before the loops".to_owned(),
                in_loop => format!("write {}", word(in_loop)),
            };
            faults.push(self.fault(&[name, "loop"], message, hint));
        }
    }

    fn unused_methods(&self, faults: &mut Faults) {
        let stages = self.campaign.stages.values();
        let methods = self.campaign.methods.values();
        let named = methods.filter_map(|method| match &method.kind {
            MethodKind::Simulate { geometry, .. } => geometry.as_ref(),
            _ => None,
        });
        let used: BTreeSet<&String> = stages.map(|s| &s.method).chain(named).collect();
        for name in self.campaign.methods.keys() {
            if !used.contains(name) {
                let fault = Fault::new(format!("no stage uses the method `{name}`"));
                let fault = fault.at(self.loaded.place(&["methods", name]));
                faults.push(fault.hint(Some(
                    "remove it, or name it in the `method` of a stage".into(),
                )));
            }
        }
    }

    /// Energies of different levels of theory cannot be subtracted from each other.
    fn one_level_of_theory(&self, parts: &Parts, faults: &mut Faults) {
        let engine = |name: &str| match self.kind(&self.campaign.stages[name]) {
            MethodKind::Simulate { engine, .. } => Some(engine),
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        };
        let method = |name: &str| &self.campaign.stages[name].method;
        if let Some(references) = parts.get(&Role::References) {
            for role in [Role::Initial, Role::Evaluate] {
                let Some(name) = parts.get(&role) else {
                    continue;
                };
                if engine(name) != engine(references) {
                    let message = format!(
                        "`{name}` computes energies by `{}`, but the free atoms are computed by `{}` with another engine or settings",
                        method(name),
                        method(references)
                    );
                    let hint = format!(
                        "use one method for `{references}` and `{name}`: only energies of one level of theory can be subtracted"
                    );
                    faults.push(self.fault(&[name, "method"], message, hint));
                }
            }
        }
        if let (Some(initial), Some(evaluate)) =
            (parts.get(&Role::Initial), parts.get(&Role::Evaluate))
        {
            let first = |name: &str| {
                let method = self.campaign.methods.get(geometry(self.campaign, name)?)?;
                Some(&method.kind)
            };
            if first(initial) != first(evaluate) {
                let message = format!(
                    "the molecules of `{initial}` and `{evaluate}` have geometries of different levels of theory"
                );
                let hint = format!("use one method for `{initial}` and `{evaluate}`");
                faults.push(self.fault(&[evaluate, "method"], message, hint));
            }
        }
    }

    /// A first step has a name like a stage.
    fn names(&self, faults: &mut Faults) {
        for name in self.campaign.stages.keys() {
            let step = geometry(self.campaign, name).map(|method| geometry_stage(name, method));
            if let Some(step) = step.filter(|step| self.campaign.stages.contains_key(step)) {
                let message = format!(
                    "the stage `{step}` is named like the step that relaxes the molecules of `{name}`"
                );
                faults.push(self.fault(&[&step], message, "give it another name".to_owned()));
            }
        }
    }

    fn order(&self, parts: &Parts, faults: &mut Faults) {
        for (role, name) in parts {
            let stage = &self.campaign.stages[*name];
            let allowed = |before: &str| match (role, self.part_of(parts, before)) {
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
                .map(|needed| parts[needed])
                .filter(|needed| !stage.after.iter().any(|before| before == needed));
            let hint = |before: &str| {
                format!(
                    "write `after: {before}`; the order is references, initial, train, generate, screen, evaluate"
                )
            };
            let missing: Vec<&str> = missing.collect();
            for needed in &missing {
                let message = format!("the stage `{name}` does not come after `{needed}`");
                faults.push(self.fault(&[name, "after"], message, hint(needed)));
            }
            for before in stage
                .after
                .iter()
                .filter(|before| missing.is_empty() && !allowed(before))
            {
                let message = format!("the stage `{name}` cannot come after `{before}`");
                let instead = role.after().first().map(|needed| hint(parts[needed]));
                faults.push(self.fault(
                    &[name, "after"],
                    message,
                    instead.or(Some(format!("remove `{before}`"))),
                ));
            }
        }
    }

    fn part_of(&self, parts: &Parts, stage: &str) -> Option<Role> {
        parts
            .iter()
            .find(|(_, name)| **name == stage)
            .map(|(role, _)| *role)
    }

    /// Every stage must lead to the one that evaluates.
    fn unused_stages(&self, parts: &Parts, faults: &mut Faults) {
        let graph = self.graph();
        let evaluate = parts[&Role::Evaluate];
        for node in graph.node_indices() {
            let mut search = Dfs::new(&graph, node);
            let mut reached = std::iter::from_fn(|| search.next(&graph));
            if !reached.any(|stage| graph[stage] == evaluate) {
                let name = graph[node];
                let message = format!("nothing comes after the stage `{name}`: it leads nowhere");
                faults.push(self.fault(
                    &[name],
                    message,
                    "name it in the `after` of a stage, or remove it".to_owned(),
                ));
            }
        }
    }
}
