//! Comparison of the bonds in a geometry, by distances, with those of the molecular graph.

use std::collections::BTreeMap;

use petgraph::algo::is_isomorphic_matching;
use petgraph::graph::UnGraph;

use super::{ChemError, Geometry, Molecule};

/// Longest distance of atoms that the graph bonds, as a multiple of the sum of their covalent
/// radii: 2.05 angstrom for C-C, 1.39 for N-H.
const BROKEN: f64 = 1.35;
/// Distance below which atoms that the graph does not bond count as bonded, as such a multiple:
/// 1.67 angstrom for C-C, 1.52 for O-O. Smaller than [`BROKEN`], since atoms across a small cage
/// come as near as 1.7 angstrom without a bond.
const FORMED: f64 = 1.10;

/// Single-bond covalent radius, angstrom.
///
/// B. Cordero et al., Dalton Trans. 2832 (2008), table 2.
pub(super) fn covalent_radius(symbol: &str) -> Option<f64> {
    Some(match symbol {
        "H" => 0.31,
        "B" => 0.84,
        "C" => 0.76,
        "N" => 0.71,
        "O" => 0.66,
        "F" => 0.57,
        "Si" => 1.11,
        "P" => 1.07,
        "S" => 1.05,
        "Cl" => 1.02,
        "Br" => 1.20,
        "I" => 1.39,
        _ => return None,
    })
}

/// Description of the bonds in which `geometry` differs from `molecule`; None if they are those of
/// the graph, up to permutations of equivalent atoms, or if the radius of an element is not known.
/// The atoms are in the order of [`super::embed`].
///
/// # Errors
///
/// The hydrogens of the molecule cannot be placed.
pub fn rearrangement(
    molecule: &Molecule,
    geometry: &Geometry,
) -> Result<Option<String>, ChemError> {
    let mut counts = BTreeMap::new();
    for (symbol, _) in &geometry.atoms {
        *counts.entry(symbol.clone()).or_insert(0) += 1;
    }
    if counts != molecule.element_counts() {
        return Ok(Some("has other atoms".to_owned()));
    }
    let expected = molecule.bonds_with_hydrogens()?;
    let atoms = &geometry.atoms;
    let symbols: Vec<&str> = atoms.iter().map(|(symbol, _)| symbol.as_str()).collect();
    let Some(found) = bonds(geometry, &expected) else {
        return Ok(None);
    };
    if found == expected {
        return Ok(None);
    }
    let graph = |bonds: &[(usize, usize)]| -> UnGraph<&str, ()> {
        let mut graph = UnGraph::new_undirected();
        let nodes: Vec<_> = symbols
            .iter()
            .map(|symbol| graph.add_node(*symbol))
            .collect();
        for (a, b) in bonds {
            graph.add_edge(nodes[*a], nodes[*b], ());
        }
        graph
    };
    if is_isomorphic_matching(
        &graph(&found),
        &graph(&expected),
        |a, b| a == b,
        |(), ()| true,
    ) {
        return Ok(None);
    }
    let list = |bonds: Vec<&(usize, usize)>| {
        let names = bonds
            .iter()
            .map(|(a, b)| format!("{}{}-{}{}", symbols[*a], a + 1, symbols[*b], b + 1));
        names.collect::<Vec<_>>().join(", ")
    };
    let lost: Vec<_> = expected
        .iter()
        .filter(|bond| !found.contains(bond))
        .collect();
    let new: Vec<_> = found
        .iter()
        .filter(|bond| !expected.contains(bond))
        .collect();
    let parts = [("lost the bonds", lost), ("formed the bonds", new)];
    let parts = parts.into_iter().filter(|(_, bonds)| !bonds.is_empty());
    let parts: Vec<_> = parts
        .map(|(change, bonds)| format!("{change} {}", list(bonds)))
        .collect();
    Ok(Some(parts.join(" and ")))
}

/// Returns true if the bonds in `geometry`, by distances, are exactly those of the graph, atom by
/// atom in the order of [`super::embed`]; false also if the radius of an element is not known.
pub(super) fn has_bonds_of(molecule: &Molecule, geometry: &Geometry) -> bool {
    let expected = molecule.bonds_with_hydrogens();
    expected.is_ok_and(|expected| bonds(geometry, &expected) == Some(expected))
}

/// Pairs of bonded atoms, the smaller index first, ascending; None if the radius of an element is
/// not known.
fn bonds(geometry: &Geometry, expected: &[(usize, usize)]) -> Option<Vec<(usize, usize)>> {
    let atoms = &geometry.atoms;
    let radii = atoms.iter().map(|(symbol, _)| covalent_radius(symbol));
    let radii = radii.collect::<Option<Vec<f64>>>()?;
    // Distance as a multiple of the sum of the radii.
    let ratio = |a: usize, b: usize| {
        let squares = (0..3).map(|x| (atoms[a].1[x] - atoms[b].1[x]).powi(2));
        squares.sum::<f64>().sqrt() / (radii[a] + radii[b])
    };
    let is_hydrogen = |atom: usize| atoms[atom].0 == "H";
    let nearest = |atom: usize| {
        let others = (0..atoms.len()).filter(|other| *other != atom);
        others.min_by(|a, b| ratio(atom, *a).total_cmp(&ratio(atom, *b)))
    };
    let mut found = Vec::new();
    for a in 0..atoms.len() {
        for b in a + 1..atoms.len() {
            let is_expected = expected.binary_search(&(a, b)).is_ok();
            let near = ratio(a, b)
                < if is_expected || is_hydrogen(a) || is_hydrogen(b) {
                    BROKEN
                } else {
                    FORMED
                };
            // A proton between two atoms belongs to the nearer one.
            let is_its_own = |h: usize, other: usize| !is_hydrogen(h) || nearest(h) == Some(other);
            if near && is_its_own(a, b) && is_its_own(b, a) {
                found.push((a, b));
            }
        }
    }
    Some(found)
}
