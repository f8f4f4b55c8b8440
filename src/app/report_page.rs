//! Report page of a run directory.

use std::path::Path;

use super::error::CommandError;
use crate::config::campaign::LoadedCampaign;
use crate::plan::Plan;
use crate::report::{self, About, RunState};
use crate::store::Store;

/// Writes the report page of a run on which no process works any more.
///
/// # Errors
///
/// Fails if the database cannot be read or the page cannot be written.
pub async fn write(
    store: &mut Store,
    dir: &Path,
    loaded: &LoadedCampaign,
    plan: &Plan,
) -> Result<(), CommandError> {
    let state = RunState::of(&store.summary().await?, false);
    let page = report::page(store, &about(loaded, plan, state)).await?;
    Ok(report::write_page(dir, &page)?)
}

pub fn about<'a>(loaded: &'a LoadedCampaign, plan: &Plan, state: RunState) -> About<'a> {
    let methods = plan.methods.iter();
    About {
        state,
        level: plan.level_of_theory(),
        site: &loaded.site,
        partitions: methods
            .map(|(name, method)| (name.clone(), method.partition_name.clone()))
            .collect(),
        at: jiff::Timestamp::now().as_millisecond(),
    }
}
