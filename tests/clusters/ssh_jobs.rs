//! Jobs on another host behind a real sshd: how they end, and what is left of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::runs::names;
use crate::support::{wait_for, wait_until};
use moldflow::exec::jobs::{JobExecutor, RemoteHost};
use moldflow::exec::ssh::{ConnectError, Connection, SshParams, SshTransport};
use moldflow::exec::{Executor, Job, JobEvent, Report, Termination};
use moldflow::task::{Limits, TaskId, Token};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::sshd::{ALIAS, Sshd};

/// An executor of four slots on another host.
struct RemoteBench {
    _alone: MutexGuard<'static, ()>,
    there: Sshd,
    dir: TempDir,
    executor: JobExecutor,
    reports: UnboundedReceiver<Report>,
}

const RUN: &str = "5ead";

fn place(there: &Sshd, moldflow: Option<PathBuf>) -> SshParams {
    SshParams {
        host: ALIAS.into(),
        moldflow,
        work_dir: there.work_dir(),
    }
}

/// Held by a test as long as PATH leads to its host: the variable is that of all threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A way to the other host.
fn way(there: &Sshd, place: SshParams) -> SshTransport {
    // SAFETY: of the tests of this file only one runs at a time.
    unsafe { std::env::set_var("PATH", there.path()) };
    let connection = Arc::new(Connection::new(ALIAS).expect("a directory for its socket"));
    SshTransport::new(connection, place, Path::new("/nowhere/moldflow"))
}

/// Returns true if this process has a master connection of ssh.
fn is_connected() -> bool {
    let user = rustix::process::getuid().as_raw();
    let base = std::env::var("XDG_RUNTIME_DIR").unwrap_or("/tmp".into());
    let sockets = names(&Path::new(&base).join(format!("moldflow-{user}")));
    let own = format!("{}-", std::process::id());
    sockets.iter().any(|name| name.starts_with(&own))
}

impl RemoteBench {
    fn new() -> Self {
        let alone = alone();
        let there = Sshd::start();
        let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
        let mut way = way(&there, place(&there, Some(program)));
        way.prepare().expect("it is reached");
        let system = RemoteHost {
            work_dir: way.work_dir().to_owned(),
            setup: vec!["export FROM_SETUP='it is read'".into()],
        };
        let (sender, reports) = unbounded_channel();
        let executor = JobExecutor::new(Box::new(system), Box::new(way), 4, RUN, sender);
        Self {
            _alone: alone,
            there,
            dir: TempDir::new().expect("a directory"),
            executor: executor.expect("a thread"),
            reports,
        }
    }

    fn job(&self, task: u64, script: &str) -> Job {
        Job {
            token: Token {
                run: RUN.into(),
                task: TaskId(task),
                attempt: 1,
            },
            argv: ["sh", "-c", script].map(str::to_owned).into(),
            env: vec![("WORD".into(), "it's $HOME \"`x`\"".into())],
            dir: self.dir.path().join(task.to_string()).join("1"),
            files: vec![("input.json".into(), b"the input".to_vec())],
            links: vec![],
            result: "result.json",
            limits: Limits::new(Duration::from_secs(1000)),
            shape: None,
            worker: None,
        }
    }

    fn end(&mut self) -> (u64, Termination, Option<String>) {
        loop {
            let Report { token, event, .. } = wait_for("a report", || self.reports.try_recv().ok());
            if let JobEvent::Ended { exit, result, .. } = event {
                let result = result.map(|result| String::from_utf8_lossy(&result).into_owned());
                return (token.task.0, exit, result);
            }
        }
    }

    fn left(&self) -> Vec<String> {
        let names = names(&self.there.work_dir().join("attempts"));
        names.into_iter().filter(|name| name != ".lock").collect()
    }
}

#[test]
fn what_an_attempt_left_is_brought_back_but_for_what_it_was_given() {
    let mut bench = RemoteBench::new();
    let large = bench.dir.path().join("large");
    fs::write(&large, vec![7; 3_000_000]).expect("a file");
    let script = "cat input.json >result.json; printf '%s|%s' \"$FROM_SETUP\" \"$WORD\" >word; mkdir below; \
                  wc -c <model >below/size; printf %s $MOLDFLOW_SCRATCH >below/scratch; ln -s /etc/passwd stolen";
    for task in [1, 2] {
        let mut job = bench.job(task, script);
        job.links.push((large.clone(), "model".into()));
        let scratch = format!("../../../scratch/{}", job.token);
        job.env.push(("MOLDFLOW_SCRATCH".into(), scratch));
        let dir = job.dir.clone();
        bench.executor.submit(vec![job]);
        assert_eq!(
            bench.end(),
            (task, Termination::Code(0), Some("the input".into()))
        );
        let text = |name: &str| fs::read_to_string(dir.join(name)).expect("it was fetched");
        assert_eq!(text("word"), "it is read|it's $HOME \"`x`\"");
        assert_eq!(text("below/size").trim(), "3000000");
        // Relative to the directory of a run here, to the folder there.
        assert_eq!(
            text("below/scratch"),
            format!("../../scratch/5ead.{task}.1")
        );
        let mut found: Vec<String> = names(&dir).into_iter().collect();
        found.retain(|name| !["stdout", "stderr", "job.out"].contains(&name.as_str()));
        assert_eq!(
            found,
            ["below", "exit.json", "input.json", "result.json", "word"]
        );
    }
    // One copy of it is there, for both.
    assert_eq!(names(&bench.there.work_dir().join("files")).len(), 1);
    drop(bench.executor);
}

