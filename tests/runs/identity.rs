//! Runs over a source that writes molecules with and without stereo and isotopes.

use std::fs;
use std::path::Path;

use crate::support::runs::molecules;
use crate::support::{Campaign, on, rows};

const SPELLINGS: &str = "C[C@H](O)F\nC[C@@H](O)F\nCC(O)F\n[13CH3]O\nCO\nO[CH3:1]\n";

fn campaign() -> Campaign {
    let campaign = Campaign::tiny().with("source: qm9", "source: spellings.smi");
    fs::write(campaign.path("spellings.smi"), SPELLINGS).unwrap();
    campaign
}

/// Molecules and energies of the initial stage, sorted.
fn initial(run_dir: &Path) -> Vec<(String, f64)> {
    let mut rows = rows(run_dir);
    rows.retain(|row| row["batch"] == "0");
    let energy = |text: &str| text.parse().unwrap();
    let mut initial: Vec<(String, f64)> = rows
        .iter()
        .map(|row| (row["smiles"].clone(), energy(&row["energy.energy_hartree"])))
        .collect();
    initial.sort_by(|one, other| one.0.cmp(&other.0));
    initial
}

#[test]
fn every_spelling_of_a_molecule_is_that_molecule() {
    let campaign = campaign();
    let run_dir = campaign.completed("run", &["--set", "stages.initial.molecules.random=2"]);
    let names: Vec<String> = initial(&run_dir)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["CC(O)F", "CO"]);
    let rows = rows(&run_dir);
    assert!(
        molecules(&rows)
            .iter()
            .all(|name| !name.contains('@') && !name.contains("[13"))
    );
    for (spelling, name) in [("O[13CH3]", "CO"), ("O[C@H](C)F", "CC(O)F")] {
        let explained = on(&run_dir, &["explain", spelling]).with_code(0).out;
        assert!(
            explained.contains(&format!(" of {name} by energy,")),
            "{explained}"
        );
    }
    let resolved = fs::read_to_string(run_dir.join("campaign.yml")).unwrap();
    assert!(
        resolved.contains("stereo: ignore") && resolved.contains("conformers: 30"),
        "{resolved}"
    );
}

#[test]
fn a_campaign_may_keep_stereo_and_isotopes() {
    let set = [
        "--set",
        "search_space.stereo=keep",
        "--set",
        "stages.initial.molecules.random=5",
    ];
    let campaign = campaign();
    let run_dir = campaign.completed("run", &set);
    let initial = initial(&run_dir);
    let names: Vec<&str> = initial.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["CC(O)F", "CO", "C[C@@H](O)F", "C[C@H](O)F", "[13CH3]O"]
    );
    // Mirror images, and isotopes of one molecule, have the same energy.
    for (one, other) in [(0, 2), (2, 3), (1, 4)] {
        assert!(
            (initial[one].1 - initial[other].1).abs() < 1e-3,
            "{initial:?}"
        );
    }
    let explained = on(&run_dir, &["explain", "O[13CH3]"]).with_code(0).out;
    assert!(explained.contains(" of [13CH3]O by energy,"), "{explained}");
}
