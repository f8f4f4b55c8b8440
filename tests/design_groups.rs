//! Groups and the model on them.

use moldflow::chem::Molecule;
use moldflow::design::groups::{Vocabulary, groups};
use moldflow::design::model::GroupModel;
use moldflow::design::{Model, TrainSettings};
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

const SMILES: [&str; 8] = ["C", "CC", "CCC", "CCCC", "CO", "CCO", "N", "CN"];

/// Energies that are nearly a sum over atoms.
fn energy(molecule: &Molecule) -> f64 {
    -0.18 * molecule.atom_count() as f64 - 0.03 * molecule.heavy_atoms().len() as f64
}

fn fit(model: Model, per_atom: bool) -> GroupModel {
    let measured: Vec<(Molecule, f64)> = (SMILES.iter())
        .map(|smiles| molecule(smiles))
        .map(|molecule| {
            let share = if per_atom {
                molecule.atom_count() as f64
            } else {
                1.0
            };
            let value = energy(&molecule) / share;
            (molecule, value)
        })
        .collect();
    let settings = TrainSettings {
        model,
        ..TrainSettings::default()
    };
    GroupModel::fit(&measured, per_atom, &settings).unwrap()
}

#[test]
fn a_prediction_per_atom_is_that_of_the_whole_divided() {
    let asked = [molecule("CCCO"), molecule("CCCCCC"), molecule("FC#N")];
    for model in [Model::GroupContribution, Model::GroupCounts] {
        let whole = fit(model, false).predict(&asked);
        let per_atom = fit(model, true).predict(&asked);
        for ((molecule, whole), per_atom) in asked.iter().zip(whole).zip(per_atom) {
            let atoms = molecule.atom_count() as f64;
            assert!((whole.mean / atoms - per_atom.mean).abs() < 1e-9);
            assert!((whole.std / atoms - per_atom.std).abs() < 1e-9);
        }
    }
}

#[test]
fn atoms_never_seen_are_taken_for_average_ones() {
    let seen: Vec<f64> = SMILES
        .map(molecule)
        .iter()
        .map(|m| energy(m) / m.atom_count() as f64)
        .collect();
    let lowest = seen.iter().copied().fold(f64::INFINITY, f64::min);
    for unseen in ["F", "FC#N", "O=C=O"] {
        let prediction = fit(Model::GroupContribution, true).predict([&molecule(unseen)])[0];
        assert!(
            prediction.mean > lowest - 0.05 && prediction.mean < 0.0,
            "{unseen}: {prediction:?}"
        );
    }
}

#[test]
fn a_saved_model_is_the_same_model() {
    let model = fit(Model::GroupContribution, true);
    assert_eq!(
        GroupModel::from_bytes(&model.to_bytes().unwrap()).unwrap(),
        model
    );
}
