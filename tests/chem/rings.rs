//! Sizes of rings, compared with RDKit.

use moldflow::chem::{Molecule, ring_sizes};

/// Results of RDKit, written by `goldens/chem_rings.py`.
const GOLDEN: &str = include_str!("../goldens/chem_rings.csv");

#[test]
fn the_sizes_of_rings_equal_rdkits() {
    let cases = GOLDEN.lines().skip(2);
    assert!(cases.clone().count() > 500);
    for case in cases {
        let (smiles, sizes) = case.split_once(',').unwrap();
        let expected: Vec<usize> = sizes.split(' ').filter_map(|s| s.parse().ok()).collect();
        let found = Vec::from_iter(ring_sizes(&Molecule::parse(smiles).unwrap()));
        assert_eq!(found, expected, "{smiles}");
    }
}
