//! Exports, each read back by the program that it is for: pandas 3.1.1, polars 2.1.0, RDKit 2026.9.1,
//! QCElemental 0.51.4, ASE 3.29.0, and a reader that does what Colmena's applications do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Campaign, on, rows, run_to_end};

const NAMED: &str = "\
name: named
seed: 1
site: site2.yml
properties: {binding: {value: atomization(energy) * flag.one, unit: kcal/mol, label: binding energy}}
objective: {minimize: binding}
search_space: {source: named.smi, elements: [C, N, O, S], max_heavy_atoms: 12, ions: true, stereo: keep}
methods:
  energy: {kind: simulate, engine: xtb, topic: simulator, partition: qc, timeout: 5m}
  flag:
    kind: simulate
    engine: python
    settings: {call: 'flags:one', quantities: {one: '1'}}
    topic: simulator
    partition: qc
    timeout: 5m
stages: {all: {compute: binding, molecules: all}}
stop: {failure_share: 1}
";

const MOLECULES: &str = "\
c1ccccc1O phenol
C[C@H](N)C(=O)O L-alanine
C[N+](=O)[O-] =nitromethane
CC(=O)[O-] acetate
C[NH3+] methylammonium, \"protonated\"
CC#N acetonitrile
C/C=C/S
";

const FLAGS: &str = "\
class UnsupportedMolecule(Exception):
    pass

def one(molecule):
    if molecule['smiles'] == 'CC#N':
        raise UnsupportedMolecule('not this one')
    return 1.0
";

/// A run of molecules with names, ions, stereo centres and a failure.
fn named() -> (Campaign, PathBuf) {
    let campaign = Campaign::of_text(NAMED);
    fs::write(campaign.path("named.smi"), MOLECULES).unwrap();
    fs::write(campaign.path("flags.py"), FLAGS).unwrap();
    let run_dir = campaign.completed("run", &[]);
    (campaign, run_dir)
}

/// Writes an export into a file; returns what a reader of `read_exports.py` finds in it, and what
/// was said.
fn read_back(campaign: &Campaign, run_dir: &Path, format: &str, reader: &str) -> (Value, String) {
    let file = campaign.path(&format!("export.{format}"));
    let path = file.display().to_string();
    let said = on(run_dir, &["export", "--format", format, "--out", &path]);
    let said = said.with_code(0).err;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/read_exports.py");
    let mut python = Command::new("python3");
    let found = run_to_end(python.arg(script).arg(reader).arg(&file));
    (found.with_code(0).json(), said)
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().expect("a number")
}

#[test]
fn tables_are_read_by_pandas_and_polars_with_names_types_and_units() {
    let (campaign, run_dir) = named();
    let rows = rows(&run_dir);
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str()).collect();
    // A spreadsheet must not compute it.
    assert!(names.contains(&"'=nitromethane"), "{names:?}");
    for (format, reader) in [
        ("csv", "pandas_csv"),
        ("csv", "polars_csv"),
        ("parquet", "pandas_parquet"),
        ("parquet", "polars_parquet"),
    ] {
        let (table, said) = read_back(&campaign, &run_dir, format, reader);
        assert_eq!(said, "7 molecules written\n");
        let table = table.as_object().unwrap();
        let columns: Vec<&String> = table.keys().collect();
        assert_eq!(columns.len(), rows[0].len(), "{reader}");
        for (place, row) in rows.iter().enumerate() {
            for (column, text) in row {
                let found = &table[column][place];
                let same = match found {
                    Value::Null => text.is_empty(),
                    Value::Number(number) => text.parse::<f64>().ok() == number.as_f64(),
                    Value::Bool(flag) => *text == flag.to_string(),
                    Value::String(other) if format == "parquet" && column == "name" => {
                        text.trim_start_matches('\'') == other
                    }
                    // A time with another end: Z or +00:00.
                    Value::String(other) => text.get(..19) == other.get(..19),
                    _ => false,
                };
                assert!(same, "{reader}: {column} of {row:?} is {found}");
            }
        }
    }
    let (metadata, _) = read_back(&campaign, &run_dir, "parquet", "parquet_units");
    let units = &metadata["units"];
    assert_eq!(units["binding_kcal_mol"], "kcal/mol");
    assert_eq!(units["energy.energy_hartree"], "hartree");
    assert_eq!(units["energy.dipole_bohr_e"], "bohr*e");
    assert_eq!(units["flag.one"], Value::Null);
    let kinds = &metadata["kinds"];
    assert_eq!(kinds["finished"], "timestamp[ms, tz=UTC]");
    assert_eq!(kinds["cached"], "bool");
    assert_eq!(kinds["batch"], "int64");
    assert_eq!(kinds["binding_kcal_mol"], "double");
    assert_eq!(metadata["groups"], 1);
}

