//! Engine `nwchem`: Hartree-Fock and density functional theory by NWChem, an MPI program.
//!
//! M. Valiev et al., Comput. Phys. Commun. 181, 1477 (2010); E. Aprà et al., J. Chem. Phys. 152,
//! 184102 (2020).

mod input;
mod output;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::basis::{self, Basis};
use super::electrons::{ElectronicState, is_zero};
use super::functional;
use super::prepared::free_atom_spin;
use super::solvent::Solvent;
use super::thermochemistry::of_an_atom;
use super::words::Words;
use super::{CONFORMERS, ConformerSearch, EMBED_TIMEOUT, default_conformers};
use super::{Outputs, PreparedMolecule, PreparedSimulation, Program, Ranks, Request, Requirement};
use super::{SettingFault, SimError, SimResult, Simulator, electrons, require_same_bonds};
use crate::chem::{Geometry, Molecule, atomic_mass};
use crate::property::{DIPOLE, Dimension, ENERGY, GAP, HOMO, LUMO, THERMOCHEMICAL};

pub(super) const NAME: &str = "nwchem";
const INPUT: &str = "molecule.nw";

/// Settings of the engine `nwchem`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nwchem {
    /// `hf`, or a density functional by its name in NWChem: `b3lyp`, `pbe0`, `xpbe96 cpbe96`.
    ///
    /// Closed shells are restricted; `open_shells` says how the others are computed.
    pub method: Words,
    /// Name of the basis set in NWChem's library: `3-21G`, `def2-svp`. Its effective core potential
    /// is added for elements that have one.
    pub basis: Words,
    /// Angular part of d and f functions. The default is that for which the basis set was
    /// developed: cartesian for 3-21G and 6-31G, with or without further functions, spherical for
    /// all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Functions>,
    /// Calculation to run.
    pub task: NwchemTask,
    /// Elementary charges added to those of the molecule: 1 for the cation, -1 for the anion.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = -10, max = 10))]
    pub charge: i32,
    /// Spin multiplicity, 2S + 1; if not given, that of the unpaired electrons in the SMILES, or
    /// else the lowest possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 20))]
    pub multiplicity: Option<NonZeroU32>,
    /// Orbitals of molecules with unpaired electrons, and of free atoms.
    #[serde(skip_serializing_if = "OpenShells::is_default")]
    pub open_shells: OpenShells,
    /// Solvent of the implicit solvation model COSMO; none for the gas phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solvent: Option<Solvent>,
    /// Maximum number of iterations of the self-consistent field.
    pub max_iterations: NonZeroU32,
    /// Maximum number of steps of an optimisation.
    pub max_steps: NonZeroU32,
    /// Memory of each MPI process, in MB.
    pub memory_mb: NonZeroU32,
    /// Number of nodes for a calculation.
    pub nodes: NonZeroUsize,
    /// Number of MPI processes on each node.
    pub ranks_per_node: NonZeroUsize,
    /// Number of cores for each MPI process, passed as `OMP_NUM_THREADS`.
    pub cores_per_rank: NonZeroUsize,
    /// Number of embeddings of a molecule, each relaxed with MMFF94; the conformer with the lowest
    /// GFN2-xTB energy is used. With the default, 98.5 % of 200 molecules of QM9 are within 0.001
    /// hartree of the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "default_conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings of a molecule together, in whole seconds. A molecule that
    /// exceeds it fails for want of a geometry.
    pub embed_timeout_seconds: NonZeroU32,
}

/// Calculation that NWChem runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NwchemTask {
    /// Energy at the initial geometry.
    Energy,
    /// Energy at a geometry relaxed at this level.
    Optimize,
    /// Energy at a geometry relaxed at this level, and the harmonic vibrations there.
    Frequencies,
}

/// Angular part of d and f functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Functions {
    /// Six d functions, ten f functions.
    Cartesian,
    /// Five d functions, seven f functions.
    Spherical,
}

