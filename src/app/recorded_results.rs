//! Results of a run as tables, for comparisons: what another policy would have found among its
//! molecules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::error::CommandError;
use super::run_dir;
use crate::config::campaign::MethodKind;
use crate::design::{GenerateEngine, Pool};
use crate::plan::Plan;
use crate::property::Quantities;
use crate::simulate::{QcEngine, TableEngine, TableRows};

/// Molecules of a run with their results.
pub struct RecordedResults {
    /// Computed molecules, canonical SMILES, in the order of their batches.
    pub molecules: Vec<String>,
    /// By method.
    tables: BTreeMap<String, Arc<TableRows>>,
}

/// Reads the results of the run in `dir`.
///
/// # Errors
///
/// Fails if `dir` is no run directory or cannot be read, or if nothing was computed there.
pub async fn read(dir: &Path) -> Result<RecordedResults, CommandError> {
    let dir = run_dir::existing(dir)?;
    let (_, plan) = run_dir::load(&dir, &mut |_| {}).await?;
    let mut store = run_dir::open_to_read(&dir).await?;
    let mut tables = BTreeMap::new();
    for method in plan.methods.values().filter(|m| m.qc_engine().is_some()) {
        let mut rows = TableRows::default();
        for result in store.results_of(&method.name).await? {
            if let Ok(quantities) = serde_json::from_str::<Quantities>(&result.quantities) {
                rows.0.insert(result.smiles, quantities);
            }
        }
        tables.insert(method.name.clone(), Arc::new(rows));
    }
    let mut molecules = store.computed_molecules().await?;
    molecules.retain(|smiles| tables.values().any(|rows| rows.0.contains_key(smiles)));
    if molecules.is_empty() {
        let message = format!("the run in `{}` has no results", dir.display());
        let hint = "give a run that has computed molecules";
        return Err(CommandError::with_hint(message, hint));
    }
    Ok(RecordedResults { molecules, tables })
}

impl RecordedResults {
    /// Turns the methods of a plan into tables of the results of the methods with the same names,
    /// and its generators into the pool of the run's molecules.
    ///
    /// # Errors
    ///
    /// Fails if the run has no results of a method.
    pub fn replace_methods(&self, plan: &mut Plan) -> Result<(), CommandError> {
        for (name, method) in &mut plan.methods {
            let kind = match &method.kind {
                MethodKind::Simulate { .. } => MethodKind::Simulate {
                    engine: QcEngine::Table {
                        settings: self.table(name)?,
                    },
                    geometry: None,
                },
                MethodKind::Generate { .. } => MethodKind::Generate {
                    engine: GenerateEngine::Pool {
                        settings: Pool::default(),
                    },
                },
                kind @ (MethodKind::Train { .. } | MethodKind::Screen { .. }) => kind.clone(),
            };
            method.kind = kind;
        }
        let properties = plan.properties.values_mut();
        for node in properties.flat_map(|property| &mut property.recipe) {
            node.geometry = None;
        }
        Ok(())
    }

    fn table(&self, method: &str) -> Result<TableEngine, CommandError> {
        let rows = self.tables.get(method).filter(|rows| !rows.0.is_empty());
        let rows = rows.ok_or_else(|| {
            let known: Vec<String> = self.tables.keys().map(|name| format!("`{name}`")).collect();
            let message = format!("the run has no results of the method `{method}`");
            let hint = format!(
                "name it as in the run, whose methods are {}",
                known.join(", ")
            );
            CommandError::with_hint(message, hint)
        })?;
        Ok(TableEngine {
            table: "results of a run".to_owned(),
            quantities: BTreeMap::new(),
            sha256: None,
            rows: Arc::clone(rows),
        })
    }
}
