//! Comparison of search policies: campaigns side by side on the same seeds, with random search
//! always among them. The engine and the tasks are the real ones; see `docs/search.md`.

mod band;
mod curve;
mod landscape;
mod page;
mod result;
mod search;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::config::source::Source;
use crate::engine::{TaskInput, TaskResult};
use crate::plan::{MoleculeSource, Plan, PlannedStage, StageKind};
use crate::task::IllegalEvent;

pub use band::{Band, Estimate};
pub use curve::Curve;
pub use landscape::Landscape;
pub use page::{COLUMNS, page};
use result::comparison;
pub use result::{Comparison, PolicyResult, Scale, SearchResult};
use search::{PoolFile, Trace, initial, search};

/// Body of a task, which is done in a folder.
pub type TaskBody<'b> = dyn Fn(TaskInput, &Path) -> TaskResult + 'b;

/// Name of the random search.
const RANDOM: &str = "random";

/// A campaign whose policy is compared.
pub struct Policy<'p> {
    /// Name in tables and charts.
    pub name: String,
    /// Its plan; the seed is replaced.
    pub plan: Plan,
    /// Source of its molecules.
    pub source: &'p Source,
}

/// Extent of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    /// Seeds of the searches.
    pub seeds: Vec<u64>,
    /// Evaluations of a search, initial molecules included; none for as many as the first campaign
    /// has.
    pub evaluations: Option<usize>,
    /// Number of molecules that can be evaluated; none if it is not known.
    pub most: Option<usize>,
}