#[test]
fn a_task_past_its_timeout_leaves_no_process_there() {
    let mut bench = RemoteBench::new();
    let mut job = bench.job(1, "sleep 1000 & sleep 1000");
    job.limits.timeout = Duration::from_millis(300);
    bench.executor.submit(vec![job]);
    assert_eq!(bench.end(), (1, Termination::TimedOut, None));
    assert_eq!(bench.there.processes(RUN), 0);
}

#[test]
fn a_cancelled_task_leaves_no_process_and_no_file_there() {
    let mut bench = RemoteBench::new();
    let job = bench.job(
        1,
        "trap '' TERM; touch begun; sleep 1000 & sleep 1000; sleep 1000",
    );
    let token = job.token.clone();
    bench.executor.submit(vec![job]);
    let attempt = bench
        .there
        .work_dir()
        .join("attempts")
        .join(token.to_string());
    wait_until("it runs", || attempt.join("begun").exists());
    bench.executor.cancel(&[token]);
    assert_eq!(bench.end(), (1, Termination::Cancelled, None));
    assert_eq!(bench.there.processes(RUN), 0);
    // Removed with the next request.
    let next = bench.job(2, "true");
    bench.executor.submit(vec![next]);
    assert_eq!(bench.end(), (2, Termination::Code(0), None));
    wait_until("only the last is left", || bench.left() == ["5ead.2.1"]);
}

#[test]
fn a_task_that_an_engine_could_not_end_when_it_came_is_ended_once_the_link_is_back() {
    let mut bench = RemoteBench::new();
    let left = bench.there.work_dir().join("attempts/5ead.1.1");
    fs::create_dir_all(&left).expect("a directory");
    fs::write(left.join("job.sh"), "touch begun; sleep 1000\n").expect("a script");
    let work_dir = bench.there.work_dir();
    let program = bench.there.dir().join("installed-moldflow");
    let start = format!(
        "'{}' remote start \"{}\" 5ead.1.1",
        program.display(),
        work_dir.display()
    );
    assert!(bench.there.run(&start).status.success());
    wait_until("it runs", || left.join("begun").exists());
    bench.there.cut();
    let kept = Token {
        run: RUN.into(),
        task: TaskId(2),
        attempt: 1,
    };
    bench.executor.end_others(RUN, &[kept]);
    wait_until("the end of the connection", || !is_connected());
    bench.there.mend();
    wait_until("the end of what was left", || {
        bench.there.processes(RUN) == 0
    });
}

#[test]
fn a_task_that_somebody_kills_there_is_lost_and_not_failed() {
    let mut bench = RemoteBench::new();
    let job = bench.job(1, "touch begun; sleep 1000");
    let attempt = bench
        .there
        .work_dir()
        .join("attempts")
        .join(job.token.to_string());
    bench.executor.submit(vec![job]);
    wait_until("it runs", || attempt.join("begun").exists());
    let all = "kill -9 $(grep -lz '^MOLDFLOW_TOKEN=5ead' /proc/[0-9]*/environ | cut -d/ -f3)";
    bench.there.run(all);
    assert_eq!(bench.end(), (1, Termination::NodeLost("gone".into()), None));
}

#[test]
fn no_more_tasks_run_than_there_are_slots() {
    let mut bench = RemoteBench::new();
    let dir = bench.dir.path().display().to_string();
    // The fifth begins only when another has ended.
    let script = format!(
        "touch {dir}/on-$$; ls {dir} | grep -c on- >result.json; sleep 0.5; rm {dir}/on-$$"
    );
    let jobs = (1..=9).map(|task| bench.job(task, &script)).collect();
    bench.executor.submit(jobs);
    for _ in 0..9 {
        let (_, exit, result) = bench.end();
        assert_eq!(exit, Termination::Code(0));
        let at_once: usize = result.expect("a result").trim().parse().expect("a number");
        assert!(at_once <= 4, "{at_once} at once");
    }
}

#[test]
fn a_connection_that_the_user_holds_open_is_used() {
    let _alone = alone();
    let there = Sshd::start();
    let program = there.install(Path::new(env!("CARGO_BIN_EXE_moldflow")));
    // From now on logins by key fail.
    there.log_in_by_hand();
    let mut way = way(&there, place(&there, Some(program.clone())));
    assert_eq!(way.prepare().expect("it is reached"), program);
}

#[test]
fn what_is_wrong_with_the_other_host_is_told_apart() {
    let _alone = alone();
    let there = Sshd::start();
    let trouble = |place| way(&there, place).prepare().expect_err("trouble");
    let absent = place(&there, Some("/nowhere/at-all".into()));
    assert!(matches!(trouble(absent), ConnectError::Program { .. }));
    let other = place(&there, Some("/bin/true".into()));
    assert!(matches!(
        trouble(other),
        ConnectError::Program { .. } | ConnectError::Version { .. }
    ));
    let file = there.dir().join("host.sh");
    let no_folder = SshParams {
        work_dir: file,
        ..place(&there, None)
    };
    assert!(matches!(trouble(no_folder), ConnectError::Folder { .. }));
    fs::remove_file(there.dir().join("user_key")).expect("a key");
    assert!(matches!(
        trouble(place(&there, None)),
        ConnectError::Denied { .. }
    ));
}
