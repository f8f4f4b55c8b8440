//! Campaigns through the real binary on PBS, Cobalt and Flux, which are not available here:
//! programs that print what their commands print, and run jobs on this host.

use crate::support::jobs;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::jobs::{ReportLog, shell_job, submission_params, token};
use crate::support::{journal, wait, wait_for, wait_until};
use moldflow::exec::jobs::JobExecutor;
use moldflow::exec::transport::LocalTransport;
use moldflow::exec::{Executor, Termination};
use moldflow::store::Store;
use moldflow::task::{Fact, Outcome};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

/// Simulations of the quickstart campaign: five elements, four initial molecules, six more.
const TASKS: usize = 15;

/// A scheduler on this host. Its jobs are killed when it is dropped.
struct Server {
    dir: TempDir,
    executor: &'static str,
}

impl Server {
    fn start(executor: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/support")
            .join(executor)
            .with_extension("sh");
        for folder in ["bin", "jobs"] {
            fs::create_dir(dir.path().join(folder)).expect("a directory");
        }
        for name in ["qsub", "qselect", "qstat", "qdel", "flux", "job"] {
            symlink(&program, dir.path().join("bin").join(name)).expect("a link");
        }
        fs::write(dir.path().join("slots"), "3").expect("a file");
        Self { dir, executor }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Tokens of the submitted jobs, in order.
    fn submitted(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("submitted")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Tokens of two live jobs at the time of a submission.
    fn doubled(&self) -> String {
        fs::read_to_string(self.file("doubled")).unwrap_or_default()
    }

    /// Commands of this name that it received.
    fn asked(&self, command: &str) -> Vec<String> {
        let text = fs::read_to_string(self.file("asked")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(command));
        lines.map(str::to_owned).collect()
    }

    /// States of pending and running jobs.
    fn live(&self) -> Vec<String> {
        let jobs = fs::read_dir(self.file("jobs")).expect("jobs").flatten();
        let states = jobs.map(|job| fs::read_to_string(job.path().join("state")));
        let live = states.flatten().map(|state| state.trim().to_owned());
        live.filter(|state| !["F", "INACTIVE"].contains(&&**state))
            .collect()
    }

    fn moldflow(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moldflow"));
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(arguments)
            .args(["--json", "--quiet"])
            .env("PATH", format!("{}:{path}", self.file("bin").display()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0);
        command
    }

    /// Starts a run of the quickstart campaign whose jobs first run `setup`.
    fn run(&self, setup: &str) -> Child {
        let site = format!(
            "name: test\nnode: {{cores: 4}}\nsetup: [{setup}]\npartitions:\n  \
             qc: {{executor: {}, max_jobs: 4, walltime: 5m}}\n  ml: {{executor: local, slots: 1}}\n",
            self.executor
        );
        let (path, dir) = (self.file("site.yml"), self.file("run"));
        fs::write(&path, site).expect("a site profile");
        let mut command = self.moldflow(&["run", "campaigns/quickstart.yml"]);
        command.arg("--site").arg(path).arg("--run-dir").arg(dir);
        command.spawn().expect("the program starts")
    }

    fn resume(&self) -> Child {
        let dir = self.file("run").display().to_string();
        let mut command = self.moldflow(&["resume", &dir]);
        command.spawn().expect("the program starts")
    }

    /// Requires that the run succeeds with each job submitted once.
    fn finish(&self, engine: Child) {
        let output = engine.wait_with_output().expect("its output");
        assert!(output.status.success(), "{output:?}");
        let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
        assert_eq!(outcome["failures"], 0, "{outcome:#}");
        let submitted = self.submitted();
        assert_eq!(self.doubled(), "", "two live jobs of one token");
        let distinct: BTreeSet<&String> = submitted.iter().collect();
        assert_eq!(distinct.len(), submitted.len(), "{submitted:?}");
        assert_eq!(submitted.len(), TASKS, "{submitted:?}");
    }

    /// Cancels a job by the scheduler's own command.
    fn cancel(&self, token: &str) {
        let jobs = fs::read_dir(self.file("jobs")).expect("jobs").flatten();
        let has_token = |job: &fs::DirEntry| {
            let file = |name| fs::read_to_string(job.path().join(name)).unwrap_or_default();
            [file("name"), file("token")].contains(&token.to_owned())
        };
        let id = jobs
            .into_iter()
            .find(has_token)
            .expect("the job")
            .file_name();
        let mut command = match self.executor {
            "flux" => Command::new(self.file("bin/flux")),
            _ => Command::new(self.file("bin/qdel")),
        };
        command.args((self.executor == "flux").then_some("cancel"));
        let status = command.arg(id).status();
        assert!(status.expect("it starts").success());
    }

    fn wait_for_jobs(&self, count: usize) {
        let begin = Instant::now();
        while self.submitted().len() < count {
            assert!(begin.elapsed() < Duration::from_secs(90), "too few jobs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for job in fs::read_dir(self.file("jobs"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let pid = fs::read_to_string(job.path().join("pid")).unwrap_or_default();
            let state = fs::read_to_string(job.path().join("state")).unwrap_or_default();
            let group = pid
                .trim()
                .parse()
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            if let (Some(group), "R" | "running" | "RUN") = (group, state.as_str()) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
    }
}

/// A campaign whose first response is lost, whose server is unreachable for a while, and whose
/// engine is killed twice while its jobs run.
fn survives(executor: &'static str, history: bool) {
    let server = Server::start(executor);
    if history {
        fs::write(server.file("history"), "").expect("a file");
    }
    fs::write(server.file("lose"), "").expect("a file");
    let mut engine = server.run("sleep 1");
    for jobs in [2, 7] {
        server.wait_for_jobs(jobs);
        engine.kill().expect("killed");
        engine.wait().expect("dead");
        fs::write(server.file("down"), "").expect("a file");
        engine = server.resume();
        let log = server.file("run/runtime.log");
        let begin = Instant::now();
        let lines = |log: &Path| {
            let text = fs::read_to_string(log).unwrap_or_default();
            text.matches("is unreachable").count()
        };
        let before = lines(&log);
        while lines(&log) < before + 2 {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "no word of the server"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::remove_file(server.file("down")).expect("removed");
    }
    server.finish(engine);
}

#[test]
fn a_job_that_left_no_trace_counts_from_the_start_that_an_engine_saw() {
    let server = Server::start("pbs");
    fs::write(server.file("history"), "").expect("a file");
    let go = server.file("go");
    let mut engine = server.run(&format!(
        "\"while ! test -e {}; do sleep 0.1; done\"",
        go.display()
    ));
    let running = || {
        let dir = server.file("run");
        let running = async { Store::open_to_read(&dir).await?.running_since().await };
        wait(running).ok()?.into_iter().next()
    };
    let (task, started) = wait_for("a job that runs", running);
    engine.kill().expect("killed");
    engine.wait().expect("dead");
    // An engine that adopts it sees it run too, later. It has once it polls again.
    let polls = || server.asked("qstat").len();
    let before = polls();
    let engine = server.resume();
    wait_until("two polls", || polls() >= before + 3);
    let submitted = server.submitted();
    let job = format!(".{task}.1");
    let job = submitted.iter().find(|token| token.ends_with(&job));
    server.cancel(job.expect("its job"));
    fs::write(&go, "").expect("a file");
    let output = engine.wait_with_output().expect("its output");
    assert!(output.status.success(), "{output:?}");
    let ended = journal(&server.file("run"))
        .into_iter()
        .find_map(|event| match event.fact {
            Fact::Ended {
                task: of,
                attempt: 1,
                usage,
                outcome: Outcome::Failed(_),
            } if of == task => Some(usage),
            _ => None,
        });
    assert_eq!(ended.expect("it failed").started, Some(started));
}

/// Ends of jobs that fail, are killed, are cancelled, and are cancelled by hand.
fn ends(executor: &'static str, history: bool) -> Vec<Termination> {
    let server = Server::start(executor);
    if history {
        fs::write(server.file("history"), "").expect("a file");
    }
    let mut params = submission_params(executor, 1);
    params.batch.queue = Some("debug".into());
    let scheduler = (params.scheduler.scheduler)(params);
    fs::write(server.file("slots"), "8").expect("a file");
    let path = format!("{}:/usr/bin:/bin", server.file("bin").display());
    let here = LocalTransport::new(Path::new(env!("CARGO_BIN_EXE_moldflow"))).with("PATH", path);
    let (sender, reports) = unbounded_channel();
    let jobs = JobExecutor::new(scheduler, Box::new(here), 4, jobs::RUN, sender);
    let mut jobs = jobs.expect("a thread");
    let tasks = server.file("tasks");
    let scripts = ["exit 3", "kill -9 $$", "sleep 100", "sleep 100"];
    let numbered = (0..).zip(scripts);
    let submitted = numbered.map(|(task, script)| shell_job(&tasks, task, script));
    jobs.submit(submitted.collect());
    let mut log = ReportLog::new(reports);
    while log.ended.len() < scripts.len() {
        match log.next_start() {
            Some(2) => jobs.cancel(&[token(2)]),
            Some(3) => server.cancel(&token(3).to_string()),
            _ => {}
        }
    }
    log.into_ends(scripts.len())
        .into_iter()
        .map(|(exit, _)| exit)
        .collect()
}

#[test]
fn pbs_with_a_history_tells_how_a_job_ended_that_left_no_trace() {
    let expected = [
        Termination::Code(3),
        Termination::Signal(9),
        Termination::Cancelled,
        Termination::CancelledByHand,
    ];
    assert_eq!(ends("pbs", true), expected);
}

#[test]
fn a_job_that_pbs_without_a_history_forgot_is_judged_by_its_files() {
    let expected = [
        Termination::Code(3),
        Termination::Signal(9),
        Termination::Cancelled,
        Termination::Unseen,
    ];
    assert_eq!(ends("pbs", false), expected);
}

#[test]
fn a_job_that_cobalt_forgot_and_that_left_no_trace_is_lost() {
    let expected = [
        Termination::Code(3),
        Termination::Signal(9),
        Termination::Cancelled,
        Termination::Unseen,
    ];
    assert_eq!(ends("cobalt", false), expected);
}

/// Flux keeps jobs that have ended, with their results.
#[test]
fn flux_tells_how_a_job_ended_that_left_no_trace() {
    let expected = [
        Termination::Code(3),
        Termination::Signal(9),
        Termination::Cancelled,
        Termination::CancelledByHand,
    ];
    assert_eq!(ends("flux", false), expected);
}

#[test]
fn a_campaign_on_flux_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("flux", false);
}

#[test]
fn a_campaign_on_pbs_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("pbs", false);
}

#[test]
fn a_campaign_on_pbs_with_a_history_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("pbs", true);
}

#[test]
fn a_campaign_on_cobalt_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("cobalt", false);
}

/// Jobs that a list leaves out have not ended, also for a resumed engine. Jobs are polled together,
/// not one per command.
#[test]
fn jobs_that_pbs_leaves_out_of_its_answers_are_neither_lost_nor_submitted_again() {
    let server = Server::start("pbs");
    fs::write(server.file("forgetful"), "").expect("a file");
    let mut engine = server.run("sleep 1");
    server.wait_for_jobs(4);
    engine.kill().expect("killed");
    engine.wait().expect("dead");
    server.finish(server.resume());
    assert!(server.asked("qselect -x").is_empty() && server.asked("qstat -x").is_empty());
    let several = |line: &String| line.matches(".pbs01").count() > 1;
    assert!(
        server.asked("qstat").iter().any(several),
        "{:?}",
        server.asked("qstat")
    );
}

/// A limit of the server that is lower than `max_jobs` makes jobs wait, not fail.
#[test]
fn a_queue_that_takes_no_more_jobs_is_asked_again_and_nothing_fails() {
    let server = Server::start("pbs");
    fs::write(server.file("limit"), "1").expect("a file");
    server.finish(server.run("sleep 0.3"));
    let refused = server.asked("qsub").len() - TASKS;
    // Each poll allows one more attempt, not one for each waiting job.
    assert!(
        refused >= 1 && refused <= 1 + server.asked("qselect").len(),
        "{refused} refusals"
    );
}

#[test]
fn a_site_whose_server_does_not_answer_is_refused_before_anything_is_written() {
    for executor in ["pbs", "cobalt", "flux"] {
        let server = Server::start(executor);
        fs::write(server.file("down"), "").expect("a file");
        let output = server.run("true").wait_with_output().expect("its output");
        assert!(!output.status.success(), "{output:?}");
        assert!(!server.file("run").exists());
    }
}

/// After a second Ctrl-C no job of the run is left in the queue.
#[test]
fn no_job_is_left_in_the_queue_when_a_run_is_stopped() {
    let server = Server::start("pbs");
    let engine = server.run("sleep 60");
    server.wait_for_jobs(4);
    let pid = rustix::process::Pid::from_raw(engine.id().cast_signed()).expect("a process id");
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        std::thread::sleep(Duration::from_millis(300));
    }
    let output = engine.wait_with_output().expect("its output");
    assert!(!output.status.success());
    assert_eq!(server.live(), [""; 0], "{output:?}");
    let log = fs::read_to_string(server.file("run/runtime.log")).expect("a log");
    assert!(!log.contains("may still run"), "{log}");
}
