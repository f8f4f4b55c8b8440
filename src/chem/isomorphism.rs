//! Graphs that are copies of each other: symmetric molecules have many edits that lead to the same
//! one, and to compare graphs is twenty times cheaper than to have the toolkit sanitise and name them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use petgraph::algo::is_isomorphic_matching;
use petgraph::graph::UnGraph;

use super::graph::Graph;

/// Bonds over which the surroundings of an atom are looked at before graphs are matched.
const RADIUS: usize = 4;

/// A graph whose atoms are described by their surroundings, and its bonds by their orders.
type Described = UnGraph<u64, u8>;

/// The graphs without those that are the same as one before: atoms of the same elements with the
/// same brackets, and bonds of the same orders between them. Their order changes.
pub(super) fn without_copies(graphs: Vec<Graph>) -> Vec<Graph> {
    let mut classes: BTreeMap<Vec<u64>, Vec<(Described, Graph)>> = BTreeMap::new();
    for graph in graphs {
        let surroundings = surroundings(&graph);
        let edges = graph.bonds.iter().map(|bond| {
            let [a, b] = bond.ends.map(|end| end as u32);
            (a, b, bond.order)
        });
        let mut described = Described::default();
        for atom in &surroundings {
            described.add_node(*atom);
        }
        described.extend_with_edges(edges);
        let mut sorted = surroundings;
        sorted.sort_unstable();
        let class = classes.entry(sorted).or_default();
        let is_copy = class.iter().any(|(other, _)| {
            is_isomorphic_matching(&described, other, |a, b| a == b, |a, b| a == b)
        });
        if !is_copy {
            class.push((described, graph));
        }
    }
    let all = classes.into_values().flatten();
    all.map(|(_, graph)| graph).collect()
}

/// A number for each atom, equal for atoms with equal surroundings.
fn surroundings(graph: &Graph) -> Vec<u64> {
    let atoms = graph.atoms.iter();
    let mut described: Vec<u64> = atoms
        .map(|atom| hash(&(atom.symbol(), atom.bracket())))
        .collect();
    for _ in 0..RADIUS {
        let mut neighbours: Vec<Vec<(u8, u64)>> = vec![Vec::new(); described.len()];
        for bond in &graph.bonds {
            let [a, b] = bond.ends;
            neighbours[a].push((bond.order, described[b]));
            neighbours[b].push((bond.order, described[a]));
        }
        let atoms = described.iter().zip(&mut neighbours);
        described = atoms
            .map(|(own, neighbours)| {
                neighbours.sort_unstable();
                hash(&(own, neighbours))
            })
            .collect();
    }
    described
}

/// A hash that is the same in every run.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::Molecule;
    use crate::chem::graph::GraphAtom;

    /// The distinct graphs with a carbon atom more.
    fn additions(smiles: &str) -> usize {
        let graph = Graph::from_molecule(&Molecule::parse(smiles).unwrap()).unwrap();
        let added = (0..graph.atoms.len())
            .map(|to| graph.with_atom(to, GraphAtom::free("C", 4), 1))
            .collect();
        without_copies(added).len()
    }

    #[test]
    fn symmetric_places_of_a_molecule_give_one_graph() {
        assert_eq!(additions("CCCCCCCCC"), 5);
        assert_eq!(additions("CC(C)(C)C"), 2);
        assert_eq!(additions("C12C3C4C1C5C2C3C45"), 1);
        // All atoms differ in what is further away.
        assert_eq!(additions("CCCCCCCCO"), 9);
        assert_eq!(additions("C[N+](C)(C)CC([O-])=O"), 6);
    }

    #[test]
    fn graphs_that_atoms_and_their_surroundings_do_not_tell_apart_are_kept() {
        // Every atom has two neighbours alike: a ring of ten, and two of five.
        let ring = |size: usize, from: usize| {
            (0..size).map(move |atom| (from + atom, from + (atom + 1) % size))
        };
        let graph = |bonds: Vec<(usize, usize)>| {
            let smiles = "C".repeat(10);
            let mut graph = Graph::from_molecule(&Molecule::parse(&smiles).unwrap()).unwrap();
            graph.bonds.clear();
            bonds
                .into_iter()
                .fold(graph, |graph, (a, b)| graph.with_bond([a, b], 1))
        };
        let one = graph(ring(10, 0).collect());
        let two = graph(ring(5, 0).chain(ring(5, 5)).collect());
        assert_eq!(without_copies(vec![one.clone(), two.clone(), one]).len(), 2);
    }
}
