//! Three-dimensional structures: ETKDG embedding, MMFF94 relaxation, XYZ text.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use cosmolkit::{
    EmbedParams, EmbedTermination, MmffOptimizationParams, MmffVariant, OptimizationOutcome,
};
use serde::{Deserialize, Serialize};

use super::{ChemError, Molecule};

/// Iterations of a relaxation: enough for every molecule of QM9 that can be embedded. RDKit's 200
/// leave one in twenty unconverged.
const MMFF_ITERATIONS: i32 = 2000;
/// Difference between the seeds of successive embeddings, since adjacent seeds give similar ones.
const SEED_STRIDE: u64 = 1_000_003;
/// Embeddings after which a molecule without a success counts as one without a geometry; each is
/// many attempts of the toolkit.
const MAX_FAILED_EMBEDDINGS: u32 = 5;
/// MMFF94 energy difference in kcal/mol below which conformers are the same or mirror images.
const SAME_KCAL_PER_MOL: f64 = 1e-4;

/// Positions of all atoms of a molecule, hydrogens included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Geometry {
    /// Element symbol and Cartesian coordinates in angstrom of each atom.
    pub atoms: Vec<(String, [f64; 3])>,
}

impl Geometry {
    /// Formats an XYZ file; `comment` becomes its second line.
    pub fn to_xyz(&self, comment: &str) -> String {
        let mut text = format!("{}\n{}\n", self.atoms.len(), comment.replace('\n', " "));
        for (symbol, [x, y, z]) in &self.atoms {
            writeln!(text, "{symbol:<2} {x:18.10} {y:18.10} {z:18.10}")
                .expect("writing to a string");
        }
        text
    }

    /// Parses the first structure of an XYZ file.
    ///
    /// # Errors
    ///
    /// [`ChemError::Xyz`] for a malformed line, or a file with fewer atoms than its first line
    /// says.
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

/// Parameters of a conformer search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Seed of the first embedding; the other seeds follow from it.
    pub seed: u64,
    /// Number of embeddings.
    pub conformers: NonZeroU32,
    /// Time limit of all embeddings of a molecule together, relaxations included.
    pub time_limit: Duration,
    /// If true, a molecule without MMFF94 parameters is returned as embedded instead of refused,
    /// for engines that relax the geometry themselves. (UFF is no alternative: started from its
    /// geometries of boronic acids, xtb finds higher minima.)
    pub fallback: bool,
}

/// Distinct conformers of a molecule, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformers {
    /// True if they are relaxed with MMFF94 and sorted by MMFF94 energy, lowest first.
    pub relaxed: bool,
    /// Geometry of each conformer.
    pub geometries: Vec<Geometry>,
}

impl Molecule {
    /// Returns true if MMFF94 has parameters for all atoms; it has none for boron, hydrogen
    /// halides, CO, O2, SF6 and radicals.
    pub fn has_mmff94_parameters(&self) -> bool {
        let explicit = self.inner().with_hydrogens();
        explicit.is_ok_and(|explicit| self.is_typed_by_mmff94(&explicit))
    }

    /// The toolkit gives an atom with an unpaired electron the type of one with other bonds.
    fn is_typed_by_mmff94(&self, explicit: &cosmolkit::Molecule) -> bool {
        let has_types = explicit.mmff_has_all_molecule_params().unwrap_or(false);
        has_types && self.radical_electrons() == 0
    }
}

/// Searches for conformers: ETKDG version 3 embeddings, each relaxed with MMFF94. Failed embeddings
/// are left out. Each embedding chooses stereo that the molecule does not specify at random, so the
/// conformers may be stereoisomers.
///
/// S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020); T. A. Halgren, J. Comput. Chem. 17, 490
/// (1996).
///
/// # Errors
///
/// [`ChemError::NoForceField`] if MMFF94 has no parameters and there is no fallback;
/// [`ChemError::NoGeometry`] if all embeddings fail or the time limit expires. The time limit never
/// changes the conformers that are returned.
pub fn embed(molecule: &Molecule, embedding: &Embedding) -> Result<Conformers, ChemError> {
    let failed = |reason: String| ChemError::NoGeometry {
        smiles: molecule.canonical_smiles(),
        reason,
    };
    let explicit = molecule
        .inner()
        .with_hydrogens()
        .map_err(|e| failed(e.to_string()))?;
    let relaxed = molecule.is_typed_by_mmff94(&explicit);
    if !relaxed && !embedding.fallback {
        return Err(ChemError::NoForceField {
            smiles: molecule.canonical_smiles(),
        });
    }
    let (begin, limit) = (Instant::now(), embedding.time_limit.max(ONE_SECOND));
    let mut reason = String::new();
    let mut found: Vec<RelaxedConformer> = Vec::new();
    for number in 0..embedding.conformers.get() {
        if number == MAX_FAILED_EMBEDDINGS && found.is_empty() {
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
            Embedded::Found(embedded) => Ok(RelaxedConformer {
                kcal_per_mol: 0.0,
                geometry: geometry(&embedded),
            }),
        };
        match conformer {
            Ok(conformer) => found.push(conformer),
            Err(failure) => reason = failure,
        }
    }
    if relaxed {
        found.sort_by(|a, b| a.kcal_per_mol.total_cmp(&b.kcal_per_mol));
        found.dedup_by(|next, kept| next.kcal_per_mol - kept.kcal_per_mol < SAME_KCAL_PER_MOL);
    }
    match found.is_empty() {
        true => Err(failed(reason)),
        false => Ok(Conformers {
            relaxed,
            geometries: found
                .into_iter()
                .map(|conformer| conformer.geometry)
                .collect(),
        }),
    }
}

const ONE_SECOND: Duration = Duration::from_secs(1);

/// A conformer relaxed with MMFF94, and its MMFF94 energy.
struct RelaxedConformer {
    kcal_per_mol: f64,
    geometry: Geometry,
}

/// Result of one embedding.
enum Embedded {
    Found(cosmolkit::Molecule),
    /// All attempts failed.
    Impossible,
    /// The time limit expired.
    GivenUp,
}

/// Computes embedding `number`, counted from 0. `time_limit` is rounded up to whole seconds.
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

/// Relaxes an embedded molecule with MMFF94.
fn relax(embedded: &cosmolkit::Molecule) -> Result<RelaxedConformer, String> {
    let params = MmffOptimizationParams {
        mmff_variant: MmffVariant::Mmff94,
        max_iterations: MMFF_ITERATIONS,
        ..MmffOptimizationParams::default()
    };
    let relaxed = embedded.with_mmff_optimized_with_params(&params);
    let relaxed = relaxed.map_err(|e| format!("MMFF94: {e}"))?;
    match relaxed.outcome {
        OptimizationOutcome::Converged { energy } => Ok(RelaxedConformer {
            kcal_per_mol: energy,
            geometry: geometry(&relaxed.molecule),
        }),
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
