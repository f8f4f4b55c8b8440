//! Initial geometry of an engine: the lowest of several conformers.

use std::num::NonZeroU32;
use std::time::Duration;

use super::electrons::require_neutral_closed_shell;
use super::{SimError, gfn2};
use crate::chem::{Conformers, Embedding, Geometry, Molecule, embed};
use crate::property::Quantities;

/// Default number of embeddings of a molecule; `docs/algorithm.md` has the measurements.
pub(super) const CONFORMERS: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Default time limit of the embeddings of a molecule together, in seconds.
pub(super) const EMBED_TIMEOUT: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Search for the initial geometry of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConformerSearch {
    /// Number of embeddings; None, as in runs of version 0.1.0, is one.
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings together, in seconds.
    pub embed_timeout_seconds: NonZeroU32,
    /// True if the level of theory includes MMFF94. An engine that relaxes the geometry can start
    /// from one of another level.
    pub needs_mmff94: bool,
}

impl ConformerSearch {
    /// Finds the conformers of a molecule.
    pub(super) fn run(self, molecule: &Molecule, seed: u64) -> Result<Conformers, SimError> {
        let embedding = Embedding {
            seed,
            conformers: self.conformers.unwrap_or(NonZeroU32::MIN),
            time_limit: Duration::from_secs(u64::from(self.embed_timeout_seconds.get())),
            fallback: !self.needs_mmff94,
        };
        Ok(embed(molecule, &embedding)?)
    }
}

/// A conformer and its GFN2-xTB energy.
pub(super) struct LowestConformer {
    pub geometry: Geometry,
    pub energy_hartree: f64,
    /// Further quantities of GFN2-xTB in atomic units.
    pub quantities: Quantities,
}

/// Conformer with the lowest GFN2-xTB energy. MMFF94 energies are no substitute: for a third of the
/// molecules of QM9 another conformer is the lowest.
pub(super) fn lowest(conformers: Conformers) -> Result<LowestConformer, SimError> {
    let mut lowest: Option<LowestConformer> = None;
    let mut failed = SimError::NoGeometry("no conformer".to_owned());
    for geometry in conformers.geometries {
        match gfn2::solve(&geometry) {
            Ok(found)
                if lowest
                    .as_ref()
                    .is_none_or(|lowest| found.energy_hartree < lowest.energy_hartree) =>
            {
                lowest = Some(LowestConformer {
                    geometry,
                    energy_hartree: found.energy_hartree,
                    quantities: found.quantities,
                });
            }
            Ok(_) => {}
            Err(error) => failed = error,
        }
    }
    lowest.ok_or(failed)
}

/// Geometry of [`lowest`], or of the conformer with the lowest MMFF94 energy if the built-in
/// GFN2-xTB cannot treat the molecule or does not converge.
pub(super) fn lowest_geometry(
    molecule: &Molecule,
    conformers: Conformers,
) -> Result<Geometry, SimError> {
    let first = conformers.geometries.first().cloned();
    let is_ranked = require_neutral_closed_shell(molecule, gfn2::NAME).is_ok();
    if let (Some(first), true) = (&first, !is_ranked || conformers.geometries.len() == 1) {
        return Ok(first.clone());
    }
    match (lowest(conformers), first) {
        (Ok(LowestConformer { geometry, .. }), _) | (Err(_), Some(geometry)) => Ok(geometry),
        (Err(error), None) => Err(error),
    }
}
