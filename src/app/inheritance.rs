//! Results of an earlier run at the beginning of a new one: `moldflow run NEW.yml --from RUN_DIR`.
//!
//! The results that fit are copied into a file of the new run directory, where the driver finds
//! them before it starts a task; each one that is used becomes a fact of the journal. So the
//! directory of the earlier run may go away once the new run has begun.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::error::{CommandError, Topic, causes};
use super::run_dir;
use crate::chem::{Geometry, Molecule};
use crate::config::campaign::LoadedCampaign;
use crate::driver::InheritedResults;
use crate::host::atomic::{self, Durability};
use crate::plan::Plan;
use crate::property::{ENERGY, Quantities};
use crate::simulate::SimResult;
use crate::store::{FailedMolecule, MethodResult, RunInfo, Store};
use crate::task::{Fact, FailureKind};

/// File of the results that a run took over.
pub const RESULTS: &str = "earlier.db";
/// File of the molecules that it took over, until its journal has them.
const MOLECULES: &str = "earlier.json";

/// Molecules that a run takes over from an earlier one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InheritedMolecules {
    /// Random name of the earlier run.
    run: String,
    /// Those whose objective needs no new calculation, canonical SMILES.
    known: Vec<String>,
    /// Those that failed there, and are not computed.
    quarantined: Vec<String>,
    /// Pairs of canonical SMILES and name.
    pub names: Vec<(String, String)>,
}

