//! Bonds between the heavy atoms of a molecule, and shortest paths along them.

use std::collections::VecDeque;

use super::{BondKind, Molecule};

/// A bond between heavy atoms, `from` < `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeavyBond {
    /// Kind of the bond.
    pub kind: BondKind,
    /// Index of its first atom in [`Molecule::heavy_atoms`].
    pub from: usize,
    /// Index of its second atom.
    pub to: usize,
}

impl Molecule {
    /// Bonds between heavy atoms, by their first atom.
    pub fn heavy_bonds(&self) -> Vec<HeavyBond> {
        let ends = self.heavy_atoms().iter().enumerate();
        let ends = ends.flat_map(|(from, atom)| {
            let neighbours = atom.neighbours.iter();
            neighbours.map(move |&(kind, to)| HeavyBond { kind, from, to })
        });
        ends.filter(|bond| bond.from < bond.to).collect()
    }

    /// Number of bonds on the shortest path from a heavy atom to each one, along bonds from one
    /// atom to another that `may_use` accepts; None without a path.
    pub fn distances(
        &self,
        from: usize,
        may_use: impl Fn(usize, usize) -> bool,
    ) -> Vec<Option<usize>> {
        let atoms = self.heavy_atoms();
        let mut steps = vec![None; atoms.len()];
        steps[from] = Some(0);
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((at, count)) = queue.pop_front() {
            for &(_, next) in &atoms[at].neighbours {
                if steps[next].is_none() && may_use(at, next) {
                    steps[next] = Some(count + 1);
                    queue.push_back((next, count + 1));
                }
            }
        }
        steps
    }
}
