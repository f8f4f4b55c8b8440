//! Executors of the partitions of a site profile.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::allocation::{self, Shares};
use super::error::CommandError;
use super::remote_hosts::RemoteHosts;
use crate::config::site;
use crate::exec::jobs::{JobExecutor, RemoteHost};
use crate::exec::slurm::{self, BlockExecutor};
use crate::exec::ssh::SshTransport;
use crate::exec::transport::{LocalTransport, Transport};
use crate::exec::{Executor, LocalExecutor, Report, cores, gpus};
use crate::scheduler::{Scheduler, SubmissionParams};

/// Starts the executors of all partitions of a site, by partition. They report to `reports`.
///
/// # Errors
///
/// Fails if the nodes of the batch job do not suffice, or if the host refuses threads or folders.
pub fn executors(
    site: &site::Site,
    executable: &Path,
    run: &str,
    reports: &mpsc::UnboundedSender<Report>,
    mut hosts: RemoteHosts,
) -> Result<BTreeMap<String, Box<dyn Executor>>, CommandError> {
    let builder = ExecutorBuilder {
        site,
        shares: allocation::shares(site)?,
        executable,
        run,
        reports,
    };
    let mut executors = BTreeMap::new();
    for (name, partition) in &site.partitions {
        let executor = builder
            .build(name, partition, hosts.take(name))
            .map_err(|e| {
                let what = format!("could not start the slots of partition `{name}`");
                CommandError::io(&what, &e)
            })?;
        executors.insert(name.clone(), executor);
    }
    Ok(executors)
}

/// Arguments that the executors of all partitions share.
struct ExecutorBuilder<'a> {
    site: &'a site::Site,
    shares: Shares,
    executable: &'a Path,
    run: &'a str,
    reports: &'a mpsc::UnboundedSender<Report>,
}

