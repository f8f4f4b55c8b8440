//! Three-dimensional structures: ETKDG embedding, MMFF94 relaxation, XYZ text.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use cosmolkit::{
    EmbedParams, EmbedTermination, MmffOptimizationParams, MmffVariant, OptimizationOutcome,
};
use serde::{Deserialize, Serialize};

use super::{ChemError, Molecule};

/// Enough for every molecule of QM9 that can be embedded; the usual 200 leave one in twenty
/// unfinished.
const MMFF_ITERATIONS: i32 = 2000;
/// Difference between the seeds of successive embeddings: those of neighbouring seeds resemble each
/// other.
const SEED_STRIDE: u64 = 1_000_003;
/// A molecule none of whose first embeddings succeeds has no geometry; each takes many attempts.
const FIRST: u32 = 5;
/// Conformers whose energies differ by less, in kcal/mol, are the same or mirror images.
const SAME_KCAL_PER_MOL: f64 = 1e-4;

/// Element symbols and positions in angstrom, hydrogens included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Geometry {
    pub atoms: Vec<(String, [f64; 3])>,
}

impl Geometry {
    /// The text of an XYZ file; `comment` is its second line.
    pub fn to_xyz(&self, comment: &str) -> String {
        let mut text = format!("{}\n{}\n", self.atoms.len(), comment.replace('\n', " "));
        for (symbol, [x, y, z]) in &self.atoms {
            writeln!(text, "{symbol:<2} {x:18.10} {y:18.10} {z:18.10}")
                .expect("writing to a string");
        }
        text
    }

    /// Reads the first structure of an XYZ file.
    pub fn from_xyz(text: &str) -> Result<Self, ChemError> {
        let fault = |line: usize, reason: &str| ChemError::Xyz {
            line,
            reason: reason.to_owned(),
        };
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.first().map_or("", |line| line.trim());
        let count: usize = first
            .parse()
            .map_err(|_| fault(1, &format!("`{first}` is not a number of atoms")))?;
        let mut atoms = Vec::new();
        for index in 2..count.saturating_add(2) {
            let line = lines.get(index).ok_or_else(|| {
                fault(
                    index + 1,
                    &format!("the file ends here, before {count} atoms"),
                )
            })?;
            let atom = xyz_atom(line);
            atoms.push(atom.ok_or_else(|| {
                fault(
                    index + 1,
                    &format!("`{line}` is not a symbol and three coordinates"),
                )
            })?);
        }
        Ok(Self { atoms })
    }
}

fn xyz_atom(line: &str) -> Option<(String, [f64; 3])> {
    let mut fields = line.split_whitespace();
    let symbol = fields.next()?.to_owned();
    let mut coordinate = || fields.next()?.parse().ok().filter(|x: &f64| x.is_finite());
    Some((symbol, [coordinate()?, coordinate()?, coordinate()?]))
}

/// Settings of a conformer search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    pub seed: u64,
    /// Number of embeddings, each from a seed of its own.
    pub conformers: NonZeroU32,
    /// Bounds all embeddings of a molecule together, with their relaxations.
    pub time_limit: Duration,
    /// If true, a molecule without MMFF94 parameters is returned as embedded instead of being
    /// refused, for engines that relax the geometry themselves. (UFF is no help: from its
    /// geometries of boronic acids xtb finds higher minima.)
    pub fallback: bool,
}

/// The distinct conformers that were found, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformers {
    /// True if they are relaxed with MMFF94, and the one with the lowest MMFF94 energy comes first.
    pub relaxed: bool,
    pub geometries: Vec<Geometry>,
}

impl Molecule {
    /// Returns true if MMFF94 has parameters for all its atoms; it has none for boron, hydrogen
    /// halides, CO, O2 and SF6.
    pub fn has_mmff94_parameters(&self) -> bool {
        let explicit = self.inner().with_hydrogens();
        explicit.is_ok_and(|it| it.mmff_has_all_molecule_params().unwrap_or(false))
    }
}

