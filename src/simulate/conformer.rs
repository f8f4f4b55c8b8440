//! The geometry that an engine begins with: the lowest of several conformers.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{SimError, gfn2};
use crate::chem::{Conformers, Embedding, Geometry, Molecule, embed};

/// Embeddings of a molecule, unless a campaign says otherwise. Measured: `docs/algorithm.md`.
pub(super) const CONFORMERS: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Seconds that they may take together, unless a campaign says otherwise.
pub(super) const EMBED_TIMEOUT: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// ConformerSearch for the initial geometry of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConformerSearch {
    /// Embeddings of a molecule; one if absent, as in what version 0.1.0 wrote.
    pub conformers: Option<NonZeroU32>,
    /// Bounds all of them together.
    pub embed_timeout_seconds: NonZeroU32,
    /// True if the level of theory names MMFF94. An engine that relaxes the geometry can start from
    /// another one.
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

/// The conformer with the lowest GFN2-xTB energy, and that energy in hartree. MMFF94's own order is
/// no substitute: it puts another conformer first for a third of the molecules of QM9.
pub(super) fn lowest(conformers: Conformers) -> Result<(Geometry, f64), SimError> {
    let mut lowest: Option<(Geometry, f64)> = None;
    let mut failed = SimError::NoGeometry("no conformer".to_owned());
    for geometry in conformers.geometries {
        match gfn2::energy_hartree(&geometry) {
            Ok(energy) if lowest.as_ref().is_none_or(|(_, least)| energy < *least) => {
                lowest = Some((geometry, energy));
            }
            Ok(_) => {}
            Err(error) => failed = error,
        }
    }
    lowest.ok_or(failed)
}

/// The geometry of [`lowest`]; the first of the force field if GFN2-xTB does not know an element or
/// does not converge.
pub(super) fn lowest_geometry(conformers: Conformers) -> Result<Geometry, SimError> {
    if let [only] = conformers.geometries.as_slice() {
        return Ok(only.clone());
    }
    let first = conformers.geometries.first().cloned();
    match (lowest(conformers), first) {
        (Ok((geometry, _)), _) | (Err(_), Some(geometry)) => Ok(geometry),
        (Err(error), None) => Err(error),
    }
}
