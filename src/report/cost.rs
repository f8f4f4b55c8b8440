//! Core-hours of a run: in total, by method, and for each molecule better than a threshold.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::{CandidateRow, ObjectiveInfo, SearchCounts};

const MS_PER_HOUR: f64 = 3_600_000.0;

/// Core-hours on the page.
#[derive(Serialize)]
pub(super) struct CostEntry {
    total: String,
    methods: Vec<MethodCost>,
    /// Sentence on what a good molecule cost; None without a value.
    of_better: Option<String>,
}

#[derive(Serialize)]
struct MethodCost {
    method: String,
    hours: String,
}

/// Value that a molecule must reach to count as good, and what it is.
struct Threshold {
    value: f64,
    is: &'static str,
    /// True if a molecule that equals it counts.
    or_equal: bool,
}

/// Returns the core-hours of a run. `times`: of each method in milliseconds; `cores`: of its tasks;
/// `target`: of the campaign.
pub(super) fn cost(
    times: &[(String, i64)],
    cores: &BTreeMap<String, usize>,
    objectives: &[ObjectiveInfo],
    evaluated: &[&CandidateRow],
    (found, target): (&SearchCounts, Option<f64>),
) -> CostEntry {
    let mut of_method: BTreeMap<&str, f64> = BTreeMap::new();
    for (method, ms) in times {
        let cores = cores.get(method).copied().unwrap_or(0) as f64;
        *of_method.entry(method).or_default() += *ms as f64 / MS_PER_HOUR * cores;
    }
    let total = of_method.values().sum();
    CostEntry {
        total: hours(total),
        methods: (of_method.iter())
            .map(|(method, cost)| MethodCost {
                method: (*method).to_owned(),
                hours: hours(*cost),
            })
            .collect(),
        of_better: match objectives {
            [objective] => of_better(total, objective, evaluated, found, target),
            _ => of_front(total, evaluated),
        },
    }
}

fn of_better(
    total: f64,
    objective: &ObjectiveInfo,
    evaluated: &[&CandidateRow],
    found: &SearchCounts,
    target: Option<f64>,
) -> Option<String> {
    let feasible = evaluated.iter().filter(|row| row.feasible != Some(false));
    let mut values: Vec<f64> = feasible.filter_map(|row| row.objective).collect();
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    let best_of_source = found.best_of_source.filter(|_| found.proposed > 0);
    let threshold = match (target, best_of_source) {
        (Some(value), _) => Threshold {
            value,
            is: "the target of the campaign",
            or_equal: true,
        },
        (None, Some(value)) => Threshold {
            value,
            is: "the best initial molecule",
            or_equal: false,
        },
        (None, None) => Threshold {
            value: median,
            is: "the median",
            or_equal: false,
        },
    };
    let is_better = |value: &&f64| match (objective.highest, threshold.or_equal) {
        (_, true) if **value == threshold.value => true,
        (true, _) => **value > threshold.value,
        (false, _) => **value < threshold.value,
    };
    let better = values.iter().filter(is_better).count();
    let (value, unit, is) = (threshold.value, &objective.unit, threshold.is);
    let than = format!("{value:.6} {unit}");
    let than = format!("{}, {is}", than.trim_end());
    let as_good = if threshold.or_equal {
        "at least as good as"
    } else {
        "better than"
    };
    Some(match better {
        0 => format!("No molecule is {as_good} {than}."),
        1 => format!(
            "One molecule is {as_good} {than}: it cost {} core-hours.",
            hours(total)
        ),
        _ => {
            let each = hours(total / better as f64);
            format!("{better} molecules are {as_good} {than}: {each} core-hours for each.")
        }
    })
}

fn of_front(total: f64, evaluated: &[&CandidateRow]) -> Option<String> {
    let members = evaluated.iter().filter(|row| row.on_front).count();
    let each = hours(total / members as f64);
    match members {
        0 => None,
        1 => Some(format!(
            "{each} core-hours for the only molecule of the Pareto front."
        )),
        _ => Some(format!(
            "{each} core-hours for each of the {members} molecules of the Pareto front."
        )),
    }
}

