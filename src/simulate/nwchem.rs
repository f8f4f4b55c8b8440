//! QcEngine `nwchem`: Hartree-Fock and density functional theory by NWChem, an MPI program.
//!
//! M. Valiev et al., Comput. Phys. Commun. 181, 1477 (2010); E. Aprà et al., J. Chem. Phys. 152,
//! 184102 (2020).

use std::collections::BTreeSet;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::LazyLock;

use handlebars::Handlebars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::basis::{self, Basis};
use super::functional;
use super::said::error_sentence;
use super::vibrations::{Nucleus, zero_point_energy};
use super::words::Words;
use super::{CONFORMERS, EMBED_TIMEOUT, Search, conformers};
use super::{Outputs, PreparedSimulation, Program, Ranks, Request, Requirement, SimError};
use super::{SCRATCH_LINK, SettingFault, SimResult, Simulator, Start};
use super::{electrons, require_same_bonds};
use crate::chem::{Geometry, Molecule};

pub(super) const NAME: &str = "nwchem";
const INPUT: &str = "molecule.nw";
/// File of the Hessian: in its `permanent_dir`, named after `start molecule`.
const HESSIAN: &str = "molecule.hess";
const TEMPLATE: &str = include_str!("../../templates/nwchem.nw.hbs");

/// The engine `nwchem` with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nwchem {
    /// `hf`, or a density functional in NWChem's words: `b3lyp`, `pbe0`, `xpbe96 cpbe96`.
    ///
    /// Hartree-Fock is restricted for molecules and unrestricted for free atoms, and so are the
    /// functionals.
    pub method: Words,
    /// Name of the basis set in NWChem's library, `3-21G`, `def2-svp`; its effective core potential
    /// is added where it has one.
    pub basis: Words,
    /// Whether d and f functions are `cartesian` or `spherical`; by default as the basis was made:
    /// cartesian for 3-21G and 6-31G with all that is added to them, spherical for every other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Functions>,
    pub task: Job,
    /// Iterations of the self-consistent field, at the most.
    pub max_iterations: NonZeroU32,
    /// Steps of an optimisation, at the most.
    pub max_steps: NonZeroU32,
    /// Memory of each rank in MB.
    pub memory_mb: NonZeroU32,
    /// Nodes that a calculation runs on.
    pub nodes: NonZeroUsize,
    /// MPI processes on each node.
    pub ranks_per_node: NonZeroUsize,
    /// Cores of each MPI process.
    pub cores_per_rank: NonZeroUsize,
    /// Embeddings of a molecule, each relaxed with MMFF94; the one with the lowest GFN2-xTB energy
    /// is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Whole seconds that the embeddings may take together before the molecule counts as one
    /// without a geometry.
    pub embed_timeout_seconds: NonZeroU32,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// The energy at the geometry that it begins with.
    Energy,
    /// The energy at a geometry relaxed at this level.
    Optimize,
    /// The same with the harmonic zero-point energy added.
    Frequencies,
}

