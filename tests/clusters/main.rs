//! Schedulers and other hosts, started by the tests. One test at a time.

#[path = "../support/mod.rs"]
mod support;

mod jobs;
mod python;
mod slurm_allocation;
mod slurm_blocks;
mod slurm_campaign;
mod slurm_check;
mod slurm_jobs;
mod slurm_mpi;
mod slurm_resources;
mod ssh_campaign;
mod ssh_jobs;
mod ssh_shells;
mod ssh_slurm;
