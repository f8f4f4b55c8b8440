//! Engine `xtb`: GFN2-xTB energies and geometries by the program xtb.
//!
//! C. Bannwarth et al., WIREs Comput. Mol. Sci. 11, e1493 (2021).

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::electrons::{ElectronicState, is_zero};
use super::prepared::free_atom_spin;
use super::program_error::error_sentence;
use super::solvent::Solvent;
use super::{CONFORMERS, ConformerSearch, EMBED_TIMEOUT, default_conformers};
use super::{Outputs, PreparedSimulation, Program, Request, Requirement, SimError, SimResult};
use super::{PreparedMolecule, Simulator, electrons, gfn2, require_same_bonds, thermochemistry};
use crate::chem::{Geometry, Molecule, atomic_mass};
use crate::property::{DIPOLE, Dimension, ENERGY, GAP, HOMO, LUMO, THERMOCHEMICAL};

mod output;

pub(super) const NAME: &str = "xtb";
const LEVEL: &str = "GFN2-xTB";
const INPUT: &str = "mol.xyz";
const OPTIMISED: &str = "xtbopt.xyz";
const CONTROL: &str = "xtb.inp";
/// Version 6.5.1 aborts while it looks for the symmetry of a linear molecule.
const WITHOUT_SYMMETRY: &str = "$symmetry\n   maxat=0\n$end\n";

/// Settings of the engine `xtb`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Xtb {
    /// Number of embeddings of a molecule, each relaxed with MMFF94; the conformer with the lowest
    /// GFN2-xTB energy is used. With the default, 98.5 % of 200 molecules of QM9 are within 0.001
    /// hartree of the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "default_conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings of a molecule together, in whole seconds. A molecule that
    /// exceeds it fails for want of a geometry.
    pub embed_timeout_seconds: NonZeroU32,
    /// Calculation to run.
    #[serde(skip_serializing_if = "XtbTask::is_default")]
    pub task: XtbTask,
    /// Elementary charges added to those of the molecule: 1 for the cation, -1 for the anion.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = -10, max = 10))]
    pub charge: i32,
    /// Spin multiplicity, 2S + 1; if not given, that of the unpaired electrons in the SMILES, or
    /// else the lowest possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 20))]
    pub multiplicity: Option<NonZeroU32>,
    /// Solvent of the implicit solvation model ALPB; none for the gas phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solvent: Option<Solvent>,
}

/// Calculation of the engine `xtb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum XtbTask {
    /// The geometry is relaxed.
    #[default]
    Optimize,
    /// The geometry is that of MMFF94, or of the method that `geometry` names.
    Energy,
    /// The geometry is relaxed, and its harmonic vibrations are computed.
    Frequencies,
}

impl XtbTask {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Xtb {
    fn default() -> Self {
        Self {
            conformers: Some(CONFORMERS),
            embed_timeout_seconds: EMBED_TIMEOUT,
            task: XtbTask::default(),
            charge: 0,
            multiplicity: None,
            solvent: None,
        }
    }
}

impl Xtb {
    fn state(&self) -> ElectronicState {
        ElectronicState {
            charge: self.charge,
            multiplicity: self.multiplicity,
        }
    }

    /// The level of theory without that of the geometry.
    fn energy_level(&self) -> String {
        match self.solvent {
            None => LEVEL.to_owned(),
            Some(solvent) => format!("{LEVEL} in {} (ALPB)", solvent.name()),
        }
    }

    fn arguments(&self, total_charge: i32, unpaired_electrons: u32) -> Vec<String> {
        let mut argv = ["xtb", INPUT, "--gfn", "2"].map(str::to_owned).to_vec();
        argv.extend(match self.task {
            XtbTask::Optimize => Some("--opt".to_owned()),
            XtbTask::Energy => None,
            XtbTask::Frequencies => Some("--ohess".to_owned()),
        });
        if self.task == XtbTask::Frequencies {
            argv.extend(["--input", CONTROL].map(str::to_owned));
        }
        if total_charge != 0 {
            argv.extend(["--chrg".to_owned(), total_charge.to_string()]);
        }
        if unpaired_electrons != 0 {
            argv.extend(["--uhf".to_owned(), unpaired_electrons.to_string()]);
        }
        if let Some(solvent) = self.solvent {
            argv.extend(["--alpb".to_owned(), solvent.name()]);
        }
        argv
    }

