//! Bodies of the tasks `train`, `generate` and `screen`, which read and write the files named in
//! their inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::acquisition::rank;
use super::error::DesignError;
use super::ranges::RangeFault;
use super::surrogate::{LabelledMolecule, TrainedModel, encode};
use super::{
    CandidateFile, GenerateInput, GenerateOutput, Observation, ScreenInput, ScreenOutput,
    SearchContext, TrainInput, TrainOutput,
};
use crate::chem::Molecule;
use crate::chem::edit::EditRules;
use crate::task::RankedCandidate;

/// Fits the surrogate to the memory and the observations, and writes both.
///
/// # Errors
///
/// Settings are out of range, a molecule is malformed, the memory is of another campaign, the fit
/// fails, or a file cannot be read or written.
pub fn train(input: &TrainInput) -> Result<TrainOutput, DesignError> {
    refuse(input.engine.faults())?;
    let memory = input.memory.as_deref().map(read).transpose()?;
    let observations = labelled(&input.observations)?;
    let surrogate = input.engine.implementation();
    let fit = surrogate.fit(memory.as_deref(), &observations, input.extensive);
    let fit = fit.map_err(|error| error.in_file(input.memory.as_deref()))?;
    write(&input.model_out, encode(&input.engine, &fit)?)?;
    write(&input.memory_out, &fit.memory)?;
    Ok(TrainOutput {
        molecules: fit.molecules,
        metrics: fit.metrics,
    })
}

/// Lets the generator propose molecules; writes them and the generator's state.
///
/// # Errors
///
/// Settings are out of range, a start molecule is malformed, the generator fails, or a file cannot
/// be read or written.
pub fn generate(input: &GenerateInput) -> Result<GenerateOutput, DesignError> {
    refuse(input.engine.faults())?;
    let start = |(number, smiles): (usize, &String)| {
        Molecule::parse(smiles).map_err(|source| DesignError::Start { number, source })
    };
    let starts = (1..).zip(&input.starts).map(start);
    let search = SearchContext {
        starts: starts.collect::<Result<_, _>>()?,
        best: labelled(&input.best)?,
        model: read_model(&input.model)?,
        rules: EditRules {
            elements: input.elements.clone(),
            max_heavy_atoms: input.max_heavy_atoms,
            allowed_ring_sizes: input.allowed_ring_sizes.clone(),
        },
        pool: input.pool.clone(),
        barren_rounds: input.barren_rounds,
        seed: input.seed,
    };
    let saved = input.state.as_deref().map(read).transpose()?;
    let generator = input.engine.implementation();
    let generator = generator.load(saved.as_deref(), input.seed);
    let mut generator = generator.map_err(|error| error.in_file(input.state.as_deref()))?;
    let (mut proposed, mut distinct) = (String::new(), BTreeSet::new());
    let metrics = generator.propose(search, &mut |smiles| {
        if !distinct.contains(smiles) {
            distinct.insert(smiles.to_owned());
            proposed.push_str(smiles);
            proposed.push('\n');
        }
    })?;
    write(&input.candidates_out, proposed)?;
    write(&input.state_out, generator.to_bytes()?)?;
    Ok(GenerateOutput {
        candidates: distinct.len(),
        metrics,
    })
}

/// Predicts and ranks the candidates, best first.
///
/// # Errors
///
/// Settings are out of range, a candidate is malformed, or a file cannot be read.
pub fn screen(input: &ScreenInput) -> Result<ScreenOutput, DesignError> {
    refuse(input.engine.faults())?;
    let model = read_model(&input.model)?;
    let mut candidates = BTreeMap::new();
    for file in &input.candidates {
        read_candidates(file, &mut candidates)?;
    }
    let molecules: Vec<&Molecule> = candidates.values().map(|(molecule, _)| molecule).collect();
    let predictions = model.predict(&molecules)?;
    let predicted = candidates.into_iter().zip(predictions);
    let predicted = predicted.map(|((smiles, (_, generator)), prediction)| RankedCandidate {
        smiles,
        prediction,
        generator,
    });
    let candidates: Vec<RankedCandidate> = predicted.collect();
    let acquisition = input.engine.implementation();
    let scores = acquisition.scores(&candidates, input.incumbent)?;
    let mut ranked = rank(candidates, scores);
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    ranked.retain(|candidate| {
        let count = kept.entry(candidate.generator).or_default();
        *count += 1;
        *count <= input.most
    });
    Ok(ScreenOutput { ranked })
}

/// Parses the molecules of observations.
fn labelled(observations: &[Observation]) -> Result<Vec<LabelledMolecule>, DesignError> {
    let parse = |(number, observation): (usize, &Observation)| {
        let molecule = Molecule::parse(&observation.smiles);
        molecule
            .map(|molecule| LabelledMolecule {
                molecule,
                cost: observation.cost,
            })
            .map_err(|source| DesignError::Observation { number, source })
    };
    (1..).zip(observations).map(parse).collect()
}

/// Adds the molecules of a file, one SMILES a line, by their canonical SMILES; a molecule belongs to
/// the first generator that proposed it.
fn read_candidates(
    CandidateFile { path, generator }: &CandidateFile,
    candidates: &mut BTreeMap<String, (Molecule, usize)>,
) -> Result<(), DesignError> {
    let text = fs::read_to_string(path).map_err(DesignError::read(path))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    for (line, smiles) in lines.filter(|(_, smiles)| !smiles.is_empty()) {
        let molecule = Molecule::parse(smiles).map_err(|source| DesignError::Candidate {
            path: path.to_owned(),
            line,
            source,
        })?;
        let smiles = molecule.canonical_smiles();
        candidates.entry(smiles).or_insert((molecule, *generator));
    }
    Ok(())
}

fn refuse(faults: Vec<RangeFault>) -> Result<(), DesignError> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(DesignError::Settings(faults)),
    }
}

fn read_model(path: &Path) -> Result<TrainedModel, DesignError> {
    TrainedModel::from_bytes(&read(path)?).map_err(|error| error.in_file(Some(path)))
}

fn read(path: &Path) -> Result<Vec<u8>, DesignError> {
    fs::read(path).map_err(DesignError::read(path))
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), DesignError> {
    fs::write(path, content).map_err(DesignError::write(path))
}
