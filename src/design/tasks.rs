//! Bodies of the tasks `train`, `generate` and `screen`, which read and write the files named in
//! their inputs.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use super::acquisition::{
    AcquisitionRound, CostFront, SHORTLIST, diversified, rank, rank_by_hypervolume,
};
use super::error::DesignError;
use super::generator::Proposal;
use super::ranges::RangeFault;
use super::surrogate::{Fit, LabelledMolecule, TrainedModel, encode};
use super::{
    CandidateFile, GenerateInput, GenerateOutput, Observation, ScreenInput, ScreenOutput,
    SearchContext, TrainInput, TrainOutput, TrainTarget,
};
use crate::chem::Molecule;
use crate::chem::edit::EditRules;
use crate::learn::saved::SavedFormat;
use crate::task::{Metrics, RankedCandidate};

/// Fits the surrogate to the memory and the observations, and writes both.
///
/// # Errors
///
/// Settings are out of range, a molecule is malformed, the memory is of another campaign, the fit
/// fails, or a file cannot be read or written.
pub fn train(input: &TrainInput) -> Result<TrainOutput, DesignError> {
    refuse(input.engine.faults())?;
    let memory = input.memory.as_deref().map(read_memory).transpose()?;
    let memory = memory.unwrap_or_default();
    let surrogate = input.engine.implementation();
    let mut fits: Vec<(Option<usize>, Fit)> = Vec::new();
    for (place, target) in input.targets.iter().enumerate() {
        let observations = labelled(&target.observations)?;
        let memory = memory.get(place).map(Vec::as_slice);
        let fit = surrogate.fit(memory, &observations, target.extensive);
        let fit = fit.map_err(|error| error.in_file(input.memory.as_deref()))?;
        fits.push((target.above, fit));
    }
    let model = encode(&input.engine, input.objectives, &fits)?;
    write(&input.model_out, model)?;
    let memories: Vec<&[u8]> = fits.iter().map(|(_, fit)| fit.memory.as_slice()).collect();
    write(&input.memory_out, MEMORY.encode(&memories)?)?;
    Ok(TrainOutput {
        molecules: fits.first().map_or(0, |(_, fit)| fit.molecules),
        metrics: metrics(&input.targets, &fits),
    })
}

/// Memories of all targets.
const MEMORY: SavedFormat = SavedFormat {
    name: "memory",
    layout: 1,
};

fn read_memory(path: &Path) -> Result<Vec<Vec<u8>>, DesignError> {
    let memory = MEMORY.decode(&read(path)?).map_err(DesignError::from);
    memory.map_err(|error| error.in_file(Some(path)))
}

