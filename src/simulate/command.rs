//! Engine `command`: any program that reads a molecule and writes its energy or other quantities,
//! both as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::SettingFault;
use super::electrons::{self, ElectronicState, charge_and_multiplicity};
use super::program_error::error_sentence;
use super::require_same_bonds;
use super::{
    ConformerSearch, PreparedMolecule, SimError, SimResult, Simulator, default_conformers,
    embed_timeout,
};
use super::{MMFF94, Outputs, PreparedSimulation, Program, Ranks, Request, Requirement};
use crate::chem::{Geometry, Molecule};
use crate::property::{Dimension, ENERGY, Quantities, Unit};

pub(super) const NAME: &str = "command";
const INPUT: &str = "molecule.json";
const OUTPUT: &str = "energy.json";

/// Settings of the engine `command`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandEngine {
    /// Program and arguments, started without a shell. `{input}` and `{output}` are replaced by the
    /// names of the two files.
    ///
    /// A word that begins with `./` is a path relative to the folder of the campaign file, and must
    /// stay below it.
    #[schemars(length(min = 1))]
    pub argv: Vec<String>,
    /// Level of theory, for reports: `B3LYP/6-31G*`.
    #[schemars(length(min = 1))]
    pub level: String,
    /// Unit of the energies that the program writes; left out if it writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Unit")]
    pub unit: Option<Unit>,
    /// Further quantities that the program writes, each with its unit: `logp: "1"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<String, Unit>,
    /// Settings that are passed to the program, under the key `settings` of its input.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
    /// True for an MPI program, which is started by the site's launcher.
    #[serde(default)]
    pub parallel: bool,
    /// Number of nodes for a calculation; used if `parallel` is true.
    #[serde(default = "one")]
    pub nodes: NonZeroUsize,
    /// Number of MPI processes on each node; used if `parallel` is true.
    #[serde(default = "one")]
    pub ranks_per_node: NonZeroUsize,
    /// Number of cores for each process, passed as `OMP_NUM_THREADS`.
    #[serde(default = "one")]
    pub cores_per_rank: NonZeroUsize,
    /// False for a program that needs no geometry of the molecule: none is made, which takes no
    /// time.
    #[serde(default = "needed")]
    pub geometry: bool,
    /// Number of embeddings of a molecule, each relaxed with MMFF94; the conformer with the lowest
    /// GFN2-xTB energy is used. With the default, 98.5 % of 200 molecules of QM9 are within 0.001
    /// hartree of the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "default_conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings of a molecule together, in whole seconds. A molecule that
    /// exceeds it fails for want of a geometry.
    #[serde(default = "embed_timeout")]
    pub embed_timeout_seconds: NonZeroU32,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn needed() -> bool {
    true
}

/// Reason for which a text is not a unit; none if it is one.
pub(crate) fn unit_error(text: &str) -> Option<String> {
    text.parse::<Unit>().err().map(|error| error.to_string())
}

/// Content of the output file.
#[derive(Deserialize)]
struct EnergyFile {
    /// Total energy of the molecule, in the unit of the settings.
    energy: Option<f64>,
    /// That unit; None if the program does not write it.
    unit: Option<String>,
    /// Further quantities, each in its unit of the settings.
    #[serde(default)]
    quantities: BTreeMap<String, f64>,
    /// Relaxed geometry, angstrom; None if the program does not relax the molecule.
    geometry: Option<Geometry>,
    version: Option<String>,
}

