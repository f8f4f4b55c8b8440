//! Three-dimensional structures: ETKDG embedding, MMFF94 relaxation, XYZ text.

use std::fmt::Write;
use std::time::Duration;

use cosmolkit::{
    EmbedParams, EmbedTermination, MmffOptimizationParams, MmffVariant, OptimizationStatus,
};
use serde::{Deserialize, Serialize};

use super::{ChemError, Molecule};

/// Enough for every molecule of QM9 that can be embedded; the usual 200 leave one in twenty unfinished.
const MMFF_ITERATIONS: i32 = 2000;

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

/// Finds a conformer: ETKDG version 3 from `seed`, relaxed with MMFF94.
///
/// S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020); T. A. Halgren, J. Comput. Chem. 17, 490 (1996).
/// `time_limit` is rounded up to whole seconds and bounds the embedding alone; it only ever turns an answer into
/// [`ChemError::NoGeometry`], never into another answer.
pub fn embed(molecule: &Molecule, seed: u64, time_limit: Duration) -> Result<Geometry, ChemError> {
    let failed = |reason: String| ChemError::NoGeometry {
        smiles: molecule.canonical_smiles(),
        reason,
    };
    let mut params = EmbedParams::etkdg_v3();
    // A negative seed asks the toolkit for an unseeded run.
    params.random_seed = (seed % (i32::MAX as u64)) as i32;
    params.num_threads = 1;
    params.timeout = time_limit
        .as_secs_f64()
        .ceil()
        .clamp(1.0, f64::from(u32::MAX)) as u32;
    let explicit = molecule
        .inner()
        .with_hydrogens()
        .map_err(|e| failed(e.to_string()))?;
    let embedded = explicit
        .with_3d_conformer_result_with_params(&params)
        .map_err(|e| failed(e.to_string()))?;
    if embedded.conf_id.is_none() {
        return Err(failed(match embedded.termination {
            EmbedTermination::TimedOut => {
                format!("the embedding was given up after {} s", params.timeout)
            }
            _ => "no distances between its atoms fit together in three dimensions".to_owned(),
        }));
    }
    let relaxed = embedded
        .molecule
        .with_mmff_optimized_with_params(&MmffOptimizationParams {
            mmff_variant: MmffVariant::Mmff94,
            max_iterations: MMFF_ITERATIONS,
            ..MmffOptimizationParams::default()
        });
    let relaxed = relaxed.map_err(|e| failed(format!("MMFF94: {e}")))?;
    // Not `needs_more`: it is false too where the field lacks parameters and nothing was relaxed.
    match relaxed.outcome.status() {
        OptimizationStatus::Converged => {}
        OptimizationStatus::NotConverged => {
            return Err(failed(format!(
                "MMFF94 did not converge in {MMFF_ITERATIONS} iterations"
            )));
        }
        OptimizationStatus::MissingParameters => {
            return Err(failed("MMFF94 has no parameters for it".to_owned()));
        }
    }
    let positions = relaxed.molecule.conformers_3d()[0].coordinates();
    let atoms = relaxed.molecule.atoms().into_iter().zip(positions);
    Ok(Geometry {
        atoms: atoms
            .map(|(atom, position)| (atom.element().symbol().to_owned(), *position))
            .collect(),
    })
}
