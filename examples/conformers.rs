//! Measures the energies of `gfn2//mmff94` above the lowest of twenty conformers, for
//! `docs/benchmarks.md`.
//!
//!     cargo run --release --example conformers -- 200 1 5 10 20 30
//!
//! The first number is that of random molecules of QM9, the others are values of `conformers`. The
//! twenty conformers come from another seed, so that none of them is among those measured.

#[path = "../tests/support/gfn2.rs"]
mod gfn2;

use std::time::Instant;

use gfn2::compute_gfn2;
use moldflow::chem::qm9::Qm9;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Number of conformers and seed of the reference.
const REFERENCE: (u32, u64) = (20, 2026);
/// Seed of the embeddings in every run of moldflow.
const SEED: u64 = 42;

fn main() {
    let arguments: Vec<u32> = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [count, numbers @ ..] = arguments.as_slice() else {
        panic!("numbers of molecules and of conformers");
    };
    let qm9 = Qm9::open();
    let mut order: Vec<usize> = (0..qm9.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    let chosen = order.into_iter().map(|position| qm9.get(position).smiles);
    let molecules: Vec<(&str, f64)> = chosen
        .take(*count as usize)
        .filter_map(|smiles| Some((smiles, energy(smiles, REFERENCE.0, REFERENCE.1)?)))
        .collect();
    println!(
        "{} of {count} molecules have a geometry; hartree above the lowest of {} conformers",
        molecules.len(),
        REFERENCE.0
    );
    println!("conformers  up to 0.001  above 0.01  no geometry  highest                  ms");
    for &number in numbers {
        let begin = Instant::now();
        let mut above: Vec<(f64, &str)> = Vec::new();
        for (smiles, lowest) in &molecules {
            above.extend(energy(smiles, number, SEED).map(|energy| (energy - lowest, *smiles)));
        }
        let milliseconds = 1e3 * begin.elapsed().as_secs_f64() / molecules.len() as f64;
        above.sort_by(|one, other| one.0.total_cmp(&other.0));
        let share = |limit: f64| {
            let within = above.iter().filter(|(error, _)| *error <= limit).count();
            100.0 * within as f64 / above.len() as f64
        };
        let (highest, smiles) = above.last().copied().unwrap_or_default();
        println!(
            "{number:>10}  {:>9.1} %  {:>8.1} %  {:>11}  {highest:.4} {smiles:<17}  {milliseconds:.0}",
            share(1e-3),
            100.0 - share(1e-2),
            molecules.len() - above.len(),
        );
    }
}

fn energy(smiles: &str, conformers: u32, seed: u64) -> Option<f64> {
    let result = compute_gfn2(smiles, Some(conformers), seed).ok()?;
    result.total_energy_hartree
}
