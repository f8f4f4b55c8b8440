//! Output and configuration of the benchmarks.

use moldflow::config::campaign::{Schedule, Stop};
use moldflow::engine::{EngineConfig, LearnStage, SimulateStage};

/// One line: what was measured, its value, and the floor it is held against.
#[allow(dead_code)]
pub fn report(what: &str, value: f64, floor: &str) {
    println!("  {what:<90} {value:>9.3}   ({floor})");
}

/// A campaign of initial molecules and `evaluations` more.
#[allow(dead_code)]
pub fn config(evaluations: usize) -> EngineConfig {
    let simulate = |stage: &str| SimulateStage {
        stage: stage.into(),
        retries: Default::default(),
        engine: Default::default(),
        geometry: None,
    };
    EngineConfig {
        seed: 1,
        schedule: Schedule::Interleaved,
        per_atom: false,
        elements: ["C", "N", "O", "F"].map(str::to_owned).into(),
        max_heavy_atoms: 9,
        allowed_ring_sizes: vec![6],
        references: simulate("references"),
        initial: simulate("initial"),
        evaluate: simulate("evaluate"),
        initial_count: 1,
        parallel: 2,
        select: 2,
        train: LearnStage {
            stage: "train".into(),
            retries: Default::default(),
            settings: Default::default(),
        },
        generate: LearnStage {
            stage: "generate".into(),
            retries: Default::default(),
            settings: Default::default(),
        },
        screen: LearnStage {
            stage: "screen".into(),
            retries: Default::default(),
            settings: Default::default(),
        },
        stop: Stop {
            evaluations,
            wall_time: None,
            target: None,
            stale_batches: None,
            barren_batches: 10,
            failure_share: 1.0,
        },
    }
}

/// Resident memory of this process, MiB.
#[allow(dead_code)]
pub fn memory_mib() -> f64 {
    number("VmRSS", std::process::id())
}

/// A field of `/proc/PID/status` in MiB, zero once the process is gone.
#[allow(dead_code)]
pub fn number(field: &str, pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}
