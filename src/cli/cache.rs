//! The cache that a campaign names: opened, with the versions of all that computes on this host.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::failure::causes;
use crate::config::campaign::{Loaded, MethodKind};
use crate::config::site::Partition;
use crate::driver::ResultCache;
use crate::exec::{self, doctor};
use crate::host::hash::sha256_of_file;
use crate::plan::Plan;
use crate::simulate::{Engine, LIBRARIES};
use crate::store::Cache;

type Versions = BTreeMap<String, String>;

/// The answers of earlier runs for the run of this name; none without a cache. What is wrong with
/// it is said, and the run does without.
pub async fn open(
    loaded: &Loaded,
    plan: &Plan,
    run: &str,
    say: &mut dyn FnMut(&str),
) -> Option<ResultCache> {
    let path = loaded.campaign.cache.as_deref()?;
    let cache = match Cache::open(Path::new(path)).await {
        Ok(cache) => cache,
        Err(error) => {
            say(&format!(
                "warning: no answers of earlier runs: {}",
                causes(&error)
            ));
            return None;
        }
    };
    let mut versions = BTreeMap::new();
    for stage in plan.stages() {
        let MethodKind::Simulate { engine, .. } = &stage.method.kind else {
            continue;
        };
        match versions_of(engine, &stage.partition) {
            Ok(found) => drop(versions.insert(stage.stage.clone(), found)),
            Err(why) => say(&format!(
                "warning: stage `{}` does without answers of earlier runs: {why}",
                stage.stage
            )),
        }
    }
    Some(ResultCache::new(Some(cache), run, versions))
}

/// The versions of what computes energies by an engine on a partition, or why nobody here can tell.
fn versions_of(engine: &Engine, partition: &Partition) -> Result<Versions, String> {
    let mut versions = Versions::from([
        ("moldflow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("its libraries".to_owned(), LIBRARIES.to_owned()),
    ]);
    if let Some(needed) = engine.simulator().requirement() {
        if !partition.runs_on_this_host() {
            return Err(format!(
                "its program `{}` may be another one on other hosts than on this",
                needed.program
            ));
        }
        let unknown = |e: &dyn std::error::Error| format!("`{}`: {}", needed.program, causes(e));
        let path = doctor::on_path(&needed.program)
            .ok_or_else(|| format!("`{}` is not installed", needed.program))?;
        // Not every program tells its version, and not every build of one version computes the
        // same.
        let mut version = digest(&path).map_err(|e| unknown(&e))?;
        if let Some(arguments) = needed.version_args {
            let told = exec::version(&needed.program, arguments).map_err(|e| unknown(&e))?;
            version = format!("{told} ({version})");
        }
        versions.insert(needed.program, version);
    }
    // A script is the program as much as its interpreter is.
    if let Engine::Command { settings } = engine {
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

/// The first half of the SHA-256 of a file.
fn digest(path: &Path) -> io::Result<String> {
    Ok(format!("sha256:{}", &sha256_of_file(path)?[..32]))
}
