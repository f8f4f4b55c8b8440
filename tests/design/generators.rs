//! Generators that search around the best measured molecules, and the settings of walks.

use std::collections::BTreeSet;
use std::fs;

use moldflow::chem::edit::{EditRules, successors};
use moldflow::chem::{Molecule, edit_name};
use moldflow::design::{
    Edits, EpisodeStart, GenerateEngine, GenerateInput, Genetic, Moldqn, Observation, RandomEdits,
    WalkProposals, generate,
};
use proptest::prelude::*;

use crate::tasks::{TaskFolder, moldqn, small, trained};

fn edits(width: usize, depth: usize) -> GenerateEngine {
    GenerateEngine::Edits {
        settings: Edits { width, depth },
    }
}

fn genetic(settings: Genetic) -> GenerateEngine {
    GenerateEngine::Genetic { settings }
}

fn walk(start: EpisodeStart, proposals: WalkProposals, replace_elements: bool) -> GenerateEngine {
    let settings = RandomEdits {
        episodes: 2,
        steps: 1,
        start,
        proposals,
        replace_elements,
    };
    GenerateEngine::Random { settings }
}

fn measured(smiles: &[&str]) -> Vec<Observation> {
    let observation = |smiles: &&str| Observation {
        smiles: smiles.to_string(),
        cost: -1.0,
    };
    smiles.iter().map(observation).collect()
}

fn rules(input: &GenerateInput, replace_elements: bool) -> EditRules {
    EditRules {
        elements: input.elements.clone(),
        max_heavy_atoms: input.max_heavy_atoms,
        allowed_ring_sizes: input.allowed_ring_sizes.clone(),
        replace_elements,
    }
}

/// The molecules one edit away that may be proposed.
fn neighbours(of: &str, rules: &EditRules) -> BTreeSet<String> {
    let all = successors(Some(&Molecule::parse(of).unwrap()), rules).into_iter();
    let permitted = all.filter(|molecule| rules.permits(molecule));
    permitted
        .map(|molecule| molecule.canonical_smiles())
        .collect()
}

fn proposed(folder: &TaskFolder, input: &GenerateInput) -> Vec<String> {
    let with_parents = proposed_with_parents(folder, input).into_iter();
    with_parents.map(|(smiles, _)| smiles).collect()
}

/// The proposals, each with the molecules that it was made of.
fn proposed_with_parents(folder: &TaskFolder, input: &GenerateInput) -> Vec<(String, Vec<String>)> {
    generate(input).unwrap();
    let text = folder.text("candidates");
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let lines = text.lines().map(|line| {
        let mut words = words(line);
        (words.remove(0), words)
    });
    lines.collect()
}

#[test]
fn a_beam_proposes_all_neighbours_of_the_best_and_those_of_the_best_of_them() {
    let folder = trained();
    let input = |engine| GenerateInput {
        engine,
        best: measured(&["CCO", "CC(N)=O"]),
        ..folder.input()
    };
    let first = input(edits(2, 1));
    let rules = rules(&first, true);
    let mut expected: BTreeSet<String> = neighbours("CCO", &rules);
    expected.extend(neighbours("CC(N)=O", &rules));
    expected.extend(["CCO", "CC(N)=O"].map(String::from));
    assert!(expected.contains("CCN") && expected.contains("CCF"));
    assert_eq!(BTreeSet::from_iter(proposed(&folder, &first)), expected);
    // Of width one, the second level has the neighbours of one molecule of the first.
    let one = proposed(&folder, &input(edits(1, 1)));
    let two = BTreeSet::from_iter(proposed(&folder, &input(edits(1, 2))));
    let around = |smiles: &String| {
        let mut all = BTreeSet::from_iter(one.iter().cloned());
        all.extend(neighbours(smiles, &rules));
        all
    };
    assert!(one.iter().any(|smiles| around(smiles) == two));
}

