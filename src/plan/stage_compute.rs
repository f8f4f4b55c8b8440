//! Checks of the stages that compute properties.

use super::objective::Objective;
use super::stage::{MoleculeSource, RankedProperty, StageKind};
use super::stage_check::StageCheck;
use crate::config::campaign::{
    Loop, MethodKind, Molecules, NamedMolecules, SomeMolecules, StageConfig,
};

impl StageCheck<'_> {
    /// Plans a stage that computes properties.
    pub(super) fn compute(&mut self, name: &str, stage: &StageConfig) -> Option<StageKind> {
        let asked = stage.compute.join("`, `");
        self.refuse(
            name,
            &[("select", stage.select.is_some(), "of a `screen` stage")],
        );
        let Some(molecules) = &stage.molecules else {
            let message = format!(
                "the stage `{name}` computes `{asked}`, but does not say for which `molecules`"
            );
            let hint = "`molecules` is `all`, `queue`, `{random: N}`, `{best: N, of: STAGE}` or `{share: 0.1, of: STAGE}`";
            self.diagnostic(&[name], message, hint.to_owned());
            return None;
        };
        let molecules = self.molecules(name, stage, molecules)?;
        let (wanted, word) = match molecules {
            MoleculeSource::All => (None, "all"),
            MoleculeSource::Random(_) => (None, "{random: N}"),
            MoleculeSource::Best { .. } => (None, "{best: N, of: STAGE}"),
            MoleculeSource::Queue(_) => (Some(Loop::Consumer), "queue"),
            MoleculeSource::Share { .. } => (Some(Loop::Consumer), "{share: 0.1, of: STAGE}"),
        };
        self.in_loop(name, stage, wanted, &format!("`molecules: {word}`"));
        if let (MoleculeSource::Queue(_), None) = (&molecules, stage.parallel) {
            let message = format!("the stage `{name}` has no `parallel`");
            let hint =
                "add it: the number of molecules of the queue that are kept submitted at once";
            self.diagnostic(&[name], message, hint.to_owned());
        }
        let objectives = Objective::all(&self.loaded.campaign.objective).unwrap_or_default();
        let ranking = ranking(&stage.compute, &objectives);
        self.budget_of_one_property(name, stage, ranking.len());
        Some(StageKind::Compute {
            ranking,
            properties: self.properties(&stage.compute, &objectives),
            molecules,
            parallel: stage.parallel,
        })
    }

    /// Refuses a `target` and `stale_evaluations` of a stage that does not rank its molecules by one
    /// property.
    fn budget_of_one_property(&mut self, name: &str, stage: &StageConfig, ranking: usize) {
        let budget = stage.budget.unwrap_or_default();
        let keys = [
            ("target", budget.target.is_some()),
            ("stale_evaluations", budget.stale_evaluations.is_some()),
        ];
        for (key, _) in keys.iter().filter(|(_, is_set)| *is_set && ranking != 1) {
            let message = format!(
                "the budget of the stage `{name}` has a `{key}`, but not one property ranks its molecules"
            );
            let hint = "remove it, or let the stage compute one property, in a campaign with one objective";
            self.diagnostic(&[name, "budget", key], message, hint.to_owned());
        }
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
                let number = match screens.len() {
                    0 => "none",
                    _ => "several",
                };
                let message = format!(
                    "the stage `{name}` takes the queue of a `screen` stage, but comes after {number}"
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
        if let StageKind::Compute { ranking, .. } = &chosen.kind
            && chosen.in_loop == in_loop
        {
            if ranking.is_empty() {
                let objectives = self.loaded.campaign.objective.directed().len();
                let message = format!(
                    "the stage `{name}` chooses the best of `{of}`, which computes neither all objectives nor as many properties as there are objectives, {objectives}"
                );
                let hint = "let it compute one property for each objective, in their order, by which its molecules are ranked";
                self.diagnostic(&place, message, hint.to_owned());
                return None;
            }
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

    /// The properties that a stage computes: those that it names and, if all objectives are among
    /// them, those of the constraints and of cheaper levels that a surrogate learns.
    fn properties(&self, named: &[String], objectives: &[Objective]) -> Vec<String> {
        let campaign = &self.loaded.campaign;
        let is_named = |o: &Objective| named.contains(&o.property);
        let of_constraints = self.constraints.iter().flat_map(|c| &c.properties);
        let methods = campaign.methods.values().map(|method| &method.kind);
        let levels = methods.filter_map(|kind| match kind {
            MethodKind::Train { properties, .. } => Some(properties),
            _ => None,
        });
        let of_levels = levels.flatten();
        let known = of_levels.filter(|name| campaign.properties.contains_key(*name));
        let further = of_constraints.chain(known);
        let further = further.filter(|_| objectives.iter().all(is_named));
        let mut properties: Vec<String> = Vec::new();
        for property in named.iter().chain(further) {
            if !properties.contains(property) {
                properties.push(property.clone());
            }
        }
        properties
    }
}

/// The properties by which the molecules of a stage are ranked: the objectives, if it computes all
/// of them, or else its own properties in their place, if they are as many.
fn ranking(named: &[String], objectives: &[Objective]) -> Vec<RankedProperty> {
    let place_of = |o: &Objective| named.iter().position(|name| *name == o.property);
    let all: Option<Vec<usize>> = objectives.iter().map(place_of).collect();
    let places = all.or_else(|| {
        let as_many = named.len() == objectives.len();
        as_many.then(|| (0..named.len()).collect())
    });
    let directions = objectives.iter().map(|objective| objective.direction);
    let ranked = places.unwrap_or_default().into_iter().zip(directions);
    let ranked = ranked.map(|(property, direction)| RankedProperty {
        property,
        direction,
    });
    ranked.collect()
}
