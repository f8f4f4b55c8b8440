//! Pareto ranking and hypervolume against pymoo (tests/goldens/learn_pareto.json names its version).

use moldflow::learn::pareto::{dominates, hypervolume, improvement, ranked};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    points: Vec<Vec<f64>>,
    reference: Vec<f64>,
    hypervolume: f64,
    fronts: Vec<Vec<usize>>,
    /// None at the ends of a front.
    crowding: Vec<Option<f64>>,
    new: Vec<f64>,
    with_new: f64,
}

fn slices(points: &[Vec<f64>]) -> Vec<&[f64]> {
    points.iter().map(Vec::as_slice).collect()
}

fn cases() -> Vec<Case> {
    let text = include_str!("../goldens/learn_pareto.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    golden.cases
}

#[test]
fn hypervolumes_are_those_of_pymoo() {
    for case in cases() {
        let points = slices(&case.points);
        let volume = hypervolume(&points, &case.reference);
        assert!((volume - case.hypervolume).abs() < 1e-12, "{volume}");
        let more = improvement(&case.new, &points, &case.reference);
        let expected = case.with_new - case.hypervolume;
        assert!((more - expected).abs() < 1e-12, "{more} {expected}");
    }
}

#[test]
fn points_are_ranked_by_the_fronts_and_crowding_distances_of_pymoo() {
    for case in cases() {
        let points = slices(&case.points);
        let order = ranked(&points);
        let mut rest = order.as_slice();
        for front in &case.fronts {
            let (own, others) = rest.split_at(front.len());
            let mut sorted = own.to_vec();
            sorted.sort_unstable();
            assert_eq!(&sorted, front);
            let distance = |index: &usize| case.crowding[*index].unwrap_or(f64::INFINITY);
            let falls = own.windows(2);
            for two in falls.collect::<Vec<_>>() {
                assert!(distance(&two[0]) >= distance(&two[1]) - 1e-12, "{own:?}");
            }
            rest = others;
        }
        assert!(rest.is_empty());
    }
}

fn grid(coordinates: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    // Few values, so that points are often equal in a coordinate, or in all.
    let point = prop::collection::vec((0u8..6).prop_map(f64::from), coordinates);
    prop::collection::vec(point, 1..14)
}

proptest! {
    #[test]
    fn the_volume_of_points_on_a_grid_is_the_number_of_cells(points in (2usize..4).prop_flat_map(grid)) {
        let coordinates = points[0].len();
        let reference = vec![6.0; coordinates];
        let cells = 6usize.pow(coordinates as u32);
        let is_covered = |cell: &usize| {
            let corner: Vec<f64> = (0..coordinates).map(|axis| (cell / 6usize.pow(axis as u32) % 6) as f64).collect();
            points.iter().any(|point| point.iter().zip(&corner).all(|(p, c)| p <= c))
        };
        let covered = (0..cells).filter(is_covered).count();
        prop_assert_eq!(hypervolume(&slices(&points), &reference), covered as f64);
    }

    #[test]
    fn nothing_is_ranked_before_what_dominates_it(points in (2usize..4).prop_flat_map(grid)) {
        let order = ranked(&slices(&points));
        for (place, late) in order.iter().enumerate() {
            for early in &order[..place] {
                prop_assert!(!dominates(&points[*late], &points[*early]));
            }
        }
    }
}
