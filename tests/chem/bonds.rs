//! Bonds in geometries, compared with those of the molecule.

use std::num::NonZeroU32;
use std::time::Duration;

use moldflow::chem::{Embedding, Geometry, Molecule, embed, rearrangement};

fn molecule(smiles: &str) -> Molecule {
    Molecule::parse(smiles).unwrap()
}

fn mmff94(smiles: &str) -> Geometry {
    let embedding = Embedding {
        seed: 42,
        conformers: NonZeroU32::MIN,
        time_limit: Duration::from_secs(60),
        fallback: false,
    };
    let conformers = embed(&molecule(smiles), &embedding).unwrap();
    conformers.geometries.into_iter().next().unwrap()
}

fn change(smiles: &str, geometry: &Geometry) -> Option<String> {
    rearrangement(&molecule(smiles), geometry).unwrap()
}

/// Small cages, whose atoms come near without a bond, and long bonds.
#[test]
fn a_geometry_of_mmff94_is_that_of_its_molecule() {
    for smiles in [
        "C12CC(C1)C2",
        "CC12CN(C1)C2",
        "C1C2CC1O2",
        "C12C3C4C1C5C2C3C45",
        "C1CC2CC1C2",
        "CC(C)(C)C(C)(C)C",
        "NN",
        "OO",
        "CSSC",
        "BrC(Br)Br",
        "IC=CI",
        "ClN(Cl)Cl",
        "[NH3+]CC(=O)[O-]",
        "C[N+](=O)[O-]",
        "O=C=C=C=O",
        "c1ccccc1",
        "OC(=O)C=CO",
        "N#CC#N",
    ] {
        assert_eq!(change(smiles, &mmff94(smiles)), None, "{smiles}");
    }
}

#[test]
fn the_geometry_of_an_isomer_is_not_that_of_the_molecule() {
    // Atoms of the first in the order of the second: heavy atoms, then hydrogens.
    let glycine = mmff94("NCC(=O)O");
    let of_zwitterion = change("[NH3+]CC(=O)[O-]", &glycine).unwrap();
    assert!(
        of_zwitterion.contains("lost the bonds N1-H"),
        "{of_zwitterion}"
    );
    let of_ring = change("C1CC1", &mmff94("CC=C")).unwrap();
    assert!(of_ring.contains("lost"), "{of_ring}");
    assert!(change("CCO", &mmff94("COC")).is_some());
}

/// A hydrogen that moves from one oxygen of an acid to the other does not change the molecule.
#[test]
fn like_atoms_may_change_places() {
    let mut acid = mmff94("CC(=O)O");
    // C C O O and four hydrogens, the last on the second oxygen.
    acid.atoms.swap(2, 3);
    assert_eq!(change("CC(=O)O", &acid), None);
    let mut methane = mmff94("C");
    methane.atoms.swap(1, 4);
    assert_eq!(change("C", &methane), None);
}

#[test]
fn an_atom_that_went_away_took_its_bond_with_it() {
    let mut ethanol = mmff94("CCO");
    ethanol.atoms[2].1[0] += 5.0;
    let how = change("CCO", &ethanol).unwrap();
    assert!(how.contains("C2-O3"), "{how}");
}
