//! Checks of each stage: its role, its keys, its method and its name.

use std::collections::{BTreeMap, BTreeSet};

use super::geometry_stage;
use super::graph::geometry;
use super::role::{ROLES, Role};
use crate::config::campaign::{Campaign, LoadedCampaign, Loop, MethodKind, Molecules, StageConfig};
use crate::config::diagnostic::{Diagnostic, Diagnostics};

/// Checks of the stages of a campaign; each appends its errors.
pub(super) struct StageCheck<'a> {
    pub(super) loaded: &'a LoadedCampaign,
    pub(super) campaign: &'a Campaign,
}

/// Names of the stages that were found for the roles.
pub(super) type StagesByRole<'a> = BTreeMap<Role, &'a str>;

impl<'a> StageCheck<'a> {
    pub(super) fn diagnostic(
        &self,
        path: &[&str],
        message: String,
        hint: impl Into<Option<String>>,
    ) -> Diagnostic {
        let path: Vec<&str> = ["stages"].iter().chain(path).copied().collect();
        Diagnostic::new(message)
            .at(self.loaded.place(&path))
            .hint_if(hint.into())
    }

    pub(super) fn kind(&self, stage: &StageConfig) -> &'a MethodKind {
        &self.campaign.methods[&stage.method].kind
    }

    /// Finds the stage of each role.
    pub(super) fn roles(&self, diagnostics: &mut Diagnostics) -> StagesByRole<'a> {
        let mut found = StagesByRole::new();
        for (name, stage) in &self.campaign.stages {
            let Some(role) = self.role(name, stage, diagnostics) else {
                continue;
            };
            self.keys(name, stage, role, diagnostics);
            if let Some(first) = found.get(&role) {
                let message = format!(
                    "`{name}` and `{first}` are both {}; a campaign has one",
                    role.recipe()
                );
                diagnostics.push(self.diagnostic(
                    &[name],
                    message,
                    format!("remove `{name}` or `{first}`"),
                ));
            } else {
                found.insert(role, name.as_str());
            }
        }
        // A stage that is not understood may be the missing one.
        if diagnostics.is_empty() {
            for role in ROLES.into_iter().filter(|role| !found.contains_key(role)) {
                let message = format!("`stages` lacks {}", role.recipe());
                diagnostics.push(self.diagnostic(
                    &[],
                    message,
                    format!("add it: it {}", role.purpose()),
                ));
            }
        }
        found
    }

    fn role(&self, name: &str, stage: &StageConfig, diagnostics: &mut Diagnostics) -> Option<Role> {
        match (self.kind(stage), stage.molecules) {
            (MethodKind::Simulate { .. }, Some(Molecules::Atoms)) => Some(Role::References),
            (MethodKind::Simulate { .. }, Some(Molecules::Random)) => Some(Role::Initial),
            (MethodKind::Simulate { .. }, Some(Molecules::Queue)) => Some(Role::Evaluate),
            (MethodKind::Simulate { .. }, None) => {
                let message = format!("the stage `{name}` simulates, but has no `molecules`");
                let hint = "`molecules` is one of `atoms`, `random`, `queue`";
                diagnostics.push(self.diagnostic(&[name], message, hint.to_owned()));
                None
            }
            (MethodKind::Train { .. }, _) => Some(Role::Train),
            (MethodKind::Generate { .. }, _) => Some(Role::Generate),
            (MethodKind::Screen { .. }, _) => Some(Role::Screen),
        }
    }

    /// Checks that a stage has the keys of its role, and no others.
    fn keys(&self, name: &str, stage: &StageConfig, role: Role, diagnostics: &mut Diagnostics) {
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
                    format!("`{key}` does not apply to the stage `{name}`: it is a key {whose}");
                diagnostics.push(self.diagnostic(&[name, key], message, format!("remove `{key}`")));
            } else if wanted && !given {
                let message = format!("the stage `{name}` has no `{key}`");
                diagnostics.push(self.diagnostic(
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
            diagnostics.push(self.diagnostic(&[name, "loop"], message, hint));
        }
    }

    /// Checks that a stage uses each method.
    pub(super) fn unused_methods(&self, diagnostics: &mut Diagnostics) {
        let stages = self.campaign.stages.values();
        let methods = self.campaign.methods.values();
        let named = methods.filter_map(|method| match &method.kind {
            MethodKind::Simulate { geometry, .. } => geometry.as_ref(),
            _ => None,
        });
        let used: BTreeSet<&String> = stages.map(|s| &s.method).chain(named).collect();
        for name in self.campaign.methods.keys() {
            if !used.contains(name) {
                let diagnostic = Diagnostic::new(format!("no stage uses the method `{name}`"));
                let diagnostic = diagnostic.at(self.loaded.place(&["methods", name]));
                diagnostics
                    .push(diagnostic.hint("remove it, or name it in the `method` of a stage"));
            }
        }
    }

    /// Checks that all energies are at one level of theory: others cannot be subtracted.
    pub(super) fn one_level_of_theory(&self, stages: &StagesByRole, diagnostics: &mut Diagnostics) {
        let engine = |name: &str| match self.kind(&self.campaign.stages[name]) {
            MethodKind::Simulate { engine, .. } => Some(engine),
            MethodKind::Train { .. } | MethodKind::Generate { .. } | MethodKind::Screen { .. } => {
                None
            }
        };
        let method = |name: &str| &self.campaign.stages[name].method;
        if let Some(references) = stages.get(&Role::References) {
            for role in [Role::Initial, Role::Evaluate] {
                let Some(name) = stages.get(&role) else {
                    continue;
                };
                if engine(name) != engine(references) {
                    let message = format!(
                        "`{name}` computes energies with `{}`, but the free atoms are computed with `{}`, which has another engine or settings",
                        method(name),
                        method(references)
                    );
                    let hint = format!(
                        "use one method for `{references}` and `{name}`: only energies of one level of theory can be subtracted"
                    );
                    diagnostics.push(self.diagnostic(&[name, "method"], message, hint));
                }
            }
        }
        if let (Some(initial), Some(evaluate)) =
            (stages.get(&Role::Initial), stages.get(&Role::Evaluate))
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
                diagnostics.push(self.diagnostic(&[evaluate, "method"], message, hint));
            }
        }
    }

    /// Checks that no stage has the name of a first step.
    pub(super) fn step_names(&self, diagnostics: &mut Diagnostics) {
        for name in self.campaign.stages.keys() {
            let step = geometry(self.campaign, name).map(|method| geometry_stage(name, method));
            if let Some(step) = step.filter(|step| self.campaign.stages.contains_key(step)) {
                let message = format!(
                    "the stage `{step}` is named like the step that relaxes the molecules of `{name}`"
                );
                diagnostics.push(self.diagnostic(
                    &[&step],
                    message,
                    "give it another name".to_owned(),
                ));
            }
        }
    }
}
