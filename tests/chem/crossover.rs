//! Crossover of molecules, compared with an independent implementation and its own rules.

use std::collections::BTreeSet;

use moldflow::chem::Molecule;
use moldflow::chem::crossover::{children, cuts};
use moldflow::chem::qm9::Qm9;
use proptest::prelude::*;
use serde_json::Value;

/// Results of RDKit, written by `goldens/chem_crossover.py`.
const GOLDEN: &str = include_str!("../goldens/chem_crossover.json");

/// The children of all cuts of both molecules.
fn all_children(first: &Molecule, second: &Molecule, most: usize) -> BTreeSet<String> {
    let (first, second) = (cuts(first), cuts(second));
    let pairs = first
        .iter()
        .flat_map(|one| second.iter().map(move |other| (one, other)));
    pairs
        .flat_map(|(one, other)| children(one, other, most))
        .collect()
}

#[test]
fn the_children_of_all_cuts_equal_those_of_an_independent_implementation() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let most = golden["max_heavy_atoms"].as_u64().unwrap() as usize;
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let parents: Vec<String> = serde_json::from_value(case["parents"].clone()).unwrap();
        let expected: BTreeSet<String> = serde_json::from_value(case["children"].clone()).unwrap();
        let parsed = parents
            .iter()
            .map(|smiles| Molecule::parse(smiles).unwrap());
        let parsed: Vec<Molecule> = parsed.collect();
        let found = all_children(&parsed[0], &parsed[1], most);
        assert_eq!(found, expected, "{parents:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_molecule_is_a_child_of_itself_and_every_child_is_canonical(
        first in 0..130_831usize,
        second in 0..130_831usize,
    ) {
        let qm9 = Qm9::open();
        let parse = |place| Molecule::parse(qm9.get(place).smiles).unwrap();
        let (first, second) = (parse(first), parse(second));
        let first = Molecule::parse(&first.canonical_smiles()).unwrap();
        for child in all_children(&first, &second, 9) {
            let molecule = Molecule::parse(&child).unwrap();
            prop_assert_eq!(molecule.canonical_smiles(), child);
            prop_assert!(molecule.heavy_atoms().len() <= 9);
            prop_assert_eq!(molecule.radical_electrons(), 0);
        }
        for cut in cuts(&first) {
            prop_assert!(
                children(&cut, &cut, 9).contains(&first.canonical_smiles()),
                "{:?} {:?}", first, cut
            );
        }
    }
}