impl Simulator for CommandEngine {
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

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        let energy = self.unit.iter().map(|unit| (ENERGY.to_owned(), unit));
        let declared = self.quantities.iter();
        let all = declared
            .map(|(name, unit)| (name.clone(), unit))
            .chain(energy);
        all.map(|(name, unit)| (name, unit.dimension())).collect()
    }

    fn faults(&self, _: &[String]) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut fault = |setting, message: String, hint: &str| {
            let hint = hint.to_owned();
            faults.push(SettingFault {
                setting,
                message,
                hint,
            });
        };
        match &self.unit {
            None if self.quantities.is_empty() => fault(
                "argv",
                "the program writes neither an energy nor another quantity".to_owned(),
                "declare the `unit` of its energies, or its `quantities` with their units",
            ),
            Some(unit) if unit.dimension() != Dimension::ENERGY => fault(
                "unit",
                format!("`{unit}` is a unit of {}, not of energy", unit.dimension()),
                "units of energy are `hartree`, `eV`, `kcal/mol`, `kJ/mol`, `meV` and `cm-1`",
            ),
            _ => {}
        }
        for name in self.quantities.keys() {
            if name == ENERGY {
                let message = "`energy` is declared by its `unit`, not in `quantities`".to_owned();
                fault(
                    "quantities",
                    message,
                    "write `unit: hartree` beside `quantities`",
                );
            } else if !is_name(name) {
                let message = format!("`{name}` is no name that an expression could use");
                let hint =
                    "names consist of letters, digits and `_`, and do not begin with a digit";
                fault("quantities", message, hint);
            }
        }
        faults
    }

    /// The program may return a geometry, which is then of the declared level.
    fn relaxes(&self) -> bool {
        self.geometry
    }

    fn takes_geometries(&self) -> bool {
        self.geometry
    }

    fn ranks(&self) -> Option<Ranks> {
        self.parallel.then_some(Ranks {
            nodes: self.nodes,
            ranks_per_node: self.ranks_per_node,
            cores_per_rank: self.cores_per_rank,
        })
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        Some(&mut self.conformers)
    }

    fn typical_time(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// The program may relax the geometry; if it does not, `parse` refuses geometries of other
    /// levels than MMFF94.
    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: false,
        }
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        let input = match self.geometry {
            true => {
                let search = self.conformer_search();
                let prepared = PreparedMolecule::new(request, search, ElectronicState::default())?;
                json!({
                    "smiles": request.smiles,
                    "charge": prepared.charge,
                    "unit": self.unit,
                    "quantities": self.quantities,
                    "multiplicity": prepared.multiplicity(),
                    "geometry": prepared.geometry,
                    "geometry_xyz": prepared.geometry.to_xyz(&request.smiles),
                    "geometry_level": prepared.level,
                    "settings": self.settings,
                })
            }
            false => {
                let (charge, multiplicity) = charge_and_multiplicity(&request.smiles)?;
                json!({
                    "smiles": request.smiles,
                    "charge": charge,
                    "unit": self.unit,
                    "quantities": self.quantities,
                    "multiplicity": multiplicity,
                    "settings": self.settings,
                })
            }
        };
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
        let output = self.read_output(program, outputs)?;
        let molecule = Molecule::parse(&request.smiles)?;
        let geometry = match (self.geometry, output.geometry) {
            (true, returned) => {
                let input = CommandInput::read(outputs)?;
                let geometry = resulting_geometry(program, request, input, returned)?;
                require_same_bonds(&molecule, &geometry, program)?;
                Some(geometry)
            }
            (false, None) => None,
            (false, Some(_)) => {
                let problem = "`geometry` is there, but the campaign says `geometry: false`";
                return Err(unreadable(program, problem));
            }
        };
        let energy = self.energy_hartree(program, &molecule, output.energy)?;
        let quantities =
            self.declared(program, molecule.free_atom().is_some(), output.quantities)?;
        Ok(SimResult {
            quantities,
            total_energy_hartree: energy,
            engine: NAME.to_owned(),
            version: output.version.unwrap_or_else(|| program.to_owned()),
            level_of_theory: self.level.clone(),
            geometry,
        })
    }
}

impl CommandEngine {
    /// Reads the output file, whose unit must be the declared one.
    fn read_output(&self, program: &str, outputs: &Outputs) -> Result<EnergyFile, SimError> {
        let text = fs::read(outputs.dir.join(OUTPUT))
            .map_err(|e| SimError::from_file_error(format!("`{program}`: {OUTPUT}"), &e))?;
        // Python writes `NaN`, which is not JSON.
        if String::from_utf8_lossy(&text).contains("NaN") {
            let message = format!("`{program}`: {OUTPUT} holds NaN");
            return Err(SimError::NotANumber(message));
        }
        let output: EnergyFile =
            serde_json::from_slice(&text).map_err(|e| unreadable(program, &e.to_string()))?;
        let declared = self.unit.as_ref().map(Unit::name);
        match (&output.unit, declared) {
            (Some(unit), Some(declared)) if unit != declared => {
                let problem = format!("`unit` is {unit}, but the campaign declares {declared}");
                Err(unreadable(program, &problem))
            }
            _ => Ok(output),
        }
    }

