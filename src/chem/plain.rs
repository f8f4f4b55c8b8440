//! Molecules that need no toolkit: uncharged atoms of ordinary valences, no aromatic ring. Their
//! identity and Morgan fingerprint are computed on a graph, as the agent does for each edit.

use std::collections::BTreeSet;

use petgraph::algo::is_isomorphic_matching;
use petgraph::graph::UnGraph;

use super::canonical::valences;
use super::environments::{self, Centre, MOST_BONDS, invariant_of};
use super::graph::Graph;

/// A molecule whose localised bonds are the only ones that it can have.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) atoms: Vec<PlainAtom>,
    pub(super) bonds: Vec<PlainBond>,
    /// Number of independent rings.
    rings: usize,
    /// Hash of the molecule, see [`Plain::is`].
    hash: u64,
}

/// An atom other than hydrogen.
#[derive(Clone, Debug, Default)]
pub(super) struct PlainAtom {
    /// Atomic number.
    pub(super) number: u8,
    /// Number of hydrogens bonded to it.
    pub(super) hydrogens: u8,
    /// True if it is in a ring.
    pub(super) in_ring: bool,
    /// Its bonds and the atoms at their other ends.
    pub(super) neighbours: Vec<(usize, usize)>,
}

/// A bond of order 1 to 3.
#[derive(Clone, Debug)]
pub(super) struct PlainBond {
    ends: [usize; 2],
    pub(super) order: u8,
}

impl Plain {
    /// Reads a connected graph; None if an atom is charged or of an unusual valence, or if a ring
    /// might be aromatic.
    pub(super) fn read(graph: &Graph) -> Option<Self> {
        let mut atoms = vec![PlainAtom::default(); graph.atoms.len()];
        let mut sums = vec![0; graph.atoms.len()];
        for (i, bond) in graph.bonds.iter().enumerate() {
            let [a, b] = bond.ends;
            for (end, other) in [(a, b), (b, a)] {
                atoms[end].neighbours.push((i, other));
                sums[end] += bond.order;
            }
        }
        for ((atom, read), sum) in atoms.iter_mut().zip(&graph.atoms).zip(sums) {
            let (number, known) = valences(read.symbol()).filter(|_| read.is_plain())?;
            let valence = known.iter().find(|valence| **valence >= sum)?;
            (atom.number, atom.hydrogens) = (number, valence - sum);
        }
        let bonds = graph.bonds.iter().map(|bond| PlainBond {
            ends: bond.ends,
            order: bond.order,
        });
        let mut plain = Self {
            rings: (graph.bonds.len() + 1).saturating_sub(atoms.len()),
            bonds: bonds.collect(),
            atoms,
            hash: 0,
        };
        if plain.rings > 0 && plain.may_be_aromatic() {
            return None;
        }
        plain.hash = plain.identity_hash();
        Some(plain)
    }

    /// Finds the atoms in rings. Returns true if some ring has only atoms of three neighbours at
    /// most: one with four is in no aromatic ring.
    fn may_be_aromatic(&mut self) -> bool {
        let mut pieces: Vec<usize> = (0..self.atoms.len()).collect();
        let mut closes_a_ring = false;
        for bond in 0..self.bonds.len() {
            let [a, b] = self.bonds[bond].ends;
            if !self.is_connected_without(bond) {
                continue;
            }
            self.atoms[a].in_ring = true;
            self.atoms[b].in_ring = true;
            let is_flat = |atom: usize| {
                let atom = &self.atoms[atom];
                atom.neighbours.len() + usize::from(atom.hydrogens) <= 3
            };
            if is_flat(a) && is_flat(b) {
                let (from, to) = (pieces[a], pieces[b]);
                closes_a_ring |= from == to;
                let joined = pieces.iter_mut().filter(|piece| **piece == from);
                joined.for_each(|piece| *piece = to);
            }
        }
        closes_a_ring
    }

