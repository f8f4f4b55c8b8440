//! The local executor with real programs: slots, ends, time limits, and jobs that an earlier engine left behind.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use moldflow::exec::{Executor, Exit, Found, Job, LocalExecutor, News, Report};
use moldflow::task::{TaskId, Token};
use support::{processes, wait_for, wait_until};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An executor in a directory of its own.
struct Bench {
    dir: TempDir,
    run: String,
    executor: LocalExecutor,
    reports: UnboundedReceiver<Report>,
}

/// How a job ended: its task, its exit, its result.
type Ended = (u64, Exit, Option<String>);

impl Bench {
    fn new(slots: usize) -> Self {
        let dir = TempDir::new().expect("a directory");
        let run = format!(
            "test{}{}",
            std::process::id(),
            dir.path().file_name().expect("a name").display()
        );
        let (sender, reports) = unbounded_channel();
        let executor = LocalExecutor::new(slots, sender).expect("threads");
        Self {
            dir,
            run: run.replace('.', ""),
            executor,
            reports,
        }
    }

    fn job(&self, task: u64, argv: &[&str]) -> Job {
        Job {
            token: Token {
                run: self.run.clone(),
                task: TaskId(task),
                attempt: 1,
            },
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            env: vec![],
            dir: self.attempt(task),
            files: vec![],
            links: vec![],
            result: "result.json",
            timeout: Duration::from_secs(1000),
        }
    }

    fn shell(&self, task: u64, script: &str) -> Job {
        self.job(task, &["sh", "-c", script])
    }

    fn submit(&mut self, jobs: impl IntoIterator<Item = Job>) {
        self.executor.submit(jobs.into_iter().collect());
    }

    fn attempt(&self, task: u64) -> PathBuf {
        self.dir.path().join(task.to_string())
    }

    fn report(&mut self) -> Report {
        wait_for("a report", || self.reports.try_recv().ok())
    }

    fn end(&mut self) -> Ended {
        loop {
            let Report { token, news, .. } = self.report();
            if let News::Ended { exit, result, .. } = news {
                return (
                    token.task.0,
                    exit,
                    result.map(|r| String::from_utf8_lossy(&r).into_owned()),
                );
            }
        }
    }

    fn exit_of(&mut self, job: Job) -> Exit {
        self.submit([job]);
        self.end().1
    }

    /// Whatever it is about: the next thing reported is the end of a job submitted only now.
    fn assert_nothing_more_is_reported(&mut self) {
        let last = self.job(999, &["true"]);
        self.submit([last]);
        assert_eq!(self.end(), (999, Exit::Code(0), None));
    }

    fn living(&self) -> Vec<i32> {
        processes(&format!("{}.", self.run))
    }

    /// What an executor that is dead by now has started.
    fn started_before(&self, task: u64, script: &str) -> Child {
        let dir = self.attempt(task);
        fs::create_dir_all(&dir).expect("a directory");
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .current_dir(dir)
            .env("MOLDFLOW_TOKEN", format!("{}.{task}.1", self.run));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh")
    }
}

impl Drop for Bench {
    /// Nothing is left of a test that fails.
    fn drop(&mut self) {
        self.executor.end_others(&self.run, &[]);
    }
}

/// A script that goes on when the file `name` appears beside the directories of the attempts.
fn until(name: &str) -> String {
    format!("while ! test -e ../{name}; do sleep 0.01; done")
}

fn touch(dir: &Path, name: &str) {
    fs::write(dir.join(name), "").expect("a file");
}

