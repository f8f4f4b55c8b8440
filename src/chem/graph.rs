//! A small kekulised molecular graph for the agent's edits; editing the toolkit's molecules is a
//! hundred times slower.

use std::collections::VecDeque;
use std::fmt::Write;

use super::{BondKind, ChemError, Molecule, Stereo, canonical};

/// Heavy atoms with localised bonds, without stereo.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub(super) atoms: Vec<GraphAtom>,
    pub(super) bonds: Vec<Bond>,
}

/// A heavy atom and its free valences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GraphAtom {
    symbol: String,
    /// Number of bonds that can be added: hydrogens not fixed by a bracket. Zero for `[nH]` and
    /// `[NH3+]`, as in RDKit.
    pub(super) free: u8,
    /// Charge and number of hydrogens of an atom written in brackets.
    bracket: Option<(i8, u8)>,
}

/// A bond between the atoms at two indices.
#[derive(Clone, Debug)]
pub(super) struct Bond {
    pub(super) ends: [usize; 2],
    pub(super) order: u8,
    /// True for bonds of aromatic rings, which are not edited.
    pub(super) aromatic: bool,
}

impl GraphAtom {
    /// Creates an uncharged atom of the organic subset without bonds.
    pub(super) fn free(symbol: &str, valence: u8) -> Self {
        Self {
            symbol: symbol.to_owned(),
            free: valence,
            bracket: None,
        }
    }

    /// Symbol of the element.
    pub(super) fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Returns true for an atom without charge; it may have hydrogens fixed by a bracket.
    pub(super) fn is_uncharged(&self) -> bool {
        self.bracket.is_none_or(|(charge, _)| charge == 0)
    }

    /// Returns true for an atom that may be removed alone: it is uncharged.
    pub(super) fn is_plain(&self) -> bool {
        self.bracket.is_none()
    }
}

impl Graph {
    /// Kekulises a molecule. The choice among its Kekulé structures depends only on its canonical
    /// SMILES.
    pub(super) fn from_molecule(molecule: &Molecule) -> Result<Self, ChemError> {
        if let Some(graph) = Self::from_canonical(&molecule.canonical_smiles()) {
            return Ok(graph);
        }
        let flat = molecule.reduced(Stereo::Ignore)?;
        let refused = |reason: String| ChemError::Unreadable {
            smiles: flat.canonical_smiles(),
            reason,
        };
        let kekulised = flat
            .inner()
            .with_kekulized_bonds()
            .map_err(|e| refused(e.to_string()))?;
        let atoms = flat.inner().atoms().into_iter().map(|atom| {
            let free = atom
                .implicit_hydrogens()
                .map_err(|e| refused(e.to_string()))? as u8;
            let bracket = atom
                .no_implicit()
                .then(|| (atom.formal_charge(), atom.explicit_hydrogens()));
            Ok(GraphAtom {
                symbol: atom.element().symbol().to_owned(),
                free,
                bracket,
            })
        });
        let bonds = kekulised
            .bonds()
            .iter()
            .zip(flat.inner().bonds())
            .map(|(bond, before)| Bond {
                ends: [bond.begin().index(), bond.end().index()],
                order: bond.order().rdkit_code() as u8,
                aromatic: before.is_aromatic(),
            });
        Ok(Self {
            atoms: atoms.collect::<Result<_, _>>()?,
            bonds: bonds.collect(),
        })
    }

    /// Reads canonical SMILES; None if it has brackets or aromatic bonds, which the toolkit reads.
    fn from_canonical(smiles: &str) -> Option<Self> {
        if smiles.contains('[') {
            return None;
        }
        let read = canonical::read(smiles)?;
        let (mut atoms, mut bonds) = (Vec::new(), Vec::new());
        for (from, atom) in read.into_iter().enumerate() {
            for (kind, to) in atom.neighbours {
                let order = match kind {
                    BondKind::Single => 1,
                    BondKind::Double => 2,
                    BondKind::Triple => 3,
                    BondKind::Aromatic => return None,
                };
                if from < to {
                    bonds.push(Bond {
                        ends: [from, to],
                        order,
                        aromatic: false,
                    });
                }
            }
            atoms.push(GraphAtom::free(&atom.symbol, atom.hydrogens as u8));
        }
        Some(Self { atoms, bonds })
    }

    /// Copy with an atom bonded to `to`.
    pub(super) fn with_atom(&self, to: usize, atom: GraphAtom, order: u8) -> Self {
        let mut graph = self.clone();
        graph.atoms.push(atom);
        graph.bonds.push(Bond {
            ends: [to, self.atoms.len()],
            order,
            aromatic: false,
        });
        graph
    }

