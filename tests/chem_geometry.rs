//! Embedded geometries and XYZ text.

use std::time::Duration;

use moldflow::chem::{ChemError, Geometry, Molecule, embed};
use proptest::prelude::*;

fn embedded(smiles: &str, seed: u64) -> Geometry {
    embed(
        &Molecule::parse(smiles).unwrap(),
        seed,
        Duration::from_secs(10),
    )
    .unwrap()
}

fn distance(geometry: &Geometry, a: usize, b: usize) -> f64 {
    let (a, b) = (geometry.atoms[a].1, geometry.atoms[b].1);
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).powi(2))
        .sum::<f64>()
        .sqrt()
}

#[test]
fn ethane_has_the_bond_lengths_of_ethane() {
    let ethane = embedded("CC", 1);
    assert_eq!(ethane.atoms.len(), 8);
    // Experiment: 1.535 and 1.094 angstrom; MMFF94 is within 0.03 of both.
    assert!((distance(&ethane, 0, 1) - 1.535).abs() < 0.03);
    assert!((distance(&ethane, 0, 2) - 1.094).abs() < 0.03);
}

#[test]
fn the_seed_decides_the_conformer() {
    assert_eq!(embedded("CCCCCO", 3), embedded("CCCCCO", 3));
    assert!((4..12).any(|seed| embedded("CCCCCO", seed) != embedded("CCCCCO", 3)));
    for seed in [0, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(embedded("CO", seed), embedded("CO", seed));
    }
}

#[test]
fn a_field_without_parameters_is_no_geometry() {
    let molecule = Molecule::parse("C[Hg]C").unwrap();
    let error = embed(&molecule, 1, Duration::from_secs(10)).unwrap_err();
    assert!(matches!(error, ChemError::NoGeometry { .. }), "{error}");
}

#[test]
fn an_embedding_is_given_up_at_its_time_limit() {
    // It cannot be embedded, and forty times its size takes far more than the least limit of a second to be known.
    let cage =
        Molecule::parse(&"C1NC23C1NC1C2OC13".replace("C1N", &format!("{}C1N", "C".repeat(60))))
            .unwrap();
    assert!(matches!(
        embed(&cage, 1, Duration::from_millis(1)),
        Err(ChemError::NoGeometry { .. })
    ));
}

#[test]
fn xyz_faults_name_their_line() {
    let line = |text: &str| match Geometry::from_xyz(text).unwrap_err() {
        ChemError::Xyz { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line(""), 1);
    assert_eq!(line("two\n\n"), 1);
    assert_eq!(line("-1\n\n"), 1);
    assert_eq!(line("2\ncomment\nH 0 0 0\n"), 4);
    assert_eq!(line("1\n\nH 0 zero 0\n"), 3);
    assert_eq!(line("1\n\nH 0 0 NaN\n"), 3);
    assert_eq!(line(&format!("{}\n\nH 0 0 0\n", u64::MAX)), 4);
}

proptest! {
    #[test]
    fn xyz_text_is_read_back(atoms in prop::collection::vec(("[A-Z][a-z]?", prop::array::uniform3(-99.0..99.0f64)), 0..9), comment in ".{0,20}") {
        let geometry = Geometry { atoms };
        let again = Geometry::from_xyz(&geometry.to_xyz(&comment)).unwrap();
        prop_assert_eq!(again.atoms.len(), geometry.atoms.len());
        for (a, b) in again.atoms.iter().zip(&geometry.atoms) {
            prop_assert_eq!(&a.0, &b.0);
            prop_assert!(a.1.iter().zip(b.1).all(|(x, y)| (x - y).abs() < 1e-9));
        }
    }
}