    /// The energy in hartree; None if the program computes none.
    fn energy_hartree(
        &self,
        program: &str,
        molecule: &Molecule,
        written: Option<f64>,
    ) -> Result<Option<f64>, SimError> {
        let Some(unit) = &self.unit else {
            return Ok(None);
        };
        let energy = written.ok_or_else(|| unreadable(program, "it has no `energy`"))?;
        if !energy.is_finite() {
            return Err(unreadable(program, "`energy` is not finite"));
        }
        let energy = unit.to_atomic(energy);
        electrons::require_possible(program, molecule, energy)?;
        Ok(Some(energy))
    }

    /// The declared quantities in atomic units. Of a free atom some may be missing: the engine asks
    /// for those that a property needs.
    fn declared(
        &self,
        program: &str,
        is_free_atom: bool,
        written: BTreeMap<String, f64>,
    ) -> Result<Quantities, SimError> {
        let mut found = Quantities::new();
        for (name, unit) in &self.quantities {
            match written.get(name) {
                None if is_free_atom => {}
                None => {
                    let problem = format!("`quantities` has no `{name}`");
                    return Err(unreadable(program, &problem));
                }
                Some(value) if !value.is_finite() => {
                    return Err(unreadable(program, &format!("`{name}` is not finite")));
                }
                Some(value) => drop(found.insert(name.clone(), unit.to_atomic(*value))),
            }
        }
        Ok(found)
    }
}

/// Returns true if expressions can use the name.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && name.chars().all(is_plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn unreadable(program: &str, problem: &str) -> SimError {
    SimError::Unreadable(format!("`{program}`: {OUTPUT}: {problem}"))
}

fn require_success(program: &str, outputs: &Outputs) -> Result<(), SimError> {
    let exit = match outputs.exit_code {
        Some(0) => return Ok(()),
        Some(code) => format!("`{program}` ended with exit code {code}"),
        None => format!("`{program}` was ended by a signal"),
    };
    Err(SimError::Exit(match error_sentence(&outputs.stderr) {
        Some(sentence) => format!("{exit}: {sentence}"),
        None => exit,
    }))
}

/// Geometry that the program returned, or else its input geometry.
fn resulting_geometry(
    program: &str,
    request: &Request,
    input: CommandInput,
    returned: Option<Geometry>,
) -> Result<Geometry, SimError> {
    let symbols = |geometry: &Geometry| {
        let symbols = geometry.atoms.iter().map(|(symbol, _)| symbol.clone());
        symbols.collect::<Vec<_>>()
    };
    match (returned, input.geometry_level) {
        (Some(relaxed), _) if symbols(&relaxed) != symbols(&input.geometry) => {
            let problem = "`geometry` is of other atoms than the molecule";
            Err(unreadable(program, problem))
        }
        (Some(relaxed), _) => Ok(relaxed),
        (None, Some(level)) if level != MMFF94 => Err(SimError::Unsupported(format!(
            "MMFF94 has no parameters for `{}`; the geometry is of {level}, and `{program}` did not relax it",
            request.smiles
        ))),
        (None, _) => Ok(input.geometry),
    }
}

/// Geometry in the input file.
#[derive(Deserialize)]
struct CommandInput {
    geometry: Geometry,
    /// None for a free atom and for a geometry of another engine.
    geometry_level: Option<String>,
}

impl CommandInput {
    fn read(outputs: &Outputs) -> Result<Self, SimError> {
        let text = fs::read(outputs.dir.join(INPUT))
            .map_err(|e| SimError::from_file_error(INPUT.into(), &e))?;
        serde_json::from_slice(&text).map_err(|e| SimError::Unreadable(format!("{INPUT}: {e}")))
    }
}
