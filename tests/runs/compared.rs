//! The difference between two runs: `moldflow diff`.

use serde_json::Value;

use crate::support::{Campaign, moldflow, rows, run_to_end};

#[test]
fn two_runs_differ_in_the_settings_and_values_that_were_changed() {
    let campaign = Campaign::tiny();
    let one = campaign.completed("one", &[]);
    // One conformer: other geometries, so other energies of the same molecules.
    let set = "methods.energy.settings={conformers: 1}";
    let other = campaign.completed("other", &["--set", set]);
    let diff = |arguments: &[&str]| {
        let mut command = moldflow(&["diff"]);
        run_to_end(command.args([&one, &other]).args(arguments)).with_code(0)
    };
    let json = diff(&["--json"]).json();
    let paths: Vec<&Value> = json["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["path"])
        .collect();
    assert_eq!(paths, ["methods.energy.settings.conformers"], "{json}");
    assert_eq!(json["settings"][0]["values"][1], 1);

    let values = |dir| -> std::collections::BTreeMap<String, f64> {
        let evaluated = rows(dir)
            .into_iter()
            .filter(|row| row["status"] == "evaluated");
        let value = |row: &std::collections::BTreeMap<String, String>| {
            row["atomization_energy_hartree"].parse().unwrap()
        };
        evaluated
            .map(|row| (row["smiles"].clone(), value(&row)))
            .collect()
    };
    let (first, second) = (values(&one), values(&other));
    let both = first
        .iter()
        .filter_map(|(smiles, a)| Some((a, second.get(smiles)?)));
    let both: Vec<(&f64, &f64)> = both.collect();
    let common = &json["common"][0];
    assert_eq!(common["molecules"], both.len());
    assert!(both.len() >= 3, "the initial molecules are the same");
    assert_eq!(
        common["different"],
        both.iter().filter(|(a, b)| a != b).count()
    );
    let largest = both
        .iter()
        .map(|(a, b)| (*a - *b).abs())
        .fold(0.0, f64::max);
    let told: Vec<f64> =
        serde_json::from_value(common["largest"]["values"].clone()).unwrap_or(vec![0.0; 2]);
    assert!(
        ((told[0] - told[1]).abs() - largest).abs() < 1e-12,
        "{json}"
    );

    let text = diff(&[]).out;
    assert!(
        text.contains("campaign.yml: methods.energy.settings.conformers"),
        "{text}"
    );
    let same = run_to_end(moldflow(&["diff"]).args([&one, &one]))
        .with_code(0)
        .out;
    assert!(same.contains("the settings are the same"), "{same}");
}