/// The angular part of d and f functions.
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
            task: Job::Energy,
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
            Job::Energy => format!("{level}//{geometry}"),
            Job::Optimize => level,
            Job::Frequencies => format!("{level}+ZPE"),
        }
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement {
            program: "nwchem".to_owned(),
            // It knows no option that prints its version: without an input it aborts.
            version_args: None,
            install: "`apt install nwchem openmpi-bin` on Debian and Ubuntu, `conda install -c conda-forge nwchem` elsewhere",
        })
    }

    fn relaxes(&self) -> bool {
        self.task == Job::Optimize
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

    fn search(&self) -> Search {
        Search {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: self.task == Job::Energy,
        }
    }

    fn prepare(
        &self,
        request: &Request,
        scratch: Option<&Path>,
    ) -> Result<PreparedSimulation, SimError> {
        let start = Start::new(request, NAME, self.search())?;
        Ok(PreparedSimulation::Program(Program {
            parallel: true,
            argv: vec!["nwchem".to_owned(), INPUT.to_owned()],
            env: vec![(
                "OMP_NUM_THREADS".to_owned(),
                self.cores_per_rank.to_string(),
            )],
            files: vec![(INPUT.to_owned(), self.input(&start, scratch)?)],
        }))
    }

    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        refuse_failed(outputs)?;
        let unreadable =
            |what: &str| SimError::Unreadable(format!("nwchem: no {what} in its output"));
        let tasks = tasks(&outputs.stdout);
        let first = tasks.first().ok_or_else(|| unreadable("task"))?;
        let mut energy = self
            .electronic_energy(first)
            .ok_or_else(|| unreadable("total energy"))?;
        if !energy.is_finite() {
            return Err(SimError::NotANumber(format!(
                "nwchem: its total energy is {energy}"
            )));
        }
        let geometry = last_geometry(first).ok_or_else(|| unreadable("geometry"))?;
        let reported =
            reported_electrons(first).ok_or_else(|| unreadable("number of electrons"))?;
        self.compare_electrons(&geometry, reported)?;
        if self.job(geometry.atoms.len()) == Job::Frequencies {
            let second = tasks.get(1).ok_or_else(|| unreadable("second task"))?;
            energy += vibrational_energy(second, outputs)?;
        }
        let molecule = Molecule::parse(&request.smiles)?;
        require_same_bonds(&molecule, &geometry, NAME)?;
        electrons::require_possible(NAME, &molecule, energy)?;
        Ok(SimResult {
            quantities: Default::default(),
            total_energy_hartree: energy,
            engine: request.engine.name().to_owned(),
            version: version(&outputs.stdout).ok_or_else(|| unreadable("version"))?,
            level: self.level(request.geometry_level()),
            geometry,
        })
    }
}

impl Nwchem {
    /// A free atom has neither a geometry to relax nor vibrations.
    fn job(&self, atoms: usize) -> Job {
        if atoms == 1 { Job::Energy } else { self.task }
    }

    fn functional(&self) -> Option<&Words> {
        (!self.method.as_str().eq_ignore_ascii_case("hf")).then_some(&self.method)
    }

    /// Refuses a calculation that treated other electrons than the molecule has beyond the cores of
    /// its basis set.
    fn compare_electrons(&self, geometry: &Geometry, reported: u32) -> Result<(), SimError> {
        let basis = Basis::named(self.basis.as_str());
        let symbols = || geometry.atoms.iter().map(|(symbol, _)| symbol.as_str());
        let replaced = symbols().map(|s| basis.as_ref().map_or(0, |basis| basis.replaced(s)));
        electrons::compare(NAME, symbols(), replaced.sum(), reported)
    }

    /// The lines of the block `ecp`: NWChem fails at `*` beside an element without a potential.
    fn potentials(&self, start: &Start) -> Vec<String> {
        let Some(basis) = Basis::named(self.basis.as_str()) else {
            return Vec::new();
        };
        let symbols = start.geometry.atoms.iter().map(|(symbol, _)| symbol);
        let with_core: BTreeSet<&String> = symbols.filter(|s| basis.replaced(s) > 0).collect();
        let line = |symbol| format!("{symbol} library {}", basis.potentials());
        with_core.into_iter().map(line).collect()
    }

    fn functions(&self) -> Functions {
        let basis = self.basis.as_str().to_ascii_uppercase();
        let cartesian = ["3-21", "6-31G", "6-31+", "6-31*"];
        self.functions
            .unwrap_or(match cartesian.iter().any(|name| basis.starts_with(name)) {
                true => Functions::Cartesian,
                false => Functions::Spherical,
            })
    }

