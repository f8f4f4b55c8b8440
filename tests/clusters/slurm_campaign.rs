//! Campaigns through the real binary on a real Slurm.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::cluster::{Cluster, wait_long};

/// Simulations of the quickstart campaign: five elements, four initial molecules, six more.
const TASKS: usize = 15;

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
        let words: Vec<&str> = line.split_whitespace().collect();
        let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let name = field("Name=").expect("a name");
        let id = match field("ArrayTaskId=") {
            Some(index) => format!("1_{index}"),
            None => "1".to_owned(),
        };
        let line = format!("{id}|{name}|COMPLETED|||");
        moldflow::scheduler::slurm::parse_status(&line)
            .expect("six fields")
            .name
    };
    text.lines().map(name).collect()
}

#[test]
fn a_campaign_runs_with_a_job_a_task() {
    let cluster = Cluster::start();
    let site = site(&cluster, "", "slots: 8, walltime: 5m");
    let clients = cluster.noted_clients("", "");
    let mut command = run(&cluster, &site, &[]);
    let path = std::env::var("PATH").expect("a PATH");
    command.env("PATH", format!("{}:{path}", clients.display()));
    let outcome = outcome(command);
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    assert_eq!(completed(&cluster).len(), TASKS);
    // The free atoms at once, and the initial molecules.
    let submissions = cluster.commands("sbatch");
    assert!(submissions <= TASKS - 4, "{submissions} submissions");
}

#[test]
fn a_site_whose_controller_does_not_answer_is_refused_before_anything_is_written() {
    let mut cluster = Cluster::start();
    let site = site(&cluster, "", "slots: 8, walltime: 5m");
    cluster.stop_controller();
    let output = run(&cluster, &site, &[])
        .output()
        .expect("the program starts");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        printed.contains("`sinfo --noheader --format=%R`"),
        "{printed}"
    );
    assert!(!cluster.dir().join("run").exists());
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
    assert_eq!(names.len(), TASKS, "{names:?}");
}

#[test]
fn a_campaign_runs_with_steps_in_blocks() {
    let cluster = Cluster::start();
    let blocks = "slots: 8, blocks: {init: 3, max: 3, nodes: 1, walltime: 5m, idle: 5m}";
    let site = site(&cluster, "", blocks);
    let outcome = outcome(run(&cluster, &site, &[]));
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    // None is left when the run is over, however many there were.
    assert_eq!(cluster.live(), [""; 0]);
    assert_eq!(cluster.jobs().len(), 3);
}

#[test]
fn an_engine_killed_while_its_steps_run_takes_them_and_their_block_over() {
    let cluster = Cluster::start();
    let blocks = "slots: 8, blocks: {max: 1, nodes: 2, walltime: 10m, idle: 1m}";
    let site = site(&cluster, "sleep 2", blocks);
    let mut engine = run(&cluster, &site, &[])
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the program starts");
    wait_long("steps", Duration::from_secs(60), || steps(&cluster) >= 2);
    engine.kill().expect("killed");
    engine.wait().expect("dead");
    assert!(steps(&cluster) >= 1);
    let run = cluster.dir().join("run").display().to_string();
    let outcome = outcome(moldflow(&cluster, &["resume", &run]));
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    assert_eq!(cluster.jobs().len(), 1, "the block was not taken over");
    let second = cluster.dir().join("run/tasks");
    let again = fs::read_dir(second).map_or(0, |tasks| {
        let attempts = tasks
            .flatten()
            .filter(|task| task.path().join("2").exists());
        attempts.count()
    });
    assert_eq!(again, 0, "a task was started twice");
}

/// Steps of tasks that run.
fn steps(cluster: &Cluster) -> usize {
    let list = cluster.ask(&["squeue", "--steps", "--noheader", "--format=%j"]);
    list.lines()
        .filter(|name| !["batch", "extern"].contains(&name.trim()))
        .count()
}
