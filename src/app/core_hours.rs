//! Core-hours that a run has used, from its database.

use super::error::CommandError;
use crate::plan::Plan;
use crate::store::Store;

const MS_PER_HOUR: f64 = 3_600_000.0;

/// Returns the core-hours of the attempts of a run, failed ones included. Those of 0.1.0 have no
/// methods, and are zero.
///
/// # Errors
///
/// Fails if the database cannot be read.
pub async fn core_hours(store: &mut Store, plan: &Plan) -> Result<f64, CommandError> {
    let times = store.time_by_method().await?.into_iter();
    let hours = times.filter_map(|(method, ms)| {
        let cores = plan.methods.get(&method)?.cores_of_task();
        Some(ms as f64 / MS_PER_HOUR * cores as f64)
    });
    // The sum of nothing is -0.
    Ok(0.0 + hours.sum::<f64>())
}
