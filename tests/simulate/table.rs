//! The engine `table`: QM9, and files of the user.

use std::fs;

use tempfile::TempDir;

use crate::support::binary::{moldflow_in, run_to_end};
use moldflow::property::{ENERGY, GAP, POLARIZABILITY};
use moldflow::simulate::{SimError, Simulator, TableEngine};

fn qm9() -> TableEngine {
    serde_json::from_value(serde_json::json!({"table": "qm9"})).expect("settings")
}

#[test]
fn quantities_of_qm9_are_those_of_the_data_set() {
    let found = qm9()
        .look_up("CCCCCCCCC")
        .expect("a table")
        .expect("n-nonane");
    let quantities = found.all_quantities();
    // Columns of n-nonane, number 123246 of the data set, in qm9pack 1.0.3.
    assert_eq!(quantities[ENERGY], -354.783_239);
    assert_eq!(quantities[GAP], 0.3824);
    assert_eq!(quantities[POLARIZABILITY], 102.1);
    assert_eq!(found.level_of_theory, "B3LYP/6-31G(2df,p)");
    let carbon = qm9().look_up("[C]").expect("a table").expect("an atom");
    assert_eq!(carbon.total_energy_hartree, Some(-37.846_772));
    let missing = qm9().look_up("CCCCCCCCCC").expect("a table");
    assert_eq!(
        missing,
        Err(SimError::Unsupported(
            "`CCCCCCCCCC` is not in the table `qm9`".into()
        ))
    );
}

#[test]
fn qm9_has_each_molecule_once() {
    let table = qm9();
    let molecules: std::collections::BTreeSet<&str> =
        table.molecules().map(|(smiles, _)| smiles).collect();
    assert_eq!(molecules.len(), table.molecules().count());
    assert_eq!(molecules.len(), 130_831 - 87);
}

const CAMPAIGN: &str = "\
name: list
properties: {gap: {value: lookup.gap, unit: eV}}
objective: {maximize: gap}
search_space: {source: list.smi, elements: [C, N, O], max_heavy_atoms: 9}
methods:
  lookup:
    {kind: simulate, engine: table, settings: {table: table.csv, quantities: {gap: eV}}, topic: simulator, partition: qc, timeout: 1m}
stages:
  all: {compute: gap, molecules: all}
";

#[test]
fn a_table_is_kept_with_its_run_and_a_molecule_that_it_lacks_fails_by_name() {
    let dir = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("a file");
    write("list.yml", CAMPAIGN);
    write("list.smi", "CCO\nOCC\nC=C\nCN\n");
    // Spellings, blanks and columns that are not declared do not matter.
    write(
        "table.csv",
        "name, SMILES, gap\nethanol, OCC, 9.5\nethene, C=C, 7.25\n",
    );
    let moldflow = |arguments: &[&str]| run_to_end(&mut moldflow_in(dir.path(), arguments));
    let output = moldflow(&["run", "list.yml", "--run-dir", "run"]).with_code(0);
    assert!(output.out.contains("9.500000"), "{}", output.out);
    assert!(
        output.err.contains("1 failed: 1 unsupported"),
        "{}",
        output.err
    );
    let copy = fs::read_to_string(dir.path().join("run/table-lookup.csv")).expect("a copy");
    assert!(copy.contains("ethanol"));
    let explained = moldflow(&["explain", "run", "CN"]).with_code(0).out;
    assert!(explained.contains("is not in the table"), "{explained}");
    assert!(moldflow(&["check", "run"]).code == Some(0));
    // The run does not accept another table under the name of its own.
    write("run/table-lookup.csv", "smiles,gap\nCCO,1\n");
    let refused = moldflow(&["resume", "run"]).with_code(1).err;
    assert!(
        refused.contains("is not the table that it was"),
        "{refused}"
    );
}