    fn input(&self, start: &Start, scratch: Option<&Path>) -> Result<String, SimError> {
        static TEMPLATES: LazyLock<Handlebars> = LazyLock::new(|| {
            let mut templates = Handlebars::new();
            templates.register_escape_fn(handlebars::no_escape);
            templates
                .register_template_string(NAME, TEMPLATE)
                .expect("the template is one");
            templates
        });
        let atoms = &start.geometry.atoms;
        let line = |(symbol, [x, y, z]): &(String, [f64; 3])| {
            format!("{symbol:<2} {x:16.10} {y:16.10} {z:16.10}")
        };
        let job = self.job(atoms.len());
        let data = json!({
            "atoms": atoms.iter().map(line).collect::<Vec<_>>(),
            "basis": self.basis,
            "functional": self.functional(),
            "functions": self.functions(),
            "frequencies": job == Job::Frequencies,
            "max_iterations": self.max_iterations,
            "max_steps": self.max_steps,
            "memory_mb": self.memory_mb,
            "multiplicity": start.multiplicity(),
            "optimize": job != Job::Energy,
            "potentials": self.potentials(start),
            // It knows no way to write a path with a blank, `:`, `;` or `#`.
            "scratch": scratch.map_or(".", |_| SCRATCH_LINK),
            "theory": if self.functional().is_some() { "dft" } else { "scf" },
            "unpaired_electrons": start.unpaired_electrons,
        });
        TEMPLATES
            .render(NAME, &data)
            .map_err(|e| SimError::Unsupported(format!("nwchem: its input cannot be written: {e}")))
    }

    /// From the last `Total SCF energy =    -75.585536585013`; an optimisation prints one a step.
    fn electronic_energy(&self, text: &str) -> Option<f64> {
        let label = match self.functional() {
            Some(_) => "Total DFT energy =",
            None => "Total SCF energy =",
        };
        let line = text.lines().rfind(|line| line.contains(label))?;
        line.split('=').nth(1)?.trim().parse().ok()
    }
}

/// Values that NWChem printed, by task.
fn tasks(stdout: &str) -> Vec<&str> {
    // It announces its reading of the input before each.
    stdout.split("NWChem Input Module").skip(1).collect()
}

/// The zero-point energy in hartree, from the Hessian: NWChem's own loses a vibration of molecules
/// that are linear but for rounding, since it projects six motions out of them.
fn vibrational_energy(text: &str, outputs: &Outputs) -> Result<f64, SimError> {
    let unreadable = |what: String| SimError::Unreadable(format!("nwchem: {what}"));
    let nuclei = nuclei(text).ok_or_else(|| unreadable("no masses in its output".into()))?;
    let file = fs::read_to_string(outputs.dir.join(HESSIAN))
        .map_err(|e| unreadable(format!("{HESSIAN}: {e}")))?;
    let numbers = file.split_whitespace().map(fortran_number);
    let triangle = numbers.collect::<Option<Vec<f64>>>();
    let triangle = triangle.ok_or_else(|| unreadable(format!("{HESSIAN} holds no numbers")))?;
    zero_point_energy(&nuclei, &triangle)
        .map_err(|e| SimError::NotConverged(format!("nwchem: {e}")))
}

/// From `Atom information`, whose lines are symbol, number, x, y, z in bohr, and mass.
fn nuclei(text: &str) -> Option<Vec<Nucleus>> {
    let (_, table) = text.rsplit_once("Atom information")?;
    let rows = table.lines().skip(3).map_while(|line| {
        let [_, _, x, y, z, mass] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Nucleus {
            mass: fortran_number(mass)?,
            position: [fortran_number(x)?, fortran_number(y)?, fortran_number(z)?],
        })
    });
    let nuclei: Vec<_> = rows.collect();
    (!nuclei.is_empty()).then_some(nuclei)
}

/// `1.2D+01` as 12.
fn fortran_number(word: &str) -> Option<f64> {
    let number: f64 = word.replace(['D', 'd'], "e").parse().ok()?;
    number.is_finite().then_some(number)
}

