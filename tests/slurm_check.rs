//! `moldflow sites check` of a real Slurm cluster.

#[path = "support/cluster.rs"]
mod cluster;

use std::process::Command;

use cluster::Cluster;

/// Exit status, and what is said of the partition that makes jobs.
fn check(cluster: &Cluster, settings: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let profile = format!(
        "name: cluster\nrecognise: {{environment: [SLURM_CONF]}}\npartitions:\n  qc: {{executor: slurm, {settings}}}\n  ml: {{executor: local, slots: 1}}\n"
    );
    std::fs::write(dir.path().join("cluster.yml"), profile).unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin("moldflow"))
        .args(["sites", "check", "cluster.yml"])
        .current_dir(dir.path())
        .env("SLURM_CONF", cluster.conf())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let about = text.lines().filter(|line| line.contains("partition qc"));
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
    let said = cases.map(|settings| {
        let (status, text) = check(&cluster, settings);
        format!("{settings}: exit status {status}\n{text}\n")
    });
    insta::assert_snapshot!(said.join("\n"));
}
