//! The worked examples of `docs/extending.md`, which quotes them: each is compiled and run here.

use moldflow::chem::Molecule;
use moldflow::chem::edit::EditRules;
use moldflow::design::surrogate::{
    Fit, LabelledMolecule, Surrogate, SurrogateSettings, TrainedModel,
};
use moldflow::design::{
    Acquisition, AcquisitionRound, DesignError, Generator, GeneratorSettings, Observation,
    Proposal, SearchContext, TrainInput, TrainTarget, rank, train,
};
use moldflow::learn::regression::Prediction;
use moldflow::task::{Metrics, RankedCandidate};
use serde::{Deserialize, Serialize};
use serde_json::json;

// example: surrogate
/// Settings of `mean_by_size`: the mean cost of the molecules with the same number of heavy atoms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct MeanBySize {}

/// Number of heavy atoms and cost of each observation; it is both the model and its memory.
#[derive(Serialize, Deserialize)]
struct Observed(Vec<(usize, f64)>);

impl SurrogateSettings for MeanBySize {
    fn fit(
        &self,
        memory: Option<&[u8]>,
        observations: &[LabelledMolecule],
        _extensive: bool,
    ) -> Result<Fit, DesignError> {
        let mut observed = match memory {
            Some(bytes) => decode(bytes)?,
            None => Observed(Vec::new()),
        };
        let new = observations.iter();
        let new = new.map(|o| (o.molecule.heavy_atoms().len(), o.cost));
        observed.0.extend(new);
        let costs = || observed.0.iter().map(|(_, cost)| *cost);
        let count = observed.0.len() as f64;
        let mean = costs().sum::<f64>() / count;
        let variance = costs().map(|cost| (cost - mean).powi(2)).sum::<f64>() / count;
        let bytes = serde_json::to_vec(&observed).unwrap_or_default();
        Ok(Fit {
            model: bytes.clone(),
            memory: bytes,
            molecules: observed.0.len(),
            mean,
            deviation: variance.sqrt(),
            metrics: Metrics::new(),
        })
    }

    fn load(&self, model: &[u8]) -> Result<Box<dyn Surrogate>, DesignError> {
        Ok(Box::new(decode(model)?))
    }
}

impl Surrogate for Observed {
    fn predict(&self, molecules: &[&Molecule]) -> Result<Vec<Prediction>, DesignError> {
        let predict = |molecule: &&Molecule| {
            let size = molecule.heavy_atoms().len();
            let alike = self.0.iter().filter(|(other, _)| *other == size);
            let alike: Vec<f64> = alike.map(|(_, cost)| *cost).collect();
            let mean = alike.iter().sum::<f64>() / alike.len().max(1) as f64;
            Prediction { mean, std: 1.0 }
        };
        Ok(molecules.iter().map(predict).collect())
    }
}

fn decode(bytes: &[u8]) -> Result<Observed, DesignError> {
    serde_json::from_slice(bytes).map_err(|_| DesignError::OtherMemory)
}
// end

// example: generator
/// Settings of `longer`: a carbon atom more at the end of each of the best molecules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Longer {}

struct LongerGenerator;

impl GeneratorSettings for Longer {
    fn typical_count(&self) -> Option<usize> {
        Some(10)
    }

    fn load(&self, _saved: Option<&[u8]>, _seed: u64) -> Result<Box<dyn Generator>, DesignError> {
        Ok(Box::new(LongerGenerator))
    }
}

