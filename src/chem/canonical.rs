//! Quick reader of canonical SMILES as the toolkit writes them. The toolkit's own takes hundreds of
//! times as long; here a text with anything unusual in it is left to that.

use std::collections::BTreeMap;

use super::molecule::{BondKind, HeavyAtom};

/// An atom as it is written.
struct WrittenAtom {
    symbol: &'static str,
    aromatic: bool,
    /// Charge and hydrogens of an atom in brackets.
    bracket: Option<(i8, u8)>,
}

/// Elements of the organic subset with their atomic numbers and valences.
const ORGANIC: [(&str, u8, &[u8]); 10] = [
    // Two letters first.
    ("Cl", 17, &[1]),
    ("Br", 35, &[1]),
    ("B", 5, &[3]),
    ("C", 6, &[4]),
    ("N", 7, &[3]),
    ("O", 8, &[2]),
    ("F", 9, &[1]),
    ("P", 15, &[3, 5]),
    ("S", 16, &[2, 4, 6]),
    ("I", 53, &[1]),
];

/// Atomic number and valences of an uncharged atom, ascending; none outside the organic subset.
pub(super) fn valences(symbol: &str) -> Option<(u8, &'static [u8])> {
    let element = ORGANIC.iter().find(|(known, ..)| *known == symbol)?;
    Some((element.1, element.2))
}

/// Valences of charged atoms, hydrogens included, that have no unpaired electrons.
const CHARGED: [(&str, i8, u8); 8] = [
    ("B", -1, 4),
    ("C", -1, 3),
    ("N", 1, 4),
    ("N", -1, 2),
    ("O", 1, 3),
    ("O", -1, 1),
    ("S", 1, 3),
    ("S", -1, 1),
];

/// Reads the heavy atoms of canonical SMILES of one molecule; none if the text has anything that is
/// not known here, such as radicals, stereo and isotopes.
pub(super) fn read(smiles: &str) -> Option<Vec<HeavyAtom>> {
    let mut reader = Reader::default();
    let mut rest = smiles.as_bytes();
    while let Some((&letter, after)) = rest.split_first() {
        rest = match letter {
            b'(' => {
                reader.branches.push(reader.last?);
                after
            }
            b')' => {
                reader.last = Some(reader.branches.pop()?);
                after
            }
            b'-' | b'=' | b'#' | b':' => {
                reader.bond = Some(match letter {
                    b'-' => BondKind::Single,
                    b'=' => BondKind::Double,
                    b'#' => BondKind::Triple,
                    _ => BondKind::Aromatic,
                });
                after
            }
            b'0'..=b'9' => {
                reader.close(u32::from(letter - b'0'))?;
                after
            }
            b'[' => {
                let end = after.iter().position(|byte| *byte == b']')?;
                reader.add(bracket(&after[..end])?)?;
                &after[end + 1..]
            }
            _ => {
                let (atom, length) = organic(rest)?;
                reader.add(atom)?;
                &rest[length..]
            }
        };
    }
    reader.graph()
}

/// State of a reading.
#[derive(Default)]
struct Reader {
    atoms: Vec<WrittenAtom>,
    neighbours: Vec<Vec<(BondKind, usize)>>,
    /// Atom to which the next one is bonded.
    last: Option<usize>,
    branches: Vec<usize>,
    /// Bond that is written before an atom or a ring closure.
    bond: Option<BondKind>,
    /// Open ring closures: atom and written bond.
    open: BTreeMap<u32, (usize, Option<BondKind>)>,
    /// Closed ones with their labels.
    closures: Vec<(u32, usize, usize, Option<BondKind>)>,
}

impl Reader {
    fn add(&mut self, atom: WrittenAtom) -> Option<()> {
        let new = self.atoms.len();
        self.atoms.push(atom);
        self.neighbours.push(Vec::new());
        let written = self.bond.take();
        match self.last {
            Some(last) => self.join(last, new, written),
            None if new > 0 || written.is_some() => return None,
            None => {}
        }
        self.last = Some(new);
        Some(())
    }

    fn close(&mut self, label: u32) -> Option<()> {
        let atom = self.last?;
        let written = self.bond.take();
        match self.open.remove(&label) {
            Some((first, before)) => {
                let closure = (label, first, atom, before.or(written));
                self.closures.push(closure);
            }
            None => drop(self.open.insert(label, (atom, written))),
        }
        Some(())
    }

    fn join(&mut self, a: usize, b: usize, written: Option<BondKind>) {
        let is_aromatic = self.atoms[a].aromatic && self.atoms[b].aromatic;
        let kind = written.unwrap_or(match is_aromatic {
            true => BondKind::Aromatic,
            false => BondKind::Single,
        });
        self.neighbours[a].push((kind, b));
        self.neighbours[b].push((kind, a));
    }

    fn graph(mut self) -> Option<Vec<HeavyAtom>> {
        // The toolkit puts them behind all other bonds, in the order of their labels.
        self.closures.sort_by_key(|(label, ..)| *label);
        for (_, first, last, written) in std::mem::take(&mut self.closures) {
            self.join(first, last, written);
        }
        if self.atoms.is_empty() || !self.open.is_empty() || !self.branches.is_empty() {
            return None;
        }
        let atoms = self.atoms.into_iter().zip(self.neighbours);
        let heavy_atoms = atoms.map(|(atom, neighbours)| {
            Some(HeavyAtom {
                symbol: atom.symbol.to_owned(),
                hydrogens: usize::from(hydrogens(&atom, &neighbours)?),
                charge: atom.bracket.map_or(0, |(charge, _)| charge),
                neighbours,
            })
        });
        heavy_atoms.collect()
    }
}

