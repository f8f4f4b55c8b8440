//! Figures of comparisons against numpy and scipy: `tests/goldens/compare_statistics.py` and
//! `compare_random.py`, which name their versions.

use moldflow::chem::Molecule;
use moldflow::chem::qm9::{FREE_ATOMS, Qm9, Qm9Entry};
use moldflow::compare::{Curve, Estimate, Landscape};
use serde_json::Value;

const STATISTICS: &str = include_str!("../goldens/compare_statistics.json");
const RANDOM: &str = include_str!("../goldens/compare_random.json");

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().expect("a list").iter();
    values
        .map(|value| value.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn assert_close(mine: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(mine.len(), theirs.len());
    for (place, (a, b)) in mine.iter().zip(theirs).enumerate() {
        let is_equal = (a - b).abs() <= tolerance || a.is_nan() && b.is_nan();
        assert!(is_equal, "{place}: {a} and {b}");
    }
}

#[test]
fn curves_and_their_areas_are_those_of_numpy() {
    let golden: Value = serde_json::from_str(STATISTICS).expect("JSON");
    for search in golden["searches"].as_array().expect("a list") {
        let number = |name: &str| search[name].as_f64().expect("a number");
        let landscape = Landscape {
            best: number("best"),
            median: number("median"),
            molecules: 1,
        };
        let costs = search["costs"].as_array().expect("a list").iter();
        let costs: Vec<Option<f64>> = costs.map(Value::as_f64).collect();
        let evaluations = number("evaluations") as usize;
        let curve = Curve::new(&costs, evaluations, &landscape);
        let theirs = &search["curves"];
        assert_close(&curve.best, &numbers(&theirs["best"]), 1e-12);
        assert_close(&curve.top_ten, &numbers(&theirs["top_ten"]), 1e-12);
        assert_close(&curve.score, &numbers(&theirs["score"]), 1e-12);
        assert_close(
            &[curve.area()],
            &[theirs["area"].as_f64().expect("a number")],
            1e-12,
        );
    }
}

#[test]
fn confidence_intervals_are_those_of_scipy() {
    let golden: Value = serde_json::from_str(STATISTICS).expect("JSON");
    for theirs in golden["estimates"].as_array().expect("a list") {
        let mine = Estimate::of(numbers(&theirs["values"]));
        for (mine, name) in [
            (mine.mean, "mean"),
            (mine.low, "low"),
            (mine.high, "high"),
            (mine.deviation, "deviation"),
        ] {
            assert_close(&[mine], &[theirs[name].as_f64().expect("a number")], 2e-5);
        }
    }
    let one = Estimate::of([3.0]);
    assert_eq!((one.low, one.mean, one.high), (3.0, 3.0, 3.0));
}

/// The shipped campaigns on the pool of QM9.
const CAMPAIGNS: [&str; 5] = [
    "qm9-pool",
    "qm9-pool-per-atom",
    "qm9-pool-gap",
    "qm9-pool-lowest-gap",
    "qm9-pool-polarizability",
];

/// Cost of a molecule of QM9 for each campaign; none of one outside of its search space.
fn costs(entry: &Qm9Entry) -> [Option<f64>; 5] {
    let molecule = Molecule::from_canonical(entry.smiles).expect("a molecule");
    let counts = molecule.element_counts();
    let atoms: usize = counts.values().sum();
    let heavy = molecule.heavy_atoms().len();
    let apart = FREE_ATOMS
        .iter()
        .map(|(symbol, energy)| energy * *counts.get(*symbol).unwrap_or(&0) as f64);
    let atomization = entry.u0_hartree - apart.sum::<f64>();
    // Outside of brackets `-` is a bond.
    let is_charged = entry.smiles.contains("+]") || entry.smiles.contains("-]");
    let neutral = |cost: f64| (!is_charged).then_some(cost);
    [
        Some(atomization),
        Some(atomization / atoms as f64),
        Some(-entry.gap_hartree),
        neutral(entry.gap_hartree),
        neutral(-entry.polarizability_bohr3 / heavy as f64),
    ]
}

#[test]
fn random_search_of_qm9_has_the_area_that_numpy_finds() {
    let golden: Value = serde_json::from_str(RANDOM).expect("JSON");
    let all: Vec<[Option<f64>; 5]> = Qm9::open().molecules().map(|e| costs(&e)).collect();
    for (place, campaign) in CAMPAIGNS.into_iter().enumerate() {
        let theirs = &golden[campaign];
        let number = |name: &str| theirs[name].as_f64().expect("a number");
        let costs: Vec<f64> = all.iter().filter_map(|costs| costs[place]).collect();
        let landscape = Landscape::of(costs.clone()).expect("molecules");
        assert_eq!(
            landscape.molecules as f64,
            number("molecules"),
            "{campaign}"
        );
        assert_close(
            &[landscape.best, landscape.median],
            &[number("best"), number("median")],
            1e-9,
        );
        // Every 997th molecule from 100 different ones on: no two of a draw are the same, and
        // neighbours in the data set are far from each other in it.
        let draws = 100;
        let areas = (0..draws).map(|first| {
            let places = (0..200).map(|n| (first * 1_301 + n * 997) % costs.len());
            let drawn: Vec<Option<f64>> = places.map(|place| Some(costs[place])).collect();
            Curve::new(&drawn, 200, &landscape).area()
        });
        let mine = Estimate::of(areas);
        let error = number("deviation") / f64::from(draws as u32).sqrt();
        let difference = (mine.mean - number("area")).abs();
        assert!(
            difference < 4.0 * error,
            "{campaign}: {} and {}",
            mine.mean,
            number("area")
        );
    }
}