impl InheritedMolecules {
    /// Reads those of the run in `dir`; none if it takes over nothing.
    ///
    /// # Errors
    ///
    /// Fails if their file cannot be read.
    pub fn of(dir: &Path) -> Result<Option<Self>, CommandError> {
        let path = dir.join(MOLECULES);
        let failed =
            |e: io::Error| CommandError::io(&format!("could not read `{}`", path.display()), &e);
        match fs::read(&path) {
            Ok(text) => {
                let molecules = serde_json::from_slice(&text);
                Ok(Some(molecules.map_err(|e| failed(e.into()))?))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }

    /// Molecules that the run need not draw from its source.
    pub fn molecules(&self) -> BTreeSet<&str> {
        let molecules = self.known.iter().chain(&self.quarantined);
        molecules.map(String::as_str).collect()
    }

    /// Molecules that failed, and that the run does not compute.
    pub fn quarantined(&self) -> BTreeSet<&str> {
        self.quarantined.iter().map(String::as_str).collect()
    }

    /// The fact for the journal.
    pub fn fact(&self) -> Fact {
        Fact::Inherited {
            run: self.run.clone(),
            molecules: self.known.clone(),
            quarantined: self.quarantined.clone(),
        }
    }
}

/// Results of an earlier run that fit a new campaign.
#[derive(Debug)]
pub struct Inheritance {
    from: PathBuf,
    molecules: InheritedMolecules,
    /// Results with the methods of the new campaign that they stand for.
    results: Vec<InheritedResult>,
    /// Molecules that have some of the results that the objective needs.
    partly: usize,
    /// Molecules outside of the search space, by the reason.
    outside: BTreeMap<String, usize>,
    /// Molecules without a result by a method that computes like one of the new campaign.
    by_other_methods: usize,
    /// Methods of the new campaign that have no such method, with their levels of theory.
    new_methods: Vec<(String, String)>,
}

impl Inheritance {
    /// Reads the run in `from`, which may be at work, and finds what fits a campaign.
    ///
    /// # Errors
    ///
    /// Fails if `from` is no run directory, if version 0.1 began it, if its identity of molecules is
    /// another, or if it cannot be read.
    pub async fn read(
        from: &Path,
        loaded: &LoadedCampaign,
        plan: &Plan,
        notify: &mut dyn FnMut(&str),
    ) -> Result<Self, CommandError> {
        let from = run_dir::existing(from)?;
        let mut store = run_dir::open_to_read(&from).await?;
        store.hold_still().await?;
        let info = store.run_info().await?;
        refuse_first_version(&from, &info)?;
        let (old, old_plan) = run_dir::load(&from, notify).await?;
        let stereo = |loaded: &LoadedCampaign| loaded.campaign.search_space.stereo();
        if stereo(&old) != stereo(loaded) {
            let message = format!(
                "the run in `{}` has another `search_space.stereo`: its molecules are not those of \
                 this campaign",
                from.display()
            );
            let hint = "use the same, or do without `--from`";
            return Err(CommandError::with_hint(message, hint).about(Topic::Inheritance));
        }
        let mut found = Self {
            from,
            molecules: InheritedMolecules {
                run: info.name,
                known: Vec::new(),
                quarantined: Vec::new(),
                names: Vec::new(),
            },
            results: Vec::new(),
            partly: 0,
            outside: BTreeMap::new(),
            by_other_methods: 0,
            new_methods: Vec::new(),
        };
        let methods = found.methods(plan, &old_plan);
        found.take_results(&mut store, plan, &methods).await?;
        found.sort_molecules(&mut store, plan).await?;
        found
            .quarantine(&mut store, plan, &old_plan, &methods)
            .await?;
        found.take_names(&mut store).await?;
        Ok(found)
    }

    /// Pairs the methods of the new campaign with those of the old one that compute the same.
    fn methods(&mut self, plan: &Plan, old: &Plan) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        for method in plan.methods.values().filter(|m| m.qc_engine().is_some()) {
            let mut others = old.methods.values();
            let same = others.find(|other| plan.computes_like(method, old, other));
            match same {
                Some(other) => drop(pairs.insert(method.name.clone(), other.name.clone())),
                None => {
                    let level = plan.level_of(&method.name);
                    self.new_methods.push((method.name.clone(), level));
                }
            }
        }
        pairs
    }

    /// Takes the results of the paired methods, except those whose geometry is lost: their own, or
    /// the one that they began with.
    async fn take_results(
        &mut self,
        store: &mut Store,
        plan: &Plan,
        methods: &BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let mut results: BTreeMap<&String, Vec<InheritedResult>> = BTreeMap::new();
        for (method, old) in methods {
            let found = store.results_of(old).await?;
            let found = found.iter().filter_map(|r| InheritedResult::new(method, r));
            results.insert(method, found.collect());
        }
        let of = |(method, results): (&&String, &Vec<InheritedResult>)| {
            let molecules = results.iter().map(|result| result.smiles.clone());
            ((*method).clone(), molecules.collect::<BTreeSet<String>>())
        };
        let computed: BTreeMap<String, BTreeSet<String>> = results.iter().map(of).collect();
        let has_geometry = |result: &InheritedResult| {
            let mut method = result.method.as_str();
            while let Some(first) = plan.methods[method].geometry() {
                if !computed
                    .get(first)
                    .is_some_and(|m| m.contains(&result.smiles))
                {
                    return false;
                }
                method = first;
            }
            true
        };
        self.results = results
            .into_values()
            .flatten()
            .filter(|result| result.is_of_free_atom() || has_geometry(result))
            .collect();
        Ok(())
    }

    /// Sorts the molecules of the old run by what of the objective is known of them.
    async fn sort_molecules(&mut self, store: &mut Store, plan: &Plan) -> Result<(), CommandError> {
        let mut computed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for InheritedResult { smiles, method, .. } in &self.results {
            computed.entry(smiles).or_default().insert(method);
        }
        let rules = plan.search_space.rules();
        let objectives = plan.objectives.iter().map(|o| o.property.clone());
        let recipe = plan.recipe(&objectives.collect::<Vec<_>>());
        let mut seen = BTreeSet::new();
        for smiles in store.computed_molecules().await? {
            if !seen.insert(smiles.clone()) {
                continue;
            }
            let Ok(molecule) = Molecule::parse(&smiles) else {
                continue;
            };
            if let Some(reason) = rules.violation(&molecule) {
                *self.outside.entry(reason.to_string()).or_default() += 1;
                continue;
            }
            let of_molecule = computed.get(smiles.as_str());
            let has = |method: &String| of_molecule.is_some_and(|m| m.contains(method.as_str()));
            if recipe.iter().all(|node| has(&node.method)) {
                self.molecules.known.push(smiles);
            } else if of_molecule.is_some() {
                self.partly += 1;
            } else {
                self.by_other_methods += 1;
            }
        }
        Ok(())
    }

    /// Finds the molecules that failed by a method that the new campaign needs for them.
    async fn quarantine(
        &mut self,
        store: &mut Store,
        plan: &Plan,
        old: &Plan,
        methods: &BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let known: BTreeSet<&String> = self.molecules.known.iter().collect();
        let needed: BTreeSet<&String> = plan
            .computed_properties()
            .flat_map(|property| property.recipe.iter().map(|node| &node.method))
            .collect();
        let fails = |failed: &FailedMolecule| {
            methods.iter().any(|(method, other)| {
                let has_more_time = failed.kind == FailureKind::Timeout.word()
                    && plan.methods[method].limits.timeout > old.methods[other].limits.timeout;
                *other == failed.method && needed.contains(method) && !has_more_time
            })
        };
        let failed = store.failed_molecules().await?;
        let failed = failed.into_iter().filter(fails);
        let failed: BTreeSet<String> = failed.map(|failed| failed.smiles).collect();
        let is_inside = |smiles: &String| {
            Molecule::parse(smiles).is_ok_and(|molecule| plan.search_space.holds(&molecule))
        };
        let quarantined: Vec<String> = failed
            .into_iter()
            .filter(|smiles| !known.contains(smiles) && is_inside(smiles))
            .collect();
        // They are counted as failed, not as computed by other methods.
        let with_results: BTreeSet<&String> = self.results.iter().map(|r| &r.smiles).collect();
        let with = quarantined
            .iter()
            .filter(|s| with_results.contains(s))
            .count();
        let without = quarantined.len() - with;
        self.partly = self.partly.saturating_sub(with);
        self.by_other_methods = self.by_other_methods.saturating_sub(without);
        self.molecules.quarantined = quarantined;
        Ok(())
    }

    async fn take_names(&mut self, store: &mut Store) -> Result<(), CommandError> {
        let names = store.names().await?.into_iter();
        let molecules = self.molecules.molecules();
        let names = names.filter(|(smiles, _)| molecules.contains(smiles.as_str()));
        let names = names.collect();
        self.molecules.names = names;
        Ok(())
    }

    /// Copies results and molecules into a new run directory.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written.
    pub async fn save(&self, dir: &Path) -> Result<(), CommandError> {
        let path = dir.join(RESULTS);
        let failed = |e: &dyn std::error::Error| {
            let what = format!("could not write `{}`: {}", path.display(), causes(e));
            CommandError::new(what)
        };
        let results = self.results.iter().map(|result| {
            let InheritedResult {
                method,
                smiles,
                simulation,
                at,
            } = result;
            (method.clone(), smiles.clone(), simulation.clone(), *at)
        });
        let mut file = InheritedResults::create(&path)
            .await
            .map_err(|e| failed(&e))?;
        file.keep(&self.molecules.run, results.collect())
            .await
            .map_err(|e| failed(&e))?;
        let path = dir.join(MOLECULES);
        let text = serde_json::to_vec(&self.molecules).map_err(|e| failed(&e))?;
        atomic::write(&path, &text, Durability::Synced)
            .map_err(|e| CommandError::io(&format!("could not write `{}`", path.display()), &e))
    }

    /// Sentences for the user: results that were taken over, and the others.
    pub fn report(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "from {}: the objective of {} molecules is known, {} more have a part of the results; {} \
             failed there and are not computed",
            self.from.display(),
            self.molecules.known.len(),
            self.partly,
            self.molecules.quarantined.len()
        )];
        let mut left: Vec<String> = self
            .outside
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let others = self.by_other_methods;
        if others > 0 {
            left.push(format!("{others} computed by other methods"));
        }
        if !left.is_empty() {
            lines.push(format!("  molecules that do not fit: {}", left.join(", ")));
        }
        if !self.new_methods.is_empty() {
            let named = self.new_methods.iter();
            let named: Vec<String> = named
                .map(|(name, level)| format!("`{name}` ({level})"))
                .collect();
            lines.push(format!(
                "  no method of that run computes like {}",
                named.join(", ")
            ));
        }
        lines
    }
}