    /// The relaxed geometry, or the one that xtb was given.
    fn resulting_geometry(&self, outputs: &Outputs) -> Result<Geometry, SimError> {
        let file = match self.task {
            XtbTask::Optimize | XtbTask::Frequencies => OPTIMISED,
            XtbTask::Energy => INPUT,
        };
        let xyz = fs::read_to_string(outputs.dir.join(file))
            .map_err(|e| SimError::from_file_error(format!("xtb: {file}"), &e))?;
        Ok(Geometry::from_xyz(&xyz)?)
    }
}

impl Simulator for Xtb {
    fn state_of(&self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        self.state().of_molecule(molecule)
    }

    fn level(&self, geometry: &str) -> String {
        match self.relaxes() {
            true => self.energy_level(),
            false => format!("{}//{geometry}", self.energy_level()),
        }
    }

    fn relaxes(&self) -> bool {
        self.task != XtbTask::Energy
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        let mut names = vec![ENERGY, HOMO, LUMO, GAP, DIPOLE];
        if self.task == XtbTask::Frequencies {
            names.extend(THERMOCHEMICAL);
        }
        super::built_in_quantities(&names)
    }

    fn free_atoms_unknown(&self) -> Option<String> {
        self.solvent.map(Solvent::free_atoms_unknown)
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement {
            program: "xtb".to_owned(),
            version_args: Some(&["--version"]),
            install: "`apt install xtb` on Debian and Ubuntu, `conda install -c conda-forge xtb` elsewhere",
        })
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        Some(&mut self.conformers)
    }

    fn typical_time(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: !self.relaxes(),
        }
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        // Version 6.5.1 sometimes fails on free atoms, in identical runs; their energy has a closed
        // form.
        let molecule = Molecule::parse(&request.smiles)?;
        if let Some(symbol) = molecule.free_atom() {
            if let Some(solvent) = self.solvent {
                let solvent = solvent.name();
                let message = format!("the free atom {symbol} in {solvent} is not known");
                return Err(SimError::Unsupported(message));
            }
            let mut atom = gfn2::free_atom(&molecule, symbol, NAME, LEVEL)?;
            if self.task == XtbTask::Frequencies
                && let (Some(energy), Some(mass)) = (atom.total_energy_hartree, atomic_mass(symbol))
            {
                let multiplicity = free_atom_spin(&molecule, symbol)? + 1;
                let thermochemistry = thermochemistry::of_an_atom(mass, multiplicity);
                atom.quantities = thermochemistry.quantities(energy);
            }
            return Ok(PreparedSimulation::Done(atom));
        }
        let prepared = PreparedMolecule::new(request, self.conformer_search(), self.state())?;
        let argv = self.arguments(prepared.charge, prepared.unpaired_electrons);
        let mut files = vec![(INPUT.to_owned(), prepared.geometry.to_xyz(&request.smiles))];
        if self.task == XtbTask::Frequencies {
            files.push((CONTROL.to_owned(), WITHOUT_SYMMETRY.to_owned()));
        }
        Ok(PreparedSimulation::Program(Program {
            parallel: false,
            argv,
            env: vec![("OMP_NUM_THREADS".to_owned(), "1".to_owned())],
            files,
        }))
    }

    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        if outputs.exit_code != Some(0) && outputs.stdout.contains("NaN") {
            let failure = abnormal_end(outputs);
            return Err(SimError::NotANumber(format!("{failure}; it computed NaN")));
        }
        refuse_unconverged(&outputs.stdout)?;
        if outputs.exit_code != Some(0) {
            return Err(SimError::Exit(abnormal_end(outputs)));
        }
        let unreadable = |what: &str| SimError::Unreadable(format!("xtb: {what}"));
        let energy = total_energy(&outputs.stdout)
            .ok_or_else(|| unreadable("no `TOTAL ENERGY` in its output"))?;
        if !energy.is_finite() {
            return Err(SimError::NotANumber(format!(
                "xtb: its total energy is {energy}"
            )));
        }
        let geometry = self.resulting_geometry(outputs)?;
        let molecule = Molecule::parse(&request.smiles)?;
        electrons::require_possible(NAME, &molecule, energy)?;
        let reported = reported_electrons(&outputs.stdout)
            .ok_or_else(|| unreadable("no number of electrons in its output"))?;
        let charge = self.state().total_charge(&molecule);
        compare_electrons(&molecule, charge, reported)?;
        require_same_bonds(&molecule, &geometry, NAME)?;
        let mut quantities = output::quantities(&outputs.stdout, charge, &geometry);
        if self.task == XtbTask::Frequencies {
            let multiplicity = self.state().unpaired_electrons(&molecule)? + 1;
            let found = output::thermochemistry(outputs, &geometry, multiplicity)?;
            quantities.extend(found.quantities(energy));
        }
        Ok(SimResult {
            quantities,
            total_energy_hartree: Some(energy),
            engine: NAME.to_owned(),
            version: version(&outputs.stdout)
                .ok_or_else(|| unreadable("no version in its output"))?,
            level_of_theory: self.level(request.geometry_level()),
            geometry: Some(geometry),
        })
    }
}

