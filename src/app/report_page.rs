//! Report page of a run directory.

use std::path::Path;

use super::error::CommandError;
use crate::config::campaign::LoadedCampaign;
use crate::plan::Plan;
use crate::report::{self, PageContext, RunState};
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
    let page = report::page(store, &page_context(loaded, plan, state)).await?;
    Ok(report::write_page(dir, &page)?)
}

/// Returns the data of the report page that are not in the database.
pub fn page_context<'a>(
    loaded: &'a LoadedCampaign,
    plan: &Plan,
    state: RunState,
) -> PageContext<'a> {
    let methods = plan.methods.iter();
    PageContext {
        state,
        level_of_theory: plan.level_of_theory(),
        constraints: plan.constraints.iter().map(|c| c.text.clone()).collect(),
        site: &loaded.site,
        partitions: methods
            .map(|(name, method)| (name.clone(), method.partition_name.clone()))
            .collect(),
        at: jiff::Timestamp::now().as_millisecond(),
    }
}