/// Text of core-hours with three digits that count.
fn hours(hours: f64) -> String {
    match hours {
        h if h >= 100.0 => format!("{h:.0}"),
        h if h >= 1.0 => format!("{h:.2}"),
        h if h >= 0.1 => format!("{h:.3}"),
        h if h >= 0.01 => format!("{h:.4}"),
        h if h >= 0.001 => format!("{h:.5}"),
        h if h > 0.0 => format!("{h:.2e}"),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{evaluated, found, gap, mass};

    /// Costs of a run of ten core-hours: an hour on eight cores and two hours on one.
    fn costs(
        objectives: &[ObjectiveInfo],
        rows: &[CandidateRow],
        found: &SearchCounts,
        target: Option<f64>,
    ) -> CostEntry {
        let times =
            [("b3lyp", 1), ("train", 2)].map(|(method, h)| (method.to_owned(), h * 3_600_000));
        let cores = BTreeMap::from([("b3lyp".to_owned(), 8), ("train".to_owned(), 1)]);
        let rows: Vec<&CandidateRow> = rows.iter().collect();
        cost(&times, &cores, objectives, &rows, (found, target))
    }

    fn sentence(rows: &[CandidateRow], found: &SearchCounts, target: Option<f64>) -> String {
        let cost = costs(&[gap()], rows, found, target);
        cost.of_better.expect("a sentence")
    }

    /// Molecules with these values, the last of which violates a constraint.
    fn rows(values: &[f64]) -> Vec<CandidateRow> {
        let mut rows: Vec<CandidateRow> = (values.iter().zip(0..))
            .map(|(value, rank)| evaluated(0, rank, "C", Some(*value)))
            .collect();
        if let Some(last) = rows.last_mut() {
            last.feasible = Some(false);
        }
        rows.push(evaluated(1, 0, "CC", None));
        rows
    }

    #[test]
    fn core_hours_are_time_by_cores() {
        let cost = costs(&[gap()], &[], &found(0, 0), None);
        assert_eq!(cost.total, "10.00");
        let methods = cost
            .methods
            .iter()
            .map(|m| (m.method.as_str(), m.hours.as_str()));
        assert_eq!(
            methods.collect::<Vec<_>>(),
            [("b3lyp", "8.00"), ("train", "2.00")]
        );
        assert_eq!(cost.of_better, None, "no molecule has a value");
    }

    #[test]
    fn without_a_search_the_median_is_the_threshold() {
        // Feasible: 1, 2, 3, 4, 5.
        let rows = rows(&[5.0, 1.0, 4.0, 2.0, 3.0, 99.0]);
        assert_eq!(
            sentence(&rows, &found(6, 0), None),
            "2 molecules are better than 3.000000 eV, the median: 5.00 core-hours for each."
        );
    }

    #[test]
    fn the_best_of_the_source_is_the_threshold_of_a_search() {
        let counts = SearchCounts {
            best_of_source: Some(4.5),
            ..found(5, 3)
        };
        assert_eq!(
            sentence(&rows(&[1.0, 4.5, 5.0, 99.0]), &counts, None),
            "One molecule is better than 4.500000 eV, the best initial molecule: it cost 10.00 core-hours."
        );
        assert_eq!(
            sentence(&rows(&[1.0, 4.5, 99.0]), &counts, None),
            "No molecule is better than 4.500000 eV, the best initial molecule."
        );
    }

    #[test]
    fn a_target_is_reached_by_what_equals_it() {
        let values = rows(&[1.0, 2.0, 3.0, 4.0, 99.0]);
        assert_eq!(
            sentence(&values, &found(5, 0), Some(2.0)),
            "3 molecules are at least as good as 2.000000 eV, the target of the campaign: 3.33 core-hours for each."
        );
        let lowest = ObjectiveInfo {
            highest: false,
            ..gap()
        };
        let rows: Vec<&CandidateRow> = values.iter().collect();
        let below = of_better(10.0, &lowest, &rows, &found(5, 0), Some(2.0));
        assert_eq!(
            below.as_deref(),
            Some(
                "2 molecules are at least as good as 2.000000 eV, the target of the campaign: 5.00 core-hours for each."
            )
        );
    }

    #[test]
    fn several_objectives_have_the_cost_of_their_front() {
        let mut rows = rows(&[1.0, 2.0, 3.0]);
        let of =
            |rows: &[CandidateRow]| costs(&[gap(), mass()], rows, &found(3, 0), None).of_better;
        assert_eq!(of(&rows), None);
        rows[0].on_front = true;
        assert_eq!(
            of(&rows).as_deref(),
            Some("10.00 core-hours for the only molecule of the Pareto front.")
        );
        rows[1].on_front = true;
        assert_eq!(
            of(&rows).as_deref(),
            Some("5.00 core-hours for each of the 2 molecules of the Pareto front.")
        );
    }

    #[test]
    fn small_and_large_core_hours_have_digits_that_count() {
        let texts = [
            0.0,
            0.000_012_3,
            0.001_733_3,
            0.012_34,
            1.0,
            99.994,
            12_345.6,
        ]
        .map(hours);
        assert_eq!(
            texts,
            [
                "0", "1.23e-5", "0.00173", "0.0123", "1.00", "99.99", "12346"
            ]
        );
    }
}