/// Numbers that describe the fits; of several targets, each with the name of its property.
fn metrics(targets: &[TrainTarget], fits: &[(Option<usize>, Fit)]) -> Metrics {
    let mut metrics = Metrics::new();
    for (target, (_, fit)) in targets.iter().zip(fits) {
        for (name, value) in &fit.metrics {
            let name = match targets {
                [_] => name.clone(),
                _ => format!("{name} of {}", target.property),
            };
            metrics.insert(name, *value);
        }
    }
    metrics
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
            replace_elements: true,
        },
        pool: input.pool.clone(),
        scarce_rounds: input.scarce_rounds,
        seed: input.seed,
    };
    let saved = input.state.as_deref().map(read).transpose()?;
    let generator = input.engine.implementation();
    let generator = generator.load(saved.as_deref(), input.seed);
    let mut generator = generator.map_err(|error| error.in_file(input.state.as_deref()))?;
    let (mut proposed, mut distinct) = (String::new(), HashSet::new());
    let metrics = generator.propose(search, &mut |Proposal { smiles, parents }| {
        if !distinct.contains(smiles) {
            distinct.insert(smiles.to_owned());
            proposed.push_str(smiles);
            for parent in parents {
                proposed.push(' ');
                proposed.push_str(parent);
            }
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

/// Number of candidates that are in memory as molecules at a time: a pool may have millions.
const CHUNK: usize = 4096;

/// Predicts and ranks the candidates, best first. Those that break a rule of the search space, or
/// that cannot have the geometry that they need, are dropped: here all generators meet, and the
/// molecules are parsed.
///
/// # Errors
///
/// Settings are out of range, a candidate is malformed, or a file cannot be read.
pub fn screen(input: &ScreenInput) -> Result<ScreenOutput, DesignError> {
    refuse(input.engine.faults())?;
    let model = read_model(&input.model)?;
    let mut candidates = Vec::new();
    let mut known = HashSet::new();
    for CandidateFile { path, generator } in &input.candidates {
        let text = fs::read_to_string(path).map_err(DesignError::read(path))?;
        let lines = (1..).zip(text.lines().map(str::trim));
        let lines: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.is_empty()).collect();
        for chunk in lines.chunks(CHUNK) {
            let mut molecules = Vec::new();
            for (line, proposed) in chunk {
                let (smiles, parents) = proposed.split_once(' ').unwrap_or((proposed, ""));
                // A molecule belongs to the first generator that proposed it.
                if known.insert(smiles.to_owned()) {
                    let molecule = Molecule::from_canonical(smiles);
                    let molecule = molecule.map_err(|source| DesignError::Candidate {
                        path: path.to_owned(),
                        line: *line,
                        source,
                    })?;
                    molecules.push((molecule, parents));
                }
            }
            molecules.retain(|(molecule, _)| input.rules.violation(molecule).is_none());
            candidates.extend(predicted(&model, &molecules, *generator)?);
        }
    }
    let mut ranked = ranked(candidates, &model, input)?;
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    ranked.retain(|candidate| {
        let count = kept.entry(candidate.generator).or_default();
        // Too slow for all: each gets its hydrogens.
        let is_kept = *count < input.most && (!input.needs_mmff94 || has_mmff94(candidate));
        *count += usize::from(is_kept);
        is_kept
    });
    Ok(ScreenOutput { ranked })
}

fn has_mmff94(candidate: &RankedCandidate) -> bool {
    let molecule = Molecule::from_canonical(&candidate.smiles);
    molecule.is_ok_and(|molecule| molecule.has_mmff94_parameters())
}

/// Sorts the candidates, best first.
fn ranked(
    candidates: Vec<RankedCandidate>,
    model: &TrainedModel,
    input: &ScreenInput,
) -> Result<Vec<RankedCandidate>, DesignError> {
    let acquisition = input.engine.implementation();
    if input.reference.is_empty() {
        let round = AcquisitionRound {
            incumbent: input.incumbent,
            seed: input.seed,
        };
        let scores = acquisition.scores(&candidates, &round)?;
        let ranked = rank(candidates, scores);
        let shortlist = (ranked.iter().take(SHORTLIST)).filter(|_| acquisition.uses_deviation());
        let shortlist = shortlist.filter_map(|c| Molecule::from_canonical(&c.smiles).ok());
        let shortlist: Vec<Molecule> = shortlist.collect();
        return match model.joint(&shortlist.iter().collect::<Vec<_>>())? {
            Some(joint) => diversified(acquisition, ranked, joint, &round, input.most),
            None => Ok(ranked),
        };
    }
    let front = CostFront {
        members: &input.front,
        reference: &input.reference,
    };
    rank_by_hypervolume(acquisition, candidates, &front, input.seed)
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

/// Predicts molecules that a generator proposed, each with its parents.
fn predicted(
    model: &TrainedModel,
    proposed: &[(Molecule, &str)],
    generator: usize,
) -> Result<Vec<RankedCandidate>, DesignError> {
    let molecules: Vec<&Molecule> = proposed.iter().map(|(molecule, _)| molecule).collect();
    let predictions = model.predict(&molecules)?;
    let predicted = proposed.iter().zip(predictions);
    let predicted = predicted.map(|((molecule, parents), mut predictions)| {
        let further = predictions.split_off(1);
        RankedCandidate {
            smiles: molecule.canonical_smiles(),
            prediction: predictions[0],
            further,
            generator,
            parents: parents.split_whitespace().map(str::to_owned).collect(),
        }
    });
    Ok(predicted.collect())
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
