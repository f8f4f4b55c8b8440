//! Campaigns through the real binary on a real Slurm.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Cluster, wait_long};

/// A site of this cluster: `qc` as given, the learning here.
fn site(cluster: &Cluster, setup: &str, qc: &str) -> PathBuf {
    let path = cluster.dir().join("site.yml");
    let text = format!(
        "name: test\nnode: {{cores: 4}}\nsetup: [{setup}]\npartitions:\n  qc: {{executor: slurm, queue: short, {qc}}}\n  \
         ml: {{executor: local, slots: 1}}\n"
    );
    fs::write(&path, text).expect("a site profile");
    path
}

fn moldflow(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = cluster.client(env!("CARGO_BIN_EXE_moldflow"));
    command
        .args(arguments)
        .arg("--json")
        .arg("--quiet")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

fn run(cluster: &Cluster, site: &Path, more: &[&str]) -> Command {
    let mut command = moldflow(cluster, &["run", "campaigns/quickstart.yml"]);
    command
        .arg("--site")
        .arg(site)
        .arg("--run-dir")
        .arg(cluster.dir().join("run"))
        .args(more);
    command
}

fn outcome(mut command: Command) -> serde_json::Value {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Names of the jobs that Slurm saw end, as often as it saw them.
fn completed(cluster: &Cluster) -> Vec<String> {
    let text = fs::read_to_string(cluster.dir().join("completed")).expect("a log of jobs");
    let name = |line: &str| {
        let words = line.split_whitespace();
        let name = words.filter_map(|word| word.strip_prefix("Name=")).next();
        name.expect("a name").to_owned()
    };
    text.lines().map(name).collect()
}

#[test]
fn a_campaign_runs_with_a_job_a_task() {
    let cluster = Cluster::start();
    let site = site(&cluster, "", "slots: 8, walltime: 5m");
    let outcome = outcome(run(&cluster, &site, &[]));
    // Four elements, four initial molecules, six more.
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    assert_eq!(completed(&cluster).len(), 14);
}

#[test]
fn an_engine_killed_while_its_jobs_run_doubles_none_and_loses_none() {
    let cluster = Cluster::start();
    let site = site(&cluster, "sleep 2", "slots: 4, walltime: 5m");
    let log = cluster.dir().join("stderr");
    let mut engine = run(&cluster, &site, &[])
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).expect("a file"))
        .process_group(0)
        .spawn()
        .expect("the program starts");
    // Once while the references run, once while the initial molecules do.
    for jobs in [2, 7] {
        wait_long("jobs", Duration::from_secs(60), || {
            cluster.jobs().len() >= jobs
        });
        engine.kill().expect("killed");
        engine.wait().expect("dead");
        let run = cluster.dir().join("run").display().to_string();
        engine = moldflow(&cluster, &["resume", &run])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
    }
    let output = engine.wait_with_output().expect("its output");
    assert!(output.status.success());
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    let names = completed(&cluster);
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert_eq!(names.len(), 14, "{names:?}");
}