#[test]
fn jobs_start_in_the_order_of_their_submission() {
    let mut bench = Bench::new(1);
    let jobs: Vec<Job> = (1..=6)
        .map(|task| bench.shell(task, &format!("echo {task} >> ../order")))
        .collect();
    bench.submit(jobs);
    let ended: Vec<u64> = (0..6).map(|_| bench.end().0).collect();
    assert_eq!(ended, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        fs::read_to_string(bench.dir.path().join("order")).unwrap(),
        "1\n2\n3\n4\n5\n6\n"
    );
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_slots_and_no_more() {
    let mut bench = Bench::new(2);
    // Each of the first two ends only once the other has started.
    let meet = |own: &str, other: &str| format!("touch ../{own}; {}", until(other));
    let first = [
        bench.shell(1, &meet("a", "b")),
        bench.shell(2, &meet("b", "a")),
    ];
    bench.submit(first);
    let rest: Vec<Job> = (3..=20).map(|task| bench.job(task, &["true"])).collect();
    bench.submit(rest);
    let (mut running, mut ended) = (BTreeSet::new(), 0);
    while ended < 20 {
        let Report { token, news, .. } = bench.report();
        match news {
            News::Started => assert!(running.insert(token.task)),
            News::Ended { .. } => {
                assert!(running.remove(&token.task), "it ends once, after its start");
                ended += 1;
            }
        }
        assert!(running.len() <= 2, "{running:?}");
    }
    wait_until("free slots", || bench.executor.busy() == 0);
}

#[test]
fn exit_statuses_and_signals_are_told_apart() {
    let mut bench = Bench::new(1);
    let true_ = bench.job(1, &["true"]);
    assert_eq!(bench.exit_of(true_), Exit::Code(0));
    let seven = bench.shell(2, "exit 7");
    assert_eq!(bench.exit_of(seven), Exit::Code(7));
    let killed = bench.shell(3, "kill -9 $$");
    assert_eq!(bench.exit_of(killed), Exit::Signal(9));
    let aborted = bench.shell(4, "kill -ABRT $$");
    assert_eq!(bench.exit_of(aborted), Exit::Signal(6));
}

#[test]
fn a_program_that_does_not_exist_is_a_failed_launch_that_names_it() {
    let mut bench = Bench::new(1);
    let missing = bench.job(1, &["no-such-program-7f3a"]);
    let Exit::LaunchFailed(why) = bench.exit_of(missing) else {
        panic!("it cannot start")
    };
    assert!(why.contains("no-such-program-7f3a"), "{why}");
    bench.assert_nothing_more_is_reported();
}

#[test]
fn a_file_that_cannot_be_linked_is_a_failed_launch_that_names_it() {
    let mut bench = Bench::new(1);
    let mut job = bench.job(1, &["true"]);
    job.links
        .push((bench.dir.path().join("gone-model"), "model".into()));
    let Exit::LaunchFailed(why) = bench.exit_of(job) else {
        panic!("it cannot start")
    };
    assert!(why.contains("gone-model"), "{why}");
}

#[test]
fn a_job_finds_its_files_and_its_result_is_reported() {
    let mut bench = Bench::new(1);
    fs::write(bench.dir.path().join("shared"), "linked").unwrap();
    let mut job = bench.shell(
        1,
        "cat input.json model > result.json; echo out; echo err >&2",
    );
    job.files
        .push(("input.json".into(), b"written and ".to_vec()));
    job.links
        .push((bench.dir.path().join("shared"), "model".into()));
    bench.submit([job]);
    assert_eq!(
        bench.end(),
        (1, Exit::Code(0), Some("written and linked".into()))
    );
    let read = |name: &str| fs::read_to_string(bench.attempt(1).join(name)).unwrap();
    assert_eq!(
        (read("stdout"), read("stderr")),
        ("out\n".into(), "err\n".into())
    );
}

#[test]
fn only_the_allowed_environment_reaches_a_task() {
    let mut bench = Bench::new(1);
    // Cargo sets this for the test itself.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let mut job = bench.job(1, &["env"]);
    job.env.push(("OMP_NUM_THREADS".into(), "3".into()));
    bench.submit([job]);
    assert_eq!(bench.end().1, Exit::Code(0));
    let out = fs::read_to_string(bench.attempt(1).join("stdout")).unwrap();
    let names: BTreeSet<&str> = out
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let allowed = "HOME LANG LC_ALL LD_LIBRARY_PATH LOGNAME MOLDFLOW_TOKEN OMP_NUM_THREADS PATH RUST_BACKTRACE SHELL TERM TMPDIR TZ \
                   USER XTBPATH";
    let unknown: Vec<&&str> = names
        .iter()
        .filter(|name| !allowed.split(' ').any(|a| a == **name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(out.lines().any(|line| line == "OMP_NUM_THREADS=3"), "{out}");
    assert!(
        out.lines()
            .any(|line| line == format!("MOLDFLOW_TOKEN={}.1.1", bench.run)),
        "{out}"
    );
}

#[test]
fn a_time_limit_ends_the_whole_process_group() {
    let mut bench = Bench::new(1);
    // A child that heeds SIGTERM, and one that does not.
    let mut job = bench.shell(
        1,
        "sleep 1000 & sh -c 'trap \"\" TERM; while :; do sleep 1; done' & wait",
    );
    job.timeout = Duration::from_millis(500);
    assert_eq!(bench.exit_of(job), Exit::TimedOut);
    wait_until("the end of the group", || bench.living().is_empty());
}

#[test]
fn a_time_limit_ends_what_does_not_heed_sigterm() {
    let mut bench = Bench::new(1);
    let mut job = bench.shell(1, "trap '' TERM; while :; do sleep 1; done");
    job.timeout = Duration::from_millis(500);
    assert_eq!(bench.exit_of(job), Exit::TimedOut);
    wait_until("its end", || bench.living().is_empty());
}

#[test]
fn what_a_job_leaves_running_ends_with_it() {
    let mut bench = Bench::new(1);
    let job = bench.shell(1, "sleep 1000 & sleep 1000 & exit 4");
    assert_eq!(bench.exit_of(job), Exit::Code(4));
    wait_until("the end of the group", || bench.living().is_empty());
}

#[test]
fn of_cancelled_jobs_the_running_one_is_reported_and_the_waiting_one_never_starts() {
    let mut bench = Bench::new(1);
    let jobs = [
        bench.shell(1, "touch ../one; sleep 1000"),
        bench.shell(2, "touch ../two"),
        bench.shell(3, "touch ../three"),
    ];
    let tokens: Vec<Token> = jobs.iter().take(2).map(|job| job.token.clone()).collect();
    bench.submit(jobs);
    wait_until("the first to run", || bench.dir.path().join("one").exists());
    bench.executor.cancel(&tokens);
    assert_eq!(bench.end(), (1, Exit::Cancelled, None));
    assert_eq!(bench.end(), (3, Exit::Code(0), None));
    assert!(!bench.dir.path().join("two").exists());
    assert!(bench.living().is_empty());
}

#[test]
fn a_job_cancelled_at_any_moment_of_its_start_ends() {
    let mut bench = Bench::new(2);
    for task in 1..=40 {
        let job = bench.job(task, &["sleep", "1000"]);
        let token = job.token.clone();
        bench.submit([job]);
        let started = bench.report();
        assert!(matches!(started.news, News::Started));
        bench.executor.cancel(&[token]);
        assert_eq!(bench.end(), (task, Exit::Cancelled, None));
    }
}

#[test]
fn what_waits_is_dropped_and_what_runs_goes_on() {
    let mut bench = Bench::new(1);
    let jobs = [
        bench.shell(1, &format!("touch ../one; {}", until("go"))),
        bench.job(2, &["true"]),
    ];
    bench.submit(jobs);
    wait_until("the first to run", || bench.dir.path().join("one").exists());
    bench.executor.drop_waiting();
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Exit::Code(0), None));
    bench.assert_nothing_more_is_reported();
}

#[test]
fn an_end_is_reported_before_the_slot_is_free() {
    let mut bench = Bench::new(1);
    for task in 1..=200 {
        let job = bench.job(task, &["true"]);
        bench.submit([job]);
        wait_until("its start", || {
            matches!(bench.reports.try_recv().map(|r| r.news), Ok(News::Started))
        });
        wait_until("a free slot", || bench.executor.busy() == 0);
        let report = bench
            .reports
            .try_recv()
            .expect("a slot is free only when its news are out");
        assert!(matches!(
            report.news,
            News::Ended {
                exit: Exit::Code(0),
                ..
            }
        ));
    }
}

#[test]
fn no_process_outlives_the_executor() {
    let mut bench = Bench::new(2);
    let jobs = (1..=5)
        .map(|task| bench.shell(task, &format!("sleep 1000 & touch ../up{task}; wait")))
        .collect::<Vec<_>>();
    bench.submit(jobs);
    wait_until("two to run", || {
        ["up1", "up2"]
            .iter()
            .all(|up| bench.dir.path().join(up).exists())
    });
    let (sender, _) = unbounded_channel();
    drop(std::mem::replace(
        &mut bench.executor,
        LocalExecutor::new(1, sender).expect("a thread"),
    ));
    wait_until("the end of all", || bench.living().is_empty());
    assert!(!bench.dir.path().join("up3").exists());
}

#[test]
fn a_process_of_an_earlier_engine_is_adopted_and_its_end_reported_once() {
    let mut bench = Bench::new(1);
    let mut child = bench.started_before(1, &format!("{}; echo 42 > result.json", until("go")));
    let (job, next) = (bench.job(1, &["false"]), bench.job(2, &["true"]));
    assert_eq!(bench.executor.find(&[job]), [Found::Adopted]);
    assert_eq!(bench.executor.busy(), 1);
    bench.submit([next]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Exit::Unseen, Some("42\n".into())));
    assert_eq!(
        bench.end(),
        (2, Exit::Code(0), None),
        "the slot of an adopted process is taken until it ends"
    );
    bench.assert_nothing_more_is_reported();
    child.wait().unwrap();
}

