//! Checks of the stages, and what they are planned as.

use std::collections::BTreeSet;

use super::constraint::Constraint;
use super::objective::Objective;
use super::stage::{PlannedStage, StageKind};
use super::stage_order::ordered;
use super::target::targets;
use crate::config::campaign::{LoadedCampaign, Loop, MethodKind, ObjectiveConfig, StageConfig};
use crate::config::diagnostic::{Diagnostic, Diagnostics, hint_for};

/// Returns the stages in their order, and collects all that is wrong with them.
///
/// `constraints`: those that are sound, whose properties the stages compute that compute all
/// objectives.
pub(super) fn stages(
    loaded: &LoadedCampaign,
    constraints: &[Constraint],
    diagnostics: &mut Diagnostics,
) -> Vec<PlannedStage> {
    let before = diagnostics.0.len();
    let mut check = StageCheck {
        loaded,
        constraints,
        diagnostics,
        planned: Vec::new(),
        unclear: BTreeSet::new(),
    };
    check.names();
    if check.diagnostics.0.len() > before {
        // Without its names the graph is not known.
        return Vec::new();
    }
    for name in ordered(loaded, check.diagnostics) {
        let stage = &loaded.campaign.stages[name];
        if stage.after.iter().any(|name| check.unclear.contains(name)) {
            check.unclear.insert(name.to_owned());
        }
        let kind = check.kind(name, stage);
        if kind.is_none() {
            check.unclear.insert(name.to_owned());
        }
        if let Some(kind) = kind {
            let after = stage.after.iter().filter_map(|name| check.position(name));
            check.planned.push(PlannedStage {
                name: name.to_owned(),
                after: after.collect(),
                in_loop: stage.in_loop,
                kind,
            });
        }
    }
    if check.diagnostics.0.len() == before {
        check.whole();
    }
    check.planned
}

/// The stages that are checked so far, and what is wrong with them.
pub(super) struct StageCheck<'a> {
    pub(super) loaded: &'a LoadedCampaign,
    pub(super) constraints: &'a [Constraint],
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) planned: Vec<PlannedStage>,
    /// Stages that could not be planned, and those that come after them.
    unclear: BTreeSet<String>,
}

