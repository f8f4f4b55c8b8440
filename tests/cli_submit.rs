//! `moldflow submit` on PBS and Cobalt, of which no server can be had here: programs on PATH stand for their commands, and
//! the script that they were given is run by hand.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use moldflow::task::{Fact, FailureKind, Outcome};
use tempfile::TempDir;

/// A batch system whose commands write down what they were asked.
struct System {
    dir: TempDir,
}

impl System {
    fn new(name: &str, prints: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("asked");
        fs::create_dir(dir.path().join("bin")).expect("a directory");
        for (command, prints) in [("qsub", prints), ("qdel", ""), ("qstat", "")] {
            let path = dir.path().join("bin").join(command);
            let script = format!(
                "#!/bin/sh\necho {command} \"$@\" >> {}\nprintf '{prints}'\n",
                log.display()
            );
            fs::write(&path, script).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
        }
        // The login shell of a job sets its own PATH.
        let profile = format!("PATH={}:$PATH\n", dir.path().join("bin").display());
        fs::write(dir.path().join(".profile"), profile).expect("a profile of the shell");
        let site = format!(
            "name: one\nnode: {{cores: 2}}\npass_environment: [PASSED_*]\nsubmit:\n  system: {name}\n  queue: debug\n  account: chem\n  \
             walltime: 90m\n  options: [\"-l place=excl\"]\npartitions:\n  \
             qc: {{executor: allocation, tasks_per_node: 2}}\n  ml: {{executor: local, slots: 1}}\n"
        );
        fs::write(dir.path().join("site.yml"), site).expect("a profile");
        Self { dir }
    }

    fn run_dir(&self) -> PathBuf {
        self.dir
            .path()
            .canonicalize()
            .expect("it exists")
            .join("run")
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.dir.path().join("bin");
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.dir.path())
            .env("PASSED_ON", "it's here")
            .env("NOT_PASSED", "secret")
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    fn moldflow(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_moldflow"));
        command.args(arguments).output().expect("it starts")
    }

    fn submit(&self, what: &str) -> Output {
        let (site, run) = (self.dir.path().join("site.yml"), self.run_dir());
        let (site, run) = (site.display().to_string(), run.display().to_string());
        self.moldflow(&["submit", what, "--site", &site, "--run-dir", &run])
    }

    /// The quickstart campaign, whose simulations may take three seconds.
    fn submit_short(&self) -> Output {
        let (site, run) = (self.dir.path().join("site.yml"), self.run_dir());
        let (site, run) = (site.display().to_string(), run.display().to_string());
        let mut arguments = vec!["submit", "campaigns/quickstart.yml", "--site", &site];
        arguments.extend(["--run-dir", &run, "--set", "methods.energy.timeout=3s"]);
        self.moldflow(&arguments)
    }

    /// What the commands were asked about jobs, the run directory shortened.
    fn asked(&self) -> String {
        let text = fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        let text = text.replace("qstat -Q\n", "");
        text.replace(&self.run_dir().display().to_string(), "RUN_DIR")
    }

    fn script(&self) -> String {
        let text = fs::read_to_string(self.run_dir().join("job.sh")).expect("a script");
        text.replace(&self.run_dir().display().to_string(), "RUN_DIR")
            .replace(env!("CARGO_BIN_EXE_moldflow"), "moldflow")
    }

    /// Runs the script as the batch system would.
    fn begin_job(&self, variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(self.run_dir().join("job.sh"));
        command.envs(variables.iter().copied());
        command.output().expect("it starts")
    }

