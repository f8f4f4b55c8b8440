//! Single edits of a molecule: the action set of MolDQN, and the replacement of an element.
//!
//! Z. Zhou et al., Optimization of Molecules via Deep Reinforcement Learning, Sci. Rep. 9, 10752
//! (2019).

use std::collections::BTreeSet;

use super::graph::{Graph, GraphAtom};
use super::neighbour::{Neighbour, distinct};
use super::{Molecule, StructureRules};

/// Limits of the search space that edits respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRules {
    /// Symbols of the elements to add; those without a [`valence`] are never added.
    pub elements: Vec<String>,
    /// Atoms other than hydrogen that a molecule may have.
    pub max_heavy_atoms: usize,
    /// Numbers of atoms that a newly closed ring may have, and each ring of a proposed molecule.
    pub allowed_ring_sizes: Vec<usize>,
    /// True if an atom may be replaced by one of another element, an edit that MolDQN as published
    /// does not have.
    pub replace_elements: bool,
}

impl EditRules {
    /// Returns true for a molecule that may be proposed: its elements, its size and each ring of its
    /// smallest set are allowed. An edit may lead to others, because it looks at the ring that it
    /// closes alone: to remove the bond that two rings share makes a larger ring.
    pub fn permits(&self, molecule: &Molecule) -> bool {
        let rules = StructureRules {
            elements: self.elements.clone(),
            max_heavy_atoms: self.max_heavy_atoms,
            ring_sizes: self.allowed_ring_sizes.clone(),
            radicals: true,
            ..StructureRules::default()
        };
        rules.violation(molecule).is_none()
    }
}

/// Number of bonds that an added, uncharged atom can form; None for elements that are never added.
pub fn valence(symbol: &str) -> Option<usize> {
    match symbol {
        "C" => Some(4),
        "B" | "N" | "P" => Some(3),
        "O" | "S" => Some(2),
        "F" | "Cl" | "Br" | "I" => Some(1),
        _ => None,
    }
}

/// All molecules one edit away from `state`, distinct, sorted by canonical SMILES.
///
/// From nothing (None): one atom of each element. From a molecule:
///
/// * an atom is added by a bond of order 1 to 3;
/// * the order of a bond is raised, or two atoms are bonded, by 1 to 3; a new ring has an allowed
///   size;
/// * the order of a bond is lowered, or the bond is removed, if one piece remains or the other is a
///   single uncharged atom, which is dropped;
/// * with [`EditRules::replace_elements`], an uncharged atom becomes one of another element that
///   can form its bonds; in aromatic rings it has those of a Kekulé structure.
///
/// New bonds replace hydrogens, except those fixed by a bracket (`[nH]`, `[NH3+]`). Bonds of
/// aromatic rings are kept; the others are edited in a Kekulé structure. Stereo is dropped. The
/// unchanged molecule, molecules that do not sanitise, and radicals, which no closed-shell engine
/// can compute, are left out.
pub fn successors(state: Option<&Molecule>, rules: &EditRules) -> Vec<Molecule> {
    let names = successor_names(state, rules);
    let molecules = names.iter().filter_map(|name| Molecule::parse(name).ok());
    molecules.collect()
}

/// Canonical SMILES of the [`successors`] of `state`: cheaper where most of them are known.
pub fn successor_names(state: Option<&Molecule>, rules: &EditRules) -> BTreeSet<String> {
    let all = neighbours(state, rules).into_iter();
    all.map(|neighbour| neighbour.smiles()).collect()
}

/// The [`successors`] of `state`, in an order that depends only on its canonical SMILES. Most are
/// told apart on their graphs: they have no SMILES before it is asked for.
pub fn neighbours(state: Option<&Molecule>, rules: &EditRules) -> Vec<Neighbour> {
    let graphs = match state.map(Graph::from_molecule) {
        None => single_atoms(rules),
        Some(Ok(graph)) => edits(&graph, rules),
        Some(Err(_)) => return Vec::new(),
    };
    distinct(graphs)
}

