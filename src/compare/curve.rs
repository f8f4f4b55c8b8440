//! Curves of a search: what it has found after each evaluation.

use super::landscape::Landscape;

/// Number of best molecules whose mean is followed.
const TOP: usize = 10;

/// What one search has found after each evaluation; the last state holds to the end of the budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Lowest cost so far; NaN before the first.
    pub best: Vec<f64>,
    /// Mean of the ten lowest costs so far, of fewer if there are not ten; NaN before the first.
    pub top_ten: Vec<f64>,
    /// Mean score of the molecules of `top_ten`; 0 before the first.
    pub score: Vec<f64>,
}

impl Curve {
    /// Follows the costs of `evaluations` molecules, none of those without a value.
    pub fn new(costs: &[Option<f64>], evaluations: usize, landscape: &Landscape) -> Self {
        let mut curve = Self {
            best: Vec::with_capacity(evaluations),
            top_ten: Vec::with_capacity(evaluations),
            score: Vec::with_capacity(evaluations),
        };
        let mut top: Vec<f64> = Vec::with_capacity(TOP + 1);
        for place in 0..evaluations {
            if let Some(cost) = costs.get(place).copied().flatten() {
                let place = top.partition_point(|known| *known <= cost);
                top.insert(place, cost);
                top.truncate(TOP);
            }
            curve.best.push(top.first().copied().unwrap_or(f64::NAN));
            curve.top_ten.push(mean(&top));
            let scores: Vec<f64> = top.iter().map(|cost| landscape.score(*cost)).collect();
            curve.score.push(match scores.is_empty() {
                true => 0.0,
                false => mean(&scores),
            });
        }
        curve
    }

    /// Mean of the score over all evaluations: area under its curve, from 0 to 1.
    pub fn area(&self) -> f64 {
        mean(&self.score)
    }

    /// Number of evaluations until a cost as low as `cost` was found; none if it never was.
    pub fn evaluations_to(&self, cost: f64) -> Option<usize> {
        let tolerance = 1e-9 * cost.abs().max(1.0);
        let place = self.best.iter().position(|best| *best <= cost + tolerance);
        place.map(|place| place + 1)
    }
}

impl Landscape {
    /// Score of a cost: 1 for the best, 0 for the median and all that is worse.
    pub fn score(&self, cost: f64) -> f64 {
        let range = self.median - self.best;
        match range > 0.0 {
            true => ((self.median - cost) / range).max(0.0),
            false => 0.0,
        }
    }
}

/// Mean; NaN of nothing.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
