//! The action set, compared with an independent implementation and its own rules.

use moldflow::chem::edit::{EditRules, successors, valence};
use moldflow::chem::{BondKind, Molecule, edit_name, qm9::Qm9};
use proptest::prelude::*;
use serde_json::Value;

/// Results of RDKit, written by `goldens/chem_actions.py`.
const GOLDEN: &str = include_str!("../goldens/chem_actions.json");

fn rules() -> EditRules {
    EditRules {
        elements: ["C", "N", "O", "F"].map(str::to_owned).into(),
        max_heavy_atoms: 9,
        allowed_ring_sizes: vec![3, 4, 5, 6],
        replace_elements: false,
    }
}

fn names(molecules: &[Molecule]) -> Vec<String> {
    molecules.iter().map(Molecule::canonical_smiles).collect()
}

fn strings(list: &Value) -> Vec<String> {
    serde_json::from_value(list.clone()).unwrap()
}

/// Rules of a golden.
fn golden_rules(rules: &Value) -> EditRules {
    EditRules {
        elements: strings(&rules["elements"]),
        max_heavy_atoms: rules["max_heavy_atoms"].as_u64().unwrap() as usize,
        allowed_ring_sizes: serde_json::from_value(rules["allowed_ring_sizes"].clone()).unwrap(),
        replace_elements: false,
    }
}

#[test]
fn the_action_sets_of_fifty_states_equal_those_of_an_independent_implementation() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 50);
    for case in cases {
        let rules = &golden["rules"][case["rules"].as_u64().unwrap() as usize];
        let rules = golden_rules(rules);
        let state = Molecule::parse(case["state"].as_str().unwrap()).unwrap();
        assert_eq!(
            names(&successors(Some(&state), &rules)),
            strings(&case["successors"]),
            "{}",
            case["state"]
        );
    }
}

/// Results of RDKit, written by `goldens/chem_replacements.py`.
const REPLACEMENTS: &str = include_str!("../goldens/chem_replacements.json");

#[test]
fn the_replacements_of_elements_equal_those_of_an_independent_implementation() {
    let golden: Value = serde_json::from_str(REPLACEMENTS).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 50);
    for case in cases {
        let published = golden_rules(&golden["rules"][case["rules"].as_u64().unwrap() as usize]);
        let extended = EditRules {
            replace_elements: true,
            ..published.clone()
        };
        let state = Molecule::parse(case["state"].as_str().unwrap()).unwrap();
        let mut expected = names(&successors(Some(&state), &published));
        expected.extend(strings(&case["replacements"]));
        expected.sort_unstable();
        expected.dedup();
        let found = names(&successors(Some(&state), &extended));
        assert_eq!(found, expected, "{}", case["state"]);
    }
}

#[test]
fn a_molecule_with_a_ring_of_another_size_may_not_be_proposed() {
    let permits = |smiles| rules().permits(&Molecule::parse(smiles).unwrap());
    assert!(permits("CC1CCC1") && permits("C1CC2CCC1C2") && permits("CCCCCCCCC"));
    assert!(!permits("C1CCCCCC1") && !permits("C1CCCCCC1C"));
    assert!(!permits("CCCCCCCCCC") && !permits("CCl"));
    // Without the bond that its rings share, bicyclo[3.2.0]heptane is a ring of seven.
    let fused = Molecule::parse("C1CC2CCC12").unwrap();
    let after = successors(Some(&fused), &rules());
    let permitted: Vec<bool> = after.iter().map(|m| rules().permits(m)).collect();
    assert!(permitted.contains(&true));
    let seven = Molecule::parse("C1CCC2CCC12").unwrap();
    let opened = successors(Some(&seven), &rules());
    let opened = opened.iter().find(|m| m.canonical_smiles() == "C1CCCCCC1");
    assert!(!rules().permits(opened.expect("the ring of seven")));
}

#[test]
fn from_nothing_come_the_elements() {
    assert_eq!(names(&successors(None, &rules())), ["C", "F", "N", "O"]);
    assert!(
        successors(
            None,
            &EditRules {
                max_heavy_atoms: 0,
                ..rules()
            }
        )
        .is_empty()
    );
}

#[test]
fn an_element_that_cannot_be_added_is_never_added() {
    let rules = EditRules {
        elements: vec!["C".into(), "Xx".into(), "Fe".into()],
        ..rules()
    };
    assert_eq!(names(&successors(None, &rules)), ["C"]);
}

#[test]
fn a_molecule_of_a_hundred_atoms_can_be_edited() {
    let chain = Molecule::parse(&"C".repeat(100)).unwrap();
    let rules = EditRules {
        elements: vec!["F".into()],
        max_heavy_atoms: 101,
        allowed_ring_sizes: Vec::new(),
        replace_elements: false,
    };
    assert!(names(&successors(Some(&chain), &rules)).contains(&format!("{}F", "C".repeat(100))));
}

#[test]
fn the_writing_of_a_state_does_not_change_its_successors() {
    for (one, other) in [
        ("C1=CC=CN=C1C", "Cc1ccccn1"),
        ("C(C)(=O)N", "NC(C)=O"),
        ("C[C@H](N)O", "CC(N)O"),
    ] {
        let of = |smiles: &str| {
            names(&successors(
                Some(&Molecule::parse(smiles).unwrap()),
                &rules(),
            ))
        };
        assert_eq!(of(one), of(other));
    }
}

/// Ring bonds of a connected graph are the bonds beyond a spanning tree.
fn rings(molecule: &Molecule) -> usize {
    let ends: usize = molecule
        .heavy_atoms()
        .iter()
        .map(|atom| atom.neighbours.len())
        .sum();
    ends / 2 + 1 - molecule.heavy_atoms().len()
}

