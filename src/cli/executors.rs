//! From the partitions of a site profile to their executors.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::allocation::{self, Shares};
use super::failure::Failure;
use super::ways::Ways;
use crate::config::site;
use crate::exec::jobs::{JobExecutor, RemoteHost};
use crate::exec::slurm::{self, BlockExecutor};
use crate::exec::ssh::SshTransport;
use crate::exec::transport::{Here, Transport};
use crate::exec::{Executor, LocalExecutor, Report, cores, gpus};

/// The executors of all partitions of a site, which report to `reports`.
pub fn executors(
    site: &site::Site,
    executable: &Path,
    run: &str,
    reports: &mpsc::UnboundedSender<Report>,
    mut ways: Ways,
) -> Result<BTreeMap<String, Box<dyn Executor>>, Failure> {
    let shares = allocation::shares(site)?;
    let mut executors = BTreeMap::new();
    for name in site.partitions.keys() {
        let executor = executor(
            site,
            name,
            &shares,
            executable,
            run,
            reports.clone(),
            ways.take(name),
        );
        let executor = executor.map_err(|e| {
            let what = format!("could not start the slots of partition `{name}`");
            Failure::io(&what, &e)
        })?;
        executors.insert(name.clone(), executor);
    }
    Ok(executors)
}

fn executor(
    site: &site::Site,
    name: &str,
    shares: &Shares,
    executable: &Path,
    run: &str,
    reports: mpsc::UnboundedSender<Report>,
    way: Option<SshTransport>,
) -> io::Result<Box<dyn Executor>> {
    let partition = &site.partitions[name];
    let slots = partition.slot_count(&site.node).unwrap_or(1);
    let here = Here::new(executable);
    let params = partition.submission_params(site);
    Ok(match (&partition.executor, params) {
        (
            site::Executor::Batch(site::BatchExecutor {
                blocks: Some(blocks),
                batch,
                ..
            }),
            Some(terms),
        ) => {
            let (nodes, nodes_per_task) = (blocks.nodes.get(), batch.nodes_per_task.get());
            let tasks_per_node = partition.tasks_per_node(&site.node);
            let capacity = match nodes_per_task {
                1 => nodes * tasks_per_node,
                several => nodes / several,
            };
            let held = slurm::Held {
                terms,
                nodes,
                nodes_per_task,
                tasks_per_node,
                slots,
                rules: rules(blocks, capacity),
            };
            let name = format!("{run}.{name}");
            Box::new(BlockExecutor::new(held, here, &name, reports)?)
        }
        (site::Executor::Allocation { .. }, None) => Box::new(allocation::executor(
            site, name, shares, executable, reports,
        )?),
        (_, Some(params)) => {
            let max_jobs = params.batch.max_jobs.get().min(slots);
            let scheduler = (params.scheduler.scheduler)(params);
            let via: Box<dyn Transport> = match way {
                Some(way) => Box::new(way),
                None => Box::new(here),
            };
            Box::new(JobExecutor::new(scheduler, via, max_jobs, run, reports)?)
        }
        (_, None) => match way {
            Some(way) => {
                let work_dir = way.work_dir().to_owned();
                let setup = partition.setup.as_ref().unwrap_or(&site.setup).clone();
                let host = Box::new(RemoteHost { work_dir, setup });
                let via = Box::new(way);
                Box::new(JobExecutor::new(host, via, slots, run, reports)?)
            }
            None => {
                let executor = match taken_before(site, name) {
                    Some(taken) => {
                        let each = partition.cores_per_task.get();
                        LocalExecutor::pinned(cores::of_slots(slots, each, taken)?, reports)?
                    }
                    None => LocalExecutor::new(slots, reports)?,
                };
                Box::new(executor.with_gpus(gpus_of(site, name, slots)?))
            }
        },
    })
}

/// The GPUs of each slot of a partition on this host, after those of the partitions before it; none if its tasks want none.
fn gpus_of(site: &site::Site, name: &str, slots: usize) -> io::Result<Vec<String>> {
    let each = site.partitions[name].gpus_per_task;
    if each == 0 {
        return Ok(Vec::new());
    }
    let is_local = |partition: &site::Partition| {
        matches!(partition.executor, site::Executor::Local { .. }) && partition.transport.is_none()
    };
    let before = site
        .partitions
        .iter()
        .take_while(|(other, _)| *other != name);
    let before = before.filter(|(_, partition)| is_local(partition));
    let taken = before.map(|(_, partition)| {
        partition.slot_count(&site.node).unwrap_or(1) * partition.gpus_per_task
    });
    let visible = std::env::var(gpus::VISIBLE).ok();
    gpus::of_slots(slots, each, taken.sum(), visible.as_deref()).map_err(io::Error::other)
}

/// Cores that pinned partitions before this one have; none if its own tasks are not pinned.
fn taken_before(site: &site::Site, name: &str) -> Option<usize> {
    let pinned = |partition: &site::Partition| {
        matches!(partition.executor, site::Executor::Local { pin: true, .. })
    };
    let before = site
        .partitions
        .iter()
        .take_while(|(other, _)| *other != name);
    let cores = before
        .filter(|(_, partition)| pinned(partition))
        .map(|(_, partition)| {
            partition.slot_count(&site.node).unwrap_or(1) * partition.cores_per_task.get()
        });
    pinned(&site.partitions[name]).then(|| cores.sum())
}

fn rules(blocks: &site::Blocks, capacity: usize) -> slurm::Rules {
    slurm::Rules {
        min: blocks.min,
        init: blocks.init,
        max: blocks.max.get(),
        capacity,
        walltime: blocks.walltime.into(),
        idle: blocks.idle.into(),
    }
}
