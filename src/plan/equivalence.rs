//! Methods of two plans that compute the same.

use super::{Plan, PlannedMethod};

impl Plan {
    /// Returns true if `method` of this plan and `theirs` of the plan `other` have the same engine
    /// with the same settings, and begin with the same geometries.
    pub fn computes_like(
        &self,
        method: &PlannedMethod,
        other: &Plan,
        theirs: &PlannedMethod,
    ) -> bool {
        let geometries = match (self.first_of(method), other.first_of(theirs)) {
            (None, None) => true,
            (Some(first), Some(their_first)) => self.computes_like(first, other, their_first),
            _ => false,
        };
        let engine = method.qc_engine();
        engine.is_some() && engine == theirs.qc_engine() && geometries
    }

    /// The method whose geometries `method` begins with.
    fn first_of(&self, method: &PlannedMethod) -> Option<&PlannedMethod> {
        self.methods.get(method.geometry()?)
    }
}
