//! Report page of a run directory.

use std::fs;
use std::path::Path;

use super::run_dir;
use crate::config::campaign::LoadedCampaign;
use crate::config::campaign::Schedule;
use crate::exec::Secrets;
use crate::plan::Plan;
use crate::report::{self, PageContext, ReportError, RunOrigin, RunState};
use crate::store::Store;

/// Writes the report page of a run.
///
/// # Errors
///
/// Fails if the database cannot be read or the page cannot be written.
pub async fn write(
    store: &mut Store,
    dir: &Path,
    context: &PageContext,
) -> Result<(), ReportError> {
    let page = report::page(store, context).await?;
    report::write_page(dir, &page)
}

/// Returns the data of the report page of the run in `dir` that are not in the database.
pub fn page_context(
    dir: &Path,
    loaded: &LoadedCampaign,
    plan: &Plan,
    state: RunState,
) -> PageContext {
    let methods = plan.methods.iter();
    PageContext {
        state,
        level_of_theory: plan.level_of_theory(),
        constraints: plan.constraints.iter().map(|c| c.text.clone()).collect(),
        site: loaded.site.clone(),
        partitions: (methods.clone())
            .map(|(name, method)| (name.clone(), method.partition_name.clone()))
            .collect(),
        cores: methods
            .map(|(name, method)| (name.clone(), method.cores_of_task()))
            .collect(),
        target: plan.stop.target,
        origin: origin(dir, loaded, plan),
        at: jiff::Timestamp::now().as_millisecond(),
    }
}

/// Settings of the run, as its directory has them; secrets that the site profile gives its tasks are
/// hidden, since a page is passed on.
fn origin(dir: &Path, loaded: &LoadedCampaign, plan: &Plan) -> RunOrigin {
    let partitions = loaded.site.partitions.values();
    let given = partitions.flat_map(|partition| partition.environment.clone());
    let secrets = Secrets::among(given);
    let text = |name: &str| {
        let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        secrets.hide(&text)
    };
    RunOrigin {
        directory: dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        seed: plan.seed,
        is_repeatable: plan.schedule == Schedule::Batch,
        campaign: text(run_dir::CAMPAIGN),
        site: text(run_dir::SITE),
    }
}
