//! Expected costs of a campaign, stage by stage, without a simulation: numbers of molecules and
//! tasks, and core-hours, from the same durations as a forecast.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Assumptions;
use crate::plan::{MoleculeSource, Plan, PlannedMethod, PlannedStage, StageKind};

/// Expected costs of a campaign. Failures, further attempts and results that are known already are
/// not counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Costs {
    /// Tasks of free atoms.
    pub free_atoms: MethodCost,
    /// The stages, in the order of the plan.
    pub stages: Vec<StageCost>,
    /// Sum of all core-hours that are known.
    pub core_hours: f64,
    /// True if the costs of a stage are not known: the sum is a lower bound.
    pub is_lower_bound: bool,
}

/// Expected costs of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageCost {
    /// Name of the stage.
    pub stage: String,
    /// Molecules that it computes, or batches of a stage of the generator loop; none if only the run
    /// tells.
    pub count: Option<f64>,
    /// Its tasks; none if only the run tells.
    pub cost: Option<MethodCost>,
    /// True if its budget, not its molecules, ends it.
    pub is_limited: bool,
}

/// Tasks with their core-hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MethodCost {
    /// Number of tasks.
    pub tasks: f64,
    /// Their core-hours.
    pub core_hours: f64,
}

impl MethodCost {
    fn of(tasks: f64, method: &PlannedMethod, assumptions: &Assumptions) -> Self {
        let seconds = assumptions
            .times_of(method)
            .mean_up_to(method.limits.timeout);
        let core_hours = tasks * seconds * method.cores_of_task() as f64 / 3600.0;
        Self { tasks, core_hours }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            tasks: self.tasks + other.tasks,
            core_hours: self.core_hours + other.core_hours,
        }
    }
}

/// Returns the expected costs of a plan. `source`: molecules of the source, where they are counted.
pub fn costs(plan: &Plan, assumptions: &Assumptions, source: Option<usize>) -> Costs {
    let counts = counts(plan, source);
    let mut stages: Vec<StageCost> = Vec::new();
    for (stage, count) in plan.stages.iter().zip(counts) {
        let cost = count.map(|count| {
            let methods = new_methods(plan, stage).into_iter();
            let costs = methods.map(|method| MethodCost::of(count, method, assumptions));
            costs.fold(MethodCost::default(), MethodCost::plus)
        });
        let mut new = StageCost {
            stage: stage.name.clone(),
            count,
            cost,
            is_limited: false,
        };
        new.limit(stage, plan.node_cores as f64);
        stages.push(new);
    }
    let free_atoms = free_atoms(plan, assumptions);
    let known = stages.iter().filter_map(|stage| stage.cost);
    let core_hours = known.fold(free_atoms, MethodCost::plus).core_hours;
    let limit = plan.stop.core_hours.unwrap_or(f64::INFINITY);
    Costs {
        free_atoms,
        is_lower_bound: core_hours < limit && stages.iter().any(|stage| stage.cost.is_none()),
        core_hours: core_hours.min(limit),
        stages,
    }
}

impl StageCost {
    /// Cuts the costs at the core-hours and node-hours of the stage's budget.
    fn limit(&mut self, stage: &PlannedStage, node_cores: f64) {
        let budget = stage.budget.unwrap_or_default();
        let of_nodes = budget.node_hours.map(|hours| hours * node_cores);
        let limits = budget.core_hours.into_iter().chain(of_nodes);
        let Some(limit) = limits.min_by(f64::total_cmp) else {
            return;
        };
        let cost = self.cost.unwrap_or(MethodCost {
            tasks: f64::INFINITY,
            core_hours: f64::INFINITY,
        });
        if cost.core_hours <= limit {
            return;
        }
        self.is_limited = true;
        let share = limit / cost.core_hours;
        self.count = self.count.map(|count| (count * share).floor());
        self.cost = self.cost.map(|cost| MethodCost {
            tasks: (cost.tasks * share).floor(),
            core_hours: limit,
        });
    }
}