/// Searches for conformers: ETKDG version 3 embeddings, each relaxed with MMFF94. Stereo that the
/// molecule does not specify is chosen at random by each embedding, so stereoisomers are among
/// them.
///
/// S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020); T. A. Halgren, J. Comput. Chem. 17, 490
/// (1996). Embeddings that fail are left out. The time limit only ever turns an answer into
/// [`ChemError::NoGeometry`], never into another answer.
pub fn embed(molecule: &Molecule, embedding: &Embedding) -> Result<Conformers, ChemError> {
    let failed = |reason: String| ChemError::NoGeometry {
        smiles: molecule.canonical_smiles(),
        reason,
    };
    let explicit = molecule
        .inner()
        .with_hydrogens()
        .map_err(|e| failed(e.to_string()))?;
    let relaxed = explicit.mmff_has_all_molecule_params().unwrap_or(false);
    if !relaxed && !embedding.fallback {
        return Err(ChemError::NoForceField {
            smiles: molecule.canonical_smiles(),
        });
    }
    let (begin, limit) = (Instant::now(), embedding.time_limit.max(ONE_SECOND));
    let mut reason = String::new();
    let mut found: Vec<(f64, Geometry)> = Vec::new();
    for number in 0..embedding.conformers.get() {
        if number == FIRST && found.is_empty() {
            break;
        }
        let left = limit.saturating_sub(begin.elapsed());
        let embedded = match left.is_zero() {
            true => Embedded::GivenUp,
            false => embed_once(&explicit, embedding.seed, number, left).map_err(&failed)?,
        };
        let conformer = match embedded {
            Embedded::GivenUp => {
                return Err(failed(format!(
                    "the embeddings were given up after {} s, {number} of {} done",
                    limit.as_secs(),
                    embedding.conformers
                )));
            }
            Embedded::Impossible => {
                Err("no distances between its atoms fit together in three dimensions".to_owned())
            }
            Embedded::Found(embedded) if relaxed => relax(&embedded),
            Embedded::Found(embedded) => Ok((0.0, geometry(&embedded))),
        };
        match conformer {
            Ok(conformer) => found.push(conformer),
            Err(why) => reason = why,
        }
    }
    if relaxed {
        found.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        found.dedup_by(|(next, _), (kept, _)| *next - *kept < SAME_KCAL_PER_MOL);
    }
    match found.is_empty() {
        true => Err(failed(reason)),
        false => Ok(Conformers {
            relaxed,
            geometries: found.into_iter().map(|(_, geometry)| geometry).collect(),
        }),
    }
}

const ONE_SECOND: Duration = Duration::from_secs(1);

/// Result of an embedding.
enum Embedded {
    Found(cosmolkit::Molecule),
    /// All its attempts failed.
    Impossible,
    /// It took too long.
    GivenUp,
}

/// Embedding of a given number, counted from 0, abandoned after `time_limit`, which is rounded up
/// to whole seconds.
fn embed_once(
    explicit: &cosmolkit::Molecule,
    seed: u64,
    number: u32,
    time_limit: Duration,
) -> Result<Embedded, String> {
    let mut params = EmbedParams::etkdg_v3();
    // A negative seed asks the toolkit for an unseeded run.
    let seed = seed.wrapping_add(u64::from(number) * SEED_STRIDE);
    params.random_seed = (seed % (i32::MAX as u64)) as i32;
    params.num_threads = 1;
    params.timeout = time_limit
        .as_secs_f64()
        .ceil()
        .clamp(1.0, f64::from(u32::MAX)) as u32;
    let embedded = explicit
        .with_3d_conformer_result_with_params(&params)
        .map_err(|e| e.to_string())?;
    Ok(match (embedded.conf_id, embedded.termination) {
        (Some(_), _) => Embedded::Found(embedded.molecule),
        (None, EmbedTermination::TimedOut) => Embedded::GivenUp,
        (None, _) => Embedded::Impossible,
    })
}

/// The MMFF94 energy in kcal/mol and the geometry of an embedded molecule once it is relaxed.
fn relax(embedded: &cosmolkit::Molecule) -> Result<(f64, Geometry), String> {
    let params = MmffOptimizationParams {
        mmff_variant: MmffVariant::Mmff94,
        max_iterations: MMFF_ITERATIONS,
        ..MmffOptimizationParams::default()
    };
    let relaxed = embedded.with_mmff_optimized_with_params(&params);
    let relaxed = relaxed.map_err(|e| format!("MMFF94: {e}"))?;
    match relaxed.outcome {
        OptimizationOutcome::Converged { energy } => Ok((energy, geometry(&relaxed.molecule))),
        OptimizationOutcome::NotConverged { .. } => Err(format!(
            "MMFF94 did not converge in {MMFF_ITERATIONS} iterations"
        )),
        OptimizationOutcome::MissingParameters => Err("MMFF94 has no parameters for it".to_owned()),
    }
}

fn geometry(molecule: &cosmolkit::Molecule) -> Geometry {
    let positions = molecule.conformers_3d()[0].coordinates();
    let atoms = molecule.atoms().into_iter().zip(positions);
    Geometry {
        atoms: atoms
            .map(|(atom, position)| (atom.element().symbol().to_owned(), *position))
            .collect(),
    }
}
