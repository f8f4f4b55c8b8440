//! Campaigns over a real Slurm and a real sshd: the learning on another host, and Slurm itself
//! behind SSH.

use std::fs;
use std::path::Path;

use crate::support::runs::{answers, failures, names};
use crate::support::{Campaign, EVALUATIONS, journal, rows, run_to_end};

use crate::support::cluster::Cluster;
use crate::support::sshd::{ALIAS, Sshd};

/// Simulations: the five elements, hydrogen included, three initial molecules, six more.
const SIMULATIONS: usize = 5 + EVALUATIONS;

/// Runs the campaign on a site of these partitions.
fn run(cluster: &Cluster, there: &Sshd, partitions: &str) -> Campaign {
    let campaign = Campaign::tiny();
    let site = format!("name: tests\nnode: {{cores: 4}}\npartitions:\n{partitions}");
    fs::write(campaign.path("site2.yml"), site).expect("a file");
    let mut command = campaign.run_command("run", &[]);
    command
        .env("PATH", there.path())
        .env("SLURM_CONF", cluster.conf());
    run_to_end(&mut command).with_code(0);
    let run_dir = campaign.path("run");
    let rows = rows(&run_dir);
    let computed = rows.iter().filter(|row| row["status"] == "evaluated");
    assert_eq!(computed.count(), EVALUATIONS);
    let journal = journal(&run_dir);
    answers(&journal);
    assert_eq!(failures(&journal), []);
    let mut left = names(&there.work_dir().join("attempts"));
    left.remove(".lock");
    assert_eq!(left.len(), 0, "{left:?}");
    campaign
}

fn transport(there: &Sshd) -> String {
    let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    let (program, work_dir) = (program.display(), there.work_dir());
    let work_dir = work_dir.display();
    format!("{{ssh: {{host: {ALIAS}, moldflow: {program}, work_dir: \"{work_dir}\"}}}}")
}

#[test]
fn simulations_are_jobs_of_slurm_while_another_host_learns() {
    let cluster = Cluster::start();
    let there = Sshd::start();
    let transport = transport(&there);
    let partitions = format!(
        "  qc: {{executor: slurm, queue: short, walltime: 5m, max_jobs: 4}}\n  \
         ml: {{executor: local, slots: 1, transport: {transport}}}\n"
    );
    run(&cluster, &there, &partitions);
    assert_eq!(cluster.jobs().len(), SIMULATIONS);
}

#[test]
fn slurm_is_driven_from_another_host() {
    let cluster = Cluster::start();
    let there = Sshd::beside(&format!("SLURM_CONF={}", cluster.conf().display()));
    let transport = transport(&there);
    let partitions = format!(
        "  qc: {{executor: slurm, queue: short, walltime: 5m, max_jobs: 4, transport: {transport}}}\n  \
         ml: {{executor: local, slots: 1}}\n"
    );
    run(&cluster, &there, &partitions);
    assert_eq!(cluster.jobs().len(), SIMULATIONS);
}
