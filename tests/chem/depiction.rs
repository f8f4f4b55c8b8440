//! Structural formulae, compared with RDKit's drawings: the bonds, the lines of each, and the atoms that
//! have letters.

use std::collections::BTreeSet;

use moldflow::chem::Molecule;

/// Results of RDKit, written by `goldens/chem_depiction.py`.
const GOLDEN: &str = include_str!("../goldens/chem_depiction.csv");

/// Bonds, their lines and labelled atoms of a drawing, by the classes of its paths.
#[derive(Debug, PartialEq)]
struct Drawn {
    bonds: BTreeSet<(usize, usize)>,
    lines: Option<usize>,
    labelled: BTreeSet<usize>,
}

impl Drawn {
    fn of(svg: &str) -> Self {
        let classes = svg.split("class='").skip(1);
        let classes = classes.map(|rest| rest.split('\'').next().unwrap());
        let mut drawn = Self {
            bonds: BTreeSet::new(),
            lines: Some(0),
            labelled: BTreeSet::new(),
        };
        for class in classes {
            let atoms = class
                .split(' ')
                .filter_map(|word| word.strip_prefix("atom-"));
            let atoms: Vec<usize> = atoms.map(|atom| atom.parse().unwrap()).collect();
            match atoms[..] {
                [a, b] => {
                    drawn.bonds.insert((a.min(b), a.max(b)));
                    drawn.lines = drawn.lines.map(|count| count + 1);
                }
                [atom] => {
                    drawn.labelled.insert(atom);
                }
                _ => {}
            }
        }
        drawn
    }

    /// Reads `0-1 1-2,3,2`.
    fn read(golden: &str) -> Self {
        let [bonds, lines, labelled] = golden.split(',').collect::<Vec<_>>()[..] else {
            panic!("three columns: {golden}");
        };
        let bonds = bonds.split_whitespace().map(|bond| {
            let (a, b) = bond.split_once('-').unwrap();
            (a.parse().unwrap(), b.parse().unwrap())
        });
        let labelled = labelled.split_whitespace();
        Self {
            bonds: bonds.collect(),
            lines: lines.parse().ok(),
            labelled: labelled.map(|atom| atom.parse().unwrap()).collect(),
        }
    }
}

#[test]
fn drawings_have_the_bonds_and_letters_of_rdkits() {
    let mut compared = 0;
    for row in GOLDEN.lines().skip(2) {
        let (smiles, golden) = row.split_once(',').unwrap();
        let molecule = Molecule::parse(smiles).unwrap();
        let svg = molecule
            .depiction(220, 150)
            .unwrap_or_else(|| panic!("{smiles}"));
        let (mut drawn, expected) = (Drawn::of(&svg), Drawn::read(golden));
        // None where a wedge has as many lines as its length holds.
        drawn.lines = drawn.lines.filter(|_| expected.lines.is_some());
        assert_eq!(drawn, expected, "{smiles}");
        assert!(
            svg.starts_with("<svg viewBox=\"0 0 220 150\"") && svg.ends_with("</svg>"),
            "{smiles}"
        );
        compared += 1;
    }
    assert!(compared > 600);
}