impl StageCheck<'_> {
    /// Adds a diagnostic, unless it is about what a stage comes after, and one of those stages has
    /// diagnostics of its own.
    pub(super) fn diagnostic(
        &mut self,
        path: &[&str],
        message: String,
        hint: impl Into<Option<String>>,
    ) {
        if let [name, .., "after" | "of"] = path
            && self.unclear.contains(*name)
        {
            return;
        }
        let path: Vec<&str> = ["stages"].iter().chain(path).copied().collect();
        let diagnostic = Diagnostic::new(message).at(self.loaded.place(&path));
        self.diagnostics.push(diagnostic.hint_if(hint.into()));
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.planned.iter().position(|stage| stage.name == name)
    }

    /// Checks that the names of methods, properties and stages exist.
    fn names(&mut self) {
        let loaded = self.loaded;
        let campaign = &loaded.campaign;
        // A short form that could not be expanded has a diagnostic of its own.
        let unexpanded = match &campaign.objective {
            ObjectiveConfig::Short(short) => Some(short.name()),
            ObjectiveConfig::Directed(_) | ObjectiveConfig::Several(_) => None,
        };
        for (name, stage) in &campaign.stages {
            if let Some(method) = &stage.method
                && !campaign.methods.contains_key(method)
            {
                let message =
                    format!("the stage `{name}` uses the method `{method}`, which does not exist");
                let hint = hint_for(method, campaign.methods.keys().map(String::as_str));
                self.diagnostic(&[name, "method"], message, hint);
            }
            for property in &stage.compute {
                if campaign.properties.contains_key(property)
                    || unexpanded == Some(property.as_str())
                {
                    continue;
                }
                let message = format!(
                    "the stage `{name}` computes `{property}`, which is not one of `properties`"
                );
                let hint = hint_for(property, campaign.properties.keys().map(String::as_str));
                self.diagnostic(&[name, "compute"], message, hint);
            }
            for before in &stage.after {
                if !campaign.stages.contains_key(before) {
                    let message =
                        format!("the stage `{name}` comes after `{before}`, which does not exist");
                    let hint = hint_for(before, campaign.stages.keys().map(String::as_str));
                    self.diagnostic(&[name, "after"], message, hint);
                }
            }
        }
    }

    /// Name of the first property that the campaign optimises.
    fn objective(&self) -> Option<&str> {
        match &self.loaded.campaign.objective {
            ObjectiveConfig::Short(short) => Some(short.name()),
            several => several.directed().first()?.property().map(String::as_str),
        }
    }

    /// Plans a stage; none if its kind is not clear.
    fn kind(&mut self, name: &str, stage: &StageConfig) -> Option<StageKind> {
        let loaded = self.loaded;
        match (&stage.method, stage.compute.as_slice()) {
            (None, [_, ..]) => self.compute(name, stage),
            (Some(method), []) => match &loaded.campaign.methods[method].kind {
                MethodKind::Simulate { .. } => {
                    let message =
                        format!("the stage `{name}` names the `simulate` method `{method}`");
                    let hint = format!(
                        "a stage computes a property: write `compute: {}`; the method is named in `properties`, or by the short form of the objective",
                        self.objective().unwrap_or("PROPERTY")
                    );
                    self.diagnostic(&[name, "method"], message, hint);
                    None
                }
                kind => self.learn(name, stage, method, kind),
            },
            (Some(_), [_, ..]) => {
                let message = format!("the stage `{name}` has both `method` and `compute`");
                self.diagnostic(&[name], message, "remove one of the two".to_owned());
                None
            }
            (None, []) => {
                let message = format!("the stage `{name}` has neither `method` nor `compute`");
                let hint = "write `compute: PROPERTY` with `molecules`, or `method: METHOD` with a `train`, `generate` or `screen` method";
                self.diagnostic(&[name], message, hint.to_owned());
                None
            }
        }
    }

    fn learn(
        &mut self,
        name: &str,
        stage: &StageConfig,
        method: &str,
        kind: &MethodKind,
    ) -> Option<StageKind> {
        let screens = matches!(kind, MethodKind::Screen { .. });
        let of_compute = "of a stage with `compute`";
        let of_screen = "of a `screen` stage";
        let generates = matches!(kind, MethodKind::Generate { .. });
        let of_generate = "of a `generate` stage";
        let keys = [
            ("share", stage.share.is_some() && !generates, of_generate),
            ("molecules", stage.molecules.is_some(), of_compute),
            ("parallel", stage.parallel.is_some(), of_compute),
            ("select", stage.select.is_some() && !screens, of_screen),
        ];
        self.refuse(name, &keys);
        let word = kind.name();
        self.in_loop(
            name,
            stage,
            Some(Loop::Generator),
            &format!("a `{word}` method"),
        );
        let method = method.to_owned();
        match kind {
            MethodKind::Train { properties, .. } => {
                let computes = self
                    .ancestors(stage)
                    .into_iter()
                    .any(|before| matches!(self.planned[before].kind, StageKind::Compute { .. }));
                if !computes {
                    let message = format!(
                        "the stage `{name}` comes after no stage that computes something to learn from"
                    );
                    let hint = "add a stage such as `initial: {compute: PROPERTY, molecules: {random: 20}}`, and name it in `after`";
                    self.diagnostic(&[name, "after"], message, hint.to_owned());
                }
                let objectives = Objective::all(&self.loaded.campaign.objective);
                Some(StageKind::Train {
                    method,
                    targets: targets(
                        &objectives.unwrap_or_default(),
                        self.constraints,
                        properties,
                    ),
                })
            }
            MethodKind::Generate { .. } => {
                let model = self.model(name, stage)?;
                let share = stage.share;
                Some(StageKind::Generate {
                    method,
                    model,
                    share,
                })
            }
            MethodKind::Screen { .. } => self.screen(name, stage, method),
            MethodKind::Simulate { .. } => None,
        }
    }

    fn screen(&mut self, name: &str, stage: &StageConfig, method: String) -> Option<StageKind> {
        let generators = self.kinds_before(stage, "generate");
        if generators.is_empty() {
            let message =
                format!("the stage `{name}` screens, but comes after no `generate` stage");
            self.diagnostic(&[name, "after"], message, "name one in `after`".to_owned());
        }
        let model = self.model(name, stage)?;
        let Some(select) = stage.select else {
            let message = format!("the stage `{name}` has no `select`");
            let hint = "add it: how many of the best make a batch";
            self.diagnostic(&[name], message, hint.to_owned());
            return None;
        };
        Some(StageKind::Screen {
            method,
            model,
            generators,
            select,
        })
    }

    /// Returns the one `train` stage that a stage comes after, directly or not.
    fn model(&mut self, name: &str, stage: &StageConfig) -> Option<usize> {
        let ancestors = self.ancestors(stage);
        let is_train =
            |place: &&usize| matches!(self.planned[**place].kind, StageKind::Train { .. });
        let trains: Vec<usize> = ancestors.iter().filter(is_train).copied().collect();
        match trains.as_slice() {
            [train] => Some(*train),
            [] => {
                let message = format!("the stage `{name}` comes after no `train` stage");
                self.diagnostic(
                    &[name, "after"],
                    message,
                    "it needs the model of one: name it in `after`".to_owned(),
                );
                None
            }
            _ => {
                let message = format!("the stage `{name}` comes after several `train` stages");
                self.diagnostic(
                    &[name, "after"],
                    message,
                    "it uses the model of one: remove the others".to_owned(),
                );
                None
            }
        }
    }

    /// Returns the stages of one kind that a stage names in `after`.
    pub(super) fn kinds_before(&self, stage: &StageConfig, word: &str) -> Vec<usize> {
        let before = stage.after.iter().filter_map(|name| self.position(name));
        before
            .filter(|place| self.planned[*place].kind.word() == word)
            .collect()
    }

    /// Returns all stages that a stage comes after, directly or not.
    fn ancestors(&self, stage: &StageConfig) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut open: Vec<usize> = stage
            .after
            .iter()
            .filter_map(|name| self.position(name))
            .collect();
        while let Some(place) = open.pop() {
            if !found.contains(&place) {
                found.push(place);
                open.extend(&self.planned[place].after);
            }
        }
        found.sort_unstable();
        found
    }

    pub(super) fn refuse(&mut self, name: &str, keys: &[(&str, bool, &str)]) {
        for (key, _, whose) in keys.iter().filter(|(_, given, _)| *given) {
            let message =
                format!("`{key}` means nothing to the stage `{name}`: it is a key {whose}");
            self.diagnostic(&[name, key], message, format!("remove `{key}`"));
        }
    }

    pub(super) fn in_loop(
        &mut self,
        name: &str,
        stage: &StageConfig,
        wanted: Option<Loop>,
        what: &str,
    ) {
        if stage.in_loop == wanted {
            return;
        }
        let word = |in_loop| match in_loop {
            Some(Loop::Generator) => "`loop: generator`",
            Some(Loop::Consumer) => "`loop: consumer`",
            None => "no `loop`",
        };
        let message = format!(
            "the stage `{name}` has {}, but a stage with {what} has {}",
            word(stage.in_loop),
            word(wanted)
        );
        let hint = match wanted {
            None => "remove `loop`: it runs once".to_owned(),
            wanted => format!("write {}", word(wanted)),
        };
        self.diagnostic(&[name, "loop"], message, hint);
    }
}
