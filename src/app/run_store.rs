//! Database of a run directory, opened when a process begins to work on it.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::CommandError;
use crate::config::campaign::Campaign;
use crate::plan::{Direction, Objective, Plan, PlannedMethod};
use crate::property::Unit;
use crate::simulate::QcEngine;
use crate::store::{MethodInfo, ObjectiveInfo, PropertyInfo, RunInfo, Store};

/// Opens the database of the run; makes it if the run is new.
///
/// # Errors
///
/// Fails if the database or the directory cannot be read or written.
pub async fn open_store(
    dir: &Path,
    campaign: &Campaign,
    plan: &Plan,
) -> Result<Store, CommandError> {
    let info = RunInfo {
        // Hash keys are random.
        name: format!("{:016x}", RandomState::new().build_hasher().finish()),
        campaign: campaign.name.clone(),
        created: jiff::Timestamp::now().as_millisecond(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        objectives: objectives(plan),
    };
    let mut store = Store::create(dir, &info).await?;
    let properties = plan.properties.values().map(|property| PropertyInfo {
        name: property.name.clone(),
        label: property.label.clone(),
        unit: property.unit.name().to_owned(),
    });
    store
        .keep_properties(&properties.collect::<Vec<_>>())
        .await?;
    store.keep_methods(&methods(plan)).await?;
    let home = fs::metadata(dir)
        .map_err(|e| CommandError::io(&format!("could not read `{}`", dir.display()), &e))?;
    // By its number, not by its path: a run directory may be moved while its tasks run.
    if store.settle(&home.ino().to_string(), &info.name).await? {
        tracing::info!(
            "this directory is a copy of the one that the run was in: its tasks get another name"
        );
    }
    Ok(store)
}

/// The objectives of a plan, as the database of a run describes them.
fn objectives(plan: &Plan) -> Vec<ObjectiveInfo> {
    let info = |objective: &Objective| {
        let property = &plan.properties[&objective.property];
        ObjectiveInfo {
            property: property.name.clone(),
            label: property.label.clone(),
            unit: property.unit.name().to_owned(),
            highest: objective.direction == Direction::Maximize,
        }
    };
    plan.objectives.iter().map(info).collect()
}

/// The methods of a plan, as the database of a run describes them.
fn methods(plan: &Plan) -> Vec<MethodInfo> {
    let info = |method: &PlannedMethod| {
        let quantities = method.qc_engine().map(QcEngine::quantities);
        let units = quantities.unwrap_or_default().into_iter();
        MethodInfo {
            method: method.name.clone(),
            kind: method.kind_name.to_owned(),
            engine: method.engine_name.to_owned(),
            partition: method.partition_name.clone(),
            slots: method.slots,
            cores: method.cores_of_task(),
            units: units
                .map(|(name, dimension)| (name, Unit::atomic(dimension).name().to_owned()))
                .collect(),
        }
    };
    plan.methods.values().map(info).collect()
}
