//! Groups and the model on them.

use moldflow::chem::Molecule;
use moldflow::design::TrainSettings;
use moldflow::design::groups::{Vocabulary, groups};
use moldflow::design::model::GroupModel;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    molecules: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    smiles: String,
    groups: Vec<String>,
}

fn molecule(smiles: &str) -> Molecule {
    Molecule::parse(smiles).unwrap()
}

#[test]
fn groups_are_those_of_an_independent_program() {
    let golden: Golden = serde_json::from_str(include_str!("goldens/design_groups.json")).unwrap();
    assert_eq!(golden.molecules.len(), 12);
    for Named {
        name,
        smiles,
        groups: expected,
    } in golden.molecules
    {
        assert_eq!(groups(&molecule(&smiles)), expected, "{name}");
    }
}

#[test]
fn counts_follow_the_sorted_vocabulary_and_unknown_groups_are_dropped() {
    let vocabulary = Vocabulary::of(&[molecule("CC(N)=O"), molecule("CC")]);
    // [CD1][CD1]; [CD1][CD3]; [CD3](=[OD1])([CD1])[ND1]; [ND1][CD3]; [OD1]=[CD3].
    assert_eq!(vocabulary.len(), 5);
    assert_eq!(vocabulary.counts(&molecule("CC")), [(0, 2.0)]);
    assert_eq!(
        vocabulary.counts(&molecule("CC(N)=O")),
        [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]
    );
    assert_eq!(
        vocabulary.counts(&molecule("NC(N)=O")),
        [(3, 2.0), (4, 1.0)]
    );
    assert_eq!(vocabulary.counts(&molecule("F")), []);
}

#[test]
fn per_atom_values_are_fitted_as_whole_molecules() {
    let smiles = ["C", "CC", "CCC", "CCCC", "CO", "CCO", "N", "CN"];
    let energy = |molecule: &Molecule| {
        -0.18 * molecule.atom_count() as f64 - 0.3 * molecule.heavy_atoms().len() as f64
    };
    let settings = TrainSettings::default();
    let fit = |per_atom: bool| {
        let value = |molecule: &Molecule| match per_atom {
            true => energy(molecule) / molecule.atom_count() as f64,
            false => energy(molecule),
        };
        let measured: Vec<(Molecule, f64)> = (smiles.iter())
            .map(|smiles| molecule(smiles))
            .map(|molecule| (molecule.clone(), value(&molecule)))
            .collect();
        GroupModel::fit(&measured, per_atom, &settings).unwrap()
    };
    let asked = [molecule("CCCO"), molecule("CCCCCC")];
    let whole = fit(false).predict(&asked);
    let per_atom = fit(true).predict(&asked);
    for ((molecule, whole), per_atom) in asked.iter().zip(whole).zip(per_atom) {
        let atoms = molecule.atom_count() as f64;
        assert!((whole.mean / atoms - per_atom.mean).abs() < 1e-9);
        assert!((whole.std / atoms - per_atom.std).abs() < 1e-9);
    }
}
