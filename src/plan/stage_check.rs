//! Checks of the stages, and what they are planned as.

use std::collections::BTreeMap;

use super::property::PlannedProperty;
use super::stage::{MoleculeSource, PlannedStage, StageKind};
use super::stage_order::ordered;
use crate::config::campaign::{
    LoadedCampaign, Loop, MethodKind, Molecules, NamedMolecules, SomeMolecules, StageConfig,
};
use crate::config::diagnostic::{Diagnostic, Diagnostics, hint_for};

/// Returns the stages in their order, and collects all that is wrong with them.
pub(super) fn stages(
    loaded: &LoadedCampaign,
    properties: &BTreeMap<String, PlannedProperty>,
    diagnostics: &mut Diagnostics,
) -> Vec<PlannedStage> {
    let before = diagnostics.0.len();
    let mut check = StageCheck {
        loaded,
        diagnostics,
        planned: Vec::new(),
    };
    check.names(properties);
    if check.diagnostics.0.len() > before {
        // Without its names the graph is not known.
        return Vec::new();
    }
    for name in ordered(loaded, check.diagnostics) {
        let stage = &loaded.campaign.stages[name];
        if let Some(kind) = check.kind(name, stage) {
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
struct StageCheck<'a> {
    loaded: &'a LoadedCampaign,
    diagnostics: &'a mut Diagnostics,
    planned: Vec<PlannedStage>,
}

impl StageCheck<'_> {
    fn diagnostic(&mut self, path: &[&str], message: String, hint: impl Into<Option<String>>) {
        let path: Vec<&str> = ["stages"].iter().chain(path).copied().collect();
        let diagnostic = Diagnostic::new(message).at(self.loaded.place(&path));
        self.diagnostics.push(diagnostic.hint_if(hint.into()));
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.planned.iter().position(|stage| stage.name == name)
    }

    /// Checks that the names of methods, properties and stages exist.
    fn names(&mut self, properties: &BTreeMap<String, PlannedProperty>) {
        let loaded = self.loaded;
        let campaign = &loaded.campaign;
        for (name, stage) in &campaign.stages {
            if let Some(method) = &stage.method
                && !campaign.methods.contains_key(method)
            {
                let message =
                    format!("the stage `{name}` uses the method `{method}`, which does not exist");
                let hint = hint_for(method, campaign.methods.keys().map(String::as_str));
                self.diagnostic(&[name, "method"], message, hint);
            }
            if let Some(property) = &stage.compute
                && !campaign.properties.contains_key(property)
            {
                let message = format!(
                    "the stage `{name}` computes `{property}`, which is not one of `properties`"
                );
                let hint = hint_for(property, properties.keys().map(String::as_str));
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

    /// Plans a stage; none if it is not sound.
    fn kind(&mut self, name: &str, stage: &StageConfig) -> Option<StageKind> {
        let before = self.diagnostics.0.len();
        let loaded = self.loaded;
        let kind = match (&stage.method, &stage.compute) {
            (None, Some(property)) => self.compute(name, stage, property),
            (Some(method), None) => match &loaded.campaign.methods[method].kind {
                MethodKind::Simulate { .. } => {
                    let message =
                        format!("the stage `{name}` names the `simulate` method `{method}`");
                    let hint = "a stage computes a property: write `compute: PROPERTY`, and name the method in `properties`";
                    self.diagnostic(&[name, "method"], message, hint.to_owned());
                    None
                }
                kind => self.learn(name, stage, method, kind),
            },
            (Some(_), Some(_)) => {
                let message = format!("the stage `{name}` has both `method` and `compute`");
                self.diagnostic(&[name], message, "remove one of the two".to_owned());
                None
            }
            (None, None) => {
                let message = format!("the stage `{name}` has neither `method` nor `compute`");
                let hint = "write `compute: PROPERTY` with `molecules`, or `method: METHOD` with a `train`, `generate` or `screen` method";
                self.diagnostic(&[name], message, hint.to_owned());
                None
            }
        };
        kind.filter(|_| self.diagnostics.0.len() == before)
    }

    fn compute(&mut self, name: &str, stage: &StageConfig, property: &str) -> Option<StageKind> {
        self.refuse(
            name,
            &[("select", stage.select.is_some(), "of a `screen` stage")],
        );
        let Some(molecules) = &stage.molecules else {
            let message = format!(
                "the stage `{name}` computes `{property}`, but does not say for which `molecules`"
            );
            let hint = "`molecules` is `all`, `queue`, `{random: N}`, `{best: N, of: STAGE}` or `{share: 0.1, of: STAGE}`";
            self.diagnostic(&[name], message, hint.to_owned());
            return None;
        };
        let molecules = self.molecules(name, stage, molecules)?;
        let wanted = match molecules {
            MoleculeSource::All | MoleculeSource::Random(_) | MoleculeSource::Best { .. } => None,
            MoleculeSource::Queue(_) | MoleculeSource::Share { .. } => Some(Loop::Consumer),
        };
        self.in_loop(name, stage, wanted, "such `molecules`");
        if let (MoleculeSource::Queue(_), None) = (&molecules, stage.parallel) {
            let message = format!("the stage `{name}` has no `parallel`");
            let hint =
                "add it: the number of molecules of the queue that are kept submitted at once";
            self.diagnostic(&[name], message, hint.to_owned());
        }
        Some(StageKind::Compute {
            property: property.to_owned(),
            molecules,
            parallel: stage.parallel,
        })
    }

    fn molecules(
        &mut self,
        name: &str,
        stage: &StageConfig,
        molecules: &Molecules,
    ) -> Option<MoleculeSource> {
        let some = match molecules {
            Molecules::Named(NamedMolecules::All) => return Some(MoleculeSource::All),
            Molecules::Named(NamedMolecules::Queue) => {
                let screens = self.kinds_before(stage, "screen");
                if let [screen] = screens.as_slice() {
                    return Some(MoleculeSource::Queue(*screen));
                }
                let message = format!(
                    "the stage `{name}` takes the queue of a `screen` stage, and comes after {} of them",
                    screens.len()
                );
                let hint = "name one `screen` stage in `after`";
                self.diagnostic(&[name, "after"], message, hint.to_owned());
                return None;
            }
            Molecules::Some(some) => some,
        };
        match some {
            SomeMolecules {
                random: Some(count),
                best: None,
                share: None,
                of: None,
            } => Some(MoleculeSource::Random(*count)),
            SomeMolecules {
                random: None,
                best: Some(count),
                share: None,
                of: Some(of),
            } => {
                let of = self.computed_by(name, stage, of, None)?;
                Some(MoleculeSource::Best { count: *count, of })
            }
            SomeMolecules {
                random: None,
                best: None,
                share: Some(share),
                of: Some(of),
            } => {
                let of = self.computed_by(name, stage, of, Some(Loop::Consumer))?;
                Some(MoleculeSource::Share { share: *share, of })
            }
            _ => {
                let message = format!("the `molecules` of the stage `{name}` are not clear");
                let hint = "write one of `{random: N}`, `{best: N, of: STAGE}` and `{share: 0.1, of: STAGE}`";
                self.diagnostic(&[name, "molecules"], message, hint.to_owned());
                None
            }
        }
    }

    /// Returns the stage `of`, which must compute a property in this loop and be named in `after`.
    fn computed_by(
        &mut self,
        name: &str,
        stage: &StageConfig,
        of: &str,
        in_loop: Option<Loop>,
    ) -> Option<usize> {
        let place = [name, "molecules", "of"];
        if !stage.after.iter().any(|before| before == of) {
            let message = format!(
                "the stage `{name}` chooses among the molecules of `{of}`, but does not come after it"
            );
            self.diagnostic(&place, message, format!("write `after: {of}`"));
            return None;
        }
        let position = self.position(of)?;
        let chosen = &self.planned[position];
        if matches!(chosen.kind, StageKind::Compute { .. }) && chosen.in_loop == in_loop {
            return Some(position);
        }
        let message = format!("the stage `{name}` cannot choose among the molecules of `{of}`");
        let hint = match in_loop {
            None => "`best` is of a stage with `compute` and without `loop`",
            Some(_) => "`share` is of a stage with `compute` and `loop: consumer`",
        };
        self.diagnostic(&place, message, hint.to_owned());
        None
    }

    fn learn(
        &mut self,
        name: &str,
        stage: &StageConfig,
        method: &str,
        kind: &MethodKind,
    ) -> Option<StageKind> {
        let screens = matches!(kind, MethodKind::Screen { .. });
        self.refuse(
            name,
            &[
                (
                    "molecules",
                    stage.molecules.is_some(),
                    "of a stage with `compute`",
                ),
                (
                    "parallel",
                    stage.parallel.is_some(),
                    "of a stage with `compute`",
                ),
                (
                    "select",
                    stage.select.is_some() && !screens,
                    "of a `screen` stage",
                ),
            ],
        );
        let word = kind.name();
        self.in_loop(
            name,
            stage,
            Some(Loop::Generator),
            &format!("a `{word}` method"),
        );
        let method = method.to_owned();
        match kind {
            MethodKind::Train { .. } => {
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
                Some(StageKind::Train { method })
            }
            MethodKind::Generate { .. } => {
                let model = self.model(name, stage)?;
                Some(StageKind::Generate { method, model })
            }
            MethodKind::Screen { .. } => {
                let generators = self.kinds_before(stage, "generate");
                if generators.is_empty() {
                    let message =
                        format!("the stage `{name}` screens, but comes after no `generate` stage");
                    self.diagnostic(&[name, "after"], message, "name one in `after`".to_owned());
                }
                let model = self.model(name, stage)?;
                let Some(select) = stage.select else {
                    let message = format!("the stage `{name}` has no `select`");
                    self.diagnostic(
                        &[name],
                        message,
                        "add it: how many of the best make a batch".to_owned(),
                    );
                    return None;
                };
                Some(StageKind::Screen {
                    method,
                    model,
                    generators,
                    select,
                })
            }
            MethodKind::Simulate { .. } => None,
        }
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
    fn kinds_before(&self, stage: &StageConfig, word: &str) -> Vec<usize> {
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

    fn refuse(&mut self, name: &str, keys: &[(&str, bool, &str)]) {
        for (key, _, whose) in keys.iter().filter(|(_, given, _)| *given) {
            let message =
                format!("`{key}` means nothing to the stage `{name}`: it is a key {whose}");
            self.diagnostic(&[name, key], message, format!("remove `{key}`"));
        }
    }

    fn in_loop(&mut self, name: &str, stage: &StageConfig, wanted: Option<Loop>, what: &str) {
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

    /// Checks that each queue has one stage that takes from it: otherwise the order of results would
    /// decide which stage computes a molecule.
    fn one_consumer_each(&mut self) {
        let planned = self.planned.clone();
        let queue_of = |stage: &PlannedStage| match stage.kind {
            StageKind::Compute {
                molecules: MoleculeSource::Queue(screen),
                ..
            } => Some(screen),
            _ => None,
        };
        for (place, stage) in planned.iter().enumerate() {
            let Some(screen) = queue_of(stage) else {
                continue;
            };
            let first = planned[..place]
                .iter()
                .find(|other| queue_of(other) == Some(screen));
            if let Some(first) = first {
                let message = format!(
                    "the stages `{}` and `{}` take the queue of `{}`",
                    first.name, stage.name, planned[screen].name
                );
                let hint = "let one of them choose among the molecules of the other: `molecules: {share: 0.1, of: STAGE}`";
                self.diagnostic(&[&stage.name, "molecules"], message, hint.to_owned());
            }
        }
    }

    /// Checks that what the generator loop proposes is computed, and that a loop has an end.
    fn whole(&mut self) {
        self.one_consumer_each();
        let planned = self.planned.clone();
        for (place, stage) in planned.iter().enumerate() {
            let used = planned
                .iter()
                .any(|other| match (&stage.kind, &other.kind) {
                    (
                        StageKind::Screen { .. },
                        StageKind::Compute {
                            molecules: MoleculeSource::Queue(screen),
                            ..
                        },
                    ) => *screen == place,
                    (StageKind::Generate { .. }, StageKind::Screen { generators, .. }) => {
                        generators.contains(&place)
                    }
                    (StageKind::Train { .. }, StageKind::Generate { model, .. }) => *model == place,
                    (StageKind::Compute { .. }, _) => true,
                    _ => false,
                });
            if !used {
                let hint = match &stage.kind {
                    StageKind::Train { .. } => "add a `generate` stage after it",
                    StageKind::Generate { .. } => "add a `screen` stage after it",
                    _ => {
                        "add a stage after it with `compute`, `molecules: queue` and `loop: consumer`"
                    }
                };
                let message = format!("nothing uses the result of the stage `{}`", stage.name);
                self.diagnostic(&[&stage.name], message, hint.to_owned());
            }
            // A stage that runs once cannot wait for one that never ends.
            let waits = stage
                .after
                .iter()
                .find(|before| planned[**before].in_loop.is_some());
            if let (None, Some(before)) = (stage.in_loop, waits) {
                let message = format!(
                    "the stage `{}` runs once, but comes after `{}` of a loop, which ends with the run",
                    stage.name, planned[*before].name
                );
                self.diagnostic(
                    &[&stage.name, "after"],
                    message,
                    "remove it from `after`, or add the `loop`".to_owned(),
                );
            }
        }
        if planned.iter().any(|stage| stage.in_loop.is_some())
            && self.loaded.campaign.stop.evaluations.is_none()
        {
            let place = self.loaded.place(&["stop"]);
            let fault = Diagnostic::new(
                "the campaign has loops, and `stop` has no `evaluations`".to_owned(),
            );
            let hint = "add it: the number of molecules to evaluate in the consumer loop";
            self.diagnostics.push(fault.at(place).hint(hint));
        }
    }
}