    fn status(&self) -> String {
        let run = self.run_dir().display().to_string();
        text(&self.moldflow(&["status", &run]).stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn job_out(system: &System) -> String {
    fs::read_to_string(system.run_dir().join("job.out")).unwrap_or_default()
}

#[test]
fn a_campaign_is_submitted_to_pbs_and_its_continuation_is_cancelled_at_its_end() {
    let system = System::new("pbs", "12.server\\n");
    let output = system.submit("campaigns/quickstart.yml");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("job 12.server: 1 nodes for 1h 30m"));
    insta::assert_snapshot!("script_pbs", system.script());
    assert_eq!(
        system.status(),
        "quickstart: submitted, job 12.server has not begun\n"
    );

    let nodes = system.dir.path().join("nodes");
    // A line a rank.
    fs::write(&nodes, "x1\nx1\n").expect("a node file");
    let nodes = nodes.display().to_string();
    let job = system.begin_job(&[("PBS_JOBID", "12.server"), ("PBS_NODEFILE", &nodes)]);
    assert!(job.status.success(), "{}", job_out(&system));
    assert_eq!(
        system.asked(),
        "qsub -N moldflow-run.1 RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 -W depend=afterany:12.server RUN_DIR/job.sh\n\
         qdel 12.server\n"
    );
    assert!(system.status().contains("quickstart: finished"));
}

#[test]
fn a_campaign_is_submitted_to_cobalt_and_its_continuation_is_cancelled_at_its_end() {
    let system = System::new("cobalt", "Job routed to queue debug.\\n\\n266001\\n");
    let output = system.submit("campaigns/quickstart.yml");
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!("script_cobalt", system.script());
    let job = system.begin_job(&[("COBALT_JOBID", "266001"), ("COBALT_PARTNAME", "17")]);
    assert!(job.status.success(), "{}", job_out(&system));
    assert_eq!(
        system.asked(),
        "qsub --jobname moldflow-run.1 RUN_DIR/job.sh\n\
         qsub --jobname moldflow-run.2 --dependencies 266001 RUN_DIR/job.sh\n\
         qdel 266001\n"
    );
}

#[test]
fn a_job_that_waits_already_is_not_submitted_again_and_one_that_is_gone_is() {
    let system = System::new("pbs", "12.server\\n");
    assert!(system.submit("campaigns/quickstart.yml").status.success());
    let run = system.run_dir().display().to_string();
    let submit = || system.moldflow(&["submit", &run, "--walltime", "2h"]);
    let changed = system.moldflow(&["submit", &run, "--seed", "3"]);
    assert!(text(&changed.stderr).contains("a run that has begun cannot be changed"));
    let again = submit();
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("job 12.server of this run waits or runs already"));
    fs::write(system.dir.path().join("bin/qstat"), "#!/bin/sh\nexit 153\n").expect("a script");
    let again = submit();
    assert!(again.status.success(), "{again:?}");
    assert!(system.script().contains("walltime=02:00:00"));
    assert!(
        system
            .asked()
            .ends_with("qsub -N moldflow-run.2 RUN_DIR/job.sh\n"),
        "{}",
        system.asked()
    );
}

#[test]
fn a_job_in_which_no_task_can_end_is_the_last_and_says_so() {
    let system = System::new("pbs", "12.server\\n");
    assert!(system.submit("campaigns/quickstart.yml").status.success());
    let nodes = system.dir.path().join("nodes");
    fs::write(&nodes, "x1\n").expect("a node file");
    let nodes = nodes.display().to_string();
    // Too short for any task: it ends in good order, and says why nothing follows.
    let script = system.run_dir().join("job.sh");
    let short = fs::read_to_string(&script)
        .expect("a script")
        .replace("1h30m", "5s");
    fs::write(&script, short).expect("a script");
    let job = system.begin_job(&[("PBS_JOBID", "12.server"), ("PBS_NODEFILE", &nodes)]);
    let out = job_out(&system);
    assert!(job.status.success(), "{out}");
    assert!(
        out.contains("no task ended in job 12.server, so that none follows it"),
        "{out}"
    );
    assert!(
        system
            .status()
            .contains("jobs          none goes on: no task ended in job 12.server")
    );
    assert!(
        system.asked().ends_with("qdel 12.server\n"),
        "{}",
        system.asked()
    );
}

#[test]
fn what_the_end_of_its_job_cuts_short_is_tried_again_and_not_counted() {
    let system = System::new("pbs", "12.server\\n");
    let site = system.dir.path().join("site.yml");
    let profile = fs::read_to_string(&site).expect("a profile");
    let slow = profile.replace("tasks_per_node: 2", "setup: [sleep 60]");
    fs::write(&site, slow.replace("90m", "12s")).expect("a profile");
    assert!(system.submit_short().status.success());
    let nodes = system.dir.path().join("nodes");
    fs::write(&nodes, "x1\n").expect("a node file");
    let nodes = nodes.display().to_string();
    let job = system.begin_job(&[("PBS_JOBID", "12.server"), ("PBS_NODEFILE", &nodes)]);
    assert!(job.status.success(), "{}", job_out(&system));
    let attempts = support::journal(&system.run_dir()).into_iter();
    let kinds = attempts.filter_map(|event| match event.fact {
        Fact::Ended {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [FailureKind::Walltime]);
    assert!(system.status().contains("evaluations   0 (0 failed)"));
    assert!(
        !system.run_dir().join("tasks/1/2").exists(),
        "tried again too late"
    );
}

#[test]
fn where_no_job_may_wait_for_another_the_next_is_submitted_at_the_end() {
    let system = System::new("pbs", "12.server\\n");
    let site = system.dir.path().join("site.yml");
    let profile = fs::read_to_string(&site).expect("a profile");
    let slow = profile.replace("tasks_per_node: 2", "tasks_per_node: 2, setup: [sleep 1]");
    fs::write(&site, slow.replace("90m", "12s")).expect("a profile");
    let qsub = system.dir.path().join("bin/qsub");
    let script = fs::read_to_string(&qsub).expect("a script");
    let refusing =
        "case \"$*\" in *depend*) echo 'qsub: no dependencies' >&2; exit 1;; esac\nprintf";
    fs::write(&qsub, script.replace("printf", refusing)).expect("a script");
    assert!(system.submit_short().status.success());
    let nodes = system.dir.path().join("nodes");
    fs::write(&nodes, "x1\n").expect("a node file");
    let nodes = nodes.display().to_string();
    let job = system.begin_job(&[("PBS_JOBID", "12.server"), ("PBS_NODEFILE", &nodes)]);
    let out = job_out(&system);
    assert!(job.status.success(), "{out}");
    assert!(out.contains("the time of this job is over"), "{out}");
    assert!(out.contains("job 12.server goes on"), "{out}");
    assert_eq!(
        system.asked(),
        "qsub -N moldflow-run.1 RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 -W depend=afterany:12.server RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 RUN_DIR/job.sh\n"
    );
}

#[test]
fn what_cannot_be_submitted_is_refused_before_anything_is_written() {
    let system = System::new("pbs", "12.server\\n");
    let site = system.dir.path().join("site.yml");
    let refused = |text_of: &str, why: &str| {
        let profile = fs::read_to_string(&site).expect("a profile");
        fs::write(&site, text_of).expect("a profile");
        let output = system.submit("campaigns/quickstart.yml");
        assert!(!output.status.success());
        let said = text(&output.stderr);
        assert!(said.contains(why), "{said}");
        assert!(!system.run_dir().exists());
        fs::write(&site, profile).expect("a profile");
    };
    let profile = fs::read_to_string(&site).expect("a profile");
    let (before, rest) = profile.split_once("submit:").expect("two parts");
    let partitions = rest.split_once("partitions:").expect("two parts").1;
    refused(
        &format!("{before}partitions:{partitions}"),
        "the site `one` does not say how a job is submitted",
    );
    refused(
        &profile.replace("  walltime: 90m", "  walltime: 90m\n  nodes: 2"),
        "does not say how a program is started on one of them",
    );
    refused(
        &profile.replace("queue: debug", "queue: \"debug; rm\""),
        "cannot stand in a batch script",
    );
}
