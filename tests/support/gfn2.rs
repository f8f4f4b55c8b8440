//! Energies of the built-in engine.

use std::num::NonZeroU32;

use moldflow::simulate::{Gfn2, PreparedSimulation, QcEngine, Request, SimError, SimResult};

/// Result of `gfn2//mmff94` with this number of conformers, one if it is None.
pub fn compute_gfn2(
    smiles: &str,
    conformers: Option<u32>,
    seed: u64,
) -> Result<SimResult, SimError> {
    let settings = Gfn2 {
        conformers: conformers.and_then(NonZeroU32::new),
        ..Gfn2::default()
    };
    let request = Request {
        smiles: smiles.to_owned(),
        engine: QcEngine::Gfn2 { settings },
        seed,
        geometry: None,
    };
    match request.engine.simulator().prepare(&request, None)? {
        PreparedSimulation::Done(result) => Ok(result),
        other => panic!("a built-in engine runs {other:?}"),
    }
}
