//! QcEngine `command`: any program that reads a molecule as JSON and writes its energy as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::said::error_sentence;
use super::{
    EMBED_TIMEOUT, MMFF94, Outputs, PreparedSimulation, Program, Ranks, Request, Requirement,
};
use super::{Search, SimError, SimResult, Simulator, Start, conformers};
use super::{electrons, require_same_bonds};
use crate::chem::units::{KJ_PER_KCAL, ev_to_hartree, kcal_per_mol_to_hartree};
use crate::chem::{Geometry, Molecule};

pub(super) const NAME: &str = "command";
const INPUT: &str = "molecule.json";
const OUTPUT: &str = "energy.json";

/// The engine `command` with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments, no shell between; `{input}` and `{output}` stand for the
    /// names of the two files.
    ///
    /// A word that begins with `./` is a path relative to the campaign file, and stays below its
    /// folder.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// The level of theory, for reports: `B3LYP/6-31G*`.
    #[schemars(length(min = 1))]
    pub level: String,
    /// The unit of the energies that the program writes.
    pub unit: EnergyUnit,
    /// Passed on to the program under `settings`.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// Whether it is an MPI program, started by the site's launcher.
    #[serde(default)]
    pub parallel: bool,
    /// Nodes that a calculation runs on.
    #[serde(default = "one")]
    pub nodes: NonZeroUsize,
    /// MPI processes on each node.
    #[serde(default = "one")]
    pub ranks_per_node: NonZeroUsize,
    /// Cores of each process.
    #[serde(default = "one")]
    pub cores_per_rank: NonZeroUsize,
    /// Embeddings of a molecule, each relaxed with MMFF94; the one with the lowest GFN2-xTB energy
    /// is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Whole seconds that the embeddings may take together before the molecule counts as one
    /// without a geometry.
    #[serde(default = "embed_timeout")]
    pub embed_timeout_seconds: NonZeroU32,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn embed_timeout() -> NonZeroU32 {
    EMBED_TIMEOUT
}

/// A unit of the energy of one molecule, or of one mole of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnergyUnit {
    #[serde(rename = "hartree")]
    Hartree,
    #[serde(rename = "eV")]
    Ev,
    #[serde(rename = "kcal/mol")]
    KcalPerMol,
    #[serde(rename = "kJ/mol")]
    KjPerMol,
}

impl EnergyUnit {
    fn to_hartree(self, energy: f64) -> f64 {
        match self {
            Self::Hartree => energy,
            Self::Ev => ev_to_hartree(energy),
            Self::KcalPerMol => kcal_per_mol_to_hartree(energy),
            Self::KjPerMol => kcal_per_mol_to_hartree(energy / KJ_PER_KCAL),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hartree => "hartree",
            Self::Ev => "eV",
            Self::KcalPerMol => "kcal/mol",
            Self::KjPerMol => "kJ/mol",
        }
    }
}

/// Output of the program.
#[derive(Deserialize)]
struct Answer {
    /// Total energy of the molecule, in the unit that the settings declare.
    energy: f64,
    /// That unit, if the program says it.
    unit: Option<EnergyUnit>,
    /// Symbols and angstrom, if it relaxed the molecule.
    geometry: Option<Geometry>,
    version: Option<String>,
}

