//! The story of a molecule: `moldflow explain`.

use moldflow::chem::Molecule;
use moldflow::chem::edit::{EditRules, successor_names};
use moldflow::task::{Fact, Outcome};

use crate::support::binary::{moldflow_in, run_to_end};
use crate::support::{Campaign, journal, on, rows};

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no `{before}`: {text}"));
    rest.split_once(after)
        .unwrap_or_else(|| panic!("no `{after}`: {text}"))
        .0
}

#[test]
fn a_molecule_is_told_from_its_parent_to_its_value() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let all = rows(&run_dir);
    let proposed: Vec<_> = (all.iter())
        .filter(|row| row["status"] == "evaluated" && row["batch"] != "0")
        .collect();
    assert!(!proposed.is_empty());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut best = 0;
    for row in &proposed {
        let told = on(&run_dir, &["explain", &row["smiles"]]).with_code(0).out;
        let rank: usize = row["rank"].parse().unwrap();
        let place = format!("ranked {} of ", rank + 1);
        assert!(told.contains(&place), "{told}");
        let batch = format!("proposed in batch {} by `generate`", row["batch"]);
        assert!(told.contains(&batch), "{told}");
        // A walk that begins at nothing has made single atoms of no parent, which are not computed.
        let parent = between(&told, "by `generate` from ", ": ");
        let is_candidate = all
            .iter()
            .any(|row| Some(row["smiles"].as_str()) == parent.split(' ').next());
        let parent = match is_candidate {
            true => parent,
            false => parent.strip_suffix(" (never a candidate)").expect(&told),
        };
        let rules = EditRules {
            elements: ["C", "N", "O", "F"].map(str::to_owned).into(),
            max_heavy_atoms: 9,
            allowed_ring_sizes: (3..=7).collect(),
            replace_elements: true,
        };
        let children = successor_names(Molecule::parse(parent).ok().as_ref(), &rules);
        assert!(children.contains(&row["smiles"]), "{parent} {told}");
        let attempt = format!("attempt 1 on {}, started 2", host.trim());
        assert!(told.contains(&attempt), "{told}");
        let value: f64 = row["atomization_energy_hartree"].parse().unwrap();
        let computed = between(&told, "computed atomization energy: ", " hartree");
        assert!(
            (computed.parse::<f64>().unwrap() - value).abs() < 1e-6,
            "{told}"
        );
        assert!(told.contains("energy: dipole "), "{told}");
        best += usize::from(told.contains("the best molecule of the run"));
    }
    assert!(best <= 1);
}

#[test]
fn a_molecule_that_was_not_computed_is_told_why() {
    let campaign = Campaign::tiny();
    let run_dir = campaign.completed("run", &[]);
    let known: Vec<String> = rows(&run_dir)
        .into_iter()
        .map(|row| row["smiles"].clone())
        .collect();
    let screened = journal(&run_dir)
        .into_iter()
        .find_map(|event| match event.fact {
            Fact::Ended {
                outcome: Outcome::Screened { ranked },
                ..
            } => {
                let passed = (1..)
                    .zip(ranked)
                    .find(|(_, one)| !known.contains(&one.smiles));
                passed.map(|(place, one)| (place, one.smiles))
            }
            _ => None,
        });
    let (place, smiles) = screened.expect("a molecule that was ranked and not chosen");
    let told = on(&run_dir, &["explain", &smiles]).with_code(0).out;
    assert!(told.contains("not computed"), "{told}");
    assert!(
        told.contains(&format!("proposed in batch 1, ranked {place} of ")),
        "{told}"
    );
    assert!(told.contains("predicted atomization energy -"), "{told}");
    for (smiles, reason) in [
        ("CCCCCCCCCCCC", "outside of the search space: too large"),
        ("CCS", "outside of the search space: other element"),
        (
            "FNN(F)F",
            "neither drawn from the source, nor among the best",
        ),
    ] {
        let told = on(&run_dir, &["explain", smiles]).with_code(0).out;
        assert!(told.contains(reason), "{smiles}: {told}");
    }
}

#[test]
fn an_entry_of_the_source_that_was_left_out_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let molecules = "CO methanol\nCC(=O)[O-].[Na+] sodium acetate\nC[SiH3] silane\n";
    std::fs::write(dir.path().join("mine.smi"), molecules).unwrap();
    let moldflow = |arguments: &[&str]| run_to_end(&mut moldflow_in(dir.path(), arguments));
    moldflow(&["init", "--molecules", "mine.smi", "--mode", "list"]).with_code(0);
    moldflow(&["run", "campaign.yml", "--run-dir", "run", "--quiet"]).with_code(0);
    for (subject, reason) in [
        ("sodium acetate", "left out of the source, line 2: salt"),
        ("CC(=O)[O-].[Na+]", "`largest_fragment: true` takes"),
        ("C[SiH3]", "outside of the search space: other element"),
    ] {
        let told = moldflow(&["explain", "run", subject]).with_code(0).out;
        assert!(told.contains(reason), "{subject}: {told}");
    }
}