/// Sizes of the smallest ring through each bond.
fn ring_sizes(molecule: &Molecule) -> Vec<usize> {
    let atoms = molecule.heavy_atoms();
    let mut sizes = Vec::new();
    for a in 0..atoms.len() {
        for &(_, b) in atoms[a].neighbours.iter().filter(|(_, b)| *b > a) {
            let mut distance = vec![usize::MAX; atoms.len()];
            distance[a] = 0;
            for step in 0..atoms.len() {
                for i in (0..atoms.len())
                    .filter(|&i| distance[i] == step)
                    .collect::<Vec<_>>()
                {
                    for &(_, j) in atoms[i]
                        .neighbours
                        .iter()
                        .filter(|(_, j)| (i, *j) != (a, b))
                    {
                        distance[j] = distance[j].min(step + 1);
                    }
                }
            }
            sizes.extend(distance[b].checked_add(1));
        }
    }
    sizes
}

/// Sum of the bond orders of an atom; None in aromatic rings, where orders are not integers.
fn localised_valence(molecule: &Molecule, atom: usize) -> Option<usize> {
    let atom = &molecule.heavy_atoms()[atom];
    let orders = atom.neighbours.iter().map(|(kind, _)| match kind {
        BondKind::Single => Some(1),
        BondKind::Double => Some(2),
        BondKind::Triple => Some(3),
        BondKind::Aromatic => None,
    });
    orders
        .sum::<Option<usize>>()
        .map(|bonds| bonds + atom.hydrogens)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Walks of ten random edits, from nothing or from a molecule of QM9.
    #[test]
    fn every_successor_on_a_walk_obeys_the_rules(start in prop::option::of(0..130_831usize), choices in prop::collection::vec(any::<prop::sample::Index>(), 10)) {
        let rules = rules();
        let start = start.map(|position| Molecule::parse(Qm9::open().get(position).smiles).unwrap());
        let mut state = start;
        for choice in choices {
            let next = successors(state.as_ref(), &rules);
            let names = names(&next);
            prop_assert!(names.is_sorted_by(|a, b| a < b), "sorted and distinct");
            for (molecule, name) in next.iter().zip(&names) {
                let again = Molecule::parse(name).unwrap();
                prop_assert_eq!(&again.canonical_smiles(), name);
                prop_assert_eq!(molecule.morgan_bits(3, 2048), again.morgan_bits(3, 2048));
                prop_assert!(molecule.heavy_atoms().len() <= rules.max_heavy_atoms);
                prop_assert_eq!(molecule.radical_electrons(), 0);
                prop_assert_eq!(molecule.charge(), 0);
                for (i, atom) in molecule.heavy_atoms().iter().enumerate() {
                    prop_assert!(rules.elements.contains(&atom.symbol));
                    if !name.contains(['+', '-']) && let Some(bonds) = localised_valence(molecule, i) {
                        prop_assert_eq!(Some(bonds), valence(&atom.symbol), "{}", name);
                    }
                }
                let before = state.as_ref().map_or(0, rings);
                prop_assert!(rings(molecule) <= before + 1);
                // A join closes the shortest ring through the new bond at an allowed size; every
                // ring of a QM9 start is left alone.
                if rings(molecule) > before {
                    let old: Vec<usize> = state.as_ref().map(ring_sizes).unwrap_or_default();
                    let new = ring_sizes(molecule);
                    prop_assert!(new.iter().any(|size| rules.allowed_ring_sizes.contains(size)), "{:?} {:?}", old, name);
                }
            }
            if next.is_empty() {
                break;
            }
            state = Some(choice.get(&next).clone());
        }
    }
}

#[test]
fn an_edit_is_named_by_what_it_changes() {
    let name = |parent: &str, child: &str| {
        let [parent, child] = [parent, child].map(|smiles| Molecule::parse(smiles).unwrap());
        edit_name(&parent, &child)
    };
    for (parent, child, edit) in [
        ("CCO", "CCCO", "adds C by a single bond"),
        ("CC", "CC=O", "adds O by a double bond"),
        ("CC", "CC#N", "adds N by a triple bond"),
        ("CCCl", "FCCCl", "adds F by a single bond"),
        ("CCO", "CC", "removes O"),
        ("C=O", "C", "removes O"),
        ("CCO", "CCN", "replaces O by N"),
        ("CCO", "C1CO1", "closes a ring by a single bond"),
        ("CCC", "C1=CC1", "closes a ring by a double bond"),
        ("C1CC1", "CCC", "opens a ring"),
        ("CCO", "CC=O", "raises the order of a bond"),
        ("C#C", "C=C", "lowers the order of a bond"),
    ] {
        assert_eq!(
            name(parent, child).as_deref(),
            Some(edit),
            "{parent} {child}"
        );
    }
    for (parent, child) in [
        ("CCO", "CCO"),
        ("CCO", "CCCCO"),
        ("CCO", "CCCN"),
        ("CC", "C1CC1C"),
    ] {
        assert_eq!(name(parent, child), None, "{parent} {child}");
    }
}

#[test]
fn every_edit_of_an_independent_implementation_has_a_name() {
    for (golden, key) in [(GOLDEN, "successors"), (REPLACEMENTS, "replacements")] {
        let golden: Value = serde_json::from_str(golden).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let state = Molecule::parse(case["state"].as_str().unwrap()).unwrap();
            for child in strings(&case[key]) {
                let name = edit_name(&state, &Molecule::parse(&child).unwrap());
                let name = name.unwrap_or_else(|| panic!("{} {child}", case["state"]));
                assert_eq!(
                    name.starts_with("replaces"),
                    key == "replacements",
                    "{child}: {name}"
                );
            }
        }
    }
}
