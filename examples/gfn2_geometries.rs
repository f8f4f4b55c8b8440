//! Prints the geometries of twenty molecules of QM9 as lines of JSON, the input of
//! `tests/goldens/simulate_tblite.py`.

#[path = "../tests/support/gfn2.rs"]
mod gfn2;

use gfn2::compute_gfn2;
use moldflow::chem::qm9::Qm9;
use serde_json::json;

fn main() {
    let qm9 = Qm9::open();
    for smiles in (0..20).map(|i| qm9.get(6541 * i + 20).smiles) {
        match compute_gfn2(smiles, None, 7) {
            Ok(result) => {
                println!("{}", json!({"smiles": smiles, "geometry": result.geometry}));
            }
            Err(error) => eprintln!("{smiles}: {error}"),
        }
    }
}
