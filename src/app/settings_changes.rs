//! Settings of a run: those with which it started, and the changes since.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::error::{CommandError, Topic};
use super::run_dir;
use crate::config::campaign::{Budget, Campaign, Stop};
use crate::driver::{Driver, SettingsChange, TaskRun};
use crate::plan::Plan;
use crate::store::{Store, StoredSettings};
use crate::task::{Fact, StoppedBy};

/// Changes to the settings of a run since its start, or since the last changes were accepted.
pub struct SettingsChanges {
    /// Conditions with which the run started.
    pub initial: InitialLimits,
    /// Change for the journal; none if nothing was changed.
    pub change: Option<SettingsChange>,
}

/// Stop conditions and budgets of stages with which a run started.
#[derive(Clone, Debug, PartialEq)]
pub struct InitialLimits {
    stop: Stop,
    budgets: BTreeMap<String, Budget>,
}

impl InitialLimits {
    /// Returns those of a campaign.
    fn of(campaign: &Campaign) -> Self {
        Self {
            stop: campaign.stop.clone(),
            budgets: budgets(campaign),
        }
    }

    /// Returns those in settings of a run; none if they cannot be read.
    pub fn read(settings: &StoredSettings) -> Option<Self> {
        let tree = tree(&settings.campaign);
        let stop = serde_json::from_value(tree["stop"].clone()).ok()?;
        let stages = tree["stages"].as_object().into_iter().flatten();
        let budgets = stages.filter_map(|(name, stage)| {
            let budget = serde_json::from_value(stage.get("budget")?.clone()).ok()?;
            Some((name.clone(), budget))
        });
        let budgets = budgets.collect();
        Some(Self { stop, budgets })
    }

    /// Returns a plan with these conditions: that of a run at its start.
    pub fn applied_to(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        plan.stop = self.stop.clone();
        for stage in &mut plan.stages {
            stage.budget = self.budgets.get(&stage.name).copied();
        }
        plan
    }
}

fn budgets(campaign: &Campaign) -> BTreeMap<String, Budget> {
    let stages = campaign.stages.iter();
    stages
        .filter_map(|(name, stage)| Some((name.clone(), stage.budget?)))
        .collect()
}

impl SettingsChanges {
    /// Compares the files of `dir` with the settings in the database. A new run has its settings
    /// saved there. `set` is the text of `campaign.yml` with the values of `--set`, if there are any.
    ///
    /// # Errors
    ///
    /// Fails if a value was changed on which results depend, if other values were changed in the
    /// files and the changes are not `accepted`, or if a file or the database cannot be read.
    pub async fn find(
        dir: &Path,
        store: &mut Store,
        campaign: &Campaign,
        accepted: bool,
        set: Option<String>,
    ) -> Result<Self, CommandError> {
        let mut present = present(dir)?;
        let versions = store.settings().await?;
        let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
            present.campaign = set.unwrap_or(present.campaign);
            store.keep_settings(&present).await?;
            return Ok(Self {
                initial: InitialLimits::of(campaign),
                change: None,
            });
        };
        refuse(dir, &changes(last, &present), accepted)?;
        present.campaign = set.unwrap_or(present.campaign);
        let changes = changes(last, &present);
        let budgets = budgets(campaign).into_iter();
        let budgets =
            budgets.map(|(name, budget)| (name, serde_json::to_value(budget).unwrap_or_default()));
        let change = || SettingsChange {
            fact: Fact::SettingsChanged {
                changes: changes.iter().map(Change::to_string).collect(),
                stop: serde_json::to_value(&campaign.stop).unwrap_or_default(),
                budgets: budgets.collect(),
            },
            settings: present,
        };
        Ok(Self {
            initial: InitialLimits::read(first).unwrap_or_else(|| InitialLimits::of(campaign)),
            change: (!changes.is_empty()).then(change),
        })
    }
}

impl SettingsChanges {
    /// Refuses changes of a run that has ended and would end again at once.
    ///
    /// # Errors
    ///
    /// Fails if the run in `dir` would. `has_set`: values were set by `--set`.
    pub fn refuse_without_effect(
        &self,
        dir: &Path,
        has_set: bool,
        driver: &Driver<TaskRun>,
    ) -> Result<(), CommandError> {
        let Some(ended) = driver.stopped_by() else {
            return Ok(());
        };
        let again = match (&self.change, has_set) {
            (Some(change), _) => driver.would_end(change),
            // The values are those that the run has.
            (None, true) => Some(ended),
            (None, false) => None,
        };
        let Some(again) = again else {
            return Ok(());
        };
        let progress = driver.progress();
        let message = format!(
            "the run in `{}` has ended ({}), and with these settings it would end again at once ({}): \
         nothing was changed",
            dir.display(),
            ended.sentence(),
            again.sentence()
        );
        let hint = match again {
            StoppedBy::Evaluations => format!(
                "give `stop.evaluations` a higher number: it counts what the loops evaluate, and the run \
             has {} evaluations, those of other stages included",
                progress.evaluations
            ),
            StoppedBy::Completed => "all molecules are computed: start a new run for more, with \
                                 `moldflow run NEW.yml --from RUN_DIR`"
                .to_owned(),
            again => format!("change the condition that ends it: `stop.{}`", again.word()),
        };
        Err(CommandError::with_hint(message, hint).about(Topic::Settings))
    }
}

