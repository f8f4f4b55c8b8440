//! Checks of the stages together: that nothing is computed in vain, and that each loop has an end.

use super::stage::{MoleculeSource, PlannedStage, StageKind};
use super::stage_check::StageCheck;
use crate::config::diagnostic::Diagnostic;

impl StageCheck<'_> {
    /// Checks that each queue has one stage that takes from it: otherwise the order of results
    /// would decide which stage computes a molecule.
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
    pub(super) fn whole(&mut self) {
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
