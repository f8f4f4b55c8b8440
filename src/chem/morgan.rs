//! Morgan fingerprint of a graph (Rogers and Hahn, J. Chem. Inf. Model. 50, 742, 2010), with the
//! atom invariants, the hash and the rules for equal environments of RDKit.

use super::plain::{Plain, PlainAtom};

/// A set of bonds, by their places.
type BondSet = u128;

/// Identifiers of the atom environments of up to `radius` bonds, one for each distinct set of bonds.
///
/// Of atoms whose environments are one set of bonds the one with the least identifier goes on; the
/// others are left out, and count as zero for their neighbours. Of equal identifiers the first atom
/// goes on: None if such a choice matters, or if there are more bonds than a set holds.
pub(super) fn environments(molecule: &Plain, radius: u32) -> Option<Vec<u32>> {
    let atoms = &molecule.atoms;
    if molecule.bonds.len() > BondSet::BITS as usize {
        return None;
    }
    let mut identifiers: Vec<u32> = atoms.iter().map(invariant).collect();
    let mut found = identifiers.clone();
    let mut covered: Vec<BondSet> = vec![0; atoms.len()];
    let mut known: Vec<BondSet> = Vec::new();
    let mut is_live: Vec<bool> = atoms
        .iter()
        .map(|atom| !atom.neighbours.is_empty())
        .collect();
    // Atoms that were left out for another with the same identifier.
    let mut by_choice = vec![false; atoms.len()];
    for layer in 0..radius {
        let mut round: Vec<(BondSet, u32, usize)> = Vec::new();
        let mut next = vec![0; atoms.len()];
        for (i, atom) in atoms.iter().enumerate().filter(|(i, _)| is_live[*i]) {
            next[i] = layer_identifier(molecule, atom, layer, identifiers[i], &identifiers);
            let around = atom.neighbours.iter();
            let set = around.fold(covered[i], |set, &(bond, other)| {
                set | 1 << bond | covered[other]
            });
            round.push((set, next[i], i));
        }
        for (set, _, i) in &round {
            covered[*i] = *set;
        }
        round.sort_unstable();
        let mut last = None;
        for (set, identifier, i) in round {
            if known.contains(&set) {
                is_live[i] = false;
                by_choice[i] = last == Some((set, identifier));
                continue;
            }
            let mut around = atoms[i].neighbours.iter();
            if around.any(|(_, other)| by_choice[*other]) {
                return None;
            }
            known.push(set);
            found.push(identifier);
            last = Some((set, identifier));
        }
        identifiers = next;
    }
    Some(found)
}

/// Hash of element, degree, hydrogens, charge, isotope and ring membership.
fn invariant(atom: &PlainAtom) -> u32 {
    let degree = atom.neighbours.len() as u32 + u32::from(atom.hydrogens);
    let components = [
        u32::from(atom.number),
        degree,
        u32::from(atom.hydrogens),
        0,
        0,
    ];
    let in_ring = atom.in_ring.then_some(1);
    components.into_iter().chain(in_ring).fold(0, combine)
}

/// Hash of an atom's identifier and its bonds with the identifiers behind them.
fn layer_identifier(
    molecule: &Plain,
    atom: &PlainAtom,
    layer: u32,
    own: u32,
    identifiers: &[u32],
) -> u32 {
    let bonds = atom.neighbours.iter();
    let bonds =
        bonds.map(|&(bond, other)| (u32::from(molecule.bonds[bond].order), identifiers[other]));
    let mut bonds: Vec<(u32, u32)> = bonds.collect();
    bonds.sort_unstable();
    let bonds = bonds.into_iter();
    bonds.fold(combine(layer, own), |hash, (order, identifier)| {
        combine(hash, combine(combine(0, order), identifier))
    })
}

/// The `hash_combine` of Boost 1.56, of 32 bits.
fn combine(hash: u32, value: u32) -> u32 {
    let shifted = (hash << 6).wrapping_add(hash >> 2);
    hash ^ value.wrapping_add(0x9e37_79b9).wrapping_add(shifted)
}
