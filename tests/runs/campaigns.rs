//! Small versions of the shipped campaigns, by real programs.

use crate::support;
use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Campaign, on, rows};

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
    let relaxed = rows
        .iter()
        .filter(|row| !row["relax.energy_hartree"].is_empty());
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
    let totals = values(&rows, "xtb.energy_hartree");
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
    let energies = values(&rows, "xtb.energy_hartree");
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

/// Smallest sizes of the campaigns that search: the params that they have.
const SMALL: [&str; 6] = [
    "initial_count=2",
    "search_size=2",
    "parallel_guesses=2",
    "rl_episodes=1",
    "max_heavy_atoms=3",
    "search_space.max_heavy_atoms=3",
];

/// Runs a small version of a shipped campaign to its end; returns its rows.
fn searched(name: &str, more: &[&str]) -> Vec<BTreeMap<String, String>> {
    let campaign = Campaign::shipped(name);
    let text = std::fs::read_to_string(std::path::Path::new("campaigns").join(name));
    let text = text.expect("a campaign");
    let params = text.split_once("\nparams:\n").map_or("", |(_, rest)| rest);
    let params = params.split("\n\n").next().unwrap_or_default();
    let is_param = |key: &str| params.lines().any(|l| l.starts_with(&format!("  {key}:")));
    let has = |set: &&&str| {
        let key = set.split('=').next().expect("a key");
        match key.split_once('.') {
            Some((_, name)) => !is_param(name),
            None => is_param(key),
        }
    };
    let small = SMALL.iter().filter(has).chain(more);
    let arguments: Vec<&str> = small.flat_map(|set| ["--set", set]).collect();
    let run_dir = campaign.completed("run", &arguments);
    let status = on(&run_dir, &["status", "--json"]).with_code(0).json();
    assert_eq!(status["stopped_by"], "evaluations", "{name}");
    on(&run_dir, &["check"]).with_code(0);
    rows(&run_dir)
}

/// Requires two molecules of the source with a value, and two that the search tried, one of them with a
/// value: of three atoms it may propose a ring without a geometry.
fn assert_searched(rows: &[BTreeMap<String, String>], column: &str) {
    let tried = |row: &&BTreeMap<String, String>| {
        let ended = ["evaluated", "failed"].contains(&row["status"].as_str());
        row["batch"] != "0" && ended
    };
    assert_eq!(rows.iter().filter(tried).count(), 2, "{rows:?}");
    let has_value = |row: &&BTreeMap<String, String>| !row[column].is_empty();
    let of_source = rows.iter().filter(|row| row["batch"] == "0");
    assert!(of_source.filter(has_value).count() >= 2, "{rows:?}");
    let found = rows.iter().filter(tried).filter(has_value);
    assert!(found.count() >= 1, "{rows:?}");
}

#[test]
fn the_quickstart_is_run() {
    assert_searched(
        &searched("quickstart.yml", &[]),
        "atomization_energy_hartree",
    );
}

#[test]
fn the_search_of_qm9_is_run() {
    assert_searched(
        &searched("qm9-atomization.yml", &[]),
        "atomization_energy_hartree",
    );
}

#[test]
fn the_search_by_moldqn_is_run() {
    assert_searched(&searched("moldqn.yml", &[]), "atomization_energy_hartree");
}

#[test]
fn the_search_per_atom_is_run() {
    assert_searched(
        &searched("qm9-per-atom.yml", &[]),
        "atomization_energy_per_atom_hartree",
    );
}

#[test]
fn the_search_at_two_levels_is_run() {
    assert_searched(
        &searched("qm9-two-step.yml", &[]),
        "atomization_energy_hartree",
    );
}

#[test]
fn the_search_with_nwchem_is_run() {
    assert_searched(
        &searched("qm9-nwchem.yml", &[]),
        "atomization_energy_hartree",
    );
}

#[test]
fn a_search_learns_by_a_model_in_python() {
    let campaign = Campaign::shipped("python-model.yml");
    let small = [
        "initial_count=6",
        "search_size=4",
        "search_space.max_heavy_atoms=5",
        "methods.energy.settings.conformers=1",
        "methods.propose.settings.episodes=1",
    ];
    let arguments: Vec<&str> = small.iter().flat_map(|set| ["--set", set]).collect();
    let rows = rows(&campaign.completed("run", &arguments));
    let proposed = rows.iter().filter(|row| row["batch"] != "0");
    let mut predicted = proposed.filter(|row| row["status"] == "evaluated");
    assert!(predicted.all(|row| {
        row["prediction_std_hartree"]
            .parse::<f64>()
            .is_ok_and(|std| std > 0.0)
    }));
    let values = values(&rows, "atomization_energy_per_atom_hartree");
    assert!(values.len() >= 8, "{rows:?}");
}