#[test]
fn an_adopted_process_that_leaves_no_result_is_reported_without_one() {
    let mut bench = Bench::new(1);
    let mut child = bench.started_before(1, &until("go"));
    let job = bench.job(1, &["false"]);
    assert_eq!(bench.executor.find(&[job]), [Found::Adopted]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Exit::Unseen, None));
    child.wait().unwrap();
}

#[test]
fn an_adopted_process_is_cancelled_and_timed_out_like_any_other() {
    let mut bench = Bench::new(2);
    let mut children = [
        bench.started_before(1, "sleep 1000 & wait"),
        bench.started_before(2, "sleep 1000 & wait"),
    ];
    let (cancelled, mut timed_out) = (bench.job(1, &["false"]), bench.job(2, &["false"]));
    timed_out.timeout = Duration::from_millis(300);
    assert_eq!(
        bench.executor.find(&[cancelled.clone(), timed_out]),
        [Found::Adopted, Found::Adopted]
    );
    bench.executor.cancel(&[cancelled.token]);
    let mut ends = [bench.end(), bench.end()];
    ends.sort_by_key(|end| end.0);
    assert_eq!(
        ends,
        [(1, Exit::Cancelled, None), (2, Exit::TimedOut, None)]
    );
    wait_until("the end of all", || bench.living().is_empty());
    for child in &mut children {
        child.wait().unwrap();
    }
}