impl Simulator for Command {
    fn level(&self, _: &str) -> String {
        self.level.clone()
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement {
            program: self.argv.first().cloned().unwrap_or_default(),
            version_args: None,
            install: "the first word of `argv` is a program on PATH, or its path; `./` is the folder of the campaign",
        })
    }

    /// It may return a geometry, and then it is of the level that the campaign says.
    fn relaxes(&self) -> bool {
        true
    }

    fn ranks(&self) -> Option<Ranks> {
        self.parallel.then_some(Ranks {
            nodes: self.nodes,
            ranks_per_node: self.ranks_per_node,
            cores_per_rank: self.cores_per_rank,
        })
    }

    /// It may relax the geometry; where it does not, `parse` refuses any other than MMFF94's.
    fn search(&self) -> Search {
        Search {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: false,
        }
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        let start = Start::new(request, NAME, self.search())?;
        let input = json!({
            "smiles": request.smiles,
            "charge": 0,
            "unit": self.unit,
            "multiplicity": start.multiplicity(),
            "geometry": start.geometry,
            "geometry_xyz": start.geometry.to_xyz(&request.smiles),
            "geometry_level": start.level,
            "settings": self.settings,
        });
        let word = |word: &String| word.replace("{input}", INPUT).replace("{output}", OUTPUT);
        Ok(PreparedSimulation::Program(Program {
            parallel: self.parallel,
            argv: self.argv.iter().map(word).collect(),
            env: vec![(
                "OMP_NUM_THREADS".to_owned(),
                self.cores_per_rank.to_string(),
            )],
            files: vec![(INPUT.to_owned(), format!("{input:#}\n"))],
        }))
    }

    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        let program = self.argv.first().map_or(NAME, String::as_str);
        require_success(program, outputs)?;
        let answer = self.answer(program, outputs)?;
        let molecule = Molecule::parse(&request.smiles)?;
        let given = Given::read(outputs)?;
        let geometry = resulting_geometry(program, request, given, answer.geometry)?;
        require_same_bonds(&molecule, &geometry, program)?;
        if !answer.energy.is_finite() {
            return Err(unreadable(program, "`energy` is not finite"));
        }
        let energy = self.unit.to_hartree(answer.energy);
        electrons::require_possible(program, &molecule, energy)?;
        Ok(SimResult {
            quantities: Default::default(),
            total_energy_hartree: energy,
            engine: NAME.to_owned(),
            version: answer.version.unwrap_or_else(|| program.to_owned()),
            level: self.level.clone(),
            geometry,
        })
    }
}

impl Command {
    /// The output file of the program, in the declared unit.
    fn answer(&self, program: &str, outputs: &Outputs) -> Result<Answer, SimError> {
        let text = fs::read(outputs.dir.join(OUTPUT))
            .map_err(|e| SimError::of_file(format!("`{program}`: {OUTPUT}"), &e))?;
        // Python writes so what JSON has no word for.
        if String::from_utf8_lossy(&text).contains("NaN") {
            let message = format!("`{program}`: {OUTPUT} holds NaN");
            return Err(SimError::NotANumber(message));
        }
        let answer: Answer =
            serde_json::from_slice(&text).map_err(|e| unreadable(program, &e.to_string()))?;
        match answer.unit.filter(|unit| *unit != self.unit) {
            Some(unit) => {
                let (unit, declared) = (unit.name(), self.unit.name());
                let why = format!("`unit` is {unit}, but the campaign declares {declared}");
                Err(unreadable(program, &why))
            }
            None => Ok(answer),
        }
    }
}

fn unreadable(program: &str, why: &str) -> SimError {
    SimError::Unreadable(format!("`{program}`: {OUTPUT}: {why}"))
}

fn require_success(program: &str, outputs: &Outputs) -> Result<(), SimError> {
    let how = match outputs.exit_code {
        Some(0) => return Ok(()),
        Some(code) => format!("`{program}` ended with exit code {code}"),
        None => format!("`{program}` was ended by a signal"),
    };
    Err(SimError::Exit(match error_sentence(&outputs.stderr) {
        Some(sentence) => format!("{how}: {sentence}"),
        None => how,
    }))
}

/// The geometry that the program returned, or else the one that it was given.
fn resulting_geometry(
    program: &str,
    request: &Request,
    given: Given,
    returned: Option<Geometry>,
) -> Result<Geometry, SimError> {
    let symbols = |geometry: &Geometry| {
        let symbols = geometry.atoms.iter().map(|(symbol, _)| symbol.clone());
        symbols.collect::<Vec<_>>()
    };
    match (returned, given.geometry_level) {
        (Some(relaxed), _) if symbols(&relaxed) != symbols(&given.geometry) => {
            let why = "`geometry` is of other atoms than the molecule";
            Err(unreadable(program, why))
        }
        (Some(relaxed), _) => Ok(relaxed),
        (None, Some(level)) if level != MMFF94 => Err(SimError::Unsupported(format!(
            "MMFF94 has no parameters for `{}`; the geometry is of {level}, and `{program}` did not relax it",
            request.smiles
        ))),
        (None, _) => Ok(given.geometry),
    }
}

/// The geometry that the program was given.
#[derive(Deserialize)]
struct Given {
    geometry: Geometry,
    /// None for a free atom and for what another engine relaxed.
    geometry_level: Option<String>,
}

impl Given {
    fn read(outputs: &Outputs) -> Result<Self, SimError> {
        let unreadable = |why: String| SimError::Unreadable(format!("{INPUT}: {why}"));
        let text =
            fs::read(outputs.dir.join(INPUT)).map_err(|e| SimError::of_file(INPUT.into(), &e))?;
        serde_json::from_slice(&text).map_err(|e| unreadable(e.to_string()))
    }
}
