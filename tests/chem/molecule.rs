//! Molecules, compared with RDKit, and arbitrary text as SMILES.

use std::collections::BTreeMap;

use moldflow::chem::{BondKind, ChemError, Molecule};
use proptest::prelude::*;

/// Results of RDKit, written by `goldens/chem_rdkit.py`.
const GOLDEN: &str = include_str!("../goldens/chem_rdkit.csv");

fn golden() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    GOLDEN.lines().skip(2).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0], fields[1], fields[2])
    })
}

#[test]
fn canonical_smiles_equal_rdkits() {
    assert!(golden().count() > 500);
    for (smiles, canonical, _) in golden() {
        assert_eq!(
            Molecule::parse(smiles).unwrap().canonical_smiles(),
            canonical,
            "{smiles}"
        );
    }
}

#[test]
fn canonical_smiles_are_a_fixed_point() {
    for (_, canonical, _) in golden() {
        assert_eq!(
            Molecule::parse(canonical).unwrap().canonical_smiles(),
            canonical
        );
    }
}

#[test]
fn morgan_bits_equal_rdkits() {
    for (smiles, _, bits) in golden() {
        let expected: Vec<u32> = bits
            .split_whitespace()
            .map(|bit| bit.parse().unwrap())
            .collect();
        assert_eq!(
            Molecule::parse(smiles).unwrap().morgan_bits(3, 2048),
            expected,
            "{smiles}"
        );
    }
}

#[test]
fn acetamide_has_its_atoms_bonds_and_hydrogens() {
    let molecule = Molecule::parse("CC(=O)N").unwrap();
    let atoms: Vec<_> = molecule
        .heavy_atoms()
        .iter()
        .map(|a| (a.symbol.as_str(), a.hydrogens, a.neighbours.len()))
        .collect();
    assert_eq!(atoms, [("C", 3, 1), ("C", 0, 3), ("O", 0, 1), ("N", 2, 1)]);
    let bonds = &molecule.heavy_atoms()[1].neighbours;
    assert_eq!(
        *bonds,
        [
            (BondKind::Single, 0),
            (BondKind::Double, 2),
            (BondKind::Single, 3)
        ]
    );
    assert_eq!(molecule.atom_count(), 9);
    let counts =
        BTreeMap::from([("C", 2), ("H", 5), ("N", 1), ("O", 1)].map(|(s, n)| (s.to_owned(), n)));
    assert_eq!(molecule.element_counts(), counts);
    assert_eq!(
        (
            molecule.charge(),
            molecule.electrons(),
            molecule.radical_electrons()
        ),
        (0, 32, 0)
    );
}

#[test]
fn charges_radicals_and_explicit_hydrogens_are_counted() {
    let of = |smiles: &str| {
        let molecule = Molecule::parse(smiles).unwrap();
        (
            molecule.charge(),
            molecule.electrons(),
            molecule.radical_electrons(),
            molecule.atom_count(),
        )
    };
    assert_eq!(of("[NH3+]CC([O-])=O"), (0, 40, 0, 10));
    assert_eq!(of("[NH4+]"), (1, 10, 0, 5));
    assert_eq!(of("[OH-]"), (-1, 10, 0, 2));
    assert_eq!(of("[CH3]"), (0, 9, 1, 4));
    assert_eq!(of("[H][H]"), (0, 2, 0, 2));
    assert_eq!(of("[2H]C"), (0, 10, 0, 5));
    assert_eq!(
        Molecule::parse("[2H]C").unwrap().heavy_atoms()[0].hydrogens,
        4
    );
    assert_eq!(of("[H+]"), (1, 0, 0, 1));
}

#[test]
fn a_free_atom_is_one_without_bonds() {
    let of = |smiles: &str| Molecule::parse(smiles).unwrap().free_atom();
    assert_eq!(
        (of("[C]"), of("[H]"), of("[F]")),
        (Some("C"), Some("H"), Some("F"))
    );
    assert_eq!(
        (of("C"), of("[H][H]"), of("F"), of("[OH]")),
        (None, None, None, None)
    );
}

#[test]
fn what_is_not_one_molecule_is_refused_with_the_reason() {
    let error = |smiles: &str| Molecule::parse(smiles).unwrap_err();
    assert_eq!(
        error("C.O.O"),
        ChemError::SeveralFragments {
            smiles: "C.O.O".into(),
            count: 3
        }
    );
    assert!(matches!(error("C*"), ChemError::Wildcard { .. }));
    assert!(matches!(error("N->[Fe]"), ChemError::Unsupported { .. }));
    for bad in [
        "", " ", "C ethane", "C(", "C1CC", "xyz", "C$", "µ", "[H+5", "C%",
    ] {
        assert!(
            matches!(error(bad), ChemError::Unreadable { .. }),
            "{bad}: {:?}",
            error(bad)
        );
    }
    for impossible in ["FC(F)(F)(F)F", "c1cccc1"] {
        let error = error(impossible);
        assert!(
            matches!(error, ChemError::Impossible { .. }),
            "{impossible}: {error:?}"
        );
        assert!(error.to_string().contains(impossible));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_breaks_the_reader(text in "[CNOFHclnos0-9()=#\\[\\]+@/%.\\-]{0,24}") {
        if let Ok(molecule) = Molecule::parse(&text) {
            prop_assert!(molecule.atom_count() > 0);
            prop_assert!(!molecule.canonical_smiles().is_empty());
        }
    }

    #[test]
    fn any_unicode_is_refused_or_read(text in "\\PC{0,16}") {
        let _ = Molecule::parse(&text);
    }
}

#[test]
fn endless_smiles_are_refused_and_long_ones_are_read() {
    let nested = |depth: usize| format!("{}C{}", "C(".repeat(depth), ")".repeat(depth));
    assert_eq!(
        Molecule::parse(&nested(3000)).unwrap().heavy_atoms().len(),
        3001
    );
    let error = Molecule::parse(&nested(100_000)).err().unwrap().to_string();
    assert!(
        error.contains("longer than 10000 letters") && error.len() < 200,
        "{error}"
    );
}