/// Number of hydrogens of an atom; none if its valence is not an ordinary one.
fn hydrogens(atom: &WrittenAtom, neighbours: &[(BondKind, usize)]) -> Option<u8> {
    let order = |kind: BondKind| match kind {
        BondKind::Single | BondKind::Aromatic => 1,
        BondKind::Double => 2,
        BondKind::Triple => 3,
    };
    let sum: u8 = neighbours.iter().map(|(kind, _)| order(*kind)).sum();
    if atom.aromatic {
        let in_rings = neighbours
            .iter()
            .filter(|(kind, _)| *kind == BondKind::Aromatic);
        return match (
            atom.symbol,
            atom.bracket,
            in_rings.count(),
            neighbours.len(),
        ) {
            ("C", None, 2, 2) => Some(1),
            ("C", None, 2 | 3, 3) => Some(0),
            ("N", None, 2, 2) => Some(0),
            ("N", None, 2 | 3, 3) => Some(0),
            ("O" | "S", None, 2, 2) => Some(0),
            ("N", Some((0, 1)), 2, 2) => Some(1),
            _ => None,
        };
    }
    match atom.bracket {
        None => {
            let (_, valences) = valences(atom.symbol)?;
            let valence = valences.iter().find(|valence| **valence >= sum)?;
            Some(valence - sum)
        }
        Some((charge, hydrogens)) => {
            let valence = sum + hydrogens;
            let is_known = CHARGED.contains(&(atom.symbol, charge, valence));
            is_known.then_some(hydrogens)
        }
    }
}

/// Reads an atom of the organic subset and the length of its symbol.
fn organic(text: &[u8]) -> Option<(WrittenAtom, usize)> {
    let atom = |symbol, aromatic| WrittenAtom {
        symbol,
        aromatic,
        bracket: None,
    };
    let aromatic = match text.first()? {
        b'c' => Some("C"),
        b'n' => Some("N"),
        b'o' => Some("O"),
        b's' => Some("S"),
        _ => None,
    };
    if let Some(symbol) = aromatic {
        return Some((atom(symbol, true), 1));
    }
    let mut known = ORGANIC.iter().map(|(symbol, ..)| *symbol);
    let symbol = known.find(|symbol| text.starts_with(symbol.as_bytes()))?;
    Some((atom(symbol, false), symbol.len()))
}

/// Reads what is between brackets: `nH`, `NH3+`, `O-`.
fn bracket(text: &[u8]) -> Option<WrittenAtom> {
    let (atom, length) = organic(text)?;
    let mut rest = &text[length..];
    let mut hydrogens = 0;
    if let [b'H', after @ ..] = rest {
        (hydrogens, rest) = match after {
            [digit @ b'2'..=b'9', after @ ..] => (digit - b'0', after),
            after => (1, after),
        };
    }
    let charge = match rest {
        [] => 0,
        b"+" => 1,
        b"-" => -1,
        _ => return None,
    };
    Some(WrittenAtom {
        bracket: Some((charge, hydrogens)),
        ..atom
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::Molecule;

    /// The graph as the toolkit reads it.
    fn assert_read_as_by_the_toolkit(smiles: &str) -> bool {
        let whole = Molecule::parse(smiles).unwrap();
        let Some(read) = read(smiles) else {
            return false;
        };
        assert_eq!(read, whole.heavy_atoms(), "{smiles}");
        assert_eq!(whole.radical_electrons(), 0, "{smiles}");
        true
    }

    #[test]
    fn molecules_of_qm9_are_read_as_the_toolkit_reads_them() {
        let qm9 = crate::chem::qm9::Qm9::open();
        let texts = qm9.molecules().step_by(43);
        let (read, left): (Vec<bool>, Vec<bool>) = texts
            .map(|entry| assert_read_as_by_the_toolkit(entry.smiles))
            .partition(|is_read| *is_read);
        // Of all 130,831 molecules 122 are left to the toolkit.
        assert!(left.len() * 100 < read.len(), "{} are left", left.len());
    }

    #[test]
    fn ions_aromatic_rings_and_larger_elements_are_read_as_the_toolkit_reads_them() {
        for smiles in [
            "[NH3+]CC(=O)[O-]",
            "C[N+](=O)[O-]",
            "c1ccc2[nH]ccc2c1",
            "c1ccc(-c2ccccc2)cc1",
            "O=c1cc[nH]c(=O)[nH]1",
            "CS(=O)(=O)c1ccsc1",
            "CP(=O)(Cl)OBr",
            "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
            "[C-]#[O+]",
            "C[B-](F)(F)F",
            "IB(C)C",
        ] {
            let smiles = Molecule::parse(smiles).unwrap().canonical_smiles();
            assert!(assert_read_as_by_the_toolkit(&smiles), "{smiles}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_toolkit() {
        for smiles in [
            "[CH3]",
            "[2H]C",
            "C/C=C/C",
            "C[C@H](N)O",
            "C.C",
            "[C:1]",
            "[Na+]",
            "*",
            "C1CC",
            "C(",
            "[CH2]C",
            "[O][O]",
            "CN(C)(C)C",
            "=C",
            "",
            "[H]",
            "C[SiH3]",
            "[n+]",
        ] {
            assert!(read(smiles).is_none(), "{smiles}");
        }
    }
}
