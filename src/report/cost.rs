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
            is: "the best molecule of the input",
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
    (members > 0).then(|| {
        format!("{each} core-hours for each of the {members} molecules of the Pareto front.")
    })
}

/// Text of core-hours with three digits that count.
fn hours(hours: f64) -> String {
    match hours {
        h if h >= 100.0 => format!("{h:.0}"),
        h if h >= 1.0 => format!("{h:.2}"),
        h if h >= 0.001 => format!("{h:.4}"),
        h if h > 0.0 => format!("{h:.2e}"),
        _ => "0".to_owned(),
    }
}
