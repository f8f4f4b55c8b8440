//! Runs with several objectives and with constraints, by the built-in engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::runs::export_without_usage;
use crate::support::{Campaign, on, rows};
use serde_json::json;

/// Strongly bound for each atom, and small; not too heavy. QM9's molecules of up to five heavy
/// atoms weigh up to 90 g/mol.
fn two_objectives() -> Campaign {
    let objectives = "\
objective: [{minimize: binding}, {minimize: size}]
constraints: [mass <= 65 g/mol]
properties:
  binding: {value: atomization(energy) / atoms, unit: eV, label: binding energy}
  size: {value: atoms}
  mass: {value: molar_mass, unit: g/mol}
";
    Campaign::tiny()
        .with("objective: atomization_energy\n", objectives)
        .with("compute: atomization_energy, ", "")
        .with("{random: 3}", "{random: 6}")
}

type Row = BTreeMap<String, String>;

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{row:?}"))
}

fn evaluated(rows: &[Row]) -> Vec<&Row> {
    let evaluated = rows.iter().filter(|row| row["status"] == "evaluated");
    evaluated.collect()
}

/// The molecules that no feasible molecule dominates, by all pairs.
fn front(rows: &[Row]) -> BTreeSet<String> {
    let values = |row: &Row| [number(row, "binding_eV"), number(row, "size")];
    let feasible: Vec<&Row> = (evaluated(rows).into_iter())
        .filter(|row| row["feasible"] == "true")
        .collect();
    let dominated = |row: &Row| {
        feasible.iter().any(|other| {
            let pairs = values(other).into_iter().zip(values(row));
            let pairs: Vec<(f64, f64)> = pairs.collect();
            pairs.iter().all(|(a, b)| a <= b) && pairs.iter().any(|(a, b)| a < b)
        })
    };
    let front = feasible.iter().filter(|row| !dominated(row));
    front.map(|row| row["smiles"].clone()).collect()
}

#[test]
fn every_output_shows_the_front_of_the_feasible_molecules() {
    let campaign = two_objectives();
    let output = campaign.run("run", &[]).with_code(0);
    let run_dir = campaign.path("run");
    let rows = rows(&run_dir);
    let mut feasible = BTreeSet::new();
    for row in evaluated(&rows) {
        let is_light = number(row, "mass_g_mol") <= 65.0;
        assert_eq!(row["feasible"], is_light.to_string(), "{row:?}");
        feasible.insert(is_light);
    }
    assert_eq!(feasible.len(), 2, "some are feasible, and some are not");
    let front = front(&rows);
    let marked = rows.iter().filter(|row| row["on_front"] == "true");
    let marked: BTreeSet<String> = marked.map(|row| row["smiles"].clone()).collect();
    assert_eq!(marked, front);

    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    let shown = status["front"].as_array().expect("a list");
    let names = shown.iter().map(|molecule| molecule["smiles"].as_str());
    let names: BTreeSet<String> = names.flatten().map(str::to_owned).collect();
    assert_eq!(names, front);
    assert_eq!(status["best"], json!(null));
    assert_eq!(status["units"], json!({"binding": "eV", "size": ""}));
    let volume = status["hypervolume"].as_f64().expect("a number");
    assert!(volume > 0.0);

    let page = fs::read_to_string(run_dir.join("report.html")).expect("a page");
    let text = on(&run_dir, &["status"]).with_code(0).out;
    for smiles in &front {
        assert!(output.out.contains(smiles), "{smiles}: {}", output.out);
        assert!(text.contains(smiles), "{smiles}: {text}");
        let escaped = smiles.replace('=', "&#x3D;");
        assert!(
            page.contains(&format!("<code>{escaped}</code>")),
            "{smiles}"
        );
    }
    assert!(page.contains("Values of the two objectives, and the Pareto front"));
    assert!(page.contains("Hypervolume of the Pareto front"));
    on(&run_dir, &["check"]).with_code(0);
}

#[test]
fn a_search_with_two_objectives_is_reproducible_and_every_target_is_predicted() {
    let campaign = two_objectives();
    let one = campaign.completed("one", &["--schedule", "batch"]);
    let other = campaign.completed("other", &["--schedule", "batch", "--site", "site3.yml"]);
    assert_eq!(export_without_usage(&one), export_without_usage(&other));
    let rows = rows(&one);
    let proposed: Vec<&Row> = rows.iter().filter(|row| row["batch"] != "0").collect();
    assert!(!proposed.is_empty());
    for row in proposed {
        for target in ["binding_eV", "size", "mass_g_mol"] {
            assert!(number(row, &format!("prediction_mean_{target}")).is_finite());
            assert!(number(row, &format!("prediction_std_{target}")) >= 0.0);
        }
    }
}

#[test]
fn a_molecule_that_violates_a_constraint_is_kept_and_is_not_the_best() {
    let objectives = "\
objective: {minimize: binding}
constraints: [mass <= 55 g/mol]
properties:
  binding: {value: atomization(energy), unit: eV}
  mass: {value: molar_mass, unit: g/mol}
";
    let campaign = Campaign::tiny()
        .with("objective: atomization_energy\n", objectives)
        .with("compute: atomization_energy, ", "")
        .with("{random: 3}", "{random: 6}");
    let run_dir = campaign.completed("run", &[]);
    let rows = rows(&run_dir);
    let rows = evaluated(&rows);
    let lowest = |rows: &mut dyn Iterator<Item = &&Row>| {
        let best = rows.min_by(|a, b| number(a, "binding_eV").total_cmp(&number(b, "binding_eV")));
        best.expect("a molecule")["smiles"].clone()
    };
    let best = lowest(&mut rows.iter().filter(|row| row["feasible"] == "true"));
    // The heavier a molecule, the lower its atomization energy.
    assert_ne!(best, lowest(&mut rows.iter()));
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["best"]["smiles"], json!(best));
    assert!(rows.iter().any(|row| !row.contains_key("on_front")));
}

#[test]
fn nothing_outside_of_the_search_space_is_computed() {
    let campaign = Campaign::tiny().with(
        "max_heavy_atoms: 5}",
        "max_heavy_atoms: 5, forbid: [\"[OX2H]\", \"C#*\"], require: [\"[#6]\"], molar_mass: {max: 85}}",
    );
    let run_dir = campaign.completed("run", &["--seed", "3"]);
    for row in rows(&run_dir) {
        let smiles = row["smiles"].as_str();
        let molecule = moldflow::chem::Molecule::parse(smiles).expect("a molecule");
        let has = |pattern| {
            let pattern = moldflow::chem::Smarts::parse(pattern).expect("a pattern");
            pattern.matches(&molecule)
        };
        assert!(!has("[OX2H]") && !has("C#*") && has("[#6]"), "{smiles}");
    }
}
