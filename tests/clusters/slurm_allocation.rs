//! Campaigns inside a batch job, on the nodes of a real Slurm.

use crate::support;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::cluster::{Cluster, wait_long};
use moldflow::task::{Attempt, Fact, FailureKind, Outcome, TaskId};

const LAUNCHER: &str = "srun --exact --mpi=none --nodes={{nodes}} --ntasks={{total_ranks}} \
     --ntasks-per-node={{ranks_per_node}} --cpus-per-task={{cores_per_rank}} --nodelist={{hosts}}";

/// A site of one job of this cluster. Tasks of `qc` write down their node, and whether another is
/// there, before the lines of `setup`.
fn site(cluster: &Cluster, setup: &str, more: &str) -> PathBuf {
    let dir = cluster.dir().display();
    let text = format!(
        "name: inside\nnode: {{cores: 4}}\nmpiexec_command: \"{LAUNCHER}\"\n{more}\npartitions:\n  \
         ml:\n    executor: allocation\n    nodes: 1\n    setup: [echo $SLURMD_NODENAME >> {dir}/ml]\n  \
         qc:\n    executor: allocation\n    cores_per_task: 2\n    setup:\n      \
         - echo $SLURMD_NODENAME >> {dir}/qc\n      \
         # The descriptor, and so the lock, is held until the task has ended.\n      \
         - exec 9>> {dir}/$SLURMD_NODENAME.lock\n      \
         - flock -n 9 || echo $SLURMD_NODENAME >> {dir}/shared\n      - \"{setup}\"\n"
    );
    let path = cluster.dir().join("site.yml");
    fs::write(&path, text).expect("a site profile");
    path
}

fn moldflow(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = cluster.client(env!("CARGO_BIN_EXE_moldflow"));
    command.args(arguments);
    at_work(&mut command);
    command
}

fn at_work(command: &mut Command) {
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
}

/// A command in an allocation of so many nodes.
fn inside(cluster: &Cluster, nodes: usize, program: &str) -> Command {
    let mut command = cluster.client("salloc");
    at_work(&mut command);
    command
        .args([
            "--quiet",
            "--no-kill",
            "--ntasks-per-node=1",
            "--cpus-per-task=4",
        ])
        .arg(format!("--nodes={nodes}"))
        .arg(program);
    command
}

/// `moldflow run` of the quickstart campaign in one.
fn run_inside(cluster: &Cluster, nodes: usize, site: &Path) -> Command {
    let mut command = inside(cluster, nodes, env!("CARGO_BIN_EXE_moldflow"));
    command
        .args(["run", "campaigns/quickstart.yml"])
        .args(["--json", "--quiet", "--run-dir"])
        .arg(run_dir(cluster))
        .arg("--site")
        .arg(site);
    command
}

fn run_dir(cluster: &Cluster) -> PathBuf {
    cluster.dir().join("run")
}

