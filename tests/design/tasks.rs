//! Bodies of the `ml` tasks, with their files.

use std::fs;
use std::path::Path;

use moldflow::chem::{Molecule, StructureRules};
use moldflow::design::surrogate::{GroupContribution, TrainedModel};
use moldflow::design::{
    CandidateFile, DesignError, ExpectedImprovement, GenerateEngine, GenerateInput, GenerateOutput,
    Greedy, LowerConfidenceBound, Moldqn, Observation, Pool, RandomEdits, ScreenEngine,
    ScreenInput, TrainEngine, TrainInput, TrainOutput, TrainTarget, generate, screen, train,
};
use moldflow::task::RankedCandidate;
use proptest::prelude::*;
use tempfile::TempDir;

const MEASURED: [(&str, f64); 5] = [
    ("CC(N)=O", -1.3),
    ("CCO", -1.2),
    ("C#N", -0.5),
    ("c1ccccc1", -2.1),
    ("CCCC", -1.9),
];

pub struct TaskFolder {
    dir: TempDir,
}

impl TaskFolder {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn train(&self, measured: &[(&str, f64)]) -> Result<TrainOutput, DesignError> {
        train(&TrainInput {
            engine: TrainEngine::GroupContribution {
                settings: GroupContribution::default(),
            },
            memory: None,
            targets: vec![target("energy", None, measured)],
            objectives: 1,
            model_out: self.path("model"),
            memory_out: self.path("memory"),
        })
    }

    pub fn input(&self) -> GenerateInput {
        GenerateInput {
            engine: moldqn(small()),
            model: self.path("model"),
            state: None,
            best: vec![],
            starts: vec![],
            pool: None,
            elements: ["C", "N", "O", "F"].map(String::from).to_vec(),
            max_heavy_atoms: 5,
            allowed_ring_sizes: vec![3, 4, 5, 6],
            scarce_rounds: 0,
            seed: 3,
            state_out: self.path("state"),
            candidates_out: self.path("candidates"),
        }
    }

    fn screen_input(&self, engine: ScreenEngine, most: usize) -> ScreenInput {
        ScreenInput {
            engine,
            model: self.path("model"),
            candidates: vec![CandidateFile {
                path: self.path("candidates"),
                generator: 0,
            }],
            incumbent: Some(-2.1),
            front: vec![],
            reference: vec![],
            targets: 1,
            rules: rules(),
            needs_mmff94: false,
            seed: 1,
            most,
        }
    }

    fn screen(&self, engine: ScreenEngine, most: usize) -> Result<Vec<String>, DesignError> {
        let output = screen(&self.screen_input(engine, most))?;
        for predicted in &output.ranked {
            assert!(predicted.prediction.mean.is_finite() && predicted.prediction.std > 0.0);
        }
        Ok(output
            .ranked
            .into_iter()
            .map(|predicted| predicted.smiles)
            .collect())
    }
}

/// A target with observations of molecules and their costs.
fn target(property: &str, above: Option<usize>, measured: &[(&str, f64)]) -> TrainTarget {
    let observation = |(smiles, cost): &(&str, f64)| Observation {
        smiles: smiles.to_string(),
        cost: *cost,
    };
    TrainTarget {
        property: property.into(),
        extensive: true,
        above,
        observations: measured.iter().map(observation).collect(),
    }
}

/// Rules that molecules of the tests keep.
fn rules() -> StructureRules {
    StructureRules {
        elements: ["C", "N", "O", "F"].map(String::from).to_vec(),
        max_heavy_atoms: 20,
        ring_sizes: (3..=8).collect(),
        charge: Some(0),
        ..StructureRules::default()
    }
}

fn greedy() -> ScreenEngine {
    ScreenEngine::Greedy {
        settings: Greedy {},
    }
}

pub fn moldqn(settings: Moldqn) -> GenerateEngine {
    GenerateEngine::Moldqn { settings }
}

fn random(episodes: usize) -> GenerateEngine {
    let settings = RandomEdits {
        episodes,
        steps: 5,
        ..RandomEdits::default()
    };
    GenerateEngine::Random { settings }
}