/// Returns the text of a run's `campaign.yml` with values set by `--set`; `campaign` holds them,
/// validated.
///
/// # Errors
///
/// Fails if results of the run depend on one of the values.
pub fn with_values_set(
    text: &str,
    set: &[String],
    campaign: &Campaign,
) -> Result<String, CommandError> {
    let mut whole = tree(text);
    let validated = serde_json::to_value(campaign).unwrap_or_default();
    for argument in set {
        let key = argument.split('=').next().unwrap_or_default().trim();
        let path: Vec<&str> = key.split('.').collect();
        if !may_change(&path) {
            let message = format!("`{key}` cannot change in a run: its results depend on it");
            let hint = "`stop.KEY`, `stages.NAME.budget.KEY`, `methods.NAME.timeout` and \
                        `methods.NAME.partition` can; start a new run for others";
            return Err(CommandError::with_hint(message, hint).about(Topic::Settings));
        }
        let pointer = format!("/{}", path.join("/"));
        put(&mut whole, &path, validated.pointer(&pointer).cloned());
    }
    serde_saphyr::to_string(&whole).map_err(|e| CommandError::new(e.to_string()))
}

/// Sets the value at a path; missing maps are made.
fn put(whole: &mut Value, path: &[&str], value: Option<Value>) {
    let mut at = whole;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = &mut at[*key];
    }
    *at = value.unwrap_or_default();
}

/// Returns true if a run can resume with another value at this path of its campaign: no result
/// depends on it.
fn may_change(path: &[&str]) -> bool {
    matches!(
        path,
        ["stop", ..] | ["methods", _, "timeout" | "partition"] | ["stages", _, "budget", ..]
    )
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

/// A value that differs between two runs; null stands for none.
pub struct SettingsDifference {
    /// `campaign.yml` or `site.yml`.
    pub file: &'static str,
    /// Keys that lead to it, joined by dots.
    pub path: String,
    /// Values of the first and of the second run.
    pub values: [Value; 2],
}

/// Returns the values that differ between the settings of two runs.
///
/// # Errors
///
/// Fails if a file cannot be read.
pub fn differences(one: &Path, other: &Path) -> Result<Vec<SettingsDifference>, CommandError> {
    let changes = changes(&present(one)?, &present(other)?).into_iter();
    let differences = changes.map(|change| SettingsDifference {
        file: change.file,
        path: change.path.join("."),
        values: [change.from, change.to],
    });
    Ok(differences.collect())
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
        self.file == run_dir::SITE || may_change(&path)
    }
}

fn changes(before: &StoredSettings, present: &StoredSettings) -> Vec<Change> {
    let mut changes = Vec::new();
    for (file, from, to) in [
        (run_dir::CAMPAIGN, &before.campaign, &present.campaign),
        (run_dir::SITE, &before.site, &present.site),
    ] {
        if from != to {
            let (from, to) = (without_notify(tree(from)), without_notify(tree(to)));
            compare(file, &mut Vec::new(), &from, &to, &mut changes);
        }
    }
    changes
}

/// Returns the values of a file without its comments and its layout.
fn tree(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_default()
}

/// Returns the values of a campaign without those that no result depends on.
fn without_notify(mut tree: Value) -> Value {
    if let Some(values) = tree.as_object_mut() {
        values.shift_remove("notify");
    }
    tree
}

fn compare(
    file: &'static str,
    path: &mut Vec<String>,
    from: &Value,
    to: &Value,
    changes: &mut Vec<Change>,
) {
    let keys: Vec<&String> = match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            before.keys().chain(added).collect()
        }
        // What only one of them has is listed value by value.
        (Value::Object(map), Value::Null) | (Value::Null, Value::Object(map)) => {
            map.keys().collect()
        }
        _ => vec![],
    };
    if keys.is_empty() && from != to {
        changes.push(Change {
            file,
            path: path.clone(),
            from: from.clone(),
            to: to.clone(),
        });
    }
    for key in keys {
        path.push(key.clone());
        compare(file, path, &from[key.as_str()], &to[key.as_str()], changes);
        path.pop();
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
        return Err(
            CommandError::with_hint(message, "restore the old values, or start a new run")
                .about(Topic::Settings),
        );
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
        return Err(CommandError::with_hint(message, hint).about(Topic::Settings));
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
    fn comments_layout_and_notifications_are_no_change() {
        let (one, other) = (
            settings("a: {b: 1}\n"),
            settings("# b is one\na:\n  b: 1\nnotify: {command: [mail]}\n"),
        );
        assert_eq!(changes(&one, &other), []);
    }

    #[test]
    fn every_value_that_differs_is_listed_with_its_path() {
        let (one, other) = (
            settings("a: {b: 1, c: 2}"),
            settings("a: {b: 3, d: [4], e: {f: {}, g: 5}}"),
        );
        let found: Vec<String> = changes(&one, &other)
            .iter()
            .map(Change::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "campaign.yml: a.b: 1 became 3",
                "campaign.yml: a.c: 2 became null",
                "campaign.yml: a.d: null became [4]",
                "campaign.yml: a.e.f: null became {}",
                "campaign.yml: a.e.g: null became 5"
            ]
        );
    }
}