#[test]
fn a_scarce_round_widens_the_beam_and_begins_at_fresh_molecules() {
    let folder = trained();
    let round = |scarce_rounds, starts: &[&str]| {
        let input = GenerateInput {
            engine: edits(2, 1),
            best: measured(&["CCO", "CC(N)=O", "CF"]),
            starts: starts.iter().map(|smiles| smiles.to_string()).collect(),
            scarce_rounds,
            ..folder.input()
        };
        let output = generate(&input).unwrap();
        (
            output.metrics["width"],
            output.metrics["levels"],
            output.candidates,
        )
    };
    let (calm, scarce) = (round(0, &[]), round(1, &["C#N"]));
    assert_eq!((calm.0, calm.1), (2.0, 1.0));
    assert_eq!((scarce.0, scarce.1), (4.0, 3.0));
    assert!(scarce.2 > 2 * calm.2, "{calm:?} {scarce:?}");
    let (width, levels, _) = round(9, &[]);
    assert_eq!((width, levels), (8.0, 7.0));
    assert!(folder.text("candidates").contains("CF\n"));
}

#[test]
fn children_have_parts_of_both_parents() {
    let folder = trained();
    let engine = genetic(Genetic {
        population: 4,
        generations: 1,
        pairs: 20,
        mutation_rate: 0.0,
    });
    let input = GenerateInput {
        engine,
        best: measured(&["CC(C)=O", "NCF"]),
        ..folder.input()
    };
    let all = proposed_with_parents(&folder, &input);
    let crossed = all.iter().filter(|(_, parents)| !parents.is_empty());
    let of_both = |parents: &&Vec<String>| {
        let is_known = |parent: &String| ["CC(C)=O", "NCF"].contains(&parent.as_str());
        parents.len() == 2 && parents.iter().all(is_known)
    };
    assert!(
        crossed
            .clone()
            .map(|(_, parents)| parents)
            .all(|parents| of_both(&parents))
    );
    assert!(crossed.count() > 0);
    let all: Vec<String> = all.into_iter().map(|(smiles, _)| smiles).collect();
    // An acyl group and an amine, from neither parent alone.
    assert!(all.iter().any(|child| child == "CC(N)=O"), "{all:?}");
    let atoms = |smiles: &String| smiles.contains('O') && smiles.contains('F');
    assert!(all.iter().any(atoms), "{all:?}");
}

#[test]
fn an_episode_begins_at_the_best_molecules_in_turn() {
    let folder = trained();
    let start = |engine, starts: Vec<String>| {
        let input = GenerateInput {
            engine,
            starts,
            best: measured(&["CCO", "C1CCCC1", "CCCCCCCC", "CC#N"]),
            allowed_ring_sizes: vec![3],
            ..folder.input()
        };
        proposed(&folder, &input)
    };
    let best = || walk(EpisodeStart::Best, WalkProposals::Visited, false);
    let all = start(best(), vec![]);
    // The ring and the molecule that is too large may not be proposed.
    assert_eq!((all[0].as_str(), all[2].as_str()), ("CCO", "CC#N"));
    let fresh = start(best(), vec!["CN".into()]);
    assert_eq!(fresh[0], "CN");
    let nothing = walk(EpisodeStart::Nothing, WalkProposals::Visited, false);
    assert!(
        start(nothing, vec![])
            .iter()
            .all(|smiles| smiles.len() == 1)
    );
    let agent = moldqn(Moldqn {
        start: EpisodeStart::Best,
        ..small()
    });
    assert_eq!(start(agent, vec![])[0], "CCO");
}

#[test]
fn a_walk_proposes_what_it_enumerated_and_replaces_elements_only_if_it_is_told_to() {
    let folder = trained();
    for replace_elements in [false, true] {
        let engines = [
            walk(
                EpisodeStart::Best,
                WalkProposals::Enumerated,
                replace_elements,
            ),
            moldqn(Moldqn {
                steps: 1,
                start: EpisodeStart::Best,
                proposals: WalkProposals::Enumerated,
                replace_elements,
                ..small()
            }),
        ];
        for engine in engines {
            let input = GenerateInput {
                engine,
                best: measured(&["CC(N)=O"]),
                ..folder.input()
            };
            let all = BTreeSet::from_iter(proposed(&folder, &input));
            let rules = rules(&input, replace_elements);
            // The agent learns from what is one edit away from the molecule that it reaches.
            let near = neighbours("CC(N)=O", &rules);
            let mut far = near.clone();
            far.extend(near.iter().flat_map(|smiles| neighbours(smiles, &rules)));
            assert_eq!(near.contains("CC(=O)O"), replace_elements);
            assert!(all.is_superset(&near));
            assert!(all.is_subset(&far));
        }
    }
}

