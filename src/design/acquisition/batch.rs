//! Batches of mutually different molecules: each is chosen as if the ones before it had been
//! evaluated.

use super::{Acquisition, AcquisitionRound, nan_last};
use crate::design::error::DesignError;
use crate::learn::joint::JointPrediction;
use crate::task::RankedCandidate;

/// Number of the best candidates that a batch is chosen from.
pub const SHORTLIST: usize = 1000;

/// Orders the first candidates of `ranked`, of which `joint` is the joint prediction, such that each
/// is the best after those before it have been observed at their predicted costs: their variances
/// are known then, and molecules that resemble them are less uncertain (kriging believer; Ginsbourger
/// et al., in Computational Intelligence in Expensive Optimization Problems, 2010, section 4). The
/// incumbent stays the evaluated one. The `count` first are ordered so, the others follow as they
/// were. Predictions are not changed.
///
/// # Errors
///
/// The candidates cannot be scored.
pub fn diversified(
    acquisition: &dyn Acquisition,
    ranked: Vec<RankedCandidate>,
    mut joint: JointPrediction,
    round: &AcquisitionRound,
    count: usize,
) -> Result<Vec<RankedCandidate>, DesignError> {
    let mut believed = ranked[..joint.len()].to_vec();
    let mut order: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = (0..joint.len()).collect();
    while order.len() < count && !open.is_empty() {
        for (place, candidate) in believed.iter_mut().enumerate() {
            candidate.prediction.std = joint.std(place);
        }
        let scores = acquisition.scores(&believed, round)?;
        // Of equal ones the first, as they are ranked already.
        let best = (1..open.len()).fold(0, |best, i| {
            match nan_last(scores[open[i]], scores[open[best]]) {
                std::cmp::Ordering::Less => i,
                _ => best,
            }
        });
        let chosen = open.remove(best);
        joint.condition(chosen);
        order.push(chosen);
    }
    order.extend(open);
    order.extend(believed.len()..ranked.len());
    let mut slots: Vec<Option<RankedCandidate>> = ranked.into_iter().map(Some).collect();
    Ok((order.into_iter())
        .filter_map(|place| slots[place].take())
        .collect())
}