/// With RDKit 2026.9.1, of `tests/requirements.txt`.
#[test]
fn the_agent_of_the_paper_is_rewarded_by_the_property_itself() {
    for property in ["qed", "logp"] {
        let campaign = Campaign::shipped("moldqn-paper.yml");
        let property = format!("property={property}");
        let small = [
            &property,
            "search_size=6",
            "episodes=1",
            "methods.propose.settings.steps=12",
            "methods.propose.settings.batch_size=4",
            "methods.propose.settings.hidden=[16]",
        ];
        let arguments: Vec<&str> = small.iter().flat_map(|set| ["--set", set]).collect();
        let rows = rows(&campaign.completed("run", &arguments));
        let proposed = rows.iter().filter(|row| row["batch"] != "0");
        let mut differences = proposed.filter_map(|row| {
            let number = |name: &str| row[name].parse::<f64>().ok();
            Some(number("prediction_mean")? - number("score")?)
        });
        assert!(differences.clone().count() >= 6, "{rows:?}");
        assert!(
            differences.all(|difference| difference.abs() < 1e-9),
            "{rows:?}"
        );
    }
}

#[test]
fn each_of_several_generators_has_a_share() {
    let campaign = Campaign::shipped("several-generators.yml");
    let small = [
        "initial_count=4",
        "search_size=12",
        "max_heavy_atoms=4",
        "methods.energy.settings.conformers=1",
    ];
    let arguments: Vec<&str> = small.iter().flat_map(|set| ["--set", set]).collect();
    let run_dir = campaign.completed("run", &arguments);
    let text = std::fs::read_to_string(run_dir.join("rl_records.jsonl")).expect("records");
    let last = text.lines().last().expect("a batch");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let shares = ["by_agent", "by_chance", "from_qm9"]
        .map(|stage| last["metrics"][stage]["share"].as_f64().expect("a share"));
    assert!(
        (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
        "{shares:?}"
    );
    assert!(shares.iter().all(|share| *share >= 0.05), "{shares:?}");
}

#[test]
fn each_search_over_the_pool_of_qm9_finds_the_best_of_its_small_molecules() {
    // The best of the molecules with at most four heavy atoms, by the columns of qm9pack 1.0.3.
    let best = [
        ("qm9-pool.yml", "atomization_energy_hartree", "CC(C)C"),
        ("qm9-pool-per-atom.yml", "binding_hartree", "N#CC#N"),
        ("qm9-pool-gap.yml", "gap_hartree", "C"),
        ("qm9-pool-lowest-gap.yml", "gap_hartree", "O=CC=O"),
        ("qm9-pool-polarizability.yml", "polarizability_bohr_3", "C"),
    ];
    for (name, column, molecule) in best {
        let campaign = Campaign::shipped(name);
        let small = [
            "search_space.max_heavy_atoms=4",
            "search_size=60",
            "stop.barren_batches=1",
        ];
        let arguments: Vec<&str> = small.iter().flat_map(|set| ["--set", set]).collect();
        let rows = rows(&campaign.completed("run", &arguments));
        let values = values(&rows, column);
        let (first, last) = (lowest(&values, 1), lowest(&values, values.len() - 1));
        let found = match name {
            "qm9-pool-gap.yml" | "qm9-pool-polarizability.yml" => &molecules(&values) - &last,
            _ => first,
        };
        assert_eq!(found, BTreeSet::from([molecule.to_owned()]), "{name}");
        // No processes for them.
        assert!(
            rows.iter().all(|row| row["status"] == "evaluated"),
            "{name}"
        );
    }
}

#[test]
fn the_lowest_gap_is_searched() {
    let rows = searched("gap.yml", &[]);
    assert_searched(&rows, "gap_eV");
    // In hartree, as the engine returns them.
    for row in rows.iter().filter(|row| !row["gap_eV"].is_empty()) {
        let number = |column: &str| row[column].parse::<f64>().expect("a number");
        let gap =
            (number("relaxed.lumo_hartree") - number("relaxed.homo_hartree")) * 27.211_386_245_988;
        assert!((number("gap_eV") - gap).abs() < 1e-3, "{row:?}");
    }
}

#[test]
fn the_campaign_of_redox_potentials_is_run() {
    let rows = searched("redox.yml", &[]);
    let potentials = values(&rows, "oxidation_potential_V");
    assert!(potentials.len() >= 4, "{rows:?}");
    // Both levels: every molecule of the second one went through the first.
    for row in rows
        .iter()
        .filter(|row| row["batch"] != "0" && !row["oxidation_potential_V"].is_empty())
    {
        assert!(!row["ionisation_potential_V"].is_empty(), "{row:?}");
    }
}

#[test]
fn the_pool_of_redoxmers_is_read_and_its_campaign_is_run() {
    let campaign = Campaign::shipped("redoxmers.yml");
    let pool = std::fs::read_to_string(campaign.path("redoxmers.smi")).expect("a pool");
    let entries = pool.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(entries.count(), 500);
    // All of them lie in the search space.
    let file = std::path::Path::new("campaigns/redoxmers.yml");
    let mut check = support::moldflow(&["check"]);
    let checked = support::run_to_end(check.arg(file)).with_code(0);
    assert!(
        checked
            .out
            .contains("500 read, 0 duplicates, 0 skipped; 500 can be drawn"),
        "{}",
        checked.out
    );
    // The smallest ones: a few seconds each.
    let more = [
        "search_space.max_heavy_atoms=9",
        "methods.neutral.settings.conformers=2",
    ];
    let rows = searched("redoxmers.yml", &more);
    assert!(
        values(&rows, "oxidation_potential_V").len() >= 4,
        "{rows:?}"
    );
    let names = rows.iter().filter(|row| row["batch"] == "0");
    assert!(
        names.clone().all(|row| row["name"].contains('/')),
        "{rows:?}"
    );
}

#[test]
fn the_campaign_of_two_sites_is_run_on_one() {
    let one_rank = [
        "site=local",
        "methods.energy.settings.nodes=1",
        "methods.energy.settings.ranks_per_node=1",
    ];
    assert_searched(
        &searched("multi-site.yml", &one_rank),
        "atomization_energy_hartree",
    );
}

/// Runs the program behind the options of Cray's aprun, once and here.
const APRUN: &str = r#"#!/bin/sh
while :; do
  case $1 in
    -C) shift ;;
    -n|-N|-cc|--env|-d|-j|-L) shift 2 ;;
    *) break ;;
  esac
