//! Output and configuration of the benchmarks.

use moldflow::config::campaign::Overrides;
use moldflow::plan::{self, HostEnvironment, Plan};

/// A campaign of molecules of one stage and a search.
const CAMPAIGN: &str = "\
name: bench
seed: 1
site: local
objective: atomization_energy
search_space: {source: qm9, elements: [C, N, O, F], max_heavy_atoms: 9, allowed_ring_sizes: [6]}
methods:
  energy: {kind: simulate, engine: gfn2//mmff94, topic: simulator, partition: qc, timeout: 5m}
  fit: {kind: train, engine: group_contribution, topic: ml, partition: ml, timeout: 5m}
  propose: {kind: generate, engine: moldqn, topic: ml, partition: ml, timeout: 5m}
  rank: {kind: screen, engine: greedy, topic: ml, partition: ml, timeout: 5m}
stages:
  initial: {molecules: {random: 1}}
  train: {method: fit, after: initial, loop: generator}
  generate: {method: propose, after: train, loop: generator}
  screen: {method: rank, after: generate, loop: generator, select: SELECT}
  evaluate: {after: screen, loop: consumer, molecules: queue, parallel: PARALLEL}
stop: {evaluations: 1, failure_share: 1}
";

/// One line: what was measured, its value, and the floor it is held against.
#[allow(dead_code)]
pub fn report(what: &str, value: f64, floor: &str) {
    println!("  {what:<90} {value:>9.3}   ({floor})");
}

/// A campaign of initial molecules and `evaluations` more, with batches of `select` molecules.
#[allow(dead_code)]
pub fn plan(evaluations: usize, parallel: usize, select: usize) -> Plan {
    let text = CAMPAIGN
        .replace("SELECT", &select.to_string())
        .replace("PARALLEL", &parallel.to_string());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.yml");
    std::fs::write(&path, text).expect("a campaign");
    match plan::load(&path, &Overrides::default(), &HostEnvironment::default()) {
        Ok((_, mut plan)) => {
            // No file may ask for none.
            plan.stop.evaluations = Some(evaluations);
            plan
        }
        Err(diagnostics) => panic!("{diagnostics}"),
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