impl Generator for LongerGenerator {
    fn propose(
        &mut self,
        search: SearchContext,
        visit: &mut dyn FnMut(Proposal<'_>),
    ) -> Result<Metrics, DesignError> {
        for LabelledMolecule { molecule, .. } in &search.best {
            // A SMILES that begins with an atom may have another atom before it.
            let parent = molecule.canonical_smiles();
            let smiles = format!("C{parent}");
            match Molecule::parse(&smiles) {
                Ok(longer) if longer.heavy_atoms().len() <= search.rules.max_heavy_atoms => {
                    visit(Proposal {
                        smiles: &longer.canonical_smiles(),
                        parents: &[parent.into()],
                    });
                }
                _ => {}
            }
        }
        Ok(Metrics::new())
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DesignError> {
        Ok(Vec::new())
    }
}
// end

// example: acquisition
/// Settings of `most_uncertain`: exploration alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct MostUncertain {}

impl Acquisition for MostUncertain {
    fn scores(
        &self,
        candidates: &[RankedCandidate],
        _round: &AcquisitionRound,
    ) -> Result<Vec<f64>, DesignError> {
        let scores = candidates.iter().map(|c| -c.prediction.std);
        Ok(scores.collect())
    }
}
// end

fn molecule(smiles: &str) -> Molecule {
    Molecule::parse(smiles).unwrap()
}

fn observations() -> Vec<LabelledMolecule> {
    let known = [("CC", -1.0), ("CO", -3.0), ("CCC", -5.0)];
    let labelled = known.map(|(smiles, cost)| LabelledMolecule {
        molecule: molecule(smiles),
        cost,
    });
    labelled.into()
}

#[test]
fn a_surrogate_learns_in_portions_and_predicts() {
    let observations = observations();
    let first = MeanBySize {}.fit(None, &observations[..1], true).unwrap();
    let fit = MeanBySize {}
        .fit(Some(&first.memory), &observations[1..], true)
        .unwrap();
    assert_eq!(fit, MeanBySize {}.fit(None, &observations, true).unwrap());
    let model = MeanBySize {}.load(&fit.model).unwrap();
    let predictions = model.predict(&[&molecule("CN"), &molecule("CCO")]);
    let means: Vec<f64> = predictions.unwrap().iter().map(|p| p.mean).collect();
    assert_eq!(means, [-2.0, -5.0]);
}

#[test]
fn a_generator_proposes_molecules() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let known = observations();
    train(&TrainInput {
        engine: serde_json::from_value(json!({"engine": "group_contribution"})).unwrap(),
        memory: None,
        targets: vec![TrainTarget {
            property: "energy".into(),
            extensive: true,
            above: None,
            observations: (known.iter())
                .map(|o| Observation {
                    smiles: o.molecule.canonical_smiles(),
                    cost: o.cost,
                })
                .collect(),
        }],
        objectives: 1,
        model_out: path("model"),
        memory_out: path("memory"),
    })
    .unwrap();
    let model = std::fs::read(path("model")).unwrap();
    let search = SearchContext {
        model: TrainedModel::from_bytes(&model).unwrap(),
        rules: EditRules {
            elements: vec!["C".into()],
            max_heavy_atoms: 3,
            allowed_ring_sizes: vec![],
            replace_elements: true,
        },
        best: known,
        starts: vec![],
        pool: None,
        scarce_rounds: 0,
        seed: 1,
    };
    let mut proposed = Vec::new();
    let mut generator = Longer {}.load(None, 1).unwrap();
    generator
        .propose(search, &mut |one| proposed.push(one.smiles.to_owned()))
        .unwrap();
    assert_eq!(proposed, ["CCC", "CCO"]);
}

#[test]
fn an_acquisition_scores_candidates() {
    let candidate = |smiles: &str, std| RankedCandidate {
        smiles: smiles.to_owned(),
        prediction: Prediction { mean: 0.0, std },
        further: vec![],
        generator: 0,
        parents: vec![],
    };
    let candidates = vec![candidate("C", 0.5), candidate("CC", 2.0)];
    let scores = MostUncertain {}
        .scores(&candidates, &AcquisitionRound::default())
        .unwrap();
    assert_eq!(rank(candidates, scores)[0].smiles, "CC");
}

/// Each example of `docs/extending.md` is the code between its marks here.
#[test]
fn the_documentation_quotes_the_examples() {
    let code = include_str!("extending.rs");
    let text = include_str!("../../docs/extending.md");
    let mut quoted = 0;
    for example in code.split("\n// example: ").skip(1) {
        let (name, rest) = example.split_once('\n').unwrap();
        let (body, _) = rest.split_once("\n// end\n").unwrap();
        let block = format!("```rust\n{body}\n```\n");
        assert!(
            text.contains(&block),
            "`{name}` differs from docs/extending.md"
        );
        quoted += 1;
    }
    assert_eq!(text.matches("```rust\n").count(), quoted);
}