fn edits(graph: &Graph, rules: &EditRules) -> Vec<Graph> {
    let mut edits = additions(graph, rules);
    edits.extend(raised_and_joined(graph, rules));
    edits.extend(lowered_and_cut(graph));
    if rules.replace_elements {
        edits.extend(replacements(graph, rules));
    }
    edits
}

fn single_atoms(rules: &EditRules) -> Vec<Graph> {
    let atoms = new_atoms(rules).map(|(atom, _)| Graph {
        atoms: vec![atom],
        bonds: Vec::new(),
    });
    atoms.filter(|_| rules.max_heavy_atoms > 0).collect()
}

fn new_atoms(rules: &EditRules) -> impl Iterator<Item = (GraphAtom, u8)> {
    rules.elements.iter().filter_map(|symbol| {
        let valence = valence(symbol)? as u8;
        Some((GraphAtom::free(symbol, valence), valence))
    })
}

fn additions(graph: &Graph, rules: &EditRules) -> Vec<Graph> {
    let mut edits = Vec::new();
    if graph.atoms.len() >= rules.max_heavy_atoms {
        return edits;
    }
    for (to, old) in graph.atoms.iter().enumerate() {
        for (atom, valence) in new_atoms(rules) {
            for order in 1..=3.min(valence).min(old.free) {
                edits.push(graph.with_atom(to, atom.clone(), order));
            }
        }
    }
    edits
}

fn raised_and_joined(graph: &Graph, rules: &EditRules) -> Vec<Graph> {
    let mut edits = Vec::new();
    for a in 0..graph.atoms.len() {
        for (b, distance) in graph.distances(a).into_iter().enumerate().skip(a + 1) {
            let most = 3.min(graph.atoms[a].free).min(graph.atoms[b].free);
            if let Some(i) = graph.bond_between(a, b) {
                let bond = &graph.bonds[i];
                let orders = bond.order + 1..=3.min(bond.order + most);
                if !bond.aromatic {
                    edits.extend(orders.map(|order| graph.with_order(i, order)));
                }
            } else if distance.is_some_and(|d| rules.allowed_ring_sizes.contains(&(d + 1))) {
                // A ring has one atom more than the path it closes has bonds.
                edits.extend((1..=most).map(|order| graph.with_bond([a, b], order)));
            }
        }
    }
    edits
}

fn lowered_and_cut(graph: &Graph) -> Vec<Graph> {
    let mut edits = Vec::new();
    for (i, bond) in graph
        .bonds
        .iter()
        .enumerate()
        .filter(|(_, bond)| !bond.aromatic)
    {
        edits.extend((1..bond.order).map(|order| graph.with_order(i, order)));
        match graph.cut(i).as_slice() {
            [one] => edits.push(one.clone()),
            pieces => {
                for (piece, rest) in pieces.iter().zip(pieces.iter().rev()) {
                    if matches!(rest.atoms.as_slice(), [atom] if atom.is_plain()) {
                        edits.push(piece.clone());
                    }
                }
            }
        }
    }
    edits
}

fn replacements(graph: &Graph, rules: &EditRules) -> Vec<Graph> {
    let mut edits = Vec::new();
    for (at, old) in graph.atoms.iter().enumerate() {
        let bonds = graph.bond_orders(at);
        for (atom, valence) in new_atoms(rules) {
            if old.is_uncharged() && old.symbol() != atom.symbol() && bonds <= valence {
                edits.push(graph.with_element(at, atom));
            }
        }
    }
    edits
}

/// Canonical SMILES of the graphs that sanitise and are no radicals. Molecules are parsed from these
/// again: fingerprints of two spellings of one molecule may differ, and the agent's observation of a
/// molecule must not depend on the spelling.
pub(super) fn canonical_names(graphs: Vec<Graph>) -> BTreeSet<String> {
    let all = distinct(graphs).into_iter();
    all.map(|neighbour| neighbour.smiles()).collect()
}
