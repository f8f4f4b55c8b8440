//! Bodies of the tasks `train`, `generate` and `screen`, which read and write the files named in
//! their inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::error::DesignError;
use super::generator::load_generator;
use super::model::GroupModel;
use super::molecules::{Fingerprint, MoleculeEnvironment};
use super::ranges::RangeFault;
use super::settings::Model;
use super::statistics::Statistics;
use super::{GenerateInput, GenerateOutput, ScreenInput, ScreenOutput, TrainInput, TrainOutput};
use crate::chem::Molecule;
use crate::chem::edit::EditRules;
use crate::learn::acquisition::rank;
use crate::task::RankedCandidate;

/// Adds observations to the statistics, fits the surrogate, and writes both.
///
/// # Errors
///
/// Settings are out of range, a molecule is malformed, the statistics are of another campaign, the
/// fit fails, or a file cannot be read or written.
pub fn train(input: &TrainInput) -> Result<TrainOutput, DesignError> {
    refuse(input.settings.faults())?;
    let (model, per_atom) = (input.settings.model, input.per_atom);
    let mut statistics = match &input.statistics {
        Some(path) => read_statistics(path, model, per_atom)?,
        None => Statistics::new(model, per_atom),
    };
    let observations = (1..)
        .zip(&input.observations)
        .map(
            |(number, observation)| match Molecule::parse(&observation.smiles) {
                Ok(molecule) => Ok((molecule, observation.value)),
                Err(source) => Err(DesignError::Observation { number, source }),
            },
        )
        .collect::<Result<Vec<_>, _>>()?;
    statistics.add(&observations)?;
    let model = GroupModel::from_statistics(&statistics, &input.settings)?;
    write(&input.model_out, model.to_bytes()?)?;
    write(&input.statistics_out, statistics.to_bytes()?)?;
    Ok(TrainOutput {
        molecules: statistics.molecules(),
        groups: model.groups(),
        rmse: model.rmse(&statistics),
    })
}

/// Lets the agent explore with rewards from the model; writes the visited molecules and the agent.
///
/// # Errors
///
/// Settings are out of range, a start molecule is malformed, the agent diverges, or a file cannot
/// be read or written.
pub fn generate(input: &GenerateInput) -> Result<GenerateOutput, DesignError> {
    let settings = &input.settings;
    refuse(settings.faults())?;
    let starts = (1..)
        .zip(&input.starts)
        .map(|(number, smiles)| {
            Molecule::parse(smiles).map_err(|source| DesignError::Start { number, source })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let rules = EditRules {
        elements: input.elements.clone(),
        max_heavy_atoms: input.max_heavy_atoms,
        allowed_ring_sizes: input.allowed_ring_sizes.clone(),
    };
    let fingerprint = Fingerprint {
        radius: settings.fingerprint_radius,
        bits: settings.fingerprint_bits,
    };
    let mut environment =
        MoleculeEnvironment::new(read_model(&input.model)?, rules, fingerprint, starts);

    let mut agent = match &input.agent {
        Some(path) => {
            let bytes = fs::read(path).map_err(DesignError::read(path))?;
            load_generator(settings, Some(&bytes), input.seed).map_err(DesignError::saved(path))?
        }
        None => load_generator(settings, None, input.seed)?,
    };
    if let Some(epsilon) = input.epsilon_at_least {
        agent.explore_at_least(epsilon.clamp(0.0, 1.0));
    }
    let (mut visited, mut distinct) = (String::new(), BTreeSet::new());
    let summary = agent.propose(&mut environment, settings, input.seed, &mut |state| {
        if let Some(cached) = state
            && distinct.insert(cached.smiles.clone())
        {
            visited.push_str(&cached.smiles);
            visited.push('\n');
        }
    })?;
    write(&input.candidates_out, visited)?;
    write(&input.agent_out, agent.to_bytes()?)?;
    Ok(GenerateOutput {
        candidates: distinct.len(),
        epsilon: agent.epsilon(),
        episodes: summary.episodes,
        mean_reward: summary.mean_reward,
        mean_loss: summary.mean_loss,
    })
}

/// Predicts and ranks the candidates, best first.
///
/// # Errors
///
/// Settings are out of range, a candidate is malformed, or a file cannot be read.
pub fn screen(input: &ScreenInput) -> Result<ScreenOutput, DesignError> {
    refuse(input.settings.faults())?;
    let model = read_model(&input.model)?;
    let mut candidates = BTreeMap::new();
    for path in &input.candidates {
        read_candidates(path, &mut candidates)?;
    }
    let predictions = model.predict(candidates.values());
    let mut ranked: Vec<_> = candidates.into_keys().zip(predictions).collect();
    let settings = &input.settings;
    rank(
        &mut ranked,
        settings.acquisition,
        settings.kappa,
        input.incumbent,
    );
    let ranked = ranked
        .into_iter()
        .map(|(smiles, prediction)| RankedCandidate {
            smiles,
            prediction,
            further: Vec::new(),
        });
    Ok(ScreenOutput {
        ranked: ranked.collect(),
    })
}

/// Adds the molecules of a file, one SMILES a line, by their canonical SMILES.
fn read_candidates(
    path: &Path,
    candidates: &mut BTreeMap<String, Molecule>,
) -> Result<(), DesignError> {
    let text = fs::read_to_string(path).map_err(DesignError::read(path))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    for (line, smiles) in lines.filter(|(_, smiles)| !smiles.is_empty()) {
        let molecule = Molecule::parse(smiles).map_err(|source| DesignError::Candidate {
            path: path.to_owned(),
            line,
            source,
        })?;
        candidates.insert(molecule.canonical_smiles(), molecule);
    }
    Ok(())
}

fn refuse(faults: Vec<RangeFault>) -> Result<(), DesignError> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(DesignError::Settings(faults)),
    }
}

fn read_model(path: &Path) -> Result<GroupModel, DesignError> {
    let bytes = fs::read(path).map_err(DesignError::read(path))?;
    GroupModel::from_bytes(&bytes).map_err(DesignError::saved(path))
}

fn read_statistics(path: &Path, model: Model, per_atom: bool) -> Result<Statistics, DesignError> {
    let bytes = fs::read(path).map_err(DesignError::read(path))?;
    let statistics = Statistics::from_bytes(&bytes).map_err(DesignError::saved(path))?;
    match statistics.matches(model, per_atom) {
        true => Ok(statistics),
        false => Err(DesignError::OtherStatistics(path.to_owned())),
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), DesignError> {
    fs::write(path, content).map_err(DesignError::write(path))
}
