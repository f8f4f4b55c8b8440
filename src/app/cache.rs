//! Cache of a campaign, and the versions of the programs that compute energies on this host.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::error::causes;
use crate::config::campaign::LoadedCampaign;
use crate::config::site::PartitionConfig;
use crate::driver::ResultCache;
use crate::exec;
use crate::host::hash::sha256_of_file;
use crate::plan::Plan;
use crate::simulate::{LIBRARIES, QcEngine};
use crate::store::Cache;

type Versions = BTreeMap<String, String>;

/// Opens the cache for the run of this name; none if the campaign has none. `notify` receives a
/// warning if the cache cannot be used; the run then computes everything itself.
pub async fn open(
    loaded: &LoadedCampaign,
    plan: &Plan,
    run: &str,
    notify: &mut dyn FnMut(&str),
) -> Option<ResultCache> {
    let path = loaded.campaign.cache.as_deref()?;
    let cache = match Cache::open(Path::new(path)).await {
        Ok(cache) => cache,
        Err(error) => {
            notify(&format!(
                "warning: the cache is not used: {}",
                causes(&error)
            ));
            return None;
        }
    };
    let mut versions = BTreeMap::new();
    for method in plan.methods.values() {
        let Some(engine) = method.qc_engine() else {
            continue;
        };
        match versions_of(engine, &method.partition) {
            Ok(found) => drop(versions.insert(method.name.clone(), found)),
            Err(why) => notify(&format!(
                "warning: method `{}` does not use the cache: {why}",
                method.name
            )),
        }
    }
    Some(ResultCache::new(Some(cache), run, versions))
}

/// Returns the versions of the programs by which an engine computes energies on a partition, or the
/// reason for which they are unknown.
fn versions_of(engine: &QcEngine, partition: &PartitionConfig) -> Result<Versions, String> {
    let mut versions = Versions::from([
        ("moldflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("its libraries".to_owned(), LIBRARIES.to_owned()),
    ]);
    if let Some(needed) = engine.simulator().requirement() {
        if !partition.runs_on_this_host() {
            return Err(format!(
                "its program `{}` may have another version on other hosts",
                needed.program
            ));
        }
        let unknown = |e: &dyn std::error::Error| format!("`{}`: {}", needed.program, causes(e));
        let path = exec::on_path(&needed.program)
            .ok_or_else(|| format!("`{}` is not installed", needed.program))?;
        // Not every program reports its version, and not every build of one version computes the
        // same.
        let mut version = digest(&path).map_err(|e| unknown(&e))?;
        if let Some(arguments) = needed.version_args {
            let version_text =
                exec::version(&needed.program, arguments).map_err(|e| unknown(&e))?;
            version = format!("{version_text} ({version})");
        }
        versions.insert(needed.program, version);
    }
    if let QcEngine::Python { settings } = engine
        && settings.function.hash().is_none()
    {
        return Err(format!(
            "the code of `{}` is not in its `path`, and nobody would see that it changed",
            settings.function.call
        ));
    }
    // A script is the program as much as its interpreter is.
    if let QcEngine::Command { settings } = engine {
        for word in settings.argv.iter().skip(1) {
            let path = Path::new(word);
            if path.is_absolute() && path.is_file() {
                let version = digest(path).map_err(|e| format!("`{word}`: {e}"))?;
                versions.insert(word.clone(), version);
            }
        }
    }
    Ok(versions)
}

/// Returns the first half of the SHA-256 of a file.
fn digest(path: &Path) -> io::Result<String> {
    Ok(format!("sha256:{}", &sha256_of_file(path)?[..32]))
}
