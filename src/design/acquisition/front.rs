//! Ranking of candidates by several objectives.

use super::{Acquisition, AcquisitionRound, nan_last};
use crate::design::error::DesignError;
use crate::learn::acquisition::expected_hypervolume_improvement;
use crate::learn::pareto;
use crate::learn::regression::Prediction;
use crate::task::RankedCandidate;

/// The evaluated molecules that candidates are to improve on.
pub struct CostFront<'a> {
    /// Costs of each molecule of the Pareto front, in the order of the objectives.
    pub members: &'a [Vec<f64>],
    /// Worst cost of each objective that counts.
    pub reference: &'a [f64],
}

/// Sorts candidates, best first: by the hypervolume that they add to the front where an acquisition
/// scores each objective, or by its expectation for `expected_improvement`, then by non-dominated
/// front and crowding distance of these scores, then by SMILES. One whose score is not a number
/// comes last.
///
/// # Errors
///
/// The candidates cannot be scored.
pub fn rank_by_hypervolume(
    acquisition: &dyn Acquisition,
    candidates: Vec<RankedCandidate>,
    front: &CostFront<'_>,
    seed: u64,
) -> Result<Vec<RankedCandidate>, DesignError> {
    let mut candidates = candidates;
    candidates.sort_by(|a, b| a.smiles.cmp(&b.smiles));
    let objectives = front.reference.len();
    let mut scores: Vec<Vec<f64>> = Vec::with_capacity(objectives);
    for place in 0..objectives {
        let alone = candidates.iter().map(|candidate| RankedCandidate {
            prediction: match place {
                0 => candidate.prediction,
                place => candidate.further[place - 1],
            },
            further: Vec::new(),
            parents: Vec::new(),
            ..candidate.clone()
        });
        let round = AcquisitionRound {
            incumbent: None,
            seed: seed.wrapping_add(place as u64),
        };
        scores.push(acquisition.scores(&alone.collect::<Vec<_>>(), &round)?);
    }
    let points: Vec<Vec<f64>> = (0..candidates.len())
        .map(|candidate| scores.iter().map(|of_one| of_one[candidate]).collect())
        .collect();
    let slices: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
    let members: Vec<&[f64]> = front.members.iter().map(Vec::as_slice).collect();
    let added = |point: &&[f64]| match point.iter().any(|score| score.is_nan()) {
        true => f64::NAN,
        false => -pareto::improvement(point, &members, front.reference),
    };
    let expected = |candidate: &RankedCandidate| {
        let predictions: Vec<Prediction> = [candidate.prediction]
            .into_iter()
            .chain(candidate.further.iter().copied())
            .take(objectives)
            .collect();
        -expected_hypervolume_improvement(&predictions, &members, front.reference)
    };
    let added: Vec<f64> = match acquisition.expects_hypervolume() {
        true => candidates.iter().map(expected).collect(),
        false => slices.iter().map(added).collect(),
    };
    let order = pareto::ranked(&slices);
    let mut places = vec![0; order.len()];
    for (place, candidate) in order.into_iter().enumerate() {
        places[candidate] = place;
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| nan_last(added[*a], added[*b]).then_with(|| places[*a].cmp(&places[*b])));
    let mut slots: Vec<Option<RankedCandidate>> = candidates.into_iter().map(Some).collect();
    Ok(order
        .into_iter()
        .filter_map(|candidate| slots[candidate].take())
        .collect())
}
