//! Functions in Python on other hosts: behind a real sshd, and in steps of blocks of a real Slurm.
//! The modules travel with the tasks.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::cluster::Cluster;
use crate::support::counting::counted;
use crate::support::sshd::{ALIAS, Sshd};
use crate::support::{Campaign, Engine, rows, wait_until};

/// Eight alkanes, computed on the site with this partition.
fn counted_on(partition: &str) -> Campaign {
    let campaign = counted(8)
        .with("site: site2.yml", "site: there.yml")
        .with("{call:", "{interpreter: /usr/bin/python3, call:");
    let site = format!("name: there\nnode: {{cores: 4}}\npartitions:\n  qc: {partition}\n");
    fs::write(campaign.path("there.yml"), site).expect("a file");
    campaign
}

/// Runs it, takes its module away as soon as the run has begun, and compares the results.
fn completes_without_its_module(campaign: &Campaign, configure: impl FnOnce(&mut Command)) {
    let mut command = campaign.run_command("run", &[]);
    configure(&mut command);
    let run_dir = campaign.path("run");
    let mut engine = Engine::start(command, run_dir.clone());
    wait_until("the run's begin", || {
        run_dir.join("campaign.yml").exists() || engine.has_ended()
    });
    for module in ["counting.py", "constants.py"] {
        fs::remove_file(campaign.path(module)).expect("a file");
    }
    assert_eq!(engine.exit_code(), Some(0), "{}", engine.err());
    let rows = rows(&run_dir);
    assert_eq!(rows.len(), 8);
    for row in rows {
        let letters: f64 = row["count.letters"].parse().expect("a number");
        assert_eq!(letters, 2.0 * row["smiles"].len() as f64);
    }
}

#[test]
fn a_host_behind_ssh_calls_functions_whose_files_it_has_not() {
    let there = Sshd::start();
    let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    let (work_dir, program) = (there.work_dir(), program.display());
    let partition = format!(
        "{{executor: local, slots: 2, transport: {{ssh: {{host: {ALIAS}, work_dir: \"{}\", moldflow: {program}}}}}}}",
        work_dir.display()
    );
    completes_without_its_module(&counted_on(&partition), |command| {
        command.env("PATH", there.path());
    });
}

#[test]
fn steps_in_blocks_of_slurm_call_functions() {
    let cluster = Cluster::start();
    let partition = "{executor: slurm, queue: short, slots: 4, blocks: {max: 1, nodes: 1, walltime: 5m, idle: 1m}}";
    completes_without_its_module(&counted_on(partition), |command| {
        command
            .env("SLURM_CONF", cluster.conf())
            .env("HOME", cluster.dir());
    });
}
