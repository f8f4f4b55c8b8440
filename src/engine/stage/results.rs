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
    count: usize,
    /// Lowest first cost of a feasible molecule.
    lowest_cost: Option<f64>,
    /// In the order of `RankedResult`, which is the rank if there is one cost; none unless another
    /// stage takes the best of them.
    ordered: Option<BTreeSet<RankedResult>>,
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
    /// `are_taken`: another stage takes the best of them.
    pub fn new(ranking: &[RankedProperty], are_taken: bool) -> Self {
        Self {
            ranking: ranking.to_vec(),
            count: 0,
            lowest_cost: None,
            ordered: are_taken.then(BTreeSet::new),
        }
    }

    /// Adds a molecule with the values of the stage's properties.
    pub fn add(&mut self, smiles: &str, task: TaskId, values: &[f64], is_feasible: bool) {
        let cost = |ranked: &RankedProperty| ranked.direction.cost(values[ranked.property]);
        self.count += 1;
        if let Some(cost) = self.ranking.first().map(cost).filter(|_| is_feasible) {
            self.lowest_cost = Some(self.lowest_cost.map_or(cost, |lowest| lowest.min(cost)));
        }
        if let Some(ordered) = &mut self.ordered {
            ordered.insert(RankedResult {
                is_feasible,
                costs: self.ranking.iter().map(cost).collect(),
                task,
                smiles: smiles.to_owned(),
            });
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Lowest cost of a feasible molecule by the first property that ranks them.
    pub fn lowest_cost(&self) -> Option<f64> {
        self.lowest_cost
    }

    /// Returns true if a feasible molecule has reached `value` of the property that ranks them.
    pub fn reach(&self, value: f64) -> bool {
        let target = self
            .ranking
            .first()
            .map(|ranked| ranked.direction.cost(value));
        matches!((self.lowest_cost, target), (Some(cost), Some(target)) if cost <= target)
    }

    /// The best `count` molecules, the best first.
    pub fn best(&self, count: usize) -> Vec<String> {
        let Some(ordered) = &self.ordered else {
            return Vec::new();
        };
        if self.ranking.len() <= 1 {
            let best = ordered.iter().take(count);
            return best.map(|result| result.smiles.clone()).collect();
        }
        let mut order: Vec<&RankedResult> = ordered.iter().collect();
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