    /// Returns true if a path leads from one end of a bond to the other without it.
    fn is_connected_without(&self, bond: usize) -> bool {
        let [from, to] = self.bonds[bond].ends;
        let mut is_reached = vec![false; self.atoms.len()];
        is_reached[from] = true;
        let mut open = vec![from];
        while let Some(atom) = open.pop() {
            for &(by, next) in &self.atoms[atom].neighbours {
                if by != bond && !is_reached[next] {
                    is_reached[next] = true;
                    open.push(next);
                }
            }
        }
        is_reached[to]
    }

    /// Hash of the colours to which the atoms are refined by those of their neighbours (B. Weisfeiler
    /// and A. Leman, Nauchno-Tekhnicheskaya Informatsia 2, 12, 1968), until no more differ.
    fn identity_hash(&self) -> u64 {
        let own = self.atoms.iter().map(|atom| {
            let ring = u64::from(atom.in_ring);
            mix(
                u64::from(atom.number),
                u64::from(atom.hydrogens) << 1 | ring,
            )
        });
        let mut colours: Vec<u64> = own.collect();
        let mut count = 0;
        loop {
            let mut sorted = colours.clone();
            sorted.sort_unstable();
            let hash = sorted.iter().fold(0, |hash, colour| mix(hash, *colour));
            sorted.dedup();
            if sorted.len() == count {
                return hash;
            }
            count = sorted.len();
            let refined = self.atoms.iter().zip(&colours).map(|(atom, colour)| {
                let around = atom.neighbours.iter();
                let around = around
                    .map(|&(bond, next)| mix(colours[next], u64::from(self.bonds[bond].order)));
                // A sum does not depend on the order.
                mix(*colour, around.fold(0, u64::wrapping_add))
            });
            colours = refined.collect();
        }
    }

    /// Returns true for two graphs of one molecule. Where there are no two independent rings equal
    /// colours say so.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (self.rings < 2
                || is_isomorphic_matching(
                    &self.labelled(),
                    &other.labelled(),
                    |a, b| a == b,
                    |a, b| a == b,
                ))
    }

    /// Hash that is equal for equal molecules.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    fn labelled(&self) -> UnGraph<(u8, u8), u8> {
        let mut graph = UnGraph::new_undirected();
        let labels = self.atoms.iter().map(|atom| (atom.number, atom.hydrogens));
        let nodes: Vec<_> = labels.map(|label| graph.add_node(label)).collect();
        for PlainBond {
            ends: [a, b],
            order,
        } in &self.bonds
        {
            graph.add_edge(nodes[*a], nodes[*b], *order);
        }
        graph
    }

    /// Indices of the set bits, ascending, of the Morgan fingerprint; None where that depends on the
    /// order of the atoms, or if there are more bonds than environments hold.
    pub(super) fn morgan_bits(&self, radius: u32, bits: usize) -> Option<Vec<u32>> {
        let centre = |atom: &PlainAtom| {
            let hydrogens = u32::from(atom.hydrogens);
            let degree = atom.neighbours.len() as u32 + hydrogens;
            let number = u32::from(atom.number);
            let mut centre =
                Centre::new(invariant_of(number, (degree, hydrogens), 0, atom.in_ring));
            let bonds = atom.neighbours.iter();
            let bonds = bonds.map(|&(bond, to)| (bond, to, u32::from(self.bonds[bond].order)));
            centre.bonds.extend(bonds);
            centre
        };
        if self.bonds.len() > MOST_BONDS {
            return None;
        }
        let centres: Vec<Centre> = self.atoms.iter().map(centre).collect();
        let grown = environments::grow(&centres, radius);
        let folded = grown.identifiers.into_iter().map(|e| e % bits as u32);
        let ones: BTreeSet<u32> = folded.collect();
        (!grown.depend_on_order).then(|| ones.into_iter().collect())
    }
}

/// Mixes two numbers into one (the finaliser of SplitMix64: Steele et al., OOPSLA 2014, 453).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = (a ^ b.rotate_left(32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30) ^ b).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
