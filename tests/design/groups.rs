//! Groups and the model on them.

use moldflow::chem::Molecule;
use moldflow::design::surrogate::groups::{Vocabulary, groups};
use moldflow::design::surrogate::statistics::Statistics;
use moldflow::design::surrogate::{GroupContribution, GroupFeatures, GroupModel, LabelledMolecule};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    molecules: Vec<MoleculeGroups>,
}

#[derive(Deserialize)]
struct MoleculeGroups {
    name: String,
    smiles: String,
    groups: Vec<String>,
}

fn molecule(smiles: &str) -> Molecule {
    Molecule::parse(smiles).unwrap()
}

#[test]
fn groups_are_those_of_an_independent_program() {
    let golden: Golden =
        serde_json::from_str(include_str!("../goldens/design_groups.json")).unwrap();
    assert_eq!(golden.molecules.len(), 12);
    for MoleculeGroups {
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
    let vocabulary = Vocabulary::from_molecules(&[molecule("CC(N)=O"), molecule("CC")]);
    // [CD1][CD1]; [CD1][CD3]; [CD3](=[OD1])([CD1])[ND1]; [ND1][CD3]; [OD1]=[CD3].
    assert_eq!(vocabulary.len(), 5);
    assert_eq!(vocabulary.counts(&molecule("CC")).known, [(0, 2.0)]);
    assert_eq!(
        vocabulary.counts(&molecule("CC(N)=O")).known,
        [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]
    );
    assert_eq!(
        vocabulary.counts(&molecule("NC(N)=O")).known,
        [(3, 2.0), (4, 1.0)]
    );
    assert_eq!(vocabulary.counts(&molecule("F")).known, []);
}

const SMILES: [&str; 8] = ["C", "CC", "CCC", "CCCC", "CO", "CCO", "N", "CN"];

/// Energies that are nearly a sum over atoms.
fn energy(molecule: &Molecule) -> f64 {
    -0.18 * molecule.atom_count() as f64 - 0.03 * molecule.heavy_atoms().len() as f64
}

fn fit(features: GroupFeatures, per_atom: bool) -> GroupModel {
    let measured: Vec<LabelledMolecule> = (SMILES.iter())
        .map(|smiles| molecule(smiles))
        .map(|molecule| {
            let share = if per_atom {
                molecule.atom_count() as f64
            } else {
                1.0
            };
            let cost = energy(&molecule) / share;
            LabelledMolecule { molecule, cost }
        })
        .collect();
    let settings = GroupContribution {
        features,
        ..GroupContribution::default()
    };
    GroupModel::fit(&measured, !per_atom, &settings).unwrap()
}

#[test]
fn a_prediction_per_atom_is_that_of_the_whole_divided() {
    let asked = [molecule("CCCO"), molecule("CCCCCC"), molecule("FC#N")];
    for features in [GroupFeatures::Shares, GroupFeatures::Counts] {
        let whole = fit(features, false).predict(&asked);
        let per_atom = fit(features, true).predict(&asked);
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
        let prediction = fit(GroupFeatures::Shares, true).predict([&molecule(unseen)])[0];
        assert!(
            prediction.mean > lowest - 0.05 && prediction.mean < 0.0,
            "{unseen}: {prediction:?}"
        );
    }
}

/// Every way to cut a list in portions.
fn portions() -> impl Strategy<Value = (Vec<(usize, f64)>, Vec<usize>)> {
    let measured = prop::collection::vec((0..SMILES.len() + MORE.len(), -5.0..0.0f64), 1..40);
    (measured, prop::collection::vec(0usize..12, 0..12))
}

/// With groups that `SMILES` lack.
const MORE: [&str; 6] = ["C#N", "O=C=O", "c1ccccc1", "CC(N)=O", "FC(F)F", "C1CC1"];

proptest! {
    #[test]
    fn a_fit_to_results_in_portions_is_the_fit_to_all_of_them((measured, cuts) in portions(), per_atom: bool, counts: bool) {
        let features = if counts { GroupFeatures::Counts } else { GroupFeatures::Shares };
        let settings = GroupContribution { features, ..GroupContribution::default() };
        let all: Vec<&str> = SMILES.into_iter().chain(MORE).collect();
        let measured: Vec<LabelledMolecule> = (measured.into_iter())
            .map(|(i, cost)| LabelledMolecule { molecule: molecule(all[i]), cost })
            .collect();
        let mut statistics = Statistics::new(features, !per_atom);
        let mut rest = &measured[..];
        for cut in cuts {
            let (portion, later) = rest.split_at(cut.min(rest.len()));
            statistics.add(portion).unwrap();
            statistics = Statistics::from_bytes(&statistics.to_bytes().unwrap()).unwrap();
            rest = later;
        }
        statistics.add(rest).unwrap();
        let in_portions = GroupModel::from_statistics(&statistics, &settings).unwrap();
        let at_once = GroupModel::fit(&measured, !per_atom, &settings).unwrap();
        prop_assert_eq!(&in_portions, &at_once);

        let predictions = at_once.predict(measured.iter().map(|m| &m.molecule));
        let squares = predictions.iter().zip(&measured).map(|(p, m)| (p.mean - m.cost).powi(2));
        let rmse = (squares.sum::<f64>() / measured.len() as f64).sqrt();
        prop_assert!((at_once.rmse(&statistics) - rmse).abs() < 1e-6, "{} is not {}", at_once.rmse(&statistics), rmse);
    }
}
