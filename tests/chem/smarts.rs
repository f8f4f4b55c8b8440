//! SMARTS patterns, compared with RDKit.

use moldflow::chem::{ChemError, Molecule, Smarts};

/// Results of RDKit, written by `goldens/chem_smarts.py`.
const GOLDEN: &str = include_str!("../goldens/chem_smarts.csv");

#[test]
fn molecules_have_the_patterns_that_rdkit_finds() {
    let mut rows = GOLDEN.lines().filter(|line| !line.starts_with('#'));
    let molecules: Vec<Molecule> = (rows.next().unwrap().split(',').skip(1))
        .map(|smiles| Molecule::parse(smiles).unwrap())
        .collect();
    let mut compared = 0;
    for row in rows {
        let (pattern, has) = row[1..].split_once("\",").unwrap();
        let smarts = Smarts::parse(pattern).unwrap();
        for (molecule, has) in molecules.iter().zip(has.split(',')) {
            assert_eq!(
                smarts.matches(molecule),
                has == "1",
                "{pattern} {molecule:?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 1000);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in ["", " ", "[OX2H", "C)", "[!]", "C name", "c1ccccc"] {
        let refused = Smarts::parse(text);
        assert!(
            matches!(refused, Err(ChemError::Pattern { .. })),
            "{text}: {refused:?}"
        );
    }
}