fn refuse_first_version(dir: &Path, info: &RunInfo) -> Result<(), CommandError> {
    if !info.is_of_first_version() {
        return Ok(());
    }
    let message = format!(
        "the run in `{}` was begun by moldflow {}, which did not record the method of a result",
        dir.display(),
        info.version
    );
    let hint = "`export` prints its results; compute them again, or do without `--from`";
    Err(CommandError::with_hint(message, hint).about(Topic::Inheritance))
}

/// A result of an earlier run for a method of the new campaign.
#[derive(Debug)]
struct InheritedResult {
    method: String,
    smiles: String,
    simulation: SimResult,
    /// End of its task, milliseconds since the Unix epoch.
    at: i64,
}

impl InheritedResult {
    /// The result as its task left it; none if its geometry is lost.
    fn new(method: &str, result: &MethodResult) -> Option<Self> {
        let mut quantities: Quantities = serde_json::from_str(&result.quantities).ok()?;
        let geometry = match result.xyz.as_str() {
            "" => None,
            xyz => Some(Geometry::from_xyz(xyz).ok()?),
        };
        let simulation = SimResult {
            total_energy_hartree: quantities.remove(ENERGY),
            engine: result.engine.clone(),
            version: result.version.clone(),
            level_of_theory: result.level_of_theory.clone(),
            quantities,
            geometry,
        };
        Some(Self {
            method: method.to_owned(),
            smiles: result.smiles.clone(),
            simulation,
            at: result.finished,
        })
    }

    fn is_of_free_atom(&self) -> bool {
        let molecule = Molecule::parse(&self.smiles);
        molecule.is_ok_and(|molecule| molecule.free_atom().is_some())
    }
}
