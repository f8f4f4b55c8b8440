//! Engine `qcengine`: any program that QCEngine drives, through files in QCSchema.
//!
//! D. G. A. Smith et al., J. Chem. Phys. 155, 204801 (2021).

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::basis::{self, Basis};
use super::dipole::dipole_length;
use super::electrons::{ElectronicState, is_zero};
use super::program_error::error_sentence;
use super::require_same_bonds;
use super::words::Words;
use super::{ConformerSearch, EMBED_TIMEOUT, MMFF94, default_conformers};
use super::{Outputs, PreparedSimulation, Program, Request, Requirement, SimError, SimResult};
use super::{PreparedMolecule, SettingFault, Simulator, built_in_quantities, electrons, gfn2};
use crate::chem::units::{angstrom_to_bohr, bohr_to_angstrom};
use crate::chem::{Geometry, Molecule};
use crate::property::{DIPOLE, Dimension, ENERGY};

pub(super) const NAME: &str = "qcengine";
const INPUT: &str = "qcschema.json";

/// Settings of the engine `qcengine`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qcengine {
    /// Name of the program in QCEngine: `psi4`, `nwchem`, `xtb`.
    pub program: Words,
    /// Name of the method in the program: `hf`, `b3lyp`, `GFN2-xTB`.
    pub method: Words,
    /// Name of the basis set, if the method has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Words>,
    /// Elementary charges added to those of the molecule: 1 for the cation, -1 for the anion.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = -10, max = 10))]
    pub charge: i32,
    /// Spin multiplicity, 2S + 1; if not given, that of the unpaired electrons in the SMILES, or
    /// else the lowest possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 20))]
    pub multiplicity: Option<NonZeroU32>,
    /// Keywords that QCEngine passes to the program.
    #[serde(default)]
    pub keywords: BTreeMap<String, Value>,
    /// Number of cores that QCEngine gives to the program. MPI is configured in QCEngine's own
    /// `qcengine.yaml`.
    #[serde(default = "one")]
    pub cores: NonZeroUsize,
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

