//! Time of a `gfn2//mmff94` evaluation, relative to the two library calls in it, and of a step of
//! the agent, relative to the same algorithm in Python.

mod agent;

#[path = "../tests/support/gfn2.rs"]
mod gfn2;
mod support;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use gfn2::compute_gfn2;
use moldflow::chem::{self, Embedding, Molecule};
use support::report;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| name.contains(w));
    let benches: [(&str, fn()); 2] = [("evaluation", evaluation), ("agent", agent::rates)];
    for (name, bench) in benches.iter().filter(|(name, _)| wanted(name)) {
        println!("{name}");
        bench();
    }
}

fn evaluation() {
    let qm9 = chem::qm9::Qm9::open();
    let molecules: Vec<String> = qm9
        .molecules()
        .step_by(1311)
        .map(|entry| entry.smiles.to_owned())
        .take(100)
        .collect();
    let embedding = Embedding {
        seed: 42,
        conformers: NonZeroU32::MIN,
        time_limit: Duration::from_secs(10),
        fallback: false,
    };
    let (mut whole, mut calls) = (Duration::ZERO, Duration::ZERO);
    for smiles in &molecules {
        let begin = Instant::now();
        let Ok(result) = compute_gfn2(smiles, Some(1), 42) else {
            continue;
        };
        whole += begin.elapsed();

        let begin = Instant::now();
        let molecule = Molecule::parse(smiles).expect("a molecule");
        let conformers = chem::embed(&molecule, &embedding).expect("a geometry");
        let geometry = &conformers.geometries[0];
        let symbols = geometry
            .atoms
            .iter()
            .map(|(symbol, _)| chem::atomic_number(symbol).expect("an element"));
        let elements: Vec<u8> = symbols.collect();
        let positions: Vec<[f64; 3]> = geometry
            .atoms
            .iter()
            .map(|(_, position)| *position)
            .collect();
        let energy = sci_form::xtb::solve_gfn2(&elements, &positions).expect("an energy");
        calls += begin.elapsed();
        assert!(
            (energy.total_energy / 27.211_385_05 - result.total_energy_hartree.unwrap()).abs()
                < 1e-6
        );
    }
    let ratio = whole.as_secs_f64() / calls.as_secs_f64();
    report(
        &format!(
            "gfn2//mmff94 with one conformer on {} molecules, to its library calls",
            molecules.len()
        ),
        ratio,
        "< 1.5",
    );
    report(
        "milliseconds for one of them",
        1e3 * whole.as_secs_f64() / molecules.len() as f64,
        "about 15",
    );
}