#[test]
fn more_adopted_processes_than_slots_are_all_reported() {
    let mut bench = Bench::new(1);
    let script = format!("{}; pwd > result.json", until("go"));
    let mut children: Vec<Child> = (1..=3)
        .map(|task| bench.started_before(task, &script))
        .collect();
    let jobs: Vec<Job> = (1..=3).map(|task| bench.job(task, &["false"])).collect();
    assert_eq!(
        bench.executor.find(&jobs),
        [Found::Adopted, Found::Adopted, Found::Adopted]
    );
    touch(bench.dir.path(), "go");
    // Reaped before anybody watches the last ones, so that their ids are free.
    for child in &mut children {
        child.wait().unwrap();
    }
    let tasks: BTreeSet<u64> = (0..3)
        .map(|_| bench.end())
        .map(|(task, exit, result)| {
            assert_eq!(exit, Exit::Unseen);
            assert!(result.is_some());
            task
        })
        .collect();
    assert_eq!(tasks, BTreeSet::from([1, 2, 3]));
}

#[test]
fn a_process_that_is_gone_is_known_by_what_it_left() {
    let mut bench = Bench::new(1);
    bench
        .started_before(1, "echo 42 > result.json")
        .wait()
        .unwrap();
    bench.started_before(2, "exit 1").wait().unwrap();
    let jobs = [
        bench.job(1, &["false"]),
        bench.job(2, &["false"]),
        bench.job(3, &["false"]),
    ];
    assert_eq!(
        bench.executor.find(&jobs),
        [Found::Adopted, Found::Adopted, Found::Nothing]
    );
    assert_eq!(bench.end(), (1, Exit::Unseen, Some("42\n".into())));
    assert_eq!(bench.end(), (2, Exit::Unseen, None));
    bench.assert_nothing_more_is_reported();
}

#[test]
fn orphans_of_a_dead_leader_are_ended() {
    let mut bench = Bench::new(1);
    bench
        .started_before(1, "sleep 1000 & exit 0")
        .wait()
        .unwrap();
    wait_until("the orphan", || bench.living().len() == 1);
    let job = bench.job(1, &["false"]);
    assert_eq!(bench.executor.find(&[job]), [Found::Adopted]);
    assert_eq!(bench.end(), (1, Exit::Unseen, None));
    wait_until("the end of the orphan", || bench.living().is_empty());
}

#[test]
fn a_process_that_has_just_been_started_is_found() {
    let mut bench = Bench::new(1);
    let mut children = Vec::new();
    for task in 1..=100 {
        let mut child = bench.started_before(task, "sleep 1000 & wait");
        let job = bench.job(task, &["false"]);
        bench.executor.find(std::slice::from_ref(&job));
        bench.executor.cancel(&[job.token]);
        assert_eq!(
            bench.end(),
            (task, Exit::Cancelled, None),
            "it was taken for one that is gone"
        );
        child.kill().unwrap();
        children.push(child);
    }
    for mut child in children {
        child.wait().unwrap();
    }
}

#[test]
fn processes_of_attempts_that_nobody_waits_for_are_ended_and_no_others() {
    let mut bench = Bench::new(1);
    let mut wanted = bench.started_before(1, &until("go"));
    let mut stray = bench.started_before(2, "sleep 1000 & wait");
    let job = bench.job(1, &["false"]);
    bench
        .executor
        .end_others(&bench.run, std::slice::from_ref(&job.token));
    stray.wait().unwrap();
    assert_eq!(bench.executor.find(&[job]), [Found::Adopted]);
    touch(bench.dir.path(), "go");
    assert_eq!(bench.end(), (1, Exit::Unseen, None));
    wanted.wait().unwrap();
    wait_until("the end of all", || bench.living().is_empty());
}
