//! The edits of a molecule that an agent may choose: the action set of MolDQN.
//!
//! Z. Zhou et al., Optimization of Molecules via Deep Reinforcement Learning, Sci. Rep. 9, 10752
//! (2019).

use std::collections::BTreeSet;

use super::Molecule;
use super::graph::{Graph, GraphAtom};

/// Limits of the search space that edits respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRules {
    /// Symbols of the elements to add; those without a [`valence`] are never added.
    pub elements: Vec<String>,
    /// Atoms other than hydrogen that a molecule may have.
    pub max_heavy_atoms: usize,
    /// Numbers of atoms that a newly closed ring may have.
    pub allowed_ring_sizes: Vec<usize>,
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
///   single uncharged atom, which is dropped.
///
/// New bonds replace hydrogens, except those fixed by a bracket (`[nH]`, `[NH3+]`). Bonds of
/// aromatic rings are kept; the others are edited in a Kekulé structure. Stereo is dropped. The
/// unchanged molecule, molecules that do not sanitise, and radicals, which no closed-shell engine
/// can compute, are left out.
pub fn successors(state: Option<&Molecule>, rules: &EditRules) -> Vec<Molecule> {
    let Some(molecule) = state else {
        return distinct(single_atoms(rules));
    };
    let Ok(graph) = Graph::from_molecule(molecule) else {
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

/// Parses each molecule from its canonical SMILES: fingerprints of two spellings of one molecule
/// may differ, and the agent's observation of a molecule must not depend on the spelling.
fn distinct(edits: Vec<Graph>) -> Vec<Molecule> {
    let parsed = edits
        .iter()
        .filter_map(|graph| Molecule::parse(&graph.smiles()?).ok());
    let names: BTreeSet<String> = parsed
        .filter(|molecule| molecule.radical_electrons() == 0)
        .map(|molecule| molecule.canonical_smiles())
        .collect();
    names
        .iter()
        .filter_map(|name| Molecule::parse(name).ok())
        .collect()
}
