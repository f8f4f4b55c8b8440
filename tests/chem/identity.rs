//! Identity of molecules, compared with RDKit.

use moldflow::chem::qm9::Qm9;
use moldflow::chem::{Molecule, Stereo};

/// Results of RDKit, written by `goldens/chem_identity.py`.
const GOLDEN: &str = include_str!("../goldens/chem_identity.csv");

/// Spelling, identity without stereo, identity with stereo.
fn golden() -> impl Iterator<Item = [&'static str; 3]> {
    let rows = GOLDEN.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        fields.try_into().unwrap()
    })
}

fn identity(smiles: &str, stereo: Stereo) -> String {
    Molecule::parse(smiles).unwrap().identity(stereo)
}

#[test]
fn identities_are_those_of_rdkit() {
    assert!(golden().count() > 100);
    for [smiles, ignored, kept] in golden() {
        assert_eq!(identity(smiles, Stereo::Ignore), ignored, "{smiles}");
        assert_eq!(identity(smiles, Stereo::Keep), kept, "{smiles}");
    }
}

#[test]
fn an_identity_is_its_own_identity_and_the_canonical_smiles() {
    for [_, ignored, kept] in golden() {
        for (name, stereo) in [(ignored, Stereo::Ignore), (kept, Stereo::Keep)] {
            assert_eq!(identity(name, stereo), name);
            assert_eq!(Molecule::parse(name).unwrap().canonical_smiles(), name);
        }
    }
}

#[test]
fn charge_hydrogens_and_bonds_are_part_of_a_molecule() {
    let distinct = [
        "C=O",
        "CO",
        "[C-]#[O+]",
        "C[O-]",
        "[CH3]",
        "[CH2]O",
        "C[OH2+]",
        "NCC(=O)O",
        "[NH3+]CC(=O)[O-]",
    ];
    for stereo in [Stereo::Ignore, Stereo::Keep] {
        for (i, one) in distinct.iter().enumerate() {
            for other in &distinct[..i] {
                assert_ne!(identity(one, stereo), identity(other, stereo));
            }
        }
    }
}

#[test]
fn the_identity_of_a_molecule_of_qm9_is_its_canonical_smiles() {
    // As RDKit 2026.09.1 writes it; all of them were compared when the file was made.
    for entry in Qm9::open().molecules().step_by(311) {
        let molecule = Molecule::parse(entry.smiles).unwrap();
        for stereo in [Stereo::Ignore, Stereo::Keep] {
            assert_eq!(molecule.identity(stereo), entry.smiles);
        }
    }
}
