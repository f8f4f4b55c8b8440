//! The edits an agent may make: the action set of MolDQN.
//!
//! Z. Zhou et al., Optimization of Molecules via Deep Reinforcement Learning, Sci. Rep. 9, 10752
//! (2019).

use std::collections::BTreeSet;

use super::Molecule;
use super::graph::{Atom, Graph};

/// Limits of edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRules {
    /// Symbols of the elements to add; those that [`valence`] does not know are never added.
    pub elements: Vec<String>,
    pub max_heavy_atoms: usize,
    /// Sizes that a newly closed ring may have.
    pub allowed_ring_sizes: Vec<usize>,
}

/// The most bonds of an uncharged added atom, none for an element that cannot be added.
pub fn valence(symbol: &str) -> Option<usize> {
    match symbol {
        "C" => Some(4),
        "B" | "N" | "P" => Some(3),
        "O" | "S" => Some(2),
        "F" | "Cl" | "Br" | "I" => Some(1),
        _ => None,
    }
}

/// Every molecule one edit away, distinct, sorted by canonical SMILES.
///
/// From nothing: one atom of each element. Otherwise: an atom added by a bond of order 1 to 3; a
/// bond raised, or two atoms joined, by 1 to 3, a new ring being of an allowed size; a bond
/// lowered, or removed if one piece remains or the rest is a single uncharged atom, which is
/// dropped. A bond costs hydrogens: those that no bracket fixes (not `[nH]`, not `[NH3+]`). Bonds
/// of aromatic rings stay; a Kekulé structure decides what the others may become. Stereo is given
/// up. Not in the set: staying unchanged, and what does not sanitise or is a radical, which no
/// closed-shell engine can compute.
pub fn successors(state: Option<&Molecule>, rules: &EditRules) -> Vec<Molecule> {
    let Some(molecule) = state else {
        return distinct(single_atoms(rules));
    };
    let Ok(graph) = Graph::of(molecule) else {
        return Vec::new();
    };
    let mut edits = additions(&graph, rules);
    edits.extend(raised_and_joined(&graph, rules));
    edits.extend(lowered_and_cut(&graph));
    distinct(edits)
}

fn single_atoms(rules: &EditRules) -> Vec<Graph> {
    let atoms = new_atoms(rules).map(|(atom, _)| Graph {
        atoms: vec![atom],
        bonds: Vec::new(),
    });
    atoms.filter(|_| rules.max_heavy_atoms > 0).collect()
}

fn new_atoms(rules: &EditRules) -> impl Iterator<Item = (Atom, u8)> {
    rules.elements.iter().filter_map(|symbol| {
        let valence = valence(symbol)? as u8;
        Some((Atom::free(symbol, valence), valence))
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

/// Each molecule is read again from its name: the fingerprint of one that is written in two ways
/// may differ between them, and what the agent sees of a molecule must follow from the molecule.
fn distinct(edits: Vec<Graph>) -> Vec<Molecule> {
    let written = edits
        .iter()
        .filter_map(|graph| Molecule::parse(&graph.smiles()?).ok());
    let names: BTreeSet<String> = written
        .filter(|molecule| molecule.radical_electrons() == 0)
        .map(|molecule| molecule.canonical_smiles())
        .collect();
    names
        .iter()
        .filter_map(|name| Molecule::parse(name).ok())
        .collect()
}
