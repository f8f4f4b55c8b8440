//! Campaigns through the real binary on PBS and Cobalt, as far as those can be had: programs that speak their commands
//! and run jobs on this host. No real server has been tried.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Simulations of the quickstart campaign: five elements, four initial molecules, six more.
const TASKS: usize = 15;

/// A batch system of this host. Its jobs die with it.
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
        for name in ["qsub", "qselect", "qstat", "qdel", "job"] {
            symlink(&program, dir.path().join("bin").join(name)).expect("a link");
        }
        fs::write(dir.path().join("slots"), "3").expect("a file");
        Self { dir, executor }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Tokens of the jobs that it took in, in this order.
    fn submitted(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("submitted")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
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

    /// A run of the quickstart campaign whose tasks are jobs that first run `setup`.
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

    /// The end of a run that succeeds, with each of its jobs submitted once.
    fn finish(&self, engine: Child) {
        let output = engine.wait_with_output().expect("its output");
        assert!(output.status.success(), "{output:?}");
        let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(outcome["evaluations"], 10, "{outcome:#}");
        assert_eq!(outcome["failures"], 0, "{outcome:#}");
        let submitted = self.submitted();
        let distinct: BTreeSet<&String> = submitted.iter().collect();
        assert_eq!(distinct.len(), submitted.len(), "{submitted:?}");
        assert_eq!(submitted.len(), TASKS, "{submitted:?}");
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
            if let (Some(group), "R" | "running") = (group, state.as_str()) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
    }
}

/// A campaign whose first answer is lost, whose server is away for a while, and whose engine is killed twice while its
/// jobs run.
fn survives(executor: &'static str) {
    let server = Server::start(executor);
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
            text.matches("does not answer").count()
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
fn a_campaign_on_pbs_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("pbs");
}

#[test]
fn a_campaign_on_cobalt_is_killed_and_resumed_and_no_job_is_doubled_or_lost() {
    survives("cobalt");
}
