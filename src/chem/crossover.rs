//! Crossover of two molecules: each is cut in two, and a half of one is bonded to a half of the
//! other, as in the graph-based genetic algorithm of J. H. Jensen, Chem. Sci. 10, 3567 (2019).

use std::collections::BTreeSet;

use super::Molecule;
use super::edit::canonical_names;
use super::graph::{Bond, Graph};

/// A molecule cut in two.
#[derive(Clone, Debug)]
pub struct Cut {
    halves: [Half; 2],
    /// Orders of the bonds that were cut.
    orders: Vec<u8>,
}

/// One half of a molecule.
#[derive(Clone, Debug)]
struct Half {
    graph: Graph,
    /// Atom of this half at each bond that was cut.
    ends: Vec<usize>,
}

impl Cut {
    /// True for a cut through two bonds of a ring.
    pub fn opens_ring(&self) -> bool {
        self.orders.len() == 2
    }
}

/// All cuts of a Kekulé structure of the molecule that leave two pieces: of a single bond outside
/// of rings, and of two bonds of a ring. Their order depends only on the canonical SMILES; none if
/// the molecule has no Kekulé structure.
pub fn cuts(molecule: &Molecule) -> Vec<Cut> {
    let Ok(graph) = Graph::from_molecule(molecule) else {
        return Vec::new();
    };
    let mut cuts = Vec::new();
    for first in 0..graph.bonds.len() {
        if let Some(side) = side(&graph, &[first]) {
            if graph.bonds[first].order == 1 {
                cuts.push(cut(&graph, &[first], &side));
            }
            continue;
        }
        // Without `first`, which is in a ring, one piece remains; without `second` at most two.
        for second in first + 1..graph.bonds.len() {
            if let Some(side) = side(&graph, &[first, second])
                && crosses(&graph.bonds[first], &side)
                && crosses(&graph.bonds[second], &side)
            {
                cuts.push(cut(&graph, &[first, second], &side));
            }
        }
    }
    cuts
}

/// Canonical SMILES of the molecules of a half of each cut, of `max_heavy_atoms` at most; none if one
/// cut is of a ring and the other is not. A new bond has the lower order of the two that were cut,
/// so no atom has more bonds than before.
pub fn children(first: &Cut, second: &Cut, max_heavy_atoms: usize) -> BTreeSet<String> {
    let count = first.orders.len();
    if count != second.orders.len() {
        return BTreeSet::new();
    }
    let mut graphs = Vec::new();
    for one in &first.halves {
        for other in &second.halves {
            if one.graph.atoms.len() + other.graph.atoms.len() > max_heavy_atoms {
                continue;
            }
            // Two bonds can be paired in two ways.
            for shift in 0..count {
                let pairs = (0..count).map(|bond| (bond, (bond + shift) % count));
                graphs.extend(joined((one, &first.orders), (other, &second.orders), pairs));
            }
        }
    }
    canonical_names(graphs)
}

/// Two halves bonded at pairs of their ends; None if two bonds would join the same two atoms.
fn joined(
    (one, orders): (&Half, &[u8]),
    (other, other_orders): (&Half, &[u8]),
    pairs: impl Iterator<Item = (usize, usize)>,
) -> Option<Graph> {
    let mut graph = one.graph.clone();
    let offset = graph.atoms.len();
    graph.atoms.extend(other.graph.atoms.iter().cloned());
    let moved = other.graph.bonds.iter().map(|bond| Bond {
        ends: bond.ends.map(|atom| atom + offset),
        ..*bond
    });
    graph.bonds.extend(moved);
    for (bond, other_bond) in pairs {
        let ends = [one.ends[bond], other.ends[other_bond] + offset];
        if graph.bond_between(ends[0], ends[1]).is_some() {
            return None;
        }
        graph = graph.with_bond(ends, orders[bond].min(other_orders[other_bond]));
    }
    Some(graph)
}

/// True for each atom on the side of the first end of the first of the removed bonds; None if all
/// are.
fn side(graph: &Graph, removed: &[usize]) -> Option<Vec<bool>> {
    let mut rest = graph.clone();
    let mut place = 0;
    rest.bonds.retain(|_| {
        place += 1;
        !removed.contains(&(place - 1))
    });
    let distances = rest.distances(graph.bonds[removed[0]].ends[0]);
    let side: Vec<bool> = distances.iter().map(Option::is_some).collect();
    side.contains(&false).then_some(side)
}

fn crosses(bond: &Bond, side: &[bool]) -> bool {
    side[bond.ends[0]] != side[bond.ends[1]]
}

fn cut(graph: &Graph, removed: &[usize], side: &[bool]) -> Cut {
    let half = |inside: bool| Half {
        graph: graph.subgraph(|atom| side[atom] == inside),
        ends: (removed.iter())
            .map(|bond| {
                let ends = graph.bonds[*bond].ends;
                let end = if side[ends[0]] == inside {
                    ends[0]
                } else {
                    ends[1]
                };
                side[..end].iter().filter(|other| **other == inside).count()
            })
            .collect(),
    };
    Cut {
        halves: [half(true), half(false)],
        orders: removed
            .iter()
            .map(|bond| graph.bonds[*bond].order)
            .collect(),
    }
}
