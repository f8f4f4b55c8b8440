//! The reason for a cache miss.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::app::error::causes;
use crate::report::timestamp;
use crate::store::{Cache, CachedAnswer, KeyParts, TaskRow};

/// Entries of the cache that are shown beside a task that was not found in it.
const NEAREST: usize = 3;

/// Appends the reason for a cache miss: the parts of the key that differ from those of the entries.
pub(super) async fn explain_miss(task: &TaskRow, path: &Path, text: &mut String) {
    let (Some(parts), Some(at), Some(smiles)) = (&task.parts, task.looked_up, &task.smiles) else {
        if task.smiles.is_some() {
            text.push_str("    cache: not queried (runtime.log says why)\n");
        }
        return;
    };
    let parts: KeyParts = serde_json::from_str(parts).unwrap_or_default();
    let kept = async {
        Cache::open_to_read(path)
            .await?
            .of_molecule(smiles, at)
            .await
    };
    match kept.await {
        Err(error) => {
            let _ = writeln!(
                text,
                "    cache: not found; now it cannot be read: {}",
                causes(&error)
            );
        }
        Ok(kept) if kept.is_empty() => {
            let _ = writeln!(
                text,
                "    cache: not found; {} had no entry for this molecule",
                path.display()
            );
        }
        Ok(kept) => nearest(&parts, kept, text),
    }
}

fn nearest(parts: &KeyParts, kept: Vec<CachedAnswer>, text: &mut String) {
    let mut near: Vec<_> = kept
        .into_iter()
        .map(|kept| (differences(parts, &kept.parts), kept))
        .collect();
    near.sort_by_key(|(differences, _)| differences.len());
    text.push_str("    cache: not found; the nearest entries of this molecule:\n");
    for (differences, kept) in near.into_iter().take(NEAREST) {
        let _ = writeln!(text, "      of run {}, {}", kept.run, timestamp(kept.at));
        if differences.is_empty() {
            text.push_str(
                "        no part differs: the entry was damaged, or the cache could not be read\n",
            );
        }
        for name in differences {
            let shown = |parts: &KeyParts| match parts.get(name.as_str()) {
                Some(value) => value.to_string(),
                None => "nothing".to_owned(),
            };
            let _ = writeln!(
                text,
                "        {name}: {} in the cache, {} in this run",
                shown(&kept.parts),
                shown(parts)
            );
        }
    }
}

/// Names of the parts in which two keys differ.
fn differences(one: &KeyParts, other: &KeyParts) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    differ.cloned().collect()
}
