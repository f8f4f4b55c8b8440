//! Names of edits: the one by which a molecule became another, in words for people.

use std::collections::BTreeMap;

use super::Molecule;
use super::edit::valence;

/// Returns the edit of [`successors`](super::edit::successors) that leads from `parent` to `child`,
/// such as `adds O by a double bond`; None if one edit cannot lead there.
///
/// It follows from the numbers of atoms and bonds, which tell the kinds of edits apart.
pub fn edit_name(parent: &Molecule, child: &Molecule) -> Option<String> {
    let hydrogens = hydrogens(child) - hydrogens(parent);
    let bonds = bonds(child) - bonds(parent);
    let changed = changed_elements(parent, child);
    let changed: Vec<(&str, i64)> = changed.iter().map(|(e, n)| (e.as_str(), *n)).collect();
    match (changed.as_slice(), bonds) {
        // Each order of the new bond replaces a hydrogen of either atom.
        ([(element, 1)], 1) => {
            let bond = order_name((valence(element)? as i64 - hydrogens) / 2)?;
            Some(format!("adds {element} by a {bond} bond"))
        }
        ([(element, -1)], -1) => Some(format!("removes {element}")),
        ([(a, 1), (b, -1)] | [(b, -1), (a, 1)], 0) => Some(format!("replaces {b} by {a}")),
        ([], 1) => Some(format!(
            "closes a ring by a {} bond",
            order_name(-hydrogens / 2)?
        )),
        ([], -1) => Some("opens a ring".to_owned()),
        ([], 0) if hydrogens < 0 => Some("raises the order of a bond".to_owned()),
        ([], 0) if hydrogens > 0 => Some("lowers the order of a bond".to_owned()),
        _ => None,
    }
}

fn order_name(order: i64) -> Option<&'static str> {
    match order {
        1 => Some("single"),
        2 => Some("double"),
        3 => Some("triple"),
        _ => None,
    }
}

fn hydrogens(molecule: &Molecule) -> i64 {
    molecule.atom_count() as i64 - molecule.heavy_atoms().len() as i64
}

/// Number of bonds between heavy atoms.
fn bonds(molecule: &Molecule) -> i64 {
    molecule.heavy_bonds().len() as i64
}

/// Elements other than hydrogen of which `child` has more (positive) or fewer atoms.
fn changed_elements(parent: &Molecule, child: &Molecule) -> BTreeMap<String, i64> {
    let mut changed: BTreeMap<String, i64> = BTreeMap::new();
    for (molecule, sign) in [(child, 1), (parent, -1)] {
        for (element, count) in molecule.element_counts() {
            *changed.entry(element).or_default() += sign * count as i64;
        }
    }
    changed.retain(|element, count| element != "H" && *count != 0);
    changed
}