/// Reason for which there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A campaign has several objectives.
    #[error("`{name}` has several objectives, and searches are compared by one")]
    SeveralObjectives {
        /// Name of the policy.
        name: String,
    },
    /// Two campaigns have different objectives.
    #[error("`{name}` searches for another property than `{first}`")]
    OtherObjective {
        /// Name of the policy.
        name: String,
        /// Name of the first policy.
        first: String,
    },
    /// No campaign says when a search ends.
    #[error("`{name}` has no `stop.evaluations`")]
    Endless {
        /// Name of the policy.
        name: String,
    },
    /// The evaluations are no more than the initial molecules.
    #[error("`{name}` begins with {initial} molecules, and a search has {evaluations} evaluations")]
    TooFewEvaluations {
        /// Name of the policy.
        name: String,
        /// Number of initial molecules.
        initial: usize,
        /// Evaluations of a search.
        evaluations: usize,
    },
    /// The source is too small for the initial molecules.
    #[error("the source has {found} molecules, and {asked} are to be drawn")]
    TooFewMolecules {
        /// Molecules of the source.
        found: usize,
        /// Molecules to be drawn.
        asked: usize,
    },
    /// A task of the generator loop failed.
    #[error("a task failed: {message}")]
    Task {
        /// Message of the failure.
        message: String,
    },
    /// Nothing is under way, and the search has not ended.
    #[error("the search waits for something that never comes")]
    Stuck,
    /// The engine received an impossible event.
    #[error("the engine received an impossible event")]
    Illegal(#[from] IllegalEvent),
    /// A file could not be read or written.
    #[error("a file of a search could not be read or written")]
    File(#[from] io::Error),
}

/// Runs every policy, and random search, with every seed, on all cores of this machine. `bodies`
/// makes the body of the tasks of a thread; `dir` is an empty folder for their files; `ended` is
/// called with the number of searches that have ended and that of all. The result depends on the
/// arguments alone.
///
/// # Errors
///
/// The policies have not one and the same objective, or a search fails.
pub fn compare<'b>(
    policies: &[Policy],
    extent: &Extent,
    bodies: &(dyn Fn() -> Box<TaskBody<'b>> + Sync),
    dir: &Path,
    ended: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, CompareError> {
    let (plans, evaluations) = plans(policies, extent)?;
    let pools = pools(policies, dir)?;
    let job = |number: usize| {
        let (place, seed) = (number / extent.seeds.len(), number % extent.seeds.len());
        let mut plan = plans[place].clone();
        plan.seed = extent.seeds[seed];
        // Random search is the last plan, on the source of the first policy.
        let source = policies.get(place).unwrap_or(&policies[0]).source;
        let pool = pools.get(place).and_then(Option::as_deref);
        let folder = dir.join(format!("search{number}"));
        search(&plan, source, pool, &*bodies(), &folder)
    };
    let traces = in_parallel(plans.len() * extent.seeds.len(), &job, ended)?;
    let traces: Vec<&[Trace]> = traces.chunks(extent.seeds.len()).collect();
    let pool = pools[0].as_ref().map(|pool| pool.molecules.as_slice());
    let known = Landscape::read(&policies[0].plan, pool);
    Ok(comparison(policies, extent, evaluations, known, &traces))
}

/// The pool of each policy that has one; policies with the same search space share it.
fn pools(policies: &[Policy], dir: &Path) -> io::Result<Vec<Option<Arc<PoolFile>>>> {
    let mut pools: Vec<Option<Arc<PoolFile>>> = Vec::new();
    for (place, policy) in policies.iter().enumerate() {
        let is_alike = |other: &Policy| other.plan.search_space == policy.plan.search_space;
        let alike = policies[..place]
            .iter()
            .zip(&pools)
            .filter(|(other, _)| is_alike(other));
        let made = alike.filter_map(|(_, pool)| pool.clone()).next();
        let name = format!("pool{place}");
        pools.push(match (policy.plan.needs_pool(), made) {
            (false, _) => None,
            (true, Some(made)) => Some(made),
            (true, None) => Some(Arc::new(PoolFile::write(dir, &name, policy.source.all())?)),
        });
    }
    Ok(pools)
}

/// The plans of all policies and of random search, with the evaluations of a search.
fn plans(policies: &[Policy], extent: &Extent) -> Result<(Vec<Plan>, usize), CompareError> {
    let first = &policies[0];
    let name = |policy: &Policy| policy.name.clone();
    let sought = |policy: &Policy| {
        let objective = policy.plan.only_objective()?;
        let property = &policy.plan.properties[&objective.property];
        Some((
            objective.direction,
            property.value.clone(),
            property.unit.clone(),
        ))
    };
    let asked = first
        .plan
        .stop
        .evaluations
        .map(|n| n + initial(&first.plan));
    let evaluations = extent.evaluations.or(asked);
    let evaluations = evaluations.ok_or_else(|| CompareError::Endless { name: name(first) })?;
    let evaluations = evaluations.min(extent.most.unwrap_or(usize::MAX));
    let mut plans = Vec::new();
    for policy in policies {
        let own =
            sought(policy).ok_or_else(|| CompareError::SeveralObjectives { name: name(policy) })?;
        if Some(own) != sought(first) {
            let (name, first) = (name(policy), name(first));
            return Err(CompareError::OtherObjective { name, first });
        }
        let initial = initial(&policy.plan);
        if evaluations <= initial {
            let name = name(policy);
            return Err(CompareError::TooFewEvaluations {
                name,
                initial,
                evaluations,
            });
        }
        let mut plan = policy.plan.clone();
        plan.stop.evaluations = Some(evaluations - initial);
        plan.stop.target = None;
        plans.push(plan);
    }
    plans.push(random(&first.plan, evaluations));
    Ok((plans, evaluations))
}

/// The plan that computes so many random molecules. They begin with the initial molecules of a
/// campaign with the same seed.
fn random(plan: &Plan, evaluations: usize) -> Plan {
    let mut plan = plan.clone();
    let constraints = plan.constraints.iter().flat_map(|c| c.properties.clone());
    let objective = plan.objectives[0].property.clone();
    let mut properties = vec![objective];
    properties.extend(constraints);
    properties.dedup();
    plan.stages = vec![PlannedStage {
        name: RANDOM.to_owned(),
        after: Vec::new(),
        in_loop: None,
        budget: None,
        kind: StageKind::Compute {
            properties,
            ranking: Vec::new(),
            molecules: MoleculeSource::Random(evaluations),
            parallel: None,
        },
    }];
    plan.edges.clear();
    plan.stop.evaluations = None;
    plan.stop.target = None;
    plan
}

/// Does jobs of these numbers on all cores; returns their results in order, or the first error.
fn in_parallel(
    count: usize,
    job: &(dyn Fn(usize) -> Result<Trace, CompareError> + Sync),
    ended: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Trace>, CompareError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        let result = job(number);
        if result.is_err() {
            next.store(count, Ordering::Relaxed);
        }
        let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        done.push((number, result));
        ended(done.len(), count);
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores.min(count) {
            scope.spawn(work);
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