/// The free atoms: those of each method whose atomization energies a stage needs.
fn free_atoms(plan: &Plan, assumptions: &Assumptions) -> MethodCost {
    let computed = plan.computed_properties();
    let methods: BTreeSet<&String> = computed.flat_map(|p| &p.free_atoms).collect();
    // Hydrogen too.
    let atoms = plan.search_space.elements.len() + 1;
    let costs = methods
        .into_iter()
        .map(|method| MethodCost::of(atoms as f64, &plan.methods[method], assumptions));
    costs.fold(MethodCost::default(), MethodCost::plus)
}

/// Methods of a stage that have not computed its molecules for the stage that it chooses from.
fn new_methods<'p>(plan: &'p Plan, stage: &'p PlannedStage) -> Vec<&'p PlannedMethod> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut before = stage.chosen_from();
    while let Some(place) = before {
        let methods = plan.methods_of(&plan.stages[place]).into_iter();
        known.extend(methods.map(|method| method.name.as_str()));
        before = plan.stages[place].chosen_from();
    }
    let methods = plan.methods_of(stage).into_iter();
    methods
        .filter(|method| !known.contains(method.name.as_str()))
        .collect()
}

/// Molecules of each stage, and batches of those of the generator loop.
fn counts(plan: &Plan, source: Option<usize>) -> Vec<Option<f64>> {
    let mut counts: Vec<Option<f64>> = Vec::new();
    for stage in &plan.stages {
        let count = match &stage.kind {
            StageKind::Compute { molecules, .. } => {
                let is_counted = plan.computes_objectives(stage)
                    && (stage.in_loop.is_some() || !plan.has_loops());
                let limit = plan.stop.evaluations.filter(|_| is_counted);
                let of_source = match molecules {
                    MoleculeSource::All => source.map(|count| count as f64),
                    MoleculeSource::Random(count) => Some(*count as f64),
                    MoleculeSource::Best { count, of } => {
                        let all = counts[*of].unwrap_or(f64::INFINITY);
                        Some(all.min(*count as f64))
                    }
                    MoleculeSource::Share { share, of } => {
                        counts[*of].map(|count| (share * count).ceil())
                    }
                    MoleculeSource::Queue(_) => None,
                };
                let limits = [limit, stage.budget.and_then(|budget| budget.evaluations)];
                let limits = limits.into_iter().flatten().map(|limit| limit as f64);
                let given = of_source.into_iter().chain(limits);
                given.min_by(f64::total_cmp)
            }
            _ => None,
        };
        counts.push(count);
    }
    count_of_queues(plan, &mut counts);
    count_of_batches(plan, &mut counts);
    counts
}

/// Molecules of a queue of which another stage takes the best share: as many as that stage needs.
fn count_of_queues(plan: &Plan, counts: &mut [Option<f64>]) {
    for (place, stage) in plan.stages.iter().enumerate() {
        if let (Some(count), StageKind::Compute { molecules, .. }) = (counts[place], &stage.kind)
            && let MoleculeSource::Share { share, of } = molecules
            && counts[*of].is_none()
        {
            counts[*of] = Some((count / share).ceil());
        }
    }
}

/// Batches of the stages of the generator loop: at least as many as fill the queues.
fn count_of_batches(plan: &Plan, counts: &mut [Option<f64>]) {
    let mut batches: Option<f64> = None;
    for (place, stage) in plan.stages.iter().enumerate() {
        if let StageKind::Compute {
            molecules: MoleculeSource::Queue(screen),
            ..
        } = &stage.kind
            && let StageKind::Screen { select, .. } = plan.stages[*screen].kind
            && let Some(count) = counts[place]
        {
            let of_queue = (count / select as f64).ceil();
            batches = Some(batches.map_or(of_queue, |most| most.max(of_queue)));
        }
    }
    for (place, stage) in plan.stages.iter().enumerate() {
        if !matches!(stage.kind, StageKind::Compute { .. }) {
            counts[place] = batches;
        }
    }
}