/// Electrons that the calculation treated, as the modules `scf` (restricted, unrestricted) and
/// `dft` print them.
fn reported_electrons(text: &str) -> Option<u32> {
    let number = |label: &str| -> Option<u32> {
        let mut lines = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(label));
        let rest = lines.next()?.trim_start();
        let word = rest
            .trim_start_matches(['=', ':'])
            .split_whitespace()
            .next()?;
        word.parse().ok()
    };
    if let Some(electrons) = number("No. of electrons") {
        return Some(electrons);
    }
    if let (Some(alpha), Some(beta)) = (number("alpha electrons"), number("beta  electrons")) {
        return Some(alpha + beta);
    }
    Some(2 * number("closed shells")? + number("open shells")?)
}

/// From the last `Output coordinates in angstroms`, whose lines are number, symbol, charge, x, y,
/// z.
fn last_geometry(text: &str) -> Option<Geometry> {
    let (_, table) = text.rsplit_once("Output coordinates in angstroms")?;
    let rows = table
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("----"));
    let atoms = rows.skip(1).map_while(|line| {
        let [_, symbol, _, x, y, z] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let position = [x.parse().ok()?, y.parse().ok()?, z.parse().ok()?];
        Some((symbol.to_owned(), position))
    });
    let atoms: Vec<_> = atoms.collect();
    (!atoms.is_empty()).then_some(Geometry { atoms })
}

/// From `Northwest Computational Chemistry Package (NWChem) 7.0.2`.
fn version(stdout: &str) -> Option<String> {
    let (_, rest) = stdout.split_once("Chemistry Package (NWChem)")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Words in the output and the failure that they mean.
type Sign = (&'static str, fn(String) -> SimError);

/// Failures by the words of a failed run, in lower case, in the order of the search.
const SIGNS: [Sign; 15] = [
    // Before all else: it prints an energy beside this.
    ("failed to converge", SimError::NotConverged),
    ("closed-shell electrons is not even", SimError::Unsupported),
    ("odd number of electrons", SimError::Unsupported),
    ("failed opening basis file", SimError::Unsupported),
    ("no such basis available", SimError::Unsupported),
    ("xc_input", SimError::Unsupported),
    ("memory limit unreasonable", SimError::Memory),
    ("out of memory", SimError::Memory),
    ("insufficient memory", SimError::Memory),
    ("not enough memory", SimError::Memory),
    ("ma_push", SimError::Memory),
    ("ma_init", SimError::Memory),
    ("ma_alloc", SimError::Memory),
    ("ga_create failed", SimError::Memory),
    ("could not open a file in", SimError::Scratch),
];

fn refuse_failed(outputs: &Outputs) -> Result<(), SimError> {
    let lines = || outputs.stdout.lines().chain(outputs.stderr.lines());
    // An optimisation that did not converge may still end well.
    let unconverged = lines().find(|line| line.to_lowercase().contains(SIGNS[0].0));
    if let Some(line) = unconverged {
        return Err(SimError::NotConverged(format!("nwchem: {}", line.trim())));
    }
    if outputs.exit_code == Some(0) {
        return Ok(());
    }
    for (sign, error) in SIGNS {
        if let Some(line) = lines().find(|line| line.to_lowercase().contains(sign)) {
            return Err(error(format!("nwchem: {}", said(line))));
        }
    }
    let how = match outputs.exit_code {
        Some(code) => format!("nwchem ended with exit code {code}"),
        None => "nwchem was ended by a signal".to_owned(),
    };
    let last = lines().find(|line| line.contains("ARMCI Error"));
    let sentence = last.map(|line| said(line).to_owned());
    Err(SimError::Exit(
        match sentence.or_else(|| error_sentence(&outputs.stderr)) {
            Some(sentence) => format!("{how}: {sentence}"),
            None => how,
        },
    ))
}

/// Message in `[0] ARMCI Error: 0:guess_dens: ma_push failed:`, or in a line without such a mark.
fn said(line: &str) -> &str {
    let text = line
        .split_once("ARMCI Error: ")
        .map_or(line, |(_, text)| text);
    text.trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_matches([':', ' ', '-'])
}