/// Orbitals of molecules with unpaired electrons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenShells {
    /// One set of orbitals for each spin: UHF, or unrestricted Kohn-Sham.
    #[default]
    Unrestricted,
    /// The same orbitals for both spins: ROHF, or restricted open-shell Kohn-Sham.
    Restricted,
}

impl OpenShells {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Nwchem {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            method: Words::fixed("hf"),
            basis: Words::fixed("3-21G"),
            functions: None,
            task: NwchemTask::Energy,
            charge: 0,
            multiplicity: None,
            open_shells: OpenShells::default(),
            solvent: None,
            max_iterations: number(100),
            max_steps: number(100),
            memory_mb: number(600),
            nodes: NonZeroUsize::MIN,
            ranks_per_node: NonZeroUsize::MIN,
            cores_per_rank: NonZeroUsize::MIN,
            conformers: Some(CONFORMERS),
            embed_timeout_seconds: EMBED_TIMEOUT,
        }
    }
}

impl Simulator for Nwchem {
    fn state_of(&self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        self.state().of_molecule(molecule)
    }

    fn level(&self, geometry: &str) -> String {
        let solvent = self.solvent.map_or_else(String::new, |solvent| {
            format!(" in {} (COSMO)", solvent.name())
        });
        let method = self.method.as_str().to_uppercase();
        let level = format!("{method}/{}{solvent}", self.basis);
        match self.relaxes() {
            true => level,
            false => format!("{level}//{geometry}"),
        }
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        let mut names = vec![ENERGY, HOMO, LUMO, GAP];
        // NWChem prints no moments of restricted open-shell Kohn-Sham.
        if self.functional().is_none() || self.open_shells == OpenShells::Unrestricted {
            names.push(DIPOLE);
        }
        if self.task == NwchemTask::Frequencies {
            names.extend(THERMOCHEMICAL);
        }
        super::built_in_quantities(&names)
    }

    fn free_atoms_unknown(&self) -> Option<String> {
        self.solvent.map(Solvent::free_atoms_unknown)
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement {
            program: "nwchem".to_owned(),
            // It has no option that prints its version, and aborts without an input.
            version_args: None,
            install: "`apt install nwchem openmpi-bin` on Debian and Ubuntu, `conda install -c conda-forge nwchem` elsewhere",
        })
    }

    fn relaxes(&self) -> bool {
        self.task != NwchemTask::Energy
    }

    fn ranks(&self) -> Option<Ranks> {
        Some(Ranks {
            nodes: self.nodes,
            ranks_per_node: self.ranks_per_node,
            cores_per_rank: self.cores_per_rank,
        })
    }

    fn faults(&self, elements: &[String]) -> Vec<SettingFault> {
        let functional = self
            .functional()
            .map(|words| functional::check(words.as_str()));
        let functional = functional.and_then(Result::err);
        let basis = basis::check(self.basis.as_str(), elements);
        let vibrations = (self.task == NwchemTask::Frequencies).then(|| self.vibrations_fault());
        let faults = functional.into_iter().chain(basis);
        faults.chain(vibrations.flatten()).collect()
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
            needs_mmff94: !self.relaxes(),
        }
    }

    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        if let (Some(symbol), Some(solvent)) = (molecule.free_atom(), self.solvent) {
            let solvent = solvent.name();
            let message = format!("the free atom {symbol} in {solvent} is not known");
            return Err(SimError::Unsupported(message));
        }
        let prepared = PreparedMolecule::new(request, self.conformer_search(), self.state())?;
        Ok(PreparedSimulation::Program(Program {
            parallel: true,
            argv: vec!["nwchem".to_owned(), INPUT.to_owned()],
            env: vec![(
                "OMP_NUM_THREADS".to_owned(),
                self.cores_per_rank.to_string(),
            )],
            files: vec![(INPUT.to_owned(), self.input(&prepared, scratch)?)],
        }))
    }

    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        output::require_success(outputs)?;
        let unreadable =
            |what: &str| SimError::Unreadable(format!("nwchem: no {what} in its output"));
        let tasks = output::tasks(&outputs.stdout);
        let first = tasks.first().ok_or_else(|| unreadable("task"))?;
        let energy = self
            .electronic_energy(first)
            .ok_or_else(|| unreadable("total energy"))?;
        if !energy.is_finite() {
            return Err(SimError::NotANumber(format!(
                "nwchem: its total energy is {energy}"
            )));
        }
        let geometry = output::last_geometry(first).ok_or_else(|| unreadable("geometry"))?;
        let reported =
            output::reported_electrons(first).ok_or_else(|| unreadable("number of electrons"))?;
        let molecule = Molecule::parse(&request.smiles)?;
        let (charge, multiplicity) = self.charge_and_multiplicity(&molecule)?;
        self.compare_electrons(&geometry, charge, reported)?;
        require_same_bonds(&molecule, &geometry, NAME)?;
        electrons::require_possible(NAME, &molecule, energy)?;
        let mut quantities = output::quantities(first, charge, &geometry);
        if self.task == NwchemTask::Frequencies {
            let thermochemistry = match molecule.free_atom().and_then(atomic_mass) {
                Some(mass) => of_an_atom(mass, multiplicity),
                None => {
                    let second = tasks.get(1).ok_or_else(|| unreadable("second task"))?;
                    output::thermochemistry(second, outputs, multiplicity)?
                }
            };
            quantities.extend(thermochemistry.quantities(energy));
        }
        Ok(SimResult {
            quantities,
            total_energy_hartree: Some(energy),
            engine: request.engine.name().to_owned(),
            version: output::version(&outputs.stdout).ok_or_else(|| unreadable("version"))?,
            level_of_theory: self.level(request.geometry_level()),
            geometry: Some(geometry),
        })
    }
}