done
exec "$@"
"#;

#[test]
fn the_campaign_of_theta_is_run_in_a_job_of_cobalt_with_another_aprun() {
    use std::os::unix::fs::PermissionsExt;
    let campaign = Campaign::shipped("theta.yml");
    let programs = campaign.path("bin");
    std::fs::create_dir(&programs).expect("a folder");
    let aprun = programs.join("aprun");
    std::fs::write(&aprun, APRUN).expect("a file");
    std::fs::set_permissions(&aprun, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let nodes = campaign.path("nodes");
    std::fs::write(&nodes, "nid00001\nnid00002\nnid00003\n").expect("a file");
    let path = std::env::var("PATH").expect("a path");
    let small = [
        "initial_count=2",
        "search_size=2",
        "parallel_guesses=1",
        "rl_episodes=1",
        "search_space.max_heavy_atoms=2",
    ];
    let arguments: Vec<&str> = small.iter().flat_map(|set| ["--set", set]).collect();
    let mut command = campaign.run_command("run", &arguments);
    command
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("COBALT_JOBID", "1234")
        .env("COBALT_NODEFILE", &nodes);
    support::run_to_end(&mut command).with_code(0);
    let rows = rows(&campaign.path("run"));
    assert_searched(&rows, "atomization_energy_hartree");
    for row in rows.iter().filter(|row| row["status"] == "evaluated") {
        assert_eq!(row["level_of_theory"], "HF/3-21G//MMFF94");
    }
}

#[test]
fn a_search_by_an_energy_in_python_finds_stronger_bonds_than_it_began_with() {
    let campaign = Campaign::shipped("python-energy.yml");
    let small = ["--set", "initial_count=8", "--set", "search_size=12"];
    let run_dir = campaign.completed("python", &small);
    let rows = rows(&run_dir);
    let strengths = values(&rows, "strength_kJ_mol");
    assert!(strengths.len() >= 15, "{strengths:?}");
    for (smiles, strength) in &strengths {
        // Single bonds of 150 kJ/mol to the hydrogens and triple bonds of a small molecule.
        assert!((-3000.0..-150.0).contains(strength), "{smiles}: {strength}");
    }
}

/// By hand, from the mean bond enthalpies: methane has four bonds of 413 kJ/mol, methanol three,
/// and 358 and 463.
#[test]
fn the_energies_of_the_shipped_function_are_sums_over_bonds() {
    let campaign = Campaign::shipped("python-energy.yml").with("source: qm9", "source: list.smi");
    std::fs::write(campaign.path("list.smi"), "C\nCO\nC#N\n").expect("a file");
    let small = ["--set", "initial_count=3", "--set", "search_size=1"];
    let rows = rows(&campaign.completed("sums", &small));
    let energy = values(&rows, "bonds.energy_hartree");
    for (smiles, sum) in [
        ("C", 4 * 413),
        ("CO", 3 * 413 + 358 + 463),
        ("C#N", 413 + 891),
    ] {
        let kilojoules = energy[smiles] * -2_625.499_639;
        assert!(
            (kilojoules - f64::from(sum)).abs() < 1e-6,
            "{smiles}: {kilojoules}"
        );
    }
}