/// Refuses a calculation whose number of electrons is not that of the molecule's valence shells at
/// this total charge.
fn compare_electrons(molecule: &Molecule, charge: i32, reported: u32) -> Result<(), SimError> {
    let counts = molecule.element_counts();
    let of = |(symbol, count): (&String, &usize)| {
        let valence = gfn2::valence_electrons(symbol)?;
        valence.checked_mul(u32::try_from(*count).ok()?)
    };
    // Without parameters for an element xtb fails.
    let Some(expected) = counts.iter().map(of).sum::<Option<u32>>() else {
        return Ok(());
    };
    let expected = i64::from(expected) - i64::from(charge);
    if i64::from(reported) == expected {
        return Ok(());
    }
    Err(SimError::Unsupported(format!(
        "xtb treated {reported} valence electrons, but the molecule has {expected}: its energy is not that of the molecule"
    )))
}

/// Refuses an optimisation that did not converge: xtb exits with 0 and prints an energy
/// nevertheless.
fn refuse_unconverged(stdout: &str) -> Result<(), SimError> {
    const PHRASES: [&str; 3] = [
        "FAILED TO CONVERGE",
        "did not converge",
        "convergence criteria cannot be satisfied",
    ];
    match stdout
        .lines()
        .find(|line| PHRASES.iter().any(|phrase| line.contains(phrase)))
    {
        Some(line) => Err(SimError::NotConverged(format!(
            "xtb: {}",
            line.trim_matches([' ', '*'])
        ))),
        None => Ok(()),
    }
}

fn abnormal_end(outputs: &Outputs) -> String {
    let exit = match outputs.exit_code {
        Some(code) => format!("xtb ended with exit code {code}"),
        None => "xtb was ended by a signal".to_owned(),
    };
    let reason: Vec<&str> = outputs
        .stdout
        .lines()
        .skip_while(|line| !line.contains("[ERROR]"))
        .collect();
    match reason.as_slice() {
        [] => match error_sentence(&outputs.stderr) {
            Some(sentence) => format!("{exit}: {sentence}"),
            None => exit,
        },
        lines => format!("{exit}: {}", lines.join(" ").trim_matches(['#', ' '])),
    }
}

/// Total energy in hartree, from the last line `| TOTAL ENERGY   -5.070544012924 Eh   |`; an
/// optimisation prints several.
fn total_energy(stdout: &str) -> Option<f64> {
    let line = stdout.lines().rfind(|line| line.contains("TOTAL ENERGY"))?;
    let (_, rest) = line.split_once("TOTAL ENERGY")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Number of valence electrons, from the first line `: # electrons 14 :`.
fn reported_electrons(stdout: &str) -> Option<u32> {
    let (_, rest) = stdout.split_once("# electrons")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Version, from `* xtb version 6.5.1 (unknown) compiled by ...`.
fn version(stdout: &str) -> Option<String> {
    let line = stdout.lines().find(|line| line.contains("xtb version"))?;
    line.split("xtb version")
        .nth(1)?
        .split_whitespace()
        .next()
        .map(str::to_owned)
}
