//! Small versions of the shipped campaigns without loops, by real programs: a funnel, and a list.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::{Campaign, on, rows};

/// Names of the molecules that have a value in a column, and the values.
fn values(rows: &[BTreeMap<String, String>], column: &str) -> BTreeMap<String, f64> {
    let valued = rows.iter().filter(|row| !row[column].is_empty());
    let entry = |row: &BTreeMap<String, String>| {
        let value = row[column].parse().expect("a number");
        (row["smiles"].clone(), value)
    };
    valued.map(entry).collect()
}

/// The molecules with the lowest values.
fn lowest(values: &BTreeMap<String, f64>, count: usize) -> BTreeSet<String> {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let best = sorted.into_iter().take(count);
    best.map(|(smiles, _)| smiles.clone()).collect()
}

fn molecules(values: &BTreeMap<String, f64>) -> BTreeSet<String> {
    values.keys().cloned().collect()
}

#[test]
fn each_level_of_a_funnel_computes_the_best_molecules_of_the_one_before() {
    let campaign = Campaign::shipped("funnel.yml");
    let small = [
        "--set",
        "molecules=6",
        "--set",
        "better=3",
        "--set",
        "best=2",
        "--set",
        "max_heavy_atoms=3",
    ];
    let run_dir = campaign.completed("funnel", &small);
    let rows = rows(&run_dir);
    assert_eq!(rows.len(), 6);
    let many = values(&rows, "binding_mmff94_eV");
    let better = values(&rows, "binding_xtb_eV");
    let best = values(&rows, "binding_hf_eV");
    assert_eq!((many.len(), better.len(), best.len()), (6, 3, 2));
    assert_eq!(molecules(&better), lowest(&many, 3));
    assert_eq!(molecules(&best), lowest(&better, 2));
    // Bound, by a few electronvolts for each atom.
    for value in many.values().chain(better.values()).chain(best.values()) {
        assert!((-12.0..-1.0).contains(value), "{value}");
    }
    // The geometries of the last level are those that the second one relaxed.
    let relaxed = rows.iter().filter(|row| !row["relax.energy"].is_empty());
    assert_eq!(relaxed.count(), 3);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "completed");
    assert_eq!(status["level_of_theory"], "HF/3-21G//GFN2-xTB");
}

#[test]
fn a_list_is_computed_whole_and_shown_by_name_from_the_best_to_the_worst() {
    let campaign = Campaign::shipped("screen-a-list.yml");
    let small = "\
CCC(C)=O butanone
CCCC=O butanal
C=CCCO 3-buten-1-ol
";
    std::fs::write(campaign.path("screen-a-list.smi"), small).expect("a file");
    let output = campaign.run("list", &[]).with_code(0);
    let place = |name: &str| output.out.find(name).expect(name);
    assert!(place("butanone") < place("butanal"));
    assert!(place("butanal") < place("3-buten-1-ol"));
    assert!(output.out.contains("binding energy / kcal/mol"));

    let rows = rows(&campaign.path("list"));
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!(row["status"], "evaluated", "{row:?}");
        assert_eq!(row["level_of_theory"], "GFN2-xTB");
    }
    let energies = values(&rows, "binding_energy_kcal_mol");
    let totals = values(&rows, "xtb.energy");
    let difference = |of: &BTreeMap<String, f64>| of["CCCC=O"] - of["CCC(C)=O"];
    let in_kcal = difference(&totals) * 627.509_474;
    assert!((difference(&energies) - in_kcal).abs() < 1e-3);
}

/// Ions, radicals and a zwitterion from the file to the result; what xtb cannot keep together, and
/// what is no single molecule, is refused by name.
#[test]
fn a_list_of_ions_and_radicals_is_computed_with_their_own_charges_and_spins() {
    let campaign = Campaign::shipped("screen-a-list.yml").with(
        "elements: [C, O] ",
        "ions: true\n  radicals: true\n  elements: [C, N, O] ",
    );
    let small = "\
[NH4+] ammonium
C[O-] methoxide
[CH3] methyl
[NH3+]CC(=O)[O-] glycine
[O][O] oxygen
CC(=O)[O-].[Na+] acetate
";
    std::fs::write(campaign.path("screen-a-list.smi"), small).expect("a file");
    let output = campaign.run("list", &[]).with_code(0);
    assert!(output.err.contains("1 salt"), "{}", output.err);

    let rows = rows(&campaign.path("list"));
    assert_eq!(rows.len(), 5);
    // GFN2-xTB energies of tblite 0.8.0, relaxed (goldens/simulate_xtb_thermochemistry.json).
    let energies = values(&rows, "xtb.energy");
    for (smiles, expected) in [("[NH4+]", -4.494_876_78), ("[CH3]", -3.562_970_37)] {
        let error = energies[smiles] - expected;
        assert!(error.abs() < 1e-5, "{smiles}: {error} hartree off");
    }
    assert!(energies.contains_key("C[O-]") && energies.contains_key("[O][O]"));
    // In the gas phase its proton moves to the carboxylate.
    assert!(!energies.contains_key("[NH3+]CC(=O)[O-]"));
    let status = on(&campaign.path("list"), &["status"]).with_code(0);
    assert!(status.out.contains("rearranged"), "{}", status.out);
}