impl ExecutorBuilder<'_> {
    /// Starts the executor of a partition, which is on another host if there is a transport.
    fn build(
        &self,
        name: &str,
        partition: &site::PartitionConfig,
        remote: Option<SshTransport>,
    ) -> io::Result<Box<dyn Executor>> {
        let params = partition.submission_params(self.site);
        match (&partition.executor, params, remote) {
            (
                site::ExecutorConfig::Batch(site::BatchExecutorConfig {
                    blocks: Some(blocks),
                    batch,
                    ..
                }),
                Some(params),
                _,
            ) => self.blocks(name, partition, blocks, batch, params),
            (site::ExecutorConfig::Allocation { .. }, None, _) => {
                let (shares, reports) = (&self.shares, self.reports.clone());
                let executor = allocation::executor(
                    self.site,
                    name,
                    partition,
                    shares,
                    self.executable,
                    reports,
                )?;
                Ok(Box::new(executor))
            }
            (_, Some(params), remote) => self.jobs(partition, params, remote),
            (_, None, Some(remote)) => self.remote_processes(partition, remote),
            (_, None, None) => self.local(name, partition),
        }
    }

    /// Starts the executor whose tasks are steps in blocks of nodes.
    fn blocks(
        &self,
        name: &str,
        partition: &site::PartitionConfig,
        blocks: &site::Blocks,
        batch: &site::Batch,
        params: SubmissionParams,
    ) -> io::Result<Box<dyn Executor>> {
        let (nodes, nodes_per_task) = (blocks.nodes.get(), batch.nodes_per_task.get());
        let tasks_per_node = partition.tasks_per_node(&self.site.node);
        let capacity = match nodes_per_task {
            1 => nodes * tasks_per_node,
            several => nodes / several,
        };
        let block_params = slurm::BlockParams {
            terms: params,
            nodes,
            nodes_per_task,
            tasks_per_node,
            slots: self.slots(partition),
            policy: block_policy(blocks, capacity),
        };
        let (here, name) = (
            LocalTransport::new(self.executable),
            format!("{}.{name}", self.run),
        );
        let executor = BlockExecutor::new(block_params, here, &name, self.reports.clone())?;
        Ok(Box::new(executor))
    }

    /// Starts the executor whose tasks are batch jobs.
    fn jobs(
        &self,
        partition: &site::PartitionConfig,
        params: SubmissionParams,
        remote: Option<SshTransport>,
    ) -> io::Result<Box<dyn Executor>> {
        let max_jobs = params.batch.max_jobs.get().min(self.slots(partition));
        let scheduler = (params.scheduler.scheduler)(params);
        let transport: Box<dyn Transport> = match remote {
            Some(remote) => Box::new(remote),
            None => Box::new(LocalTransport::new(self.executable)),
        };
        self.job_executor(scheduler, transport, max_jobs)
    }

    /// Starts the executor whose tasks are processes on another host.
    fn remote_processes(
        &self,
        partition: &site::PartitionConfig,
        remote: SshTransport,
    ) -> io::Result<Box<dyn Executor>> {
        let work_dir = remote.work_dir().to_owned();
        let setup = partition.setup.as_ref().unwrap_or(&self.site.setup).clone();
        let host = Box::new(RemoteHost { work_dir, setup });
        self.job_executor(host, Box::new(remote), self.slots(partition))
    }

    fn job_executor(
        &self,
        scheduler: Box<dyn Scheduler>,
        transport: Box<dyn Transport>,
        max_jobs: usize,
    ) -> io::Result<Box<dyn Executor>> {
        let reports = self.reports.clone();
        let executor = JobExecutor::new(scheduler, transport, max_jobs, self.run, reports)?;
        Ok(Box::new(executor))
    }

    /// Starts the executor whose tasks are processes on this host.
    fn local(
        &self,
        name: &str,
        partition: &site::PartitionConfig,
    ) -> io::Result<Box<dyn Executor>> {
        let (slots, reports) = (self.slots(partition), self.reports.clone());
        let executor = match taken_before(self.site, name, partition) {
            Some(taken) => {
                let each = partition.cores_per_task.get();
                LocalExecutor::pinned(cores::of_slots(slots, each, taken)?, reports)?
            }
            None => LocalExecutor::new(slots, reports)?,
        };
        let gpus = gpus_of(self.site, name, partition, slots)?;
        Ok(Box::new(executor.with_gpus(gpus)))
    }

    /// Returns the number of slots of a partition.
    fn slots(&self, partition: &site::PartitionConfig) -> usize {
        partition.slot_count(&self.site.node).unwrap_or(1)
    }
}

/// Returns the GPUs of each slot of a partition on this host, after those of the partitions before
/// it; empty if its tasks ask for none.
fn gpus_of(
    site: &site::Site,
    name: &str,
    partition: &site::PartitionConfig,
    slots: usize,
) -> io::Result<Vec<String>> {
    let each = partition.gpus_per_task;
    if each == 0 {
        return Ok(Vec::new());
    }
    let before = site
        .partitions
        .iter()
        .take_while(|(other, _)| *other != name);
    let before = before.filter(|(_, partition)| partition.runs_on_this_host());
    let taken = before.map(|(_, partition)| {
        partition.slot_count(&site.node).unwrap_or(1) * partition.gpus_per_task
    });
    let visible = std::env::var(gpus::VISIBLE).ok();
    gpus::of_slots(slots, each, taken.sum(), visible.as_deref()).map_err(io::Error::other)
}

/// Returns the number of cores of the pinned partitions before this one; none if its own tasks are
/// not pinned.
fn taken_before(site: &site::Site, name: &str, partition: &site::PartitionConfig) -> Option<usize> {
    let pinned = |partition: &site::PartitionConfig| {
        matches!(
            partition.executor,
            site::ExecutorConfig::Local { pin: true, .. }
        )
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
    pinned(partition).then(|| cores.sum())
}

fn block_policy(blocks: &site::Blocks, capacity: usize) -> slurm::BlockPolicy {
    slurm::BlockPolicy {
        min: blocks.min,
        init: blocks.init,
        max: blocks.max.get(),
        capacity,
        walltime: blocks.walltime.into(),
        idle: blocks.idle.into(),
    }
}
