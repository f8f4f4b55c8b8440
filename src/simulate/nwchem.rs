//! Engine `nwchem`: Hartree-Fock and density functional theory by NWChem, an MPI program.
//!
//! M. Valiev et al., Comput. Phys. Commun. 181, 1477 (2010); E. Aprà et al., J. Chem. Phys. 152,
//! 184102 (2020).

mod input;
mod output;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::basis::{self, Basis};
use super::functional;
use super::words::Words;
use super::{CONFORMERS, ConformerSearch, EMBED_TIMEOUT, default_conformers};
use super::{Outputs, PreparedMolecule, PreparedSimulation, Program, Ranks, Request, Requirement};
use super::{SettingFault, SimError, SimResult, Simulator, electrons, require_same_bonds};
use crate::chem::{Geometry, Molecule};

pub(super) const NAME: &str = "nwchem";
const INPUT: &str = "molecule.nw";

/// Settings of the engine `nwchem`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nwchem {
    /// `hf`, or a density functional by its name in NWChem: `b3lyp`, `pbe0`, `xpbe96 cpbe96`.
    ///
    /// Calculations are restricted for molecules and unrestricted for free atoms.
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
    /// Energy at a geometry relaxed at this level, plus the harmonic zero-point energy.
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

impl Default for Nwchem {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            method: Words::fixed("hf"),
            basis: Words::fixed("3-21G"),
            functions: None,
            task: NwchemTask::Energy,
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
    fn level(&self, geometry: &str) -> String {
        let level = format!("{}/{}", self.method.as_str().to_uppercase(), self.basis);
        match self.task {
            NwchemTask::Energy => format!("{level}//{geometry}"),
            NwchemTask::Optimize => level,
            NwchemTask::Frequencies => format!("{level}+ZPE"),
        }
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
        self.task == NwchemTask::Optimize
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
        functional.into_iter().chain(basis).collect()
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: self.task == NwchemTask::Energy,
        }
    }

    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError> {
        let prepared = PreparedMolecule::new(request, NAME, self.conformer_search())?;
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
        let mut energy = self
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
        self.compare_electrons(&geometry, reported)?;
        if self.task_for(geometry.atoms.len()) == NwchemTask::Frequencies {
            let second = tasks.get(1).ok_or_else(|| unreadable("second task"))?;
            energy += output::vibrational_energy(second, outputs)?;
        }
        let molecule = Molecule::parse(&request.smiles)?;
        require_same_bonds(&molecule, &geometry, NAME)?;
        electrons::require_possible(NAME, &molecule, energy)?;
        Ok(SimResult {
            quantities: Default::default(),
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

    /// Refuses a calculation whose number of electrons is not that of the molecule, without the
    /// cores that its basis set replaces.
    fn compare_electrons(&self, geometry: &Geometry, reported: u32) -> Result<(), SimError> {
        let basis = Basis::find(self.basis.as_str());
        let symbols = || geometry.atoms.iter().map(|(symbol, _)| symbol.as_str());
        let replaced = symbols().map(|s| basis.as_ref().map_or(0, |basis| basis.replaced(s)));
        electrons::compare(NAME, symbols(), replaced.sum(), reported)
    }
}
