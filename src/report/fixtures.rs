//! Rows of a run for unit tests.

use std::collections::BTreeMap;

use crate::store::{
    CandidateRow, NamedCount, ObjectiveInfo, RunCounts, RunInfo, SearchCounts, Summary,
};

/// Returns an objective, `gap` in eV; high values are better.
pub(crate) fn gap() -> ObjectiveInfo {
    ObjectiveInfo {
        property: "gap".into(),
        label: "gap".into(),
        unit: "eV".into(),
        highest: true,
    }
}

/// Returns another objective, `mass`, a plain number; low values are better.
pub(crate) fn mass() -> ObjectiveInfo {
    ObjectiveInfo {
        property: "mass".into(),
        label: "mass".into(),
        unit: String::new(),
        highest: false,
    }
}

/// Returns a molecule that was computed, or failed where there is no value.
pub(crate) fn evaluated(batch: i64, rank: i64, smiles: &str, value: Option<f64>) -> CandidateRow {
    let values = value.map(|value| ("gap", value));
    let values: BTreeMap<&str, f64> = values.into_iter().collect();
    CandidateRow {
        batch,
        rank,
        smiles: smiles.to_owned(),
        name: None,
        predictions: "{}".into(),
        status: if value.is_some() {
            "evaluated"
        } else {
            "failed"
        }
        .into(),
        objective: value,
        feasible: None,
        on_front: false,
        hypervolume: None,
        properties: serde_json::json!(values).to_string(),
        quantities: "{}".into(),
        failure: None,
        failure_message: None,
        attempts: Some(1),
        cached: Some(false),
        submitted: None,
        started: None,
        finished: None,
        peak_memory_kib: None,
        level_of_theory: None,
        engine: None,
        engine_version: None,
    }
}

/// Returns the summary of a run with these objectives that has found `computed` molecules, and whose
/// failures are of the kind `exit`.
pub(crate) fn summary(objectives: Vec<ObjectiveInfo>, computed: i64, failures: i64) -> Summary {
    let by_kind = match failures {
        0 => vec![],
        count => vec![NamedCount {
            name: "exit".into(),
            count,
        }],
    };
    Summary {
        run: RunInfo {
            name: "00c0ffee".into(),
            campaign: "test".into(),
            created: 0,
            version: "0.2.0".into(),
            objectives,
        },
        stopped_by: None,
        counts: RunCounts {
            evaluations: computed + failures,
            failures,
            cached: 0,
            batches: 0,
            queued: 0,
            newest_batch: None,
            in_flight: 0,
        },
        failures_by_kind: by_kind.clone(),
        failed_attempts_by_kind: by_kind,
        best: None,
        front: vec![],
        hypervolume: None,
    }
}

/// Returns the counts of `computed` molecules, all feasible, of which `proposed` were proposed.
pub(crate) fn found(computed: i64, proposed: i64) -> SearchCounts {
    SearchCounts {
        computed,
        feasible: computed,
        proposed,
        ..SearchCounts::default()
    }
}
