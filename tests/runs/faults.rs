//! Every system call of a short campaign fails once: the run always resumes to the same end, and no
//! molecule fails. The calls are made to fail by a library of our own (`support/faults.c`), which
//! the test compiles.

use crate::support;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::runs::{assert_same, assert_whole};
use crate::support::{Campaign, ProgramOutput, on, run_to_end};

/// Processes whose calls fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Engine,
    Task,
}

/// Outcome of one system call.
#[derive(Clone, Copy, Debug)]
enum CallOutcome {
    Error(i32),
    /// Half of the bytes are read or written.
    Short,
}

/// The `at`th call of a kind fails; none if that is 0.
#[derive(Clone, Copy, Debug)]
struct InjectedFault {
    side: Side,
    call: &'static str,
    outcome: CallOutcome,
    at: u64,
    /// True if all later calls fail as well.
    is_sticky: bool,
}

const SIDES: [Side; 2] = [Side::Engine, Side::Task];
const CALLS: [&str; 6] = ["open", "read", "write", "sync", "rename", "spawn"];

fn outcomes(call: &str) -> Vec<CallOutcome> {
    let codes: &[i32] = match call {
        "spawn" => &[libc::EAGAIN, libc::ENOMEM, libc::EMFILE],
        "open" => &[libc::EMFILE, libc::EIO, libc::ENOSPC, libc::EINTR],
        _ => &[libc::EIO, libc::ENOSPC, libc::EINTR],
    };
    let short = matches!(call, "read" | "write").then_some(CallOutcome::Short);
    let errors = codes.iter().map(|code| CallOutcome::Error(*code));
    errors.chain(short).collect()
}

/// The library, compiled once a process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let name = format!("faults-{}.so", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faults.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&path)
            .arg(source)
            .output()
            .expect("the compiler `cc`");
        assert!(compiled.status.success(), "{compiled:?}");
        path
    })
}

/// A campaign whose tasks have the variables of the library.
fn campaign() -> Campaign {
    let campaign = Campaign::of_a_program().with("site: site2.yml", "site: open.yml");
    let site = "name: tests\npass_environment: [LD_PRELOAD, FAULT_*]\npartitions:\n  qc: {executor: local, slots: 2}\n  ml: {executor: local, slots: 1}\n";
    fs::write(campaign.path("open.yml"), site).expect("a file");
    campaign
}

/// Runs the campaign with a fault. Also returns the number of calls that it could have hit.
fn run_with(campaign: &Campaign, name: &str, fault: InjectedFault) -> (ProgramOutput, u64) {
    let count = campaign.path(&format!("{name}.count"));
    let file = File::create(&count).expect("a file");
    file.set_len(8).expect("a file");
    let mut command = campaign.run_command(name, &["--schedule", "batch"]);
    command
        .env("LD_PRELOAD", library())
        .env(
            "FAULT_SIDE",
            match fault.side {
                Side::Engine => "engine",
                Side::Task => "task",
            },
        )
        .env("FAULT_CALL", fault.call)
        .env("FAULT_AT", fault.at.to_string())
        .env(
            "FAULT_ERRNO",
            match fault.outcome {
                CallOutcome::Error(code) => code.to_string(),
                CallOutcome::Short => "short".to_owned(),
            },
        )
        .env("FAULT_BELOW", campaign.path(name))
        .env("FAULT_COUNT", &count);
    if fault.is_sticky {
        command.env("FAULT_STICKY", "1");
    }
    let printed = run_to_end(&mut command);
    let calls = fs::read(count).expect("a file");
    (
        printed,
        u64::from_le_bytes(calls.try_into().expect("eight bytes")),
    )
}

/// Requires that the run ends as without the fault, or stops with an error and resumes to the same
/// end.
fn assert_survives(campaign: &Campaign, calm: &Path, fault: InjectedFault) {
    let name = "faulty";
    let run_dir = campaign.path(name);
    let (printed, _) = run_with(campaign, name, fault);
    // Neither a panic nor a permanent end.
    assert!(
        matches!(printed.code, Some(0 | 1 | 4 | 5)) && !printed.err.contains("panicked"),
        "{fault:?}: {printed:?}"
    );
    if printed.code != Some(0) {
        assert!(printed.err.contains("error"), "{fault:?}: {printed:?}");
        let is_run = run_dir.join("campaign.yml").exists() || run_dir.join("moldflow.db").exists();
        let again = match is_run {
            true => on(&run_dir, &["resume"]),
            // It failed before there was a run.
            false => campaign.run(name, &["--schedule", "batch"]),
        };
        assert_eq!(
            again.code,
            Some(0),
            "{fault:?}: {printed:?}\nthen {again:?}"
        );
    }
    let checked = std::panic::catch_unwind(|| {
        assert_same(&run_dir, calm);
        assert_whole(&run_dir);
    });
    assert!(checked.is_ok(), "{fault:?}: {printed:?}");
    fs::remove_dir_all(run_dir).expect("a run directory");
}

