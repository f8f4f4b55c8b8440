//! The difference between two runs: their settings and what came of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::core_hours::core_hours;
use super::error::CommandError;
use super::run_dir;
use super::settings_changes::{self, SettingsDifference};
use crate::report::RunState;
use crate::store::{PropertyInfo, Summary};

/// What came of a run.
pub struct RunResult {
    /// Counts and best molecule.
    pub summary: Summary,
    /// State of the run.
    pub state: RunState,
    /// Core-hours of its attempts.
    pub core_hours: f64,
    /// Number of batches of its generator loop.
    pub batches: usize,
    /// Properties of the campaign.
    properties: Vec<PropertyInfo>,
    /// Values of the properties by molecule, canonical SMILES.
    values: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Values of a property of the molecules that two runs have in common.
pub struct CommonValues {
    /// Name of the property.
    pub property: String,
    /// Its unit; empty for a plain number.
    pub unit: String,
    /// Number of molecules that have a value in both runs.
    pub molecules: usize,
    /// Number of these with another value.
    pub different: usize,
    /// The molecule with the largest difference and its two values; none if all are the same.
    pub largest: Option<(String, [f64; 2])>,
}

/// The difference between two runs.
pub struct RunDifference {
    /// Settings that differ.
    pub settings: Vec<SettingsDifference>,
    /// Result of either run.
    pub results: [RunResult; 2],
    /// Properties that both have in the same unit.
    pub common: Vec<CommonValues>,
}

/// Compares two runs.
///
/// # Errors
///
/// Fails if a file or a database cannot be read.
pub async fn compare(
    dirs: [&Path; 2],
    notify: &mut dyn FnMut(&str),
) -> Result<RunDifference, CommandError> {
    let one = result(dirs[0], notify).await?;
    let other = result(dirs[1], notify).await?;
    let shared = one.properties.iter().filter(|property| {
        let same = |of: &&PropertyInfo| of.name == property.name && of.unit == property.unit;
        other.properties.iter().find(same).is_some()
    });
    let common = shared.map(|property| common(property, &one, &other));
    Ok(RunDifference {
        settings: settings_changes::differences(dirs[0], dirs[1])?,
        common: common.collect(),
        results: [one, other],
    })
}

async fn result(dir: &Path, notify: &mut dyn FnMut(&str)) -> Result<RunResult, CommandError> {
    let is_at_work = run_dir::is_locked(dir);
    let (_, plan) = run_dir::load(dir, notify).await?;
    let mut store = run_dir::open_to_read(dir).await?;
    store.hold_still().await?;
    let summary = store.summary().await?;
    let mut values: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for row in store.candidates().await? {
        let of_row: BTreeMap<String, f64> =
            serde_json::from_str(&row.properties).unwrap_or_default();
        values.entry(row.smiles).or_default().extend(of_row);
    }
    Ok(RunResult {
        state: RunState::of(&summary, is_at_work),
        core_hours: core_hours(&mut store, &plan).await?,
        batches: store.batches().await?.len(),
        properties: store.properties().await?,
        values,
        summary,
    })
}

fn common(property: &PropertyInfo, one: &RunResult, other: &RunResult) -> CommonValues {
    let pairs = one.values.iter().filter_map(|(smiles, values)| {
        let value = values.get(&property.name)?;
        let other = other.values.get(smiles)?.get(&property.name)?;
        Some((smiles, [*value, *other]))
    });
    let pairs: Vec<(&String, [f64; 2])> = pairs.collect();
    let difference = |[a, b]: [f64; 2]| (a - b).abs();
    let different = pairs.iter().filter(|(_, values)| values[0] != values[1]);
    let largest = different
        .clone()
        .max_by(|(_, a), (_, b)| difference(*a).total_cmp(&difference(*b)));
    CommonValues {
        property: property.name.clone(),
        unit: property.unit.clone(),
        molecules: pairs.len(),
        different: different.count(),
        largest: largest.map(|(smiles, values)| ((*smiles).clone(), *values)),
    }
}