#[test]
fn an_sdf_is_read_by_rdkit_with_the_bonds_charges_and_stereo_of_the_smiles() {
    let (campaign, run_dir) = named();
    let (molecules, said) = read_back(&campaign, &run_dir, "sdf", "rdkit_sdf");
    assert_eq!(said, "6 molecules written, 1 left out: 1 no geometry\n");
    let rows = rows(&run_dir);
    let evaluated = rows.iter().filter(|row| row["status"] == "evaluated");
    let molecules = molecules.as_array().unwrap();
    assert_eq!(molecules.len(), 6);
    for (molecule, row) in molecules.iter().zip(evaluated) {
        assert_eq!(molecule["smiles"], molecule["expected"]);
        assert_eq!(molecule["is_3d"], true);
        let charges =
            row["smiles"].matches("+]").count() as i64 - row["smiles"].matches("-]").count() as i64;
        assert_eq!(molecule["charge"], charges, "{}", row["smiles"]);
        let fields = &molecule["fields"];
        let value: f64 = fields["binding_kcal_mol"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(value, number(row, "binding_kcal_mol"));
        assert!(fields["energy_energy_hartree"].is_string());
        let name = row["name"].trim_start_matches('\'');
        let title = if name.is_empty() {
            &row["smiles"]
        } else {
            name
        };
        assert_eq!(molecule["title"], title);
        let shown = on(&run_dir, &["show", &row["smiles"], "--geometry"]).out;
        for (line, position) in shown
            .lines()
            .skip(2)
            .zip(molecule["positions"].as_array().unwrap())
        {
            let expected: Vec<f64> = line
                .split_whitespace()
                .skip(1)
                .map(|x| x.parse().unwrap())
                .collect();
            for (x, expected) in position.as_array().unwrap().iter().zip(expected) {
                // Four digits are all that V2000 has.
                assert!((x.as_f64().unwrap() - expected).abs() < 0.6e-4, "{line}");
            }
        }
    }
}

#[test]
fn qcschema_is_read_by_qcelemental_with_charge_spin_and_geometry() {
    let (campaign, run_dir) = named();
    let (records, said) = read_back(&campaign, &run_dir, "qcschema", "qcelemental_qcschema");
    assert_eq!(said, "6 molecules written, 1 left out: 1 no geometry\n");
    let rows = rows(&run_dir);
    for record in records.as_array().unwrap() {
        let row = rows
            .iter()
            .find(|row| record["smiles"] == row["smiles"].as_str());
        let row = row.expect("a row");
        assert_eq!(record["energy"], number(row, "energy.energy_hartree"));
        assert_eq!(record["method"], "GFN2-xTB");
        assert_eq!(record["engine"], "xtb");
        assert_eq!(record["multiplicity"], 1);
        let charge = match row["smiles"].as_str() {
            "CC(=O)[O-]" => -1.0,
            "C[NH3+]" => 1.0,
            _ => 0.0,
        };
        assert_eq!(record["charge"], charge);
        assert_eq!(
            record["candidate"]["binding_kcal_mol"],
            number(row, "binding_kcal_mol")
        );
        let shown = on(&run_dir, &["show", &row["smiles"], "--geometry"]).out;
        let positions = |text: &str| -> Vec<f64> {
            let lines = text
                .lines()
                .skip(2)
                .flat_map(|line| line.split_whitespace().skip(1));
            lines.map(|x| x.parse().unwrap()).collect()
        };
        let found = positions(record["xyz"].as_str().unwrap());
        let expected = positions(&shown);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{}", row["smiles"]);
        }
    }
    // Charges are known from the campaign alone: without its method nothing is guessed.
    let text = fs::read_to_string(run_dir.join("campaign.yml")).unwrap();
    fs::write(
        run_dir.join("campaign.yml"),
        text.replace("energy:", "other:"),
    )
    .unwrap();
    let printed = on(&run_dir, &["export", "--format", "qcschema"]).with_code(0);
    assert_eq!(printed.out, "");
    assert!(
        printed.err.ends_with(
            "0 molecules written, 7 left out: 1 no geometry, 6 charge and multiplicity unknown\n"
        ),
        "{}",
        printed.err
    );
}

