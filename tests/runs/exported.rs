//! Exports, each read back by the program that it is for.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Campaign, on, rows, run_to_end};

/// What a script in Python prints, as JSON; its argument is a file with `text`.
fn read_by_python(campaign: &Campaign, script: &str, text: &str) -> Value {
    let file = campaign.path("export");
    fs::write(&file, text).unwrap();
    let mut python = Command::new("python3");
    run_to_end(python.args(["-c", script]).arg(file))
        .with_code(0)
        .json()
}

#[test]
fn extended_xyz_is_read_by_ase() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let text = on(&run_dir, &["export", "--format", "extxyz"])
        .with_code(0)
        .out;
    // ASE 3.29.0.
    let script = "\
import json, sys
from ase.io import read
print(json.dumps([dict(info=a.info, formula=a.get_chemical_formula(), positions=a.positions.tolist(),
                       periodic=bool(a.pbc.any())) for a in read(sys.argv[1], ':', format='extxyz')],
                 default=lambda number: number.item()))
";
    let frames = read_by_python(&campaign, script, &text);
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
            ("energy_energy_au", "energy.energy"),
            ("energy_gap_au", "energy.gap"),
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
