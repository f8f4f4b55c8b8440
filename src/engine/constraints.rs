//! Constraints: what makes a molecule feasible, from its computed values or from predictions.

use std::collections::BTreeMap;

use super::Engine;
use crate::chem::Molecule;
use crate::property::{Composition, QuantityOf, Values};
use crate::task::RankedCandidate;

/// Values of the properties of a molecule, in atomic units, and its atoms.
struct PropertyValues {
    properties: BTreeMap<String, f64>,
    composition: Composition,
}

impl Values for PropertyValues {
    fn quantity(&self, _: &QuantityOf) -> Option<f64> {
        None
    }

    fn of_free_atom(&self, _: &str, _: &QuantityOf) -> Option<f64> {
        None
    }

    fn composition(&self) -> &Composition {
        &self.composition
    }

    fn property(&self, name: &str) -> Option<f64> {
        self.properties.get(name).copied()
    }
}

impl Engine {
    /// Returns true if values of properties, each in its unit, meet all constraints. A condition
    /// whose value is not finite is not met.
    pub(super) fn is_feasible<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, f64)>,
        composition: &Composition,
    ) -> bool {
        if self.plan.constraints.is_empty() {
            return true;
        }
        let in_atomic = |(name, value): (&str, f64)| {
            let unit = &self.plan.properties.get(name)?.unit;
            Some((name.to_owned(), unit.to_atomic(value)))
        };
        let values = PropertyValues {
            properties: values.into_iter().filter_map(in_atomic).collect(),
            composition: composition.clone(),
        };
        let mut constraints = self.plan.constraints.iter();
        constraints.all(|constraint| constraint.condition.holds(&values) == Some(true))
    }

    /// Puts the candidates that are predicted to be infeasible behind the others; each part keeps
    /// its order.
    pub(super) fn feasible_first(
        &self,
        screen: usize,
        ranked: Vec<RankedCandidate>,
    ) -> Vec<RankedCandidate> {
        if self.plan.constraints.is_empty() {
            return ranked;
        }
        let (mut feasible, others): (Vec<_>, Vec<_>) = ranked
            .into_iter()
            .partition(|candidate| self.is_predicted_feasible(screen, candidate));
        feasible.extend(others);
        feasible
    }

    /// A property that has no prediction counts as met.
    fn is_predicted_feasible(&self, screen: usize, candidate: &RankedCandidate) -> bool {
        let values = self.predicted_values(screen, candidate);
        let known = |name: &String| values.iter().any(|(other, _)| other == name);
        let composition = match self.plan.constraints.iter().any(|c| c.has_descriptors()) {
            true => composition(&candidate.smiles),
            false => Some(Composition::new()),
        };
        let values = PropertyValues {
            properties: values
                .iter()
                .map(|(name, prediction)| {
                    let unit = &self.plan.properties[name].unit;
                    (name.clone(), unit.to_atomic(prediction.mean))
                })
                .collect(),
            composition: composition.clone().unwrap_or_default(),
        };
        let mut constraints = self.plan.constraints.iter();
        constraints.all(|constraint| {
            let can_tell = constraint.properties.iter().all(known)
                && (composition.is_some() || !constraint.has_descriptors());
            !can_tell || constraint.condition.holds(&values) == Some(true)
        })
    }
}

fn composition(smiles: &str) -> Option<Composition> {
    let counts = Molecule::parse(smiles).ok()?.element_counts().into_iter();
    Some(counts.map(|(symbol, n)| (symbol, n as u32)).collect())
}
