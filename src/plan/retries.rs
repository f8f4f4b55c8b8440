//! Retries of a method, as the tasks of a run count them.

use crate::config::retries;
use crate::task::{FailureKind, Retries};

/// Returns the retries that a campaign writes for a method.
pub(super) fn retries(written: &retries::RetriesConfig) -> Retries {
    let by_kind = match written {
        retries::RetriesConfig::Same(number) => return Retries::of(*number),
        retries::RetriesConfig::ByKind(by_kind) => by_kind,
    };
    let named = [
        (FailureKind::Launch, by_kind.launch),
        (FailureKind::Exit, by_kind.exit),
        (FailureKind::Memory, by_kind.memory),
        (FailureKind::Scratch, by_kind.scratch),
        (FailureKind::Timeout, by_kind.timeout),
        (FailureKind::Walltime, by_kind.walltime),
        (FailureKind::NodeLost, by_kind.node_lost),
        (FailureKind::Lost, by_kind.lost),
        (FailureKind::NotConverged, by_kind.not_converged),
        (FailureKind::NotANumber, by_kind.not_a_number),
        (FailureKind::NoGeometry, by_kind.no_geometry),
        (FailureKind::Unreadable, by_kind.unreadable),
    ];
    Retries {
        named: named
            .into_iter()
            .filter_map(|(kind, number)| Some((kind, number?)))
            .collect(),
        others: by_kind.others,
        at_least: 0,
        backoff: by_kind.backoff.map(Into::into).unwrap_or_default(),
    }
}
