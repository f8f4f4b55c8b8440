//! `moldflow sites check` of a real Slurm cluster.

use std::process::Command;

use crate::support::cluster::Cluster;

/// Exit status of `sites check` and the lines about a partition whose tasks are jobs.
fn check(cluster: &Cluster, settings: &str) -> (i32, String) {
    let profile = format!(
        "name: cluster\nrecognise: {{environment: [SLURM_CONF]}}\npartitions:\n  qc: {{executor: slurm, {settings}}}\n  ml: {{executor: local, slots: 1}}\n"
    );
    check_profile(cluster, &profile, "partition qc")
}

/// Exit status of `sites check` and the lines that contain `subject`.
fn check_profile(cluster: &Cluster, profile: &str, subject: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cluster.yml"), profile).unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("moldflow"))
        .args(["sites", "check", "cluster.yml"])
        .current_dir(dir.path())
        .env("SLURM_CONF", cluster.conf())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let about = text.lines().filter(|line| line.contains(subject));
    let about: Vec<&str> = about.collect();
    (output.status.code().unwrap(), about.join("\n"))
}

#[test]
fn slurm_itself_says_what_is_wrong_with_a_partition() {
    let cluster = Cluster::start();
    let cases = [
        "queue: short, walltime: 5m",
        "queue: long, walltime: 5m",
        "queue: short, walltime: 5h",
        "nodes_per_task: 9",
        "options: [\"--constraint=gpu\"]",
    ];
    let lines = cases.map(|settings| {
        let (status, text) = check(&cluster, settings);
        format!("{settings}: exit status {status}\n{text}\n")
    });
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_job_of_a_campaign_is_examined_too() {
    let cluster = Cluster::start();
    let cases = ["nodes: 2, walltime: 5m", "nodes: 9, walltime: 5m"];
    let about = cases.map(|settings| {
        let profile = format!(
            "name: cluster\nmpiexec_command: srun\nsubmit: {{system: slurm, {settings}}}\npartitions:\n  qc: {{executor: allocation}}\n  ml: {{executor: allocation, nodes: 1}}\n"
        );
        let (status, text) = check_profile(&cluster, &profile, "submit:");
        format!("{settings}: exit status {status}\n{text}\n")
    });
    insta::assert_snapshot!(about.join("\n"));
}