impl Nwchem {
    /// Calculation for a molecule of this number of atoms: a free atom has neither a geometry to
    /// relax nor vibrations.
    fn task_for(&self, atoms: usize) -> NwchemTask {
        if atoms == 1 {
            NwchemTask::Energy
        } else {
            self.task
        }
    }

    /// Density functional; None for Hartree-Fock.
    fn functional(&self) -> Option<&Words> {
        (!self.method.as_str().eq_ignore_ascii_case("hf")).then_some(&self.method)
    }

    fn state(&self) -> ElectronicState {
        ElectronicState {
            charge: self.charge,
            multiplicity: self.multiplicity,
        }
    }

    /// Total charge and multiplicity of a molecule; of a free atom those of its ground state.
    fn charge_and_multiplicity(&self, molecule: &Molecule) -> Result<(i32, u32), SimError> {
        let (charge, unpaired) = match molecule.free_atom() {
            Some(symbol) => (0, free_atom_spin(molecule, symbol)?),
            None => {
                let state = self.state();
                (
                    state.total_charge(molecule),
                    state.unpaired_electrons(molecule)?,
                )
            }
        };
        Ok((charge, unpaired + 1))
    }

    /// Setting with which NWChem has no analytic Hessian.
    fn vibrations_fault(&self) -> Option<SettingFault> {
        let (setting, what) = match (self.solvent, self.open_shells) {
            (Some(_), _) => ("solvent", "in a solvent"),
            (None, OpenShells::Restricted) => ("open_shells", "of restricted open shells"),
            (None, OpenShells::Unrestricted) => return None,
        };
        Some(SettingFault {
            setting,
            message: format!(
                "NWChem has no analytic Hessian {what}, which `task: frequencies` needs"
            ),
            hint: format!("remove `{setting}`, or choose `task: optimize`"),
        })
    }

    /// Refuses a calculation whose number of electrons is not that of the molecule, without the
    /// cores that its basis set replaces.
    fn compare_electrons(
        &self,
        geometry: &Geometry,
        charge: i32,
        reported: u32,
    ) -> Result<(), SimError> {
        let basis = Basis::find(self.basis.as_str());
        let symbols = || geometry.atoms.iter().map(|(symbol, _)| symbol.as_str());
        let replaced = symbols().map(|s| basis.as_ref().map_or(0, |basis| basis.replaced(s)));
        electrons::compare(NAME, symbols(), charge, replaced.sum(), reported)
    }
}
