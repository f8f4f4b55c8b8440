//! Distribution of the nodes of a batch job among the partitions of a site.

use std::collections::BTreeMap;

use crate::config::partitions::nodes_of_job;
use crate::config::site::{ExecutorConfig, Site};
use crate::exec::placed_by;
use crate::scheduler::Nodes;

/// Reason why a batch job does not suit a site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The job has fewer nodes than the partitions need.
    #[error("the job has {has} nodes, and the partitions of site `{site}` need {needed}")]
    TooFew {
        /// Name of the site.
        site: String,
        /// Nodes of the job.
        has: usize,
        /// Fewest nodes with which every partition can run a task.
        needed: usize,
    },
    /// The job has several nodes, and the profile has no `mpiexec_command`.
    #[error(
        "the job has {nodes} nodes, but site `{site}` does not say how a program is started on one of them"
    )]
    NoLauncher {
        /// Name of the site.
        site: String,
        /// Nodes of the job.
        nodes: usize,
    },
    /// The launcher needs the names of nodes, and only their number is known.
    #[error(
        "`mpiexec_command` of site `{site}` names `{{{{{variable}}}}}`, but the scheduler tells only how many nodes there are"
    )]
    NoNames {
        /// Name of the site.
        site: String,
        /// Variable of the template.
        variable: &'static str,
    },
}

/// Returns the fewest nodes of a job with which every partition can run a task.
pub fn needed(site: &Site) -> usize {
    let partitions = site.partitions.values();
    partitions
        .map(|partition| nodes_of_job(&partition.executor))
        .sum()
}

/// Returns the nodes of each partition that takes some, by its name. Partitions with a number of
/// nodes come first: where the engine runs on the first node, the loss of that node ends the job
/// anyway, and so it is the learning that should be there.
///
/// # Errors
///
/// Fails if the job has too few nodes, or if the launcher of the site cannot reach them.
pub fn share(site: &Site, nodes: &Nodes) -> Result<BTreeMap<String, Vec<String>>, ShareError> {
    let (has, needed) = (nodes.count(), needed(site));
    let name = || site.name.clone();
    if has < needed {
        return Err(ShareError::TooFew {
            site: name(),
            has,
            needed,
        });
    }
    let named = match &site.mpiexec_command {
        None if has > 1 => {
            return Err(ShareError::NoLauncher {
                site: name(),
                nodes: has,
            });
        }
        None => None,
        Some(template) => placed_by(template),
    };
    let mut left = match (nodes, named) {
        (Nodes::Named(names), _) => names.clone(),
        (Nodes::Counted(_), Some(variable)) => {
            return Err(ShareError::NoNames {
                site: name(),
                variable,
            });
        }
        (Nodes::Counted(count), None) => (1..=*count).map(|number| number.to_string()).collect(),
    };
    let mut shares = BTreeMap::new();
    let mut rest = None;
    for (name, partition) in &site.partitions {
        let ExecutorConfig::Allocation { nodes, .. } = partition.executor else {
            continue;
        };
        match nodes {
            Some(count) => {
                let others = left.split_off(count.get());
                shares.insert(name.clone(), std::mem::replace(&mut left, others));
            }
            None => rest = Some(name.clone()),
        }
    }
    shares.extend(rest.map(|name| (name, left)));
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::profiles;

    fn theta() -> Site {
        let (site, _) = profiles::named("theta", &[]).expect("a profile that is built in");
        site
    }

    fn named(count: usize) -> Nodes {
        Nodes::Named((1..=count).map(|number| format!("n{number}")).collect())
    }

    #[test]
    fn the_learning_gets_its_node_and_the_chemistry_the_rest() {
        let shares = share(&theta(), &named(5)).unwrap();
        assert_eq!(shares["ml"], ["n1"]);
        assert_eq!(shares["qc"], ["n2", "n3", "n4", "n5"]);
        // `aprun` places programs itself, so that a number of nodes is enough.
        let shares = share(&theta(), &Nodes::Counted(3)).unwrap();
        assert_eq!((shares["ml"].len(), shares["qc"].len()), (1, 2));
    }

    #[test]
    fn a_job_that_will_not_do_is_refused() {
        let mut site = theta();
        let why = |site: &Site, nodes| share(site, &nodes).unwrap_err().to_string();
        assert_eq!(
            why(&site, named(2)),
            "the job has 2 nodes, and the partitions of site `theta` need 3"
        );
        site.mpiexec_command = Some("mpirun --host {{ hosts }} -n {{total_ranks}}".into());
        assert_eq!(
            why(&site, Nodes::Counted(4)),
            "`mpiexec_command` of site `theta` names `{{hosts}}`, but the scheduler tells only how many nodes there are"
        );
        site.mpiexec_command = None;
        assert_eq!(
            why(&site, named(4)),
            "the job has 4 nodes, but site `theta` does not say how a program is started on one of them"
        );
    }
}
