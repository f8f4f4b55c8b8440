//! Prints the geometries of twenty QM9 molecules as JSON lines: the input of `tests/goldens/simulate_gfn2.py`.

use moldflow::chem::qm9::Qm9;
use moldflow::simulate::{Gfn2, PreparedSimulation, QcEngine, Request};
use serde_json::json;

fn main() {
    let qm9 = Qm9::open();
    for smiles in (0..20).map(|i| qm9.get(6541 * i + 20).smiles) {
        let request = Request {
            smiles: smiles.to_owned(),
            engine: QcEngine::Gfn2 {
                settings: Gfn2 {
                    conformers: None,
                    ..Gfn2::default()
                },
            },
            seed: 7,
            geometry: None,
        };
        match request.engine.simulator().prepare(&request, None) {
            Ok(PreparedSimulation::Done(result)) => {
                println!("{}", json!({"smiles": smiles, "geometry": result.geometry}));
            }
            Ok(PreparedSimulation::Program(_)) => eprintln!("{smiles}: the engine is not built in"),
            Err(error) => eprintln!("{smiles}: {error}"),
        }
    }
}
