//! Workers of the local executor, which call functions in Python: one interpreter for many tasks,
//! and a new one after each trouble.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{processes, wait_for, wait_until};
use moldflow::exec::{Adoption, Executor, JobEvent, LocalExecutor, Termination};
use moldflow::exec::{Job, Report};
use moldflow::task::{Limits, TaskId, Token};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Returns the interpreter's process id, or does what the SMILES says.
const MODULE: &str = "\
import os, time
loaded = time.monotonic()

def energy(molecule):
    word = molecule['smiles']
    if word == 'C': return {'pid': os.getpid()}
    if word == 'N':
        open('begun', 'w').close()
        while True: pass
    if word == 'O': os._exit(9)
    if word == 'F':
        os.spawnlp(os.P_NOWAIT, 'setsid', 'setsid', 'sleep', '300')
        os.kill(os.getppid(), 9)
        time.sleep(60)
";

/// A process that has ended has no command line, even if nobody has asked for its end.
fn is_alive(pid: f64) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn signal(name: &str, processes: &[i32]) {
    let pids = processes.iter().map(ToString::to_string);
    let status = std::process::Command::new("kill")
        .arg(name)
        .args(pids)
        .status();
    assert!(status.expect("kill").success());
}

struct Slots {
    /// First part of the tokens, which no other test has.
    run: String,
    dir: TempDir,
    executor: LocalExecutor,
    reports: UnboundedReceiver<Report>,
}

impl Slots {
    fn new(slots: usize) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("m.py"), MODULE).expect("a file");
        let (sender, reports) = unbounded_channel();
        Self {
            run: format!("run{}n{count}", std::process::id()),
            dir,
            executor: LocalExecutor::new(slots, sender).expect("threads"),
            reports,
        }
    }

    fn token(&self, task: u64) -> Token {
        Token {
            run: self.run.clone(),
            task: TaskId(task),
            attempt: 1,
        }
    }

    /// Processes of its workers and interpreters.
    fn processes(&self) -> Vec<i32> {
        processes(&format!("{}.", self.run))
    }

    fn job(&self, task: u64, smiles: &str) -> Job {
        job(self.dir.path(), self.token(task), smiles)
    }

    fn submit(&mut self, tasks: &[(u64, &str)]) {
        let jobs = tasks.iter().map(|(task, smiles)| self.job(*task, smiles));
        let jobs = jobs.collect();
        self.executor.submit(jobs);
    }

    /// End of the next task that ends, and the number that it computed.
    fn end(&mut self) -> (u64, Termination, Option<f64>) {
        let (task, exit, result) = wait_for("an end", || match self.reports.try_recv().ok()? {
            Report {
                token,
                event: JobEvent::Ended { exit, result, .. },
                ..
            } => Some((token.task.0, exit, result)),
            _ => None,
        });
        let result: Option<Value> = result.map(|r| serde_json::from_slice(&r).expect("JSON"));
        let pid = result.and_then(|result| result["quantities"]["pid"].as_f64());
        (task, exit, pid)
    }

    fn computed(&mut self, task: u64) -> f64 {
        self.submit(&[(task, "C")]);
        let (ended, exit, pid) = self.end();
        assert_eq!((ended, exit), (task, Termination::Code(0)));
        pid.expect("a number")
    }
}