/// QCEngine itself, which finds the programs that it drives.
pub(super) fn requirement() -> Requirement {
    Requirement {
        program: NAME.to_owned(),
        version_args: Some(&["--version"]),
        install: "`pip install qcengine` or `conda install -c conda-forge qcengine`, and the program that it drives (NWChem needs the Python package networkx too)",
    }
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn embed_timeout() -> NonZeroU32 {
    EMBED_TIMEOUT
}

/// The used fields of a QCSchema `AtomicResult` or `FailedOperation`.
#[derive(Deserialize)]
struct QcResult {
    success: bool,
    return_result: Option<f64>,
    molecule: Option<QcMolecule>,
    properties: Option<Properties>,
    provenance: Option<Provenance>,
    error: Option<QcError>,
}

#[derive(Default, Deserialize)]
struct Properties {
    calcinfo_nalpha: Option<u32>,
    calcinfo_nbeta: Option<u32>,
    /// About the origin, in atomic units.
    scf_dipole_moment: Option<[f64; 3]>,
}

impl Properties {
    /// Number of electrons in the calculation; None if the program does not report it.
    fn electrons(&self) -> Option<u32> {
        self.calcinfo_nalpha?.checked_add(self.calcinfo_nbeta?)
    }
}

#[derive(Deserialize)]
struct QcMolecule {
    symbols: Vec<String>,
    /// Coordinates in bohr, three for each atom.
    geometry: Vec<f64>,
}

#[derive(Deserialize)]
struct Provenance {
    creator: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct QcError {
    error_type: String,
    error_message: String,
}

impl Simulator for Qcengine {
    fn state_of(&self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        self.state().of_molecule(molecule)
    }

    fn level(&self, geometry: &str) -> String {
        let basis = self.basis.iter().map(|basis| format!("/{basis}"));
        format!("{}{}//{geometry}", self.method, basis.collect::<String>())
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(requirement())
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        // QCEngine reads no dipole moment from an energy of NWChem.
        match self.drives("nwchem") {
            true => built_in_quantities(&[ENERGY]),
            false => built_in_quantities(&[ENERGY, DIPOLE]),
        }
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        Some(&mut self.conformers)
    }

    fn typical_time(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: true,
        }
    }

    fn faults(&self, elements: &[String]) -> Vec<SettingFault> {
        let Some(basis) = self.basis.as_ref().filter(|_| self.drives("nwchem")) else {
            return Vec::new();
        };
        let name = basis.as_str();
        let found = basis::check(name, elements);
        let basis = Basis::find(name);
        let bare = elements
            .iter()
            .find(|e| basis.as_ref().is_some_and(|b| b.replaced(e) > 0));
        let without = bare.map(|element| SettingFault {
            setting: "basis",
            message: format!(
                "the basis set `{name}` needs an effective core potential for `{element}`, which QCEngine does not ask NWChem for"
            ),
            hint: "use `engine: nwchem`, which adds it, or a basis set for all electrons".to_owned(),
        });
        found.into_iter().chain(without).collect()
    }

    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        if let Some(symbol) = molecule.free_atom()
            && self.drives("xtb")
            && self.method.as_str().eq_ignore_ascii_case("gfn2-xtb")
        {
            // xtb sometimes fails on free atoms, as in the engine `xtb`.
            let level = self.level(MMFF94);
            return gfn2::free_atom(&molecule, symbol, NAME, &level).map(PreparedSimulation::Done);
        }
        let prepared = PreparedMolecule::new(request, self.conformer_search(), self.state())?;
        let atoms = &prepared.geometry.atoms;
        let symbols: Vec<&str> = atoms.iter().map(|(symbol, _)| symbol.as_str()).collect();
        let positions = atoms.iter().flat_map(|(_, position)| *position);
        let geometry: Vec<f64> = positions.map(angstrom_to_bohr).collect();
        let mut keywords = json!(self.keywords);
        if let (true, Some(keywords)) = (prepared.unpaired_electrons > 0, keywords.as_object_mut())
        {
            for (name, value) in unrestricted(self.program.as_str()) {
                keywords.entry(name).or_insert(value);
            }
        }
        let input = json!({
            "schema_name": "qcschema_input",
            "schema_version": 1,
            "molecule": {
                "schema_name": "qcschema_molecule",
                "schema_version": 2,
                "symbols": symbols,
                "geometry": geometry,
                "molecular_charge": prepared.charge,
                "molecular_multiplicity": prepared.multiplicity(),
                "fix_com": true,
                "fix_orientation": true,
            },
            "driver": "energy",
            "model": {"method": self.method, "basis": self.basis},
            "keywords": keywords,
            "protocols": {"stdout": false},
        });
        let words = [NAME, "run", self.program.as_str(), INPUT, "--ncores"];
        let mut argv: Vec<String> = words.map(str::to_owned).into();
        argv.push(self.cores.to_string());
        if let Some(scratch) = scratch {
            argv.extend(["--scratch-directory".into(), scratch.display().to_string()]);
        }
        Ok(PreparedSimulation::Program(Program {
            parallel: false,
            argv,
            env: vec![("OMP_NUM_THREADS".to_owned(), self.cores.to_string())],
            files: vec![(INPUT.to_owned(), format!("{input:#}\n"))],
        }))
    }

    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        let message = |text: String| format!("qcengine with {}: {text}", self.program);
        if outputs.exit_code != Some(0) {
            let sentence = error_sentence(&outputs.stderr);
            let code = outputs
                .exit_code
                .map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            return Err(SimError::Exit(message(format!(
                "ended by {code}: {}",
                sentence.unwrap_or_else(|| "no error message".to_owned())
            ))));
        }
        let unreadable = |problem: &str| SimError::Unreadable(message(problem.to_owned()));
        // The result is one line; programs may print others before.
        let line = outputs.stdout.lines().rfind(|line| line.starts_with('{'));
        let line = line.ok_or_else(|| unreadable("no JSON in its output"))?;
        let result: QcResult =
            serde_json::from_str(line).map_err(|e| match line.contains("NaN") {
                true => SimError::NotANumber(message("its answer holds NaN".to_owned())),
                false => unreadable(&e.to_string()),
            })?;
        if !result.success {
            return Err(failure(result.error, &message));
        }
        let provenance = result
            .provenance
            .ok_or_else(|| unreadable("no `provenance`"))?;
        let molecule = result.molecule.ok_or_else(|| unreadable("no `molecule`"))?;
        let properties = result.properties.unwrap_or_default();
        let requested = Molecule::parse(&request.smiles)?;
        let charge = match requested.free_atom() {
            Some(_) => 0,
            None => self.state().total_charge(&requested),
        };
        if let Some(reported) = properties.electrons() {
            self.compare_electrons(&molecule.symbols, charge, reported)?;
        }
        let geometry = molecule
            .geometry()
            .ok_or_else(|| unreadable("`geometry` has not three numbers an atom"))?;
        let energy = result
            .return_result
            .filter(|energy| energy.is_finite())
            .ok_or_else(|| unreadable("`return_result` is no energy"))?;
        require_same_bonds(&requested, &geometry, request.geometry_level())?;
        electrons::require_possible(NAME, &requested, energy)?;
        let dipole = properties.scf_dipole_moment;
        let dipole = dipole.and_then(|about_origin| dipole_length(about_origin, charge, &geometry));
        Ok(SimResult {
            quantities: dipole.map(|d| (DIPOLE.to_owned(), d)).into_iter().collect(),
            total_energy_hartree: Some(energy),
            engine: NAME.to_owned(),
            version: [Some(provenance.creator), provenance.version]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            level_of_theory: self.level(request.geometry_level()),
            geometry: Some(geometry),
        })
    }
}

