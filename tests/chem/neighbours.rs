//! Neighbours of a molecule on our own graphs: the same molecules and fingerprints as by the toolkit.

use std::collections::BTreeSet;

use moldflow::chem::Molecule;
use moldflow::chem::edit::{EditRules, neighbours};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// States of the random walks.
const STATES: usize = 10_000;

#[test]
fn ten_thousand_states_have_the_smiles_and_the_fingerprint_of_the_toolkit() {
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut seen = BTreeSet::new();
    for walk in 0.. {
        if seen.len() >= STATES {
            break;
        }
        let rules = EditRules {
            elements: ["C", "N", "O", "F", "S", "Cl"].map(String::from).to_vec(),
            max_heavy_atoms: if walk % 2 == 0 { 9 } else { 20 },
            allowed_ring_sizes: vec![3, 4, 5, 6, 7],
            replace_elements: walk % 3 == 0,
        };
        let mut state: Option<Molecule> = None;
        for _ in 0..40 {
            let around = neighbours(state.as_ref(), &rules);
            let names: BTreeSet<String> = around.iter().map(|one| one.smiles()).collect();
            assert_eq!(
                names.len(),
                around.len(),
                "neighbours of {state:?} occur twice"
            );
            for neighbour in around.sample(&mut rng, 10) {
                let name = neighbour.smiles();
                if !seen.insert(name.clone()) {
                    continue;
                }
                let read = Molecule::parse(&name).unwrap();
                assert_eq!(read.canonical_smiles(), name);
                let radius = rng.random_range(0..=4);
                assert_eq!(
                    neighbour.morgan_bits(radius, 2048),
                    read.morgan_bits(radius, 2048),
                    "{name}, radius {radius}"
                );
            }
            let Some(next) = around.choose(&mut rng) else {
                break;
            };
            state = Some(Molecule::parse(&next.smiles()).unwrap());
        }
    }
}
