//! The settings that a run was begun with, and what was changed in them since.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;
use super::run_dir;
use crate::config::campaign::{Campaign, Stop};
use crate::store::{Store, StoreError, StoredSettings};
use crate::task::Fact;

/// What a run's settings have become.
pub struct Begun {
    /// When the run was to stop as it was begun.
    pub stop: Stop,
    /// What was changed in the run directory since, and accepted now.
    pub changed: Option<Fact>,
    present: StoredSettings,
}

/// Compares the files of `dir` with what the run was begun with; changes must be `accepted`.
pub async fn begun(
    dir: &Path,
    store: &mut Store,
    campaign: &Campaign,
    accepted: bool,
) -> Result<Begun, Failure> {
    let present = present(dir)?;
    let versions = store.settings().await?;
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
        store.keep_settings(&present).await?;
        return Ok(Begun {
            stop: campaign.stop.clone(),
            changed: None,
            present,
        });
    };
    let changes = changes(last, &present);
    refuse(dir, &changes, accepted)?;
    Ok(Begun {
        stop: stop(first).unwrap_or_else(|| campaign.stop.clone()),
        changed: (!changes.is_empty()).then(|| Fact::SettingsChanged {
            changes: changes.iter().map(Change::to_string).collect(),
            stop: serde_json::to_value(&campaign.stop).unwrap_or_default(),
        }),
        present,
    })
}

impl Begun {
    /// Keeps what was accepted; asked for once the fact is in the journal.
    pub async fn keep(&self, store: &mut Store) -> Result<(), StoreError> {
        store.keep_settings(&self.present).await
    }
}

/// What was changed in the files of `dir` since the run was begun, or since changes were accepted.
pub async fn changed(dir: &Path, store: &mut Store) -> Result<Vec<String>, Failure> {
    let present = present(dir)?;
    let versions = store.settings().await?;
    let changes = versions.last().map(|last| changes(last, &present));
    Ok(changes
        .unwrap_or_default()
        .iter()
        .map(Change::to_string)
        .collect())
}

/// When a run with these settings is to stop.
pub fn stop(settings: &StoredSettings) -> Option<Stop> {
    serde_json::from_value(tree(&settings.campaign)["stop"].clone()).ok()
}

fn present(dir: &Path) -> Result<StoredSettings, Failure> {
    let read = |name| {
        let path = dir.join(name);
        fs::read_to_string(&path)
            .map_err(|e| Failure::new(format!("could not read `{}`: {e}", path.display())))
    };
    Ok(StoredSettings {
        campaign: read(run_dir::CAMPAIGN)?,
        site: read(run_dir::SITE)?,
    })
}

/// One value that is another now.
#[derive(Debug, PartialEq)]
struct Change {
    file: &'static str,
    path: Vec<String>,
    from: Value,
    to: Value,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file,
            path,
            from,
            to,
        } = self;
        write!(f, "{file}: {}: {from} became {to}", path.join("."))
    }
}

impl Change {
    /// Whether a run can go on with it: what decided about results that are there must stay.
    fn is_allowed(&self) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        self.file == run_dir::SITE
            || matches!(
                path[..],
                ["stop", ..] | ["methods", _, "timeout" | "partition"]
            )
    }
}

fn changes(before: &StoredSettings, present: &StoredSettings) -> Vec<Change> {
    let mut changes = Vec::new();
    for (file, from, to) in [
        (run_dir::CAMPAIGN, &before.campaign, &present.campaign),
        (run_dir::SITE, &before.site, &present.site),
    ] {
        if from != to {
            compare(file, &mut Vec::new(), &tree(from), &tree(to), &mut changes);
        }
    }
    changes
}

/// The values of a file, whatever its comments and its layout.
fn tree(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_default()
}

fn compare(
    file: &'static str,
    path: &mut Vec<String>,
    from: &Value,
    to: &Value,
    changes: &mut Vec<Change>,
) {
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            for key in before.keys().chain(added) {
                path.push(key.clone());
                compare(file, path, &from[key.as_str()], &to[key.as_str()], changes);
                path.pop();
            }
        }
        _ if from == to => {}
        _ => changes.push(Change {
            file,
            path: path.clone(),
            from: from.clone(),
            to: to.clone(),
        }),
    }
}

fn refuse(dir: &Path, changes: &[Change], accepted: bool) -> Result<(), Failure> {
    let (allowed, forbidden): (Vec<&Change>, Vec<_>) = changes.iter().partition(|c| c.is_allowed());
    let list = |changes: &[&Change]| {
        let lines = changes.iter().map(|change| format!("\n  {change}"));
        lines.collect::<String>()
    };
    let dir = dir.display();
    if !forbidden.is_empty() {
        let message = format!(
            "this was changed in `{dir}`, and cannot change in the middle of a run, since its results depend on it:{}",
            list(&forbidden)
        );
        return Err(Failure::with_hint(
            message,
            "put the old values back, or begin a new run",
        ));
    }
    if !allowed.is_empty() && !accepted {
        let message = format!(
            "the run was begun with other settings than now stand in `{dir}`:{}",
            list(&allowed)
        );
        let hint = format!(
            "`moldflow resume --accept-changes {dir}` goes on with the new ones; or put the old ones back"
        );
        return Err(Failure::with_hint(message, hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(campaign: &str) -> StoredSettings {
        StoredSettings {
            campaign: campaign.to_owned(),
            site: "name: x".to_owned(),
        }
    }

    #[test]
    fn comments_and_layout_are_no_change() {
        let (one, other) = (
            settings("a: {b: 1}\n"),
            settings("# b is one\na:\n  b: 1\n"),
        );
        assert_eq!(changes(&one, &other), []);
    }

    #[test]
    fn every_value_that_differs_is_listed_with_its_path() {
        let (one, other) = (settings("a: {b: 1, c: 2}"), settings("a: {b: 3, d: [4]}"));
        let found: Vec<String> = changes(&one, &other)
            .iter()
            .map(Change::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "campaign.yml: a.b: 1 became 3",
                "campaign.yml: a.c: 2 became null",
                "campaign.yml: a.d: null became [4]"
            ]
        );
    }
}