pub fn small() -> Moldqn {
    Moldqn {
        episodes: 2,
        steps: 5,
        fingerprint_bits: 128,
        hidden: vec![16],
        batch_size: 4,
        target_update_episodes: 2,
        ..Moldqn::default()
    }
}

pub fn trained() -> TaskFolder {
    let folder = TaskFolder::new();
    folder.train(&MEASURED).unwrap();
    folder
}

fn refusal<T: std::fmt::Debug>(result: Result<T, DesignError>) -> String {
    let error: &dyn std::error::Error = &result.unwrap_err();
    let chain: Vec<String> = std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect();
    chain.join(": ")
}

#[test]
fn training_tells_how_well_it_fits() {
    let output = TaskFolder::new().train(&MEASURED).unwrap();
    assert_eq!((output.molecules, output.metrics["groups"]), (5, 11.0));
    assert!(output.metrics["rmse"] < 0.2, "{output:?}");
}

#[test]
fn every_candidate_is_a_distinct_molecule_within_the_rules() {
    let folder = trained();
    let output = generate(&GenerateInput {
        starts: vec!["CCO".into()],
        ..folder.input()
    })
    .unwrap();
    let text = folder.text("candidates");
    // Behind a molecule stands the one that it was made of.
    let candidates = text.lines().map(|line| line.split(' ').next().unwrap());
    let candidates: Vec<&str> = candidates.collect();
    assert_eq!(candidates.len(), output.candidates);
    assert_eq!(candidates[0], "CCO");
    let mut distinct = candidates.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), candidates.len());
    for smiles in candidates {
        let molecule = Molecule::parse(smiles).unwrap();
        assert_eq!(molecule.canonical_smiles(), smiles);
        assert!(molecule.heavy_atoms().len() <= 5);
        assert!(
            molecule
                .element_counts()
                .keys()
                .all(|symbol| ["H", "C", "N", "O", "F"].contains(&symbol.as_str()))
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_seed_others() {
    let run = |seed| {
        let folder = trained();
        generate(&GenerateInput {
            seed,
            ..folder.input()
        })
        .unwrap();
        (
            folder.text("candidates"),
            fs::read(folder.path("state")).unwrap(),
        )
    };
    assert!(run(3) == run(3));
    assert!(run(3).0 != run(4).0);
}

#[test]
fn the_agent_goes_on_where_it_stopped() {
    let agent = |episodes| {
        moldqn(Moldqn {
            episodes,
            ..small()
        })
    };
    let engines: [&dyn Fn(usize) -> GenerateEngine; 2] = [&agent, &random];
    for engine in engines {
        let whole = trained();
        generate(&GenerateInput {
            engine: engine(5),
            ..whole.input()
        })
        .unwrap();
        let parts = trained();
        generate(&GenerateInput {
            engine: engine(2),
            ..parts.input()
        })
        .unwrap();
        generate(&GenerateInput {
            engine: engine(3),
            state: Some(parts.path("state")),
            ..parts.input()
        })
        .unwrap();
        assert!(fs::read(whole.path("state")).unwrap() == fs::read(parts.path("state")).unwrap());
    }
}

#[test]
fn starts_are_used_in_turn_and_those_too_large_are_left_out() {
    let folder = trained();
    let starts = ["CCO", "CCCCCCCC", "CCN"].map(String::from).to_vec();
    let engine = moldqn(Moldqn {
        episodes: 2,
        steps: 1,
        ..small()
    });
    generate(&GenerateInput {
        starts,
        engine,
        ..folder.input()
    })
    .unwrap();
    let text = folder.text("candidates");
    assert!(text.contains("CCO\n") && text.contains("CCN\n") && !text.contains("CCCCCCCC"));
}

#[test]
fn a_state_is_rewarded_by_how_far_it_lies_below_what_was_measured() {
    let folder = trained();
    let reward = |element: &str| {
        let engine = moldqn(Moldqn {
            episodes: 1,
            steps: 1,
            ..small()
        });
        let elements = vec![element.to_owned()];
        generate(&GenerateInput {
            elements,
            engine,
            ..folder.input()
        })
        .unwrap()
        .metrics["mean_reward"]
    };
    // From nothing there is one step, to the one atom allowed. Its predicted energy is that of
    // average atoms, so methane is better than hydrogen fluoride, and neither as good as the
    // observations.
    let (methane, fluoride) = (reward("C"), reward("F"));
    assert!(fluoride < methane && methane < 0.0, "{fluoride} {methane}");
}

#[test]
fn the_random_walker_proposes_molecules_without_learning() {
    let folder = trained();
    let output = generate(&GenerateInput {
        engine: random(20),
        ..folder.input()
    })
    .unwrap();
    assert!(!output.metrics.contains_key("mean_loss"));
    assert!(output.candidates > 20);
}

#[test]
fn the_pool_is_proposed_whole() {
    let folder = trained();
    fs::write(folder.path("pool"), "CCO\nc1ccccc1\nCCO\n").unwrap();
    let engine = || GenerateEngine::Pool { settings: Pool {} };
    let output = generate(&GenerateInput {
        engine: engine(),
        pool: Some(folder.path("pool")),
        ..folder.input()
    })
    .unwrap();
    assert_eq!(output.candidates, 2);
    assert_eq!(folder.text("candidates"), "CCO\nc1ccccc1\n");
    let text = refusal(generate(&GenerateInput {
        engine: engine(),
        ..folder.input()
    }));
    assert!(
        text.contains("no file with the molecules of the source"),
        "{text}"
    );
}

#[test]
fn the_agent_explores_more_after_scarce_rounds() {
    let folder = trained();
    let calm = Moldqn {
        epsilon_start: 0.2,
        epsilon_decay: 1.0,
        ..small()
    };
    let epsilon = |scarce_rounds| {
        let input = GenerateInput {
            engine: moldqn(calm.clone()),
            scarce_rounds,
            ..folder.input()
        };
        generate(&input).unwrap().metrics["epsilon"]
    };
    assert_eq!(epsilon(0), 0.2);
    assert_eq!(epsilon(1), 0.5);
    assert_eq!(epsilon(9), 1.0);
}

#[test]
fn the_best_prediction_is_ranked_first() {
    let folder = trained();
    fs::write(folder.path("candidates"), "CCO\nc1ccccc1\n\nC#N\nCCO\n").unwrap();
    assert_eq!(
        folder.screen(greedy(), 9).unwrap(),
        ["c1ccccc1", "CCO", "C#N"]
    );
    assert_eq!(folder.screen(greedy(), 1).unwrap(), ["c1ccccc1"]);
    // So many of each generator.
    let file = |generator, name: &str, text: &str| {
        fs::write(folder.path(name), text).unwrap();
        CandidateFile {
            path: folder.path(name),
            generator,
        }
    };
    let output = screen(&ScreenInput {
        candidates: vec![
            file(0, "first", "CCO\nC#N\n"),
            file(1, "second", "c1ccccc1\nCCO\nCCCC\n"),
        ],
        incumbent: None,
        ..folder.screen_input(greedy(), 1)
    });
    let ranked = output.unwrap().ranked.into_iter();
    let ranked: Vec<_> = ranked.map(|c| (c.smiles, c.generator)).collect();
    assert_eq!(ranked, [("c1ccccc1".to_owned(), 1), ("CCO".to_owned(), 0)]);
}

#[test]
fn only_what_has_mmff94_parameters_is_computed_at_an_mmff94_geometry() {
    let folder = trained();
    fs::write(folder.path("candidates"), "F\nCCO\nO=O\nC#N\n").unwrap();
    let ranked = |needs_mmff94, most| {
        let output = screen(&ScreenInput {
            needs_mmff94,
            ..folder.screen_input(greedy(), most)
        });
        let ranked = output.unwrap().ranked.into_iter();
        ranked.map(|candidate| candidate.smiles).collect::<Vec<_>>()
    };
    let all = ranked(false, 9);
    assert_eq!(all.len(), 4);
    let possible: Vec<_> = all.into_iter().filter(|s| s != "F" && s != "O=O").collect();
    assert_eq!(ranked(true, 9), possible);
    assert_eq!(ranked(true, 2), possible, "the others take no place");
}

#[test]
fn an_empty_file_of_candidates_has_an_empty_ranking() {
    let folder = trained();
    fs::write(folder.path("candidates"), "").unwrap();
    assert!(folder.screen(greedy(), 9).unwrap().is_empty());
}

#[test]
fn where_nothing_can_be_built_nothing_is_proposed() {
    let folder = trained();
    let nothing = GenerateInput {
        elements: vec![],
        ..folder.input()
    };
    let output: GenerateOutput = generate(&nothing).unwrap();
    assert_eq!((output.candidates, output.metrics["mean_reward"]), (0, 0.0));
    assert_eq!(folder.text("candidates"), "");
}

#[test]
fn a_refusal_names_the_file_and_what_is_wrong_with_it() {
    let folder = trained();
    let model = folder.path("model");
    fs::write(folder.path("candidates"), "CCO\nC(C\n").unwrap();
    let text = refusal(folder.screen(greedy(), 9));
    assert!(
        text.contains("candidates, line 2: `C(C` is not a molecule"),
        "{text}"
    );
    let text = refusal(generate(&GenerateInput {
        state: Some(model.clone()),
        ..folder.input()
    }));
    assert!(text.contains("model: this is no agent"), "{text}");
    let text = refusal(generate(&GenerateInput {
        starts: vec!["CC".into(), "x".into()],
        ..folder.input()
    }));
    assert!(text.contains("start molecule 2: `x`"), "{text}");
    let text = refusal(folder.train(&[("C", -1.0), ("C=O=C", -2.0)]));
    assert!(text.contains("evaluated molecule 2: `C=O=C`"), "{text}");
    let text = refusal(folder.train(&[]));
    assert!(text.contains("no molecule was evaluated yet"), "{text}");
    fs::write(&model, &fs::read(&model).unwrap()[..40]).unwrap();
    let text = refusal(generate(&folder.input()));
    assert!(text.contains("model: this model is damaged"), "{text}");
    let engine = moldqn(Moldqn {
        gamma: 1.5,
        replay_size: 2,
        ..small()
    });
    let text = refusal(generate(&GenerateInput {
        engine,
        ..folder.input()
    }));
    assert_eq!(
        text,
        "settings: `gamma` is 1.5, allowed is 0 to 1; `replay_size` is 2, allowed is at least `batch_size`, 4"
    );
}

fn some_measured() -> impl Strategy<Value = Vec<(&'static str, f64)>> {
    let smiles = prop::sample::select(vec![
        "C",
        "CC",
        "N",
        "O=C=O",
        "c1ccccc1",
        "CC(N)=O",
        "F",
        "[NH3+]CC(=O)[O-]",
    ]);
    let value = prop_oneof![Just(-1.0), -5.0..1.0f64];
    prop::collection::vec((smiles, value), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_smallest_training_sets_carry_a_whole_round(
        measured in some_measured(),
        max_heavy_atoms in 0..4usize,
        from_nothing: bool,
        engine in prop_oneof![
            Just(greedy()),
            Just(ScreenEngine::LowerConfidenceBound { settings: LowerConfidenceBound::default() }),
            Just(ScreenEngine::ExpectedImprovement { settings: ExpectedImprovement {} }),
        ],
    ) {
        let folder = TaskFolder::new();
        let output = folder.train(&measured).unwrap();
        prop_assert!(output.metrics["rmse"].is_finite());
        let starts = match from_nothing {
            true => vec![],
            false => measured.iter().map(|(smiles, _)| smiles.to_string()).collect(),
        };
        let output = generate(&GenerateInput { starts, max_heavy_atoms, ..folder.input() }).unwrap();
        prop_assert!(output.metrics["mean_reward"].is_finite());
        let ranked = folder.screen(engine, usize::MAX).unwrap();
        prop_assert_eq!(ranked.len(), output.candidates);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = trained();
    let input = GenerateInput {
        candidates_out: Path::new("/nowhere/candidates").into(),
        ..folder.input()
    };
    assert!(refusal(generate(&input)).contains("could not write /nowhere/candidates"));
}

/// Energies of alkanes and alcohols: two levels that differ by a contribution of each atom.
const CHEAP: [(&str, f64); 6] = [
    ("CC", -2.0),
    ("CCC", -3.0),
    ("CCO", -3.5),
    ("CO", -2.5),
    ("CCCC", -4.0),
    ("CCCO", -4.5),
];

#[test]
fn the_prediction_of_a_level_is_that_of_the_one_below_and_the_predicted_difference() {
    let folder = TaskFolder::new();
    let differences: Vec<(&str, f64)> = (CHEAP.iter().take(4))
        .map(|(smiles, _)| (*smiles, -0.1 * smiles.len() as f64))
        .collect();
    let fit = |targets: Vec<TrainTarget>| {
        let objectives = 1;
        train(&TrainInput {
            engine: TrainEngine::GroupContribution {
                settings: GroupContribution::default(),
            },
            memory: None,
            targets,
            objectives,
            model_out: folder.path("model"),
            memory_out: folder.path("memory"),
        })
        .unwrap();
        let model = fs::read(folder.path("model")).unwrap();
        TrainedModel::from_bytes(&model).unwrap()
    };
    let molecules = ["CCCCO", "CCCCC"].map(|smiles| Molecule::parse(smiles).unwrap());
    let molecules: Vec<&Molecule> = molecules.iter().collect();
    let predicted = |model: &TrainedModel| model.predict(&molecules).unwrap();
    let cheap = predicted(&fit(vec![target("cheap", None, &CHEAP)]));
    let difference = predicted(&fit(vec![target("difference", None, &differences)]));
    let model = fit(vec![
        target("best", Some(1), &differences),
        target("cheap", None, &CHEAP),
    ]);
    for (place, levels) in predicted(&model).iter().enumerate() {
        let (below, added) = (cheap[place][0], difference[place][0]);
        assert_eq!(levels[1], below);
        assert_eq!(levels[0].mean, added.mean + below.mean);
        assert_eq!(
            levels[0].std,
            (added.std.powi(2) + below.std.powi(2)).sqrt()
        );
    }
}

#[test]
fn several_objectives_are_ranked_by_the_hypervolume_that_the_predictions_add() {
    let folder = TaskFolder::new();
    // Both costs follow from the groups: one falls with every atom, the other rises with oxygen.
    let second = CHEAP.map(|(smiles, _)| (smiles, smiles.matches('O').count() as f64));
    train(&TrainInput {
        engine: TrainEngine::GroupContribution {
            settings: GroupContribution::default(),
        },
        memory: None,
        targets: vec![target("a", None, &CHEAP), target("b", None, &second)],
        objectives: 2,
        model_out: folder.path("model"),
        memory_out: folder.path("memory"),
    })
    .unwrap();
    fs::write(folder.path("candidates"), "CCCCC\nCCCCO\nC\nOCCO\nC[O-]\n").unwrap();
    let screen = |front: Vec<Vec<f64>>| {
        let output = screen(&ScreenInput {
            incumbent: None,
            front,
            reference: vec![0.0, 3.0],
            targets: 2,
            ..folder.screen_input(greedy(), 10)
        });
        output.unwrap().ranked
    };
    let ranked = screen(vec![]);
    // The ion breaks a rule.
    assert_eq!(ranked.len(), 4);
    let area = |c: &RankedCandidate| {
        let width = (0.0 - c.prediction.mean).max(0.0);
        width * (3.0 - c.further[0].mean).max(0.0)
    };
    assert!(ranked.windows(2).all(|two| area(&two[0]) >= area(&two[1])));
    assert_eq!(ranked[0].smiles, "CCCCC");
    // Where the front has that molecule already, another adds most.
    let best = [ranked[0].prediction.mean, ranked[0].further[0].mean];
    let again = screen(vec![best.to_vec()]);
    assert_ne!(again[0].smiles, "CCCCC");
}