/// Number of calls of a kind.
fn calls(campaign: &Campaign, side: Side, call: &'static str) -> u64 {
    let fault = InjectedFault {
        side,
        call,
        outcome: CallOutcome::Error(libc::EIO),
        at: 0,
        is_sticky: false,
    };
    let (printed, calls) = run_with(campaign, "counted", fault);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    fs::remove_dir_all(campaign.path("counted")).expect("a run directory");
    // Tasks sync what they leave and rename it; nothing of theirs is in no call.
    assert!(calls > 0, "{side:?} never calls {call}");
    calls
}

/// Every `stride`th call of every kind, with one outcome after another, beginning with the `first`.
fn sweep(stride: impl Fn(u64) -> u64, first: u64) {
    let campaign = campaign();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let mut tried = 0;
    for side in SIDES {
        for call in CALLS {
            let calls = calls(&campaign, side, call);
            let stride = stride(calls).max(1);
            for outcome in outcomes(call) {
                // Another outcome hits other calls.
                let first = (first + tried) % stride + 1;
                for at in (first..=calls).step_by(stride as usize) {
                    let fault = InjectedFault {
                        side,
                        call,
                        outcome,
                        at,
                        is_sticky: false,
                    };
                    assert_survives(&campaign, &calm, fault);
                    tried += 1;
                }
            }
            println!("{side:?} {call}: {calls} calls, {tried} faults so far");
        }
    }
}

#[test]
fn a_call_that_fails_here_and_there_costs_nothing() {
    // One of each kind.
    sweep(|calls| calls, 17);
}

/// By `moldflow task exec`, which jobs run.
#[test]
fn a_job_whose_task_cannot_be_started_leaves_that_it_was_the_host() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let order = serde_json::json!({
        "token": "1f.7.1",
        "argv": ["true"],
        "env": [],
        "timeout": {"secs": 60, "nanos": 0},
    });
    let ended = |at: u64| {
        fs::write(path("job.json"), order.to_string()).expect("a file");
        fs::write(path("count"), [0; 8]).expect("a file");
        let mut command = support::moldflow(&["task", "exec", "job.json"]);
        command
            .current_dir(dir.path())
            .env("LD_PRELOAD", library())
            .env("FAULT_SIDE", "task")
            .env("FAULT_CALL", "spawn")
            .env("FAULT_AT", at.to_string())
            .env("FAULT_ERRNO", libc::EAGAIN.to_string())
            .env("FAULT_BELOW", dir.path())
            .env("FAULT_COUNT", path("count"));
        run_to_end(&mut command);
        let json = fs::read(path("exit.json")).expect("how it ended");
        serde_json::from_slice::<serde_json::Value>(&json).expect("JSON")["exit"].clone()
    };
    assert_eq!(ended(0), serde_json::json!({"Code": 0}));
    let exit = ended(1);
    assert_eq!(exit["NotStarted"][0], "no_processes", "{exit}");
}

#[test]
fn an_end_that_is_not_in_the_database_is_no_success() {
    let campaign = campaign();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    let calls = calls(&campaign, Side::Engine, "sync");
    // The last commit and what is written when the database is closed; a failing disk keeps
    // failing.
    for at in calls - 5..=calls {
        let fault = InjectedFault {
            side: Side::Engine,
            call: "sync",
            outcome: CallOutcome::Error(libc::EIO),
            at,
            is_sticky: true,
        };
        assert_survives(&campaign, &calm, fault);
    }
}

#[test]
fn a_thread_that_cannot_be_started_costs_nothing() {
    let campaign = campaign();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    for at in 1..=calls(&campaign, Side::Engine, "thread") {
        let fault = InjectedFault {
            side: Side::Engine,
            call: "thread",
            outcome: CallOutcome::Error(libc::EAGAIN),
            at,
            is_sticky: false,
        };
        assert_survives(&campaign, &calm, fault);
    }
}

#[test]
#[ignore = "hours: cargo nextest run --profile sweep --run-ignored only"]
fn every_call_that_fails_costs_nothing() {
    let number = |name: &str, default| match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    };
    let stride = number("FAULT_STRIDE", 1);
    sweep(|_| stride, number("FAULT_FIRST", 0));
}