fn outcome(mut command: Command) -> serde_json::Value {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn lines(cluster: &Cluster, name: &str) -> Vec<String> {
    let text = fs::read_to_string(cluster.dir().join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn inside_a_job_the_learning_has_its_node_and_every_simulation_its_own() {
    let cluster = Cluster::start();
    let site = site(&cluster, "sleep 0.5", "");
    let outcome = outcome(run_inside(&cluster, 4, &site));
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    let (ml, qc) = (lines(&cluster, "ml"), lines(&cluster, "qc"));
    assert!(
        !ml.is_empty() && ml.iter().all(|node| node == "n1"),
        "{ml:?}"
    );
    // Five elements, four initial molecules, six more.
    assert_eq!(qc.len(), 15, "{qc:?}");
    let used: BTreeSet<&str> = qc.iter().map(String::as_str).collect();
    assert_eq!(used, BTreeSet::from(["n2", "n3", "n4"]));
    assert_eq!(lines(&cluster, "shared"), [""; 0], "two tasks had one node");
}

#[test]
fn a_node_lost_in_the_middle_costs_an_attempt_and_no_result() {
    let mut cluster = Cluster::start();
    let site = site(&cluster, "sleep 2", "");
    let mut engine = run_inside(&cluster, 4, &site)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_long("a task on n3", Duration::from_secs(60), || {
        lines(&cluster, "qc").iter().any(|node| node == "n3")
    });
    cluster.kill_node(3);
    wait_long("the end of the run", Duration::from_secs(200), || {
        engine.try_wait().expect("a child").is_some()
    });
    let output = engine.wait_with_output().expect("its output");
    let log = fs::read_to_string(run_dir(&cluster).join("runtime.log")).expect("a log");
    assert!(output.status.success(), "{output:?}\n{log}");
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
    assert!(
        log.contains("node n3 is lost, room for 2 tasks is left"),
        "{log}"
    );
    assert!(
        log.contains("node_lost: its node was lost or taken away (`n3`)"),
        "{log}"
    );
    assert!(
        !log.contains("node n2 is lost") && !log.contains("node n4 is lost"),
        "{log}"
    );
}

#[test]
fn without_a_node_left_the_run_drains_says_so_and_goes_on_in_another_job() {
    let mut cluster = Cluster::start();
    let site = site(&cluster, "sleep 2", "");
    let engine = run_inside(&cluster, 2, &site)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_long("two tasks on n2", Duration::from_secs(60), || {
        lines(&cluster, "qc").len() >= 2
    });
    cluster.kill_node(2);
    let output = engine.wait_with_output().expect("its output");
    let printed = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(
        printed.contains("a partition has lost all its nodes"),
        "{printed}"
    );
    let mut command = inside(&cluster, 3, env!("CARGO_BIN_EXE_moldflow"));
    command
        .arg("resume")
        .arg(run_dir(&cluster))
        .args(["--json", "--quiet"]);
    let outcome = outcome(command);
    assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}");
}

#[test]
fn an_engine_killed_and_resumed_in_its_job_takes_its_tasks_over() {
    let cluster = Cluster::start();
    let site = site(&cluster, "sleep 2", "");
    let resume = format!(
        "\"$@\"; exec {} resume {} --json --quiet",
        env!("CARGO_BIN_EXE_moldflow"),
        run_dir(&cluster).display()
    );
    let run = run_inside(&cluster, 4, &site);
    let mut command = inside(&cluster, 4, "/bin/sh");
    command.args(["-c", &resume, "sh"]);
    let program = |word: &&std::ffi::OsStr| *word != env!("CARGO_BIN_EXE_moldflow");
    command.args(run.get_args().skip_while(program));
    let shell = command.stdout(Stdio::piped()).spawn().expect("it starts");
    wait_long("tasks on all nodes", Duration::from_secs(60), || {
        lines(&cluster, "qc").len() >= 6
    });
    kill(engine_of("run", &run_dir(&cluster)).expect("an engine"));
    let output = shell.wait_with_output().expect("its output");
    assert!(output.status.success(), "{output:?}");
    let attempts = attempts(&cluster);
    assert!(attempts.values().all(Option::is_none), "{attempts:?}");
    assert_eq!(lines(&cluster, "qc").len(), 15, "a task was started twice");
    assert_eq!(lines(&cluster, "shared"), [""; 0], "two tasks had one node");
}

/// A launcher of the nodes of this cluster: `srun` finds the node, and Open MPI starts the ranks
/// there.
fn mpi(cluster: &Cluster) -> PathBuf {
    let path = cluster.dir().join("mpi");
    let log = cluster.dir().join("programs");
    let script = format!(
        "#!/bin/sh\nranks=$1; shift\necho $SLURMD_NODENAME $1 $ranks >> {}\n[ $ranks = 1 ] && exec \"$@\"\n\
         for name in $(env | grep -o '^SLURM_[A-Z_]*'); do unset $name; done\n\
         exec mpirun --allow-run-as-root --oversubscribe --bind-to none -n $ranks \"$@\"\n",
        log.display()
    );
    fs::write(&path, script).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
    path
}

#[test]
fn an_mpi_program_runs_on_the_nodes_of_its_task_and_survives_the_loss_of_one() {
    let mut cluster = Cluster::start();
    let site = site(&cluster, "date > /dev/null", "");
    let text = fs::read_to_string(&site).expect("a profile");
    let one = LAUNCHER
        .replace("{{total_ranks}}", "1")
        .replace("{{ranks_per_node}}", "1");
    let one = one.replace("{{cores_per_rank}}", "4");
    let launcher = format!("{one} {} {{{{total_ranks}}}}", mpi(&cluster).display());
    fs::write(&site, text.replace(LAUNCHER, &launcher)).expect("a profile");
    let mut command = inside(&cluster, 4, env!("CARGO_BIN_EXE_moldflow"));
    command.args(["run", "campaigns/qm9-nwchem.yml", "--json", "--quiet"]);
    for set in [
        "search_space.elements=[C, O]",
        "initial_count=2",
        "search_size=2",
        "max_heavy_atoms=4",
        "methods.propose.settings.episodes=1",
        "methods.propose.settings.steps=8",
        "methods.energy.settings.basis=STO-3G",
        // A lost node counts against nothing.
        "methods.energy.retries=0",
    ] {
        command.args(["--set", set]);
    }
    command
        .arg("--run-dir")
        .arg(run_dir(&cluster))
        .arg("--site")
        .arg(&site);
    let engine = command.stdout(Stdio::piped()).spawn().expect("it starts");
    wait_long("a program on n3", Duration::from_secs(90), || {
        lines(&cluster, "programs")
            .iter()
            .any(|line| line == "n3 nwchem 2")
    });
    cluster.kill_node(3);
    let output = engine.wait_with_output().expect("its output");
    let log = fs::read_to_string(run_dir(&cluster).join("runtime.log")).expect("a log");
    assert!(output.status.success(), "{output:?}\n{log}");
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(outcome["evaluations"], 4, "{outcome:#}\n{log}");
    assert_eq!(outcome["failures"], 0, "{outcome:#}\n{log}");
    assert!(log.contains("node n3 is lost"), "{log}");
    let programs = lines(&cluster, "programs");
    for node in ["n2", "n4"] {
        let line = format!("{node} nwchem 2");
        assert!(programs.contains(&line), "{programs:?}");
    }
}

#[test]
fn outside_a_job_such_a_site_is_refused_with_a_way_out() {
    let cluster = Cluster::start();
    let site = site(&cluster, "true", "");
    let mut command = moldflow(&cluster, &["run", "campaigns/quickstart.yml", "--run-dir"]);
    command.arg(run_dir(&cluster)).arg("--site").arg(site);
    let output = command.output().expect("the program starts");
    let printed = String::from_utf8(output.stderr).expect("text");
    assert!(
        printed.contains("from a batch job, but this process does not run in one"),
        "{printed}"
    );
    assert!(
        printed.contains("moldflow submit CAMPAIGN --site inside"),
        "{printed}"
    );
    assert!(!run_dir(&cluster).exists());
}

/// Submits the quickstart campaign with so many molecules to evaluate, each for at least so many
/// seconds, in jobs of one minute on three nodes, two of them for simulations.
fn submit(cluster: &Cluster, molecules: usize, seconds: usize) {
    let submit = "submit: {system: slurm, queue: short, nodes: 3, walltime: 1m}";
    let site = site(cluster, &format!("sleep {seconds}"), submit);
    let size = format!("search_size={molecules}");
    let mut command = moldflow(cluster, &["submit", "campaigns/quickstart.yml", "--json"]);
    command.args(["--set", &size, "--run-dir"]);
    command.arg(run_dir(cluster)).arg("--site").arg(site);
    let told = outcome(command);
    assert_eq!(told["job"], "1", "{told:#}");
}

fn status(cluster: &Cluster) -> serde_json::Value {
    let mut command = moldflow(cluster, &["status", "--json"]);
    command.arg(run_dir(cluster));
    outcome(command)
}

/// Waits for the end of the run; what each attempt came to.
fn attempts(cluster: &Cluster) -> BTreeMap<(TaskId, Attempt), Option<FailureKind>> {
    // The database may be in the making.
    wait_long("a result", Duration::from_secs(100), || {
        support::journal(&run_dir(cluster)).len() > 1
    });
    wait_long("end of the run", Duration::from_secs(300), || {
        status(cluster)["state"] == "finished"
    });
    let mut attempts = BTreeMap::new();
    for event in support::journal(&run_dir(cluster)) {
        if let Fact::Ended {
            task,
            attempt,
            outcome,
            ..
        } = event.fact
        {
            let kind = match outcome {
                Outcome::Failed(failure) => Some(failure.kind),
                _ => None,
            };
            let before = attempts.insert((task, attempt), kind);
            assert_eq!(before, None, "task {task} ended twice");
        }
    }
    attempts
}

/// Ids of the jobs in which the run went on, and of those that were cancelled.
fn jobs(cluster: &Cluster) -> (Vec<String>, Vec<String>) {
    let mut jobs = Vec::new();
    wait_long("a cancelled job", Duration::from_secs(30), || {
        let status = status(cluster);
        jobs.clone_from(status["jobs"]["jobs"].as_array().expect("jobs"));
        jobs.iter().any(|job| job["cancelled"] == true)
    });
    let (cancelled, ran): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job["cancelled"] == true);
    let ids = |jobs: Vec<&serde_json::Value>| {
        let ids = jobs
            .iter()
            .map(|job| job["id"].as_str().expect("an id").to_owned());
        ids.collect()
    };
    (ids(ran), ids(cancelled))
}

#[test]
fn a_submitted_run_goes_on_from_job_to_job_until_it_has_ended() {
    let cluster = Cluster::start();
    // With atoms and initial molecules 29 tasks, two at once: more than a minute.
    submit(&cluster, 20, 5);
    let attempts = attempts(&cluster);
    let log = fs::read_to_string(run_dir(&cluster).join("job.out")).expect("output of the jobs");
    assert!(
        attempts.values().all(Option::is_none),
        "{attempts:?}\n{log}"
    );
    let status = status(&cluster);
    assert_eq!(status["evaluations"], 24, "{status:#}");
    assert_eq!(status["failures"], 0, "{status:#}");
    let (ran, cancelled) = jobs(&cluster);
    assert!(ran.len() >= 2, "{ran:?}\n{log}");
    assert_eq!(cancelled.len(), 1, "{status:#}");
    wait_long("end of all jobs", Duration::from_secs(30), || {
        let jobs = cluster.jobs();
        let state = |id: &String| &jobs.iter().find(|job| job.0 == *id).expect("a job").2;
        ran.iter().all(|id| state(id) == "COMPLETED")
            && cancelled.iter().all(|id| state(id) == "CANCELLED")
    });
}

#[test]
fn an_engine_killed_in_its_job_is_followed_by_that_of_the_next() {
    let cluster = Cluster::start();
    submit(&cluster, 6, 2);
    let mut engine = None;
    wait_long("results of the first job", Duration::from_secs(60), || {
        engine = engine_of("resume", &run_dir(&cluster));
        support::journal(&run_dir(&cluster)).len() > 4 && engine.is_some()
    });
    kill(engine.expect("an engine"));
    let attempts = attempts(&cluster);
    let lost = attempts
        .values()
        .flatten()
        .all(|kind| *kind == FailureKind::Lost);
    assert!(lost, "{attempts:?}");
    let status = status(&cluster);
    assert_eq!(status["evaluations"], 10, "{status:#}");
    assert_eq!(status["failures"], 0, "{status:#}");
    let (ran, cancelled) = jobs(&cluster);
    assert_eq!((ran.len(), cancelled.len()), (2, 1), "{status:#}");
}

/// The process of a command that works on a run directory.
fn engine_of(command: &str, run_dir: &Path) -> Option<i32> {
    let run_dir = run_dir.display().to_string();
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let program = env!("CARGO_BIN_EXE_moldflow").as_bytes();
        words.starts_with(&[program, command.as_bytes()]) && words.contains(&run_dir.as_bytes())
    })
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}
