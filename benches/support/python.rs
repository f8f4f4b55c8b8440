//! Rate of functions in Python: warm interpreters against a new one for each call, and a method
//! that needs no geometry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use moldflow::store::Store;

use super::report;

/// Variable with the path of an interpreter that has RDKit; `python3` if it is not set.
pub const INTERPRETER: &str = "MOLDFLOW_BENCH_PYTHON";

const CAMPAIGN: &str = "\
name: bench
seed: 1
site: site.yml
objective: {minimize: sum}
properties: {sum: {value: function.sum, unit: '1'}}
search_space: {source: qm9, elements: [C, N, O, F], max_heavy_atoms: 9}
methods:
  function:
    kind: simulate
    engine: python
    settings: {call: 'functions:FUNCTION', interpreter: INTERPRETER, quantities: {sum: '1'}, warm: WARM}
    topic: simulator
    partition: qc
    timeout: 5m
stages:
  all: {compute: sum, molecules: {random: COUNT}}
stop: {failure_share: 1}
";

const MODULE: &str = "\
import time

def slow(molecule):
    from rdkit import Chem
    time.sleep(0.01)
    return Chem.MolFromSmiles(molecule['smiles']).GetNumAtoms()

def instant(molecule):
    return len(molecule['smiles'])
";

const SITE: &str = "\
name: bench
partitions:
  qc: {executor: local, slots: 2}
";

/// Prints the rates of functions on two slots.
pub fn rates() {
    let interpreter = interpreter();
    let import = Command::new(&interpreter)
        .args(["-c", "import rdkit.Chem"])
        .output();
    if import.is_ok_and(|output| output.status.success()) {
        let cold = rate(&interpreter, "slow", false, 40);
        let warm = rate(&interpreter, "slow", true, 600);
        report(
            &format!("calls of 10 ms with RDKit, warm, {warm:.0} a second, to {cold:.1} cold"),
            warm / cold,
            ">= 10",
        );
    } else {
        println!(
            "  no RDKit for `{}`: set {INTERPRETER}",
            interpreter.display()
        );
    }
    let instant = rate(&interpreter, "instant", true, 6_000);
    report(
        "molecules a second, an instantaneous function on two slots",
        instant,
        ">= 500",
    );
}

/// The interpreter.
pub fn interpreter() -> PathBuf {
    std::env::var_os(INTERPRETER).map_or_else(|| "python3".into(), PathBuf::from)
}

/// Molecules a second, from the first result to the last.
fn rate(interpreter: &Path, function: &str, warm: bool, count: usize) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).expect("a file");
    };
    write("functions.py", MODULE);
    write("site.yml", SITE);
    let campaign = CAMPAIGN
        .replace("FUNCTION", function)
        .replace("INTERPRETER", &interpreter.display().to_string())
        .replace("WARM", &warm.to_string())
        .replace("COUNT", &count.to_string());
    write("campaign.yml", &campaign);
    let run_dir = dir.path().join("run");
    let status = Command::new(env!("CARGO_BIN_EXE_moldflow"))
        .arg("run")
        .arg(dir.path().join("campaign.yml"))
        .arg("--run-dir")
        .arg(&run_dir)
        .arg("--quiet")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("moldflow").success());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let found = runtime.expect("a runtime").block_on(async {
        let mut store = Store::open_to_read(&run_dir).await.expect("a database");
        store.candidates().await.expect("rows")
    });
    let finished: Vec<i64> = found.iter().filter_map(|row| row.finished).collect();
    assert_eq!(finished.len(), count);
    let (first, last) = (finished.iter().min(), finished.iter().max());
    let milliseconds = last.zip(first).map_or(0, |(last, first)| last - first);
    1e3 * (count - 1) as f64 / milliseconds.max(1) as f64
}
