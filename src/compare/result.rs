//! Result of a comparison: figures of each policy and of each search.

use serde::Serialize;

use super::band::{Band, Estimate};
use super::curve::Curve;
use super::landscape::Landscape;
use super::search::Trace;
use super::{Extent, Policy, RANDOM};
use crate::task::StoppedBy;

/// Comparison of policies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Label of the objective.
    pub objective: String,
    /// Its unit, empty for a plain number.
    pub unit: String,
    /// `lowest` or `highest`.
    pub sought: &'static str,
    /// Evaluations of each search, initial molecules included.
    pub evaluations: usize,
    /// Seeds of the searches.
    pub seeds: Vec<u64>,
    /// Scale of the scores.
    pub scale: Scale,
    /// The policies in the order given, then random search.
    pub policies: Vec<PolicyResult>,
}

/// Scale of the scores, in the unit of the objective: 1 is the best value, 0 the median.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scale {
    /// True if the values of all molecules are in a table; false if best and median are those of
    /// what the searches have seen, best of all policies and median of random search.
    pub known: bool,
    /// Best value.
    pub best: f64,
    /// Median value.
    pub median: f64,
    /// Number of molecules.
    pub molecules: usize,
}

/// Searches of one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyResult {
    /// Name of the policy.
    pub name: String,
    /// Area under the curve of the score of the ten best molecules, 0 to 1.
    pub auc: Estimate,
    /// Number of searches that found the best value of the scale.
    pub found: usize,
    /// Median number of evaluations until they found it; none if fewer than half of them did.
    pub median_evaluations: Option<f64>,
    /// Best value so far by evaluation.
    pub best: Band,
    /// Mean of the ten best values so far by evaluation.
    pub top_ten: Band,
    /// The searches by seed.
    pub searches: Vec<SearchResult>,
}

/// One search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchResult {
    /// Its seed.
    pub seed: u64,
    /// Area under its curve.
    pub auc: f64,
    /// Evaluations until it found the best value of the scale; none if it did not.
    pub evaluations_to_best: Option<usize>,
    /// Best molecule, canonical SMILES; none if no molecule has a value.
    pub molecule: Option<String>,
    /// Its value; none without one.
    pub value: Option<f64>,
    /// Number of evaluations; fewer than those of the comparison if it ended before.
    pub evaluations: usize,
    /// Reason for its end.
    #[serde(serialize_with = "word")]
    pub stopped_by: StoppedBy,
    /// Value by evaluation; none of a molecule that failed or does not meet the constraints.
    pub values: Vec<Option<f64>>,
}

fn word<S: serde::Serializer>(stopped_by: &StoppedBy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(stopped_by.word())
}

/// Judges the traces of all policies, those of random search last, on the known landscape or on what
/// they have seen.
pub(super) fn comparison(
    policies: &[Policy],
    extent: &Extent,
    evaluations: usize,
    known: Option<Landscape>,
    traces: &[&[Trace]],
) -> Comparison {
    let plan = &policies[0].plan;
    let (property, direction) = (plan.objective_property(), plan.objectives[0].direction);
    let seen = |traces: &[Trace]| -> Vec<f64> {
        traces
            .iter()
            .flat_map(|t| t.costs.iter().copied().flatten())
            .collect()
    };
    let is_known = known.is_some();
    let landscape = known.unwrap_or_else(|| {
        let all: Vec<f64> = traces.iter().flat_map(|traces| seen(traces)).collect();
        let random = Landscape::of(traces.last().map(|traces| seen(traces)).unwrap_or_default());
        Landscape {
            best: all.iter().copied().fold(f64::INFINITY, f64::min),
            median: random.map_or(f64::NAN, |random| random.median),
            molecules: all.len(),
        }
    });
    let names = policies.iter().map(|policy| policy.name.clone());
    let names = names.chain([RANDOM.to_owned()]);
    let results = names.zip(traces).map(|(name, traces)| {
        policy_result(name, extent, evaluations, &landscape, traces, |cost| {
            direction.cost(cost)
        })
    });
    Comparison {
        objective: property.label.clone(),
        unit: property.unit.name().to_owned(),
        sought: direction.superlative(),
        evaluations,
        seeds: extent.seeds.clone(),
        policies: results.collect(),
        scale: Scale {
            known: is_known,
            best: direction.cost(landscape.best),
            median: direction.cost(landscape.median),
            molecules: landscape.molecules,
        },
    }
}

/// Result of the searches of a policy; `value` turns a cost into a value.
fn policy_result(
    name: String,
    extent: &Extent,
    evaluations: usize,
    landscape: &Landscape,
    traces: &[Trace],
    value: impl Fn(f64) -> f64,
) -> PolicyResult {
    let curves = traces
        .iter()
        .map(|t| Curve::new(&t.costs, evaluations, landscape));
    let curves: Vec<Curve> = curves.collect();
    let band = |of: fn(&Curve) -> &[f64]| {
        let values: Vec<Vec<f64>> = curves
            .iter()
            .map(|c| of(c).iter().map(|cost| value(*cost)).collect())
            .collect();
        let values: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        Band::of(&values, evaluations)
    };
    let found = |curve: &Curve| curve.evaluations_to(landscape.best);
    let searches = extent.seeds.iter().zip(traces).zip(&curves);
    let searches = searches.map(|((seed, trace), curve)| SearchResult {
        seed: *seed,
        auc: curve.area(),
        evaluations_to_best: found(curve),
        molecule: trace.best.clone(),
        value: curve
            .best
            .last()
            .copied()
            .filter(|best| best.is_finite())
            .map(&value),
        evaluations: trace.costs.len(),
        stopped_by: trace.stopped_by,
        values: trace.costs.iter().map(|cost| cost.map(&value)).collect(),
    });
    PolicyResult {
        name,
        auc: Estimate::of(curves.iter().map(Curve::area)),
        found: curves.iter().filter_map(found).count(),
        median_evaluations: median(curves.iter().map(found).collect()),
        best: band(|curve| &curve.best),
        top_ten: band(|curve| &curve.top_ten),
        searches: searches.collect(),
    }
}

/// Median, where none is more than any number; none if it is not a number.
fn median(mut counts: Vec<Option<usize>>) -> Option<f64> {
    counts.sort_by_key(|count| count.unwrap_or(usize::MAX));
    let middle = counts.len() / 2;
    let upper = (*counts.get(middle)?)? as f64;
    match counts.len() % 2 {
        0 => Some(((*counts.get(middle.checked_sub(1)?)?)? as f64 + upper) / 2.0),
        _ => Some(upper),
    }
}
