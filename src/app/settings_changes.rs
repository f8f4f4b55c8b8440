//! Settings of a run: those with which it started, and the changes since.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::error::CommandError;
use super::run_dir;
use crate::config::campaign::{Campaign, Stop};
use crate::store::{Store, StoreError, StoredSettings};
use crate::task::Fact;

/// Changes to the settings of a run since its start, or since the last changes were accepted.
pub struct SettingsChanges {
    /// Stop conditions with which the run started.
    pub initial_stop: Stop,
    /// Fact for the journal; none if nothing was changed.
    pub fact: Option<Fact>,
    present: StoredSettings,
}

impl SettingsChanges {
    /// Compares the files of `dir` with the settings in the database. A new run has its settings
    /// saved there.
    ///
    /// # Errors
    ///
    /// Fails if a value was changed on which results depend, if other values were changed and the
    /// changes are not `accepted`, or if a file or the database cannot be read.
    pub async fn find(
        dir: &Path,
        store: &mut Store,
        campaign: &Campaign,
        accepted: bool,
    ) -> Result<Self, CommandError> {
        let present = present(dir)?;
        let versions = store.settings().await?;
        let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
            store.keep_settings(&present).await?;
            return Ok(Self {
                initial_stop: campaign.stop.clone(),
                fact: None,
                present,
            });
        };
        let changes = changes(last, &present);
        refuse(dir, &changes, accepted)?;
        Ok(Self {
            initial_stop: stop(first).unwrap_or_else(|| campaign.stop.clone()),
            fact: (!changes.is_empty()).then(|| Fact::SettingsChanged {
                changes: changes.iter().map(Change::to_string).collect(),
                stop: serde_json::to_value(&campaign.stop).unwrap_or_default(),
            }),
            present,
        })
    }

    /// Saves the accepted settings in the database; called once the fact is in the journal.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be written.
    pub async fn save(&self, store: &mut Store) -> Result<(), StoreError> {
        store.keep_settings(&self.present).await
    }
}

/// Returns a line for each value that was changed in the files of `dir` since the run started, or
/// since changes were accepted.
///
/// # Errors
///
/// Fails if a file or the database cannot be read.
pub async fn list(dir: &Path, store: &mut Store) -> Result<Vec<String>, CommandError> {
    let present = present(dir)?;
    let versions = store.settings().await?;
    let changes = versions.last().map(|last| changes(last, &present));
    Ok(changes
        .unwrap_or_default()
        .iter()
        .map(Change::to_string)
        .collect())
}

/// Returns the stop conditions of a run with these settings; none if they cannot be read.
pub fn stop(settings: &StoredSettings) -> Option<Stop> {
    serde_json::from_value(tree(&settings.campaign)["stop"].clone()).ok()
}

fn present(dir: &Path) -> Result<StoredSettings, CommandError> {
    let read = |name| {
        let path = dir.join(name);
        fs::read_to_string(&path)
            .map_err(|e| CommandError::new(format!("could not read `{}`: {e}", path.display())))
    };
    Ok(StoredSettings {
        campaign: read(run_dir::CAMPAIGN)?,
        site: read(run_dir::SITE)?,
    })
}

/// Value that was changed.
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
    /// Returns true if the run can resume with it: values on which finished results depend must
    /// stay.
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

/// Returns the values of a file without its comments and its layout.
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

fn refuse(dir: &Path, changes: &[Change], accepted: bool) -> Result<(), CommandError> {
    let (allowed, forbidden): (Vec<&Change>, Vec<_>) = changes.iter().partition(|c| c.is_allowed());
    let list = |changes: &[&Change]| {
        let lines = changes.iter().map(|change| format!("\n  {change}"));
        lines.collect::<String>()
    };
    let dir = dir.display();
    if !forbidden.is_empty() {
        let message = format!(
            "these settings were changed in `{dir}`, but results of the run depend on them:{}",
            list(&forbidden)
        );
        return Err(CommandError::with_hint(
            message,
            "restore the old values, or start a new run",
        ));
    }
    if !allowed.is_empty() && !accepted {
        let message = format!(
            "the settings in `{dir}` differ from those with which the run started:{}",
            list(&allowed)
        );
        let hint = format!(
            "`moldflow resume --accept-changes {dir}` resumes with the new ones; or restore the \
             old ones"
        );
        return Err(CommandError::with_hint(message, hint));
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
