//! The values of all molecules that a campaign may find, where a table has them.

use crate::chem::Molecule;
use crate::config::campaign::MethodKind;
use crate::plan::{Plan, PlannedMethod, StageKind};
use crate::property::{Composition, ENERGY, QuantityOf, Values};
use crate::simulate::{QcEngine, TableEngine};

/// Scale on which searches are judged: the costs of the whole search space, or of what was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Landscape {
    /// Lowest cost.
    pub best: f64,
    /// Median of the costs.
    pub median: f64,
    /// Number of molecules with a value that meet the constraints.
    pub molecules: usize,
}

impl Landscape {
    /// The landscape of these costs; none if there are none.
    pub fn of(mut costs: Vec<f64>) -> Option<Self> {
        costs.sort_by(f64::total_cmp);
        let (middle, count) = (costs.len() / 2, costs.len());
        let median = match count % 2 {
            _ if count == 0 => return None,
            0 => (costs[middle - 1] + costs[middle]) / 2.0,
            _ => costs[middle],
        };
        Some(Self {
            best: costs[0],
            median,
            molecules: count,
        })
    }

    /// Reads the landscape of a campaign with one objective, over its pool or else over the table;
    /// none unless tables have all that the objective and the constraints need.
    pub fn read(plan: &Plan, pool: Option<&[String]>) -> Option<Self> {
        let names = plan.constraints.iter().flat_map(|c| &c.properties);
        let names = names.chain([&plan.objectives[0].property]);
        let mut needed = names.flat_map(|name| plan.properties[name].methods());
        let method = &plan.methods[needed.next()?];
        let mut needed = needed.map(|name| &plan.methods[name]).chain([method]);
        if needed.any(|method| table(method).is_none()) {
            return None;
        }
        Self::of(match pool.filter(|_| proposes_source_only(plan)) {
            Some(pool) => costs(plan, pool.iter().map(String::as_str)),
            None => {
                let rules = plan.search_space.rules();
                let all = table(method)?.molecules().map(|(smiles, _)| smiles);
                let is_inside = |smiles: &&str| {
                    let molecule = Molecule::from_canonical(smiles);
                    molecule.is_ok_and(|molecule| rules.violation(&molecule).is_none())
                };
                costs(plan, all.filter(is_inside))
            }
        })
    }
}

/// Costs of the molecules that have a value and meet the constraints.
fn costs<'s>(plan: &Plan, molecules: impl Iterator<Item = &'s str>) -> Vec<f64> {
    let objective = &plan.objectives[0];
    let cost = |smiles: &str| {
        let row = TableValues::new(plan, smiles)?;
        let mut constraints = plan.constraints.iter();
        let property = &plan.properties[&objective.property];
        let value = property.unit.from_atomic(row.property(&property.name)?);
        let is_feasible = constraints.all(|c| c.condition.holds(&row) == Some(true));
        let cost = objective.direction.cost(value);
        (is_feasible && cost.is_finite()).then_some(cost)
    };
    molecules.filter_map(cost).collect()
}

/// Returns true if every generator proposes molecules of the source only.
fn proposes_source_only(plan: &Plan) -> bool {
    let methods = plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Generate { method, .. } => Some(&plan.methods[method].kind),
        _ => None,
    });
    let mut engines = methods.filter_map(|kind| match kind {
        MethodKind::Generate { engine } => Some(engine),
        _ => None,
    });
    engines.all(|engine| engine.implementation().needs_pool())
}

fn table(method: &PlannedMethod) -> Option<&TableEngine> {
    match method.qc_engine()? {
        QcEngine::Table { settings } => Some(settings),
        _ => None,
    }
}

/// Numbers of a molecule from the tables of a plan.
struct TableValues<'p> {
    plan: &'p Plan,
    smiles: &'p str,
    composition: Composition,
}

impl<'p> TableValues<'p> {
    fn new(plan: &'p Plan, smiles: &'p str) -> Option<Self> {
        let counts = Molecule::from_canonical(smiles).ok()?.element_counts();
        let composition = counts.into_iter().map(|(symbol, n)| (symbol, n as u32));
        Some(Self {
            plan,
            smiles,
            composition: composition.collect(),
        })
    }

    fn look_up(&self, smiles: &str, of: &QuantityOf) -> Option<f64> {
        let engine = self.plan.methods.get(&of.method)?.qc_engine()?.simulator();
        let found = engine.look_up(smiles)?.ok()?;
        match of.quantity.as_str() {
            ENERGY => found.total_energy_hartree,
            name => found.quantities.get(name).copied(),
        }
    }
}

impl Values for TableValues<'_> {
    fn quantity(&self, of: &QuantityOf) -> Option<f64> {
        self.look_up(self.smiles, of)
    }

    fn of_free_atom(&self, element: &str, of: &QuantityOf) -> Option<f64> {
        self.look_up(&format!("[{element}]"), of)
    }

    fn composition(&self) -> &Composition {
        &self.composition
    }

    fn property(&self, name: &str) -> Option<f64> {
        self.plan.properties.get(name)?.expression.value(self)
    }
}
