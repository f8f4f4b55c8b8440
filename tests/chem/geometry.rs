//! Embedded geometries and XYZ text.

use std::num::NonZeroU32;
use std::time::Duration;

use moldflow::chem::{ChemError, Conformers, Embedding, Geometry, Molecule, embed};
use proptest::prelude::*;

fn search(seed: u64, conformers: u32) -> Embedding {
    Embedding {
        seed,
        conformers: NonZeroU32::new(conformers).unwrap(),
        time_limit: Duration::from_secs(60),
        fallback: false,
    }
}

fn found(smiles: &str, embedding: &Embedding) -> Conformers {
    embed(&Molecule::parse(smiles).unwrap(), embedding).unwrap()
}

fn embedded(smiles: &str, seed: u64) -> Geometry {
    found(smiles, &search(seed, 1)).geometries.remove(0)
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
fn the_first_of_several_embeddings_is_that_of_one_alone() {
    let several = found("CCCCCO", &search(3, 20));
    assert!(several.geometries.contains(&embedded("CCCCCO", 3)));
    assert_eq!(several, found("CCCCCO", &search(3, 20)));
    assert!(several.geometries.len() > 5);
}

#[test]
fn conformers_that_are_the_same_are_kept_once() {
    for rigid in ["C", "CO", "c1ccccc1", "C#C"] {
        assert_eq!(found(rigid, &search(1, 10)).geometries.len(), 1, "{rigid}");
    }
}

/// The sign of the volume that the neighbours of an atom span.
fn handedness(geometry: &Geometry, centre: usize, neighbours: [usize; 3]) -> bool {
    let at = |atom: usize| geometry.atoms[atom].1;
    let [a, b, c] =
        neighbours.map(|atom| std::array::from_fn::<f64, 3, _>(|i| at(atom)[i] - at(centre)[i]));
    let cross = [
        b[1] * c[2] - b[2] * c[1],
        b[2] * c[0] - b[0] * c[2],
        b[0] * c[1] - b[1] * c[0],
    ];
    a.iter().zip(cross).map(|(x, y)| x * y).sum::<f64>() > 0.0
}

#[test]
fn stereoisomers_are_conformers_where_the_stereo_is_not_specified() {
    // Angstrom between the ends of the chain: cis 3.1, trans 3.9.
    let is_trans = |geometry: &Geometry| distance(geometry, 0, 3) > 3.5;
    let of = |smiles: &str| found(smiles, &search(1, 20)).geometries;
    let kinds = |smiles: &str| of(smiles).iter().map(is_trans).collect::<Vec<_>>();
    let either = kinds("CC=CC");
    assert!(
        either.contains(&true) && either.contains(&false),
        "{either:?}"
    );
    assert!(kinds("C/C=C/C").iter().all(|trans| *trans));
    assert!(kinds("C/C=C\\C").iter().all(|trans| !*trans));
    // Centres 1 and 3 of butane-2,3-diol: like and unlike.
    let like = |geometry: &Geometry| {
        handedness(geometry, 1, [0, 2, 3]) == handedness(geometry, 3, [5, 4, 1])
    };
    let kinds = |smiles: &str| of(smiles).iter().map(like).collect::<Vec<_>>();
    let either = kinds("CC(O)C(O)C");
    assert!(
        either.contains(&true) && either.contains(&false),
        "{either:?}"
    );
    let (one, other) = (kinds("C[C@H](O)[C@H](O)C"), kinds("C[C@H](O)[C@@H](O)C"));
    assert!(one.iter().all(|kind| *kind == one[0]) && other.iter().all(|kind| *kind != one[0]));
}

/// Boron, hydrogen halides and the like, and sulfur with six bonds, as RDKit 2026.09.1 has it
/// (`MMFFHasAllMoleculeParams`).
const WITHOUT_MMFF94: [&str; 11] = [
    "OB(O)C",
    "CB(C)C",
    "OB(O)c1ccccc1",
    "FB(F)F",
    "F",
    "Cl",
    "Br",
    "I",
    "[C-]#[O+]",
    "O=O",
    "FS(F)(F)(F)(F)F",
];

#[test]
fn what_mmff94_cannot_treat_is_refused_or_left_as_embedded() {
    for smiles in WITHOUT_MMFF94 {
        let molecule = Molecule::parse(smiles).unwrap();
        assert!(!molecule.has_mmff94_parameters(), "{smiles}");
        let error = embed(&molecule, &search(1, 3)).unwrap_err();
        assert!(matches!(error, ChemError::NoForceField { .. }), "{error}");
        let fallback = Embedding {
            fallback: true,
            ..search(1, 3)
        };
        let conformers = embed(&molecule, &fallback).unwrap();
        assert!(!conformers.relaxed, "{smiles}");
        assert_eq!(conformers.geometries.len(), 3, "{smiles}");
        for geometry in conformers.geometries {
            assert_eq!(geometry.atoms.len(), molecule.atom_count(), "{smiles}");
            for (a, b) in (0..geometry.atoms.len()).flat_map(|b| (0..b).map(move |a| (a, b))) {
                assert!(distance(&geometry, a, b) > 0.7, "{smiles}: {geometry:?}");
            }
        }
    }
}

#[test]
fn what_mmff94_treats_is_relaxed_with_it_in_any_case() {
    for smiles in [
        "CO",
        "C[N+](=O)[O-]",
        "FC(Cl)(Br)I",
        "CS(=O)(=O)C",
        "CP",
        "N#N",
        "[C-]#[N+]C",
        "C#N",
        "O",
        "ClCl",
    ] {
        let fallback = Embedding {
            fallback: true,
            ..search(1, 2)
        };
        assert!(found(smiles, &fallback).relaxed, "{smiles}");
        assert_eq!(found(smiles, &fallback), found(smiles, &search(1, 2)));
    }
}

#[test]
fn embeddings_are_given_up_at_their_time_limit_however_many_there_are() {
    // It cannot be embedded, which takes much more than the shortest time limit of a second to find
    // out at forty times its size.
    let cage =
        Molecule::parse(&"C1NC23C1NC1C2OC13".replace("C1N", &format!("{}C1N", "C".repeat(60))))
            .unwrap();
    for conformers in [1, 1000] {
        let embedding = Embedding {
            time_limit: Duration::from_millis(1),
            ..search(1, conformers)
        };
        let error = embed(&cage, &embedding).unwrap_err().to_string();
        assert!(error.contains("given up after 1 s"), "{error}");
    }
    // Each of these is quick, all of them together are not.
    let hexane = Molecule::parse("CCCCCC").unwrap();
    let embedding = Embedding {
        time_limit: Duration::from_secs(1),
        ..search(1, u32::MAX)
    };
    let error = embed(&hexane, &embedding).unwrap_err().to_string();
    assert!(error.contains("of 4294967295 done"), "{error}");
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