fn job(dir: &Path, token: Token, smiles: &str) -> Job {
    let settings = json!({"call": "m:energy", "path": [dir], "quantities": {"pid": "1"}});
    let input = json!({"method": "simulate", "smiles": smiles, "seed": 1, "engine": "python", "settings": settings});
    let command = |words: &[&str]| {
        let program = [env!("CARGO_BIN_EXE_moldflow")];
        program
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    Job {
        argv: command(&["task", "run", "input.json"]),
        env: vec![],
        dir: dir.join("tasks").join(token.task.0.to_string()).join("1"),
        token,
        files: vec![("input.json".to_owned(), input.to_string().into_bytes())],
        links: vec![],
        result: "result.json",
        limits: Limits::new(Duration::from_secs(60)),
        shape: None,
        worker: Some(command(&["task", "serve"])),
    }
}

#[test]
fn an_interpreter_serves_one_task_after_another_and_each_slot_has_its_own() {
    let mut slots = Slots::new(1);
    let first = slots.computed(1);
    assert_eq!(slots.computed(2), first);
    assert_eq!(slots.computed(3), first);
    assert!(is_alive(first));
    drop(slots);
    wait_until("the end of the interpreter", || !is_alive(first));
}

#[test]
fn a_crash_a_hang_and_a_cancelled_task_cost_one_attempt_and_a_new_interpreter() {
    let mut slots = Slots::new(1);
    let first = slots.computed(1);
    // The interpreter ends: the worker says so in a result.
    slots.submit(&[(2, "O")]);
    let (_, exit, _) = slots.end();
    assert_eq!(exit, Termination::Code(1));
    let second = slots.computed(3);
    assert_ne!(second, first);

    let mut hung = slots.job(4, "N");
    hung.limits = Limits::new(Duration::from_millis(300));
    slots.executor.submit(vec![hung]);
    assert_eq!(slots.end().1, Termination::TimedOut);
    let third = slots.computed(5);
    assert_ne!(third, second);

    slots.submit(&[(6, "N")]);
    let begun = slots.dir.path().join("tasks/6/1/begun");
    wait_until("the task's begin", || begun.exists());
    slots.executor.cancel(&[slots.token(6)]);
    assert_eq!(slots.end().1, Termination::Cancelled);
    let fourth = slots.computed(7);
    assert_ne!(fourth, third);
    for pid in [first, second, third] {
        wait_until("the end of the interpreter", || !is_alive(pid));
    }
}

#[test]
fn a_worker_that_dies_takes_what_left_its_group_with_it() {
    let mut slots = Slots::new(1);
    slots.submit(&[(1, "F")]);
    let (_, exit, _) = slots.end();
    assert_eq!(exit, Termination::Signal(9));
    // A process that was killed is there until it has died.
    wait_until("the end of all", || slots.processes().is_empty());
    slots.computed(2);
}

#[test]
fn one_that_died_between_two_tasks_costs_none() {
    let mut slots = Slots::new(1);
    let first = slots.computed(1);
    let worker = slots.processes();
    assert_eq!(worker.len(), 2, "the worker and its interpreter");
    signal("-KILL", &worker);
    let is_alive = |pid: &i32| is_alive(f64::from(*pid));
    wait_until("their end", || !worker.iter().any(is_alive));
    assert_ne!(slots.computed(2), first);
}

/// A process that is stopped is still there when it is given a task, and ends with the task unread.
#[test]
fn one_that_ends_before_it_has_read_of_its_task_costs_none() {
    let mut slots = Slots::new(1);
    let first = slots.computed(1);
    let mut task = 1;
    let mut replaced = |slots: &mut Slots, stopped: &[i32]| {
        task += 1;
        signal("-STOP", stopped);
        slots.submit(&[(task, "C")]);
        let files = slots.dir.path().join(format!("tasks/{task}/1/input.json"));
        wait_until("the task's files", || files.exists());
        // Long enough for the task to reach it.
        std::thread::sleep(Duration::from_millis(200));
        signal("-KILL", stopped);
        let (ended, exit, pid) = slots.end();
        assert_eq!((ended, exit), (task, Termination::Code(0)));
        pid.expect("a number")
    };
    let both = slots.processes();
    let second = replaced(&mut slots, &both);
    assert_ne!(second, first);
    #[expect(clippy::cast_possible_truncation, reason = "a process id")]
    let third = replaced(&mut slots, &[second as i32]);
    assert_ne!(third, second);
}

#[test]
fn an_attempt_of_a_worker_counts_by_its_result_and_is_lost_without_one() {
    let mut slots = Slots::new(1);
    slots.computed(1);
    let jobs = [slots.job(1, "C"), slots.job(2, "C"), slots.job(3, "C")];
    fs::create_dir_all(&jobs[1].dir).expect("a directory");
    let (sender, mut reports) = unbounded_channel();
    let mut next = LocalExecutor::new(1, sender).expect("threads");
    let found = next.find(&jobs);
    assert_eq!(
        found,
        [Adoption::Adopted, Adoption::Adopted, Adoption::NotStarted]
    );
    let mut end = || match reports.try_recv().expect("a report").event {
        JobEvent::Ended { exit, result, .. } => (exit, result.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!(end(), (Termination::Unseen, true));
    assert_eq!(end(), (Termination::Unseen, false));
    // The workers of the engine before are nobody's.
    assert!(!slots.processes().is_empty());
    next.end_others(&slots.run, &[]);
    wait_until("the end of the worker", || slots.processes().is_empty());
}