    /// Copy with a bond between two atoms that are not bonded.
    pub(super) fn with_bond(&self, ends: [usize; 2], order: u8) -> Self {
        let mut graph = self.clone();
        graph.bonds.push(Bond {
            ends,
            order,
            aromatic: false,
        });
        graph
    }

    /// Copy in which a bond has another order.
    pub(super) fn with_order(&self, bond: usize, order: u8) -> Self {
        let mut graph = self.clone();
        graph.bonds[bond].order = order;
        graph
    }

    /// Copy in which another atom has the bonds of the one at `at`.
    pub(super) fn with_element(&self, at: usize, atom: GraphAtom) -> Self {
        let mut graph = self.clone();
        graph.atoms[at] = atom;
        graph
    }

    /// Sum of the orders of the bonds of an atom, those to hydrogen left out.
    pub(super) fn bond_orders(&self, atom: usize) -> u8 {
        let own = self.bonds.iter().filter(|bond| bond.ends.contains(&atom));
        own.map(|bond| bond.order).sum()
    }

    /// Pieces that remain without a bond: one, or two, the one with the bond's first end first.
    pub(super) fn cut(&self, bond: usize) -> Vec<Self> {
        let mut graph = self.clone();
        let [a, b] = graph.bonds.swap_remove(bond).ends;
        let distances = graph.distances(a);
        if distances[b].is_some() {
            return vec![graph];
        }
        let piece = |inside: bool| graph.subgraph(|atom| distances[atom].is_some() == inside);
        vec![piece(true), piece(false)]
    }

    /// Index of the bond between two atoms.
    pub(super) fn bond_between(&self, a: usize, b: usize) -> Option<usize> {
        let between = |bond: &Bond| bond.ends == [a, b] || bond.ends == [b, a];
        self.bonds.iter().position(between)
    }

    /// Number of bonds on the shortest path from one atom to each atom; None without a path.
    pub(super) fn distances(&self, from: usize) -> Vec<Option<usize>> {
        let mut distances = vec![None; self.atoms.len()];
        distances[from] = Some(0);
        let mut queue = VecDeque::from([from]);
        while let Some(atom) = queue.pop_front() {
            for bond in self.bonds.iter().filter(|bond| bond.ends.contains(&atom)) {
                let next = bond.ends[0] + bond.ends[1] - atom;
                if distances[next].is_none() {
                    distances[next] = distances[atom].map(|d: usize| d + 1);
                    queue.push_back(next);
                }
            }
        }
        distances
    }

    /// SMILES that is not canonical: atoms in order, every bond written as a ring closure, so `CO`
    /// is `C%10.O%10`. None if more than 90 bonds would be open at once.
    pub(super) fn smiles(&self) -> Option<String> {
        let mut text = String::new();
        // Open bond of each ring closure label; labels 10 to 99 are reused.
        let mut labels: [Option<usize>; 90] = [None; 90];
        for (i, atom) in self.atoms.iter().enumerate() {
            if i > 0 {
                text.push('.');
            }
            match atom.bracket {
                None => text.push_str(&atom.symbol),
                Some((charge, hydrogens)) => {
                    write!(text, "[{}H{hydrogens}{charge:+}]", atom.symbol)
                        .expect("writing to a string")
                }
            }
            for (j, bond) in self
                .bonds
                .iter()
                .enumerate()
                .filter(|(_, bond)| bond.ends.contains(&i))
            {
                let open = labels.iter().position(|label| *label == Some(j));
                let label = open.or_else(|| labels.iter().position(Option::is_none))?;
                labels[label] = if open.is_some() { None } else { Some(j) };
                let order = ["", "", "=", "#"][usize::from(bond.order)];
                write!(text, "{order}%{}", label + 10).expect("writing to a string");
            }
        }
        Some(text)
    }

    /// The atoms that are kept, in their order, with the bonds between them.
    pub(super) fn subgraph(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.atoms.len()).filter(|&atom| keep(atom)).collect();
        let new_index = |old: usize| kept.iter().position(|&atom| atom == old);
        let bonds = self.bonds.iter().filter_map(|bond| {
            let ends = [new_index(bond.ends[0])?, new_index(bond.ends[1])?];
            Some(Bond { ends, ..*bond })
        });
        Self {
            atoms: kept.iter().map(|&atom| self.atoms[atom].clone()).collect(),
            bonds: bonds.collect(),
        }
    }
}
