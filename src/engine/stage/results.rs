//! Results of a stage in their order, the best first.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::design::pareto;
use crate::plan::RankedProperty;
use crate::task::TaskId;

/// Evaluated molecules of a stage, ranked by its properties: by the cost of one, or by non-dominated
/// fronts and crowding distance of several. Infeasible molecules come behind the others; ties go to
/// the task submitted first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RankedResults {
    ranking: Vec<RankedProperty>,
    /// In the order of `RankedResult`, which is the rank if there is one cost.
    results: BTreeSet<RankedResult>,
}

/// A result of a stage.
#[derive(Clone, Debug, PartialEq)]
struct RankedResult {
    is_feasible: bool,
    costs: Vec<f64>,
    task: TaskId,
    smiles: String,
}

impl Eq for RankedResult {}

impl Ord for RankedResult {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut costs = self.costs.iter().zip(&other.costs);
        let by_cost = costs.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|order| order.is_ne()));
        let by_feasibility = other.is_feasible.cmp(&self.is_feasible);
        by_feasibility
            .then(by_cost.unwrap_or(Ordering::Equal))
            .then_with(|| self.task.cmp(&other.task))
            .then_with(|| self.smiles.cmp(&other.smiles))
    }
}

impl PartialOrd for RankedResult {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RankedResults {
    pub fn new(ranking: &[RankedProperty]) -> Self {
        Self {
            ranking: ranking.to_vec(),
            results: BTreeSet::new(),
        }
    }

    /// Adds a molecule with the values of the stage's properties.
    pub fn add(&mut self, smiles: &str, task: TaskId, values: &[f64], is_feasible: bool) {
        let costs = self.ranking.iter();
        let costs = costs.map(|ranked| ranked.direction.cost(values[ranked.property]));
        self.results.insert(RankedResult {
            is_feasible,
            costs: costs.collect(),
            task,
            smiles: smiles.to_owned(),
        });
    }

    pub fn len(&self) -> usize {
        self.results.len()
    }

    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Lowest cost of a feasible molecule, where one property ranks them.
    pub fn lowest_cost(&self) -> Option<f64> {
        let best = self.results.first().filter(|best| best.is_feasible)?;
        best.costs.first().copied()
    }

    /// Returns true if a feasible molecule has reached `value` of the property that ranks them.
    pub fn reach(&self, value: f64) -> bool {
        let target = self
            .ranking
            .first()
            .map(|ranked| ranked.direction.cost(value));
        matches!((self.lowest_cost(), target), (Some(cost), Some(target)) if cost <= target)
    }

    /// The best `count` molecules, the best first.
    pub fn best(&self, count: usize) -> Vec<String> {
        if self.ranking.len() <= 1 {
            let best = self.results.iter().take(count);
            return best.map(|result| result.smiles.clone()).collect();
        }
        let mut order: Vec<&RankedResult> = self.results.iter().collect();
        order.sort_by(|a, b| a.task.cmp(&b.task).then_with(|| a.smiles.cmp(&b.smiles)));
        let (feasible, others): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|result| result.is_feasible);
        let ranked = |part: Vec<&RankedResult>| -> Vec<String> {
            let costs: Vec<&[f64]> = part.iter().map(|result| result.costs.as_slice()).collect();
            let order = pareto::ranked(&costs).into_iter();
            order.map(|index| part[index].smiles.clone()).collect()
        };
        let mut best = ranked(feasible);
        if best.len() < count {
            best.extend(ranked(others));
        }
        best.truncate(count);
        best
    }
}