#[test]
fn records_are_read_as_those_of_colmena_are() {
    let (campaign, run_dir) = named();
    let (records, said) = read_back(&campaign, &run_dir, "colmena", "colmena");
    assert_eq!(said, "7 molecules written\n");
    let rows = rows(&run_dir);
    let evaluated = rows.iter().filter(|row| row["status"] == "evaluated");
    let expected: BTreeMap<&str, f64> = evaluated
        .map(|row| (row["smiles"].as_str(), number(row, "binding_kcal_mol")))
        .collect();
    assert_eq!(records["database"], json!(expected));
    assert_eq!(records["methods"], json!(["compute_binding"]));
    assert_eq!(records["topics"], json!(["simulator"]));
    let failed = &records["failed"][0];
    assert_eq!(failed[0], "CC#N");
    let message = failed[1].as_str().unwrap();
    assert!(
        message.starts_with("unsupported: ") && message.contains("not this one"),
        "{message}"
    );
    for (info, row) in records["info"].as_array().unwrap().iter().zip(&rows) {
        assert_eq!(info["batch"].to_string(), row["batch"]);
        assert_eq!(info["rank"].to_string(), row["rank"]);
        assert_eq!(info["unit"], "kcal/mol");
    }
}

#[test]
fn a_file_is_whole_or_absent_and_binary_data_go_to_pipes() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let path = campaign.path("missing/run.csv").display().to_string();
    let printed = on(&run_dir, &["export", "--out", &path]).with_code(1);
    assert!(printed.err.contains("missing/run.csv"), "{}", printed.err);
    // A file that was there stays if the new one cannot be finished.
    let old = campaign.path("old.csv");
    fs::write(&old, "old").unwrap();
    fs::write(run_dir.join("moldflow.db"), "no database").unwrap();
    let printed = on(&run_dir, &["export", "--out", &old.display().to_string()]);
    assert_ne!(printed.code, Some(0));
    assert_eq!(fs::read_to_string(&old).unwrap(), "old");
}

#[test]
fn extended_xyz_is_read_by_ase() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let text = on(&run_dir, &["export", "--format", "extxyz"])
        .with_code(0)
        .out;
    let script = "\
import json, sys
from ase.io import read
print(json.dumps([dict(info=a.info, formula=a.get_chemical_formula(), positions=a.positions.tolist(),
                       periodic=bool(a.pbc.any())) for a in read(sys.argv[1], ':', format='extxyz')],
                 default=lambda number: number.item()))
";
    let file = campaign.path("export");
    fs::write(&file, text).unwrap();
    let mut python = Command::new("python3");
    let frames = run_to_end(python.args(["-c", script]).arg(file));
    let frames = frames.with_code(0).json();
    let rows = rows(&run_dir);
    let evaluated: Vec<_> = rows
        .iter()
        .filter(|row| row["status"] == "evaluated")
        .collect();
    assert_eq!(frames.as_array().unwrap().len(), evaluated.len());
    for (frame, row) in frames.as_array().unwrap().iter().zip(evaluated) {
        let info = &frame["info"];
        assert_eq!(info["smiles"], row["smiles"].as_str());
        assert_eq!(frame["periodic"], false);
        for (key, column) in [
            ("atomization_energy_hartree", "atomization_energy_hartree"),
            ("energy_energy_hartree", "energy.energy_hartree"),
            ("energy_gap_hartree", "energy.gap_hartree"),
        ] {
            let value: f64 = row[column].parse().unwrap();
            assert_eq!(info[key], value, "{key}");
        }
        let shown = on(&run_dir, &["show", &row["smiles"], "--geometry"]).out;
        let atoms: Vec<Vec<f64>> = (shown.lines().skip(2))
            .map(|line| {
                line.split_whitespace()
                    .skip(1)
                    .map(|x| x.parse().unwrap())
                    .collect()
            })
            .collect();
        assert_eq!(frame["positions"], serde_json::json!(atoms));
    }
}