impl Qcengine {
    fn state(&self) -> ElectronicState {
        ElectronicState {
            charge: self.charge,
            multiplicity: self.multiplicity,
        }
    }

    /// Returns true if QCEngine drives this program.
    fn drives(&self, program: &str) -> bool {
        self.program.as_str().eq_ignore_ascii_case(program)
    }

    /// Refuses a calculation whose number of electrons is not that of the molecule, without the
    /// cores that its basis set replaces. Sets that NWChem does not have are not checked.
    fn compare_electrons(
        &self,
        symbols: &[String],
        charge: i32,
        reported: u32,
    ) -> Result<(), SimError> {
        let name = self.basis.as_ref().map_or("", Words::as_str);
        let Some(basis) = Basis::find(name) else {
            return Ok(());
        };
        let symbols = || symbols.iter().map(String::as_str);
        let replaced = symbols().map(|symbol| basis.replaced(symbol)).sum();
        electrons::compare(NAME, symbols(), charge, replaced, reported)
    }
}

impl QcMolecule {
    fn geometry(self) -> Option<Geometry> {
        let (positions, []) = self.geometry.as_chunks::<3>() else {
            return None;
        };
        let atoms = positions
            .iter()
            .map(|position| position.map(bohr_to_angstrom));
        (positions.len() == self.symbols.len()).then(|| Geometry {
            atoms: self.symbols.into_iter().zip(atoms).collect(),
        })
    }
}

/// Keywords with which a program treats unpaired electrons unrestricted, if that is not its default.
fn unrestricted(program: &str) -> Vec<(&'static str, Value)> {
    match program {
        "nwchem" => vec![("scf__uhf", json!(true))],
        "psi4" => vec![("reference", json!("uhf"))],
        _ => vec![],
    }
}

/// Error from a result without success; QCEngine exits with 0 nevertheless.
fn failure(error: Option<QcError>, message: &dyn Fn(String) -> String) -> SimError {
    let Some(QcError {
        error_type,
        error_message,
    }) = error
    else {
        return SimError::Exit(message("no success and no error message".to_owned()));
    };
    // Some messages contain the whole input and output of the program, so phrases must be specific.
    let text = error_message.to_lowercase();
    let contains = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let kind = match error_type.as_str() {
        "convergence_error" => SimError::NotConverged,
        _ if contains(&["failed to converge", "did not converge", "not converged"]) => {
            SimError::NotConverged
        }
        "input_error" => SimError::Unsupported,
        _ if contains(&[
            "out of memory",
            "insufficient memory",
            "memory limit unreasonable",
            "ma_push failed",
        ]) =>
        {
            SimError::Memory
        }
        _ => SimError::Exit,
    };
    kind(message(format!("{error_type}: {}", tail(&error_message))))
}

/// Last 600 characters of a message, which may contain the whole output of a program.
fn tail(text: &str) -> String {
    let text = text.trim();
    let start = text.char_indices().rev().nth(600).map_or(0, |(at, _)| at);
    text[start..].to_owned()
}