/// Every generator that builds molecules, small.
fn builder() -> impl Strategy<Value = GenerateEngine> {
    let breeding = Genetic {
        population: 5,
        generations: 2,
        pairs: 3,
        mutation_rate: 0.5,
    };
    let start = prop_oneof![Just(EpisodeStart::Nothing), Just(EpisodeStart::Best)];
    let proposals = prop_oneof![
        Just(WalkProposals::Visited),
        Just(WalkProposals::Enumerated)
    ];
    let settings = (start, proposals, any::<bool>(), any::<bool>());
    prop_oneof![
        Just(edits(2, 2)),
        Just(genetic(breeding)),
        settings.prop_map(
            |(start, proposals, replace_elements, learns)| match learns {
                false => walk(start, proposals, replace_elements),
                true => moldqn(Moldqn {
                    start,
                    proposals,
                    replace_elements,
                    ..small()
                }),
            }
        ),
    ]
}

fn some_molecules() -> impl Strategy<Value = Vec<&'static str>> {
    let smiles = prop::sample::select(vec![
        "C",
        "CCO",
        "c1ccncc1",
        "C1CCC2CC12",
        "CC(N)=O",
        "N#CC#N",
        "C1CCCCCC1",
        "CC(C)(C)F",
        "c1cc[nH]c1",
        "[NH3+]CC(=O)[O-]",
    ]);
    prop::collection::vec(smiles, 0..4)
}

/// One round, with what the round before saved; returns the files that it wrote.
fn round(input: &GenerateInput, folder: &TaskFolder, seed: u64) -> (String, Vec<u8>) {
    let state = folder.path("state");
    let input = GenerateInput {
        seed,
        state: state.exists().then_some(state.clone()),
        ..input.clone()
    };
    generate(&input).unwrap();
    (folder.text("candidates"), fs::read(state).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_proposal_obeys_the_rules_and_follows_from_the_seed(
        engine in builder(),
        best in some_molecules(),
        starts in some_molecules(),
        max_heavy_atoms in 1..7usize,
        scarce_rounds in 0..3usize,
        seed: u64,
    ) {
        let rounds = || {
            let folder = trained();
            let input = GenerateInput {
                engine: engine.clone(),
                best: measured(&best),
                starts: starts.iter().map(|smiles| smiles.to_string()).collect(),
                max_heavy_atoms,
                scarce_rounds,
                allowed_ring_sizes: vec![3, 5, 6],
                model: folder.path("model"),
                state_out: folder.path("state"),
                candidates_out: folder.path("candidates"),
                ..folder.input()
            };
            let rules = rules(&input, true);
            let both = [round(&input, &folder, seed), round(&input, &folder, seed ^ 1)];
            (both, rules)
        };
        let (both, rules) = rounds();
        for (proposals, _) in &both {
            let lines = proposals.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
            let lines: Vec<(&str, &str)> = lines.collect();
            for (smiles, parents) in &lines {
                // One that has one parent is an edit of it.
                if let [parent] = parents.split_whitespace().collect::<Vec<_>>()[..] {
                    let [parent, child] = [parent, smiles].map(|one| Molecule::parse(one).unwrap());
                    prop_assert!(edit_name(&parent, &child).is_some(), "{} {}", parents, smiles);
                }
            }
            let all: Vec<&str> = lines.iter().map(|(smiles, _)| *smiles).collect();
            prop_assert!(!all.is_empty());
            let distinct = BTreeSet::from_iter(&all);
            prop_assert_eq!(distinct.len(), all.len());
            for smiles in all {
                let molecule = Molecule::parse(smiles).unwrap();
                prop_assert_eq!(molecule.canonical_smiles(), smiles);
                prop_assert_eq!(molecule.radical_electrons(), 0);
                prop_assert!(rules.permits(&molecule), "{}", smiles);
            }
        }
        prop_assert!(rounds().0 == both);
    }
}
