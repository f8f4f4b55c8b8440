//! A molecule that an edit leads to, as its graph until more is asked of it.

use std::collections::{BTreeSet, HashMap};

use super::Molecule;
use super::graph::Graph;
use super::plain::Plain;

/// A molecule one edit away from another.
#[derive(Clone, Debug)]
pub struct Neighbour {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// One that needs no toolkit.
    Graph(Graph, Plain),
    /// Canonical SMILES.
    Name(String),
}

impl Neighbour {
    /// Canonical SMILES, by the toolkit.
    pub fn smiles(&self) -> String {
        match &self.form {
            Form::Name(name) => name.clone(),
            Form::Graph(graph, _) => {
                name(graph).expect("ordinary valences are those of a molecule")
            }
        }
    }

    /// Indices of the set bits, ascending, of the Morgan fingerprint, equal to those of
    /// [`Molecule::morgan_bits`] for the molecule read from its canonical SMILES.
    pub fn morgan_bits(&self, radius: u32, bits: usize) -> Vec<u32> {
        let quick = match &self.form {
            Form::Graph(_, plain) => plain.morgan_bits(radius, bits),
            Form::Name(_) => None,
        };
        quick.unwrap_or_else(|| {
            let molecule = Molecule::parse(&self.smiles());
            let molecule = molecule.expect("canonical SMILES is that of a molecule");
            molecule.morgan_bits(radius, bits)
        })
    }
}

/// The distinct molecules among the graphs, as they come. Those that do not sanitise, and radicals,
/// are left out.
pub(super) fn distinct(graphs: Vec<Graph>) -> Vec<Neighbour> {
    let mut found: Vec<Neighbour> = Vec::new();
    let mut names = BTreeSet::new();
    // Places of the molecules with a hash.
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    // An atom in brackets is the same without, in rare cases, so then only names tell.
    let is_plain = |graph: &Graph| graph.atoms.iter().all(|atom| atom.is_plain());
    let all_plain = graphs.iter().all(is_plain);
    for graph in graphs {
        match Plain::read(&graph).filter(|_| all_plain) {
            Some(plain) => {
                let same_hash = places.entry(plain.hash()).or_default();
                let is_known = |place: &usize| match &found[*place].form {
                    Form::Graph(_, known) => known.is(&plain),
                    Form::Name(_) => false,
                };
                if !same_hash.iter().any(is_known) {
                    same_hash.push(found.len());
                    let form = Form::Graph(graph, plain);
                    found.push(Neighbour { form });
                }
            }
            None => {
                if let Some(name) = name(&graph)
                    && names.insert(name.clone())
                {
                    let form = Form::Name(name);
                    found.push(Neighbour { form });
                }
            }
        }
    }
    found
}

/// Canonical SMILES of a graph; None if it does not sanitise, or is a radical.
fn name(graph: &Graph) -> Option<String> {
    let molecule = Molecule::parse(&graph.smiles()?).ok()?;
    (molecule.radical_electrons() == 0).then(|| molecule.canonical_smiles())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::edit::{EditRules, neighbours};

    #[test]
    fn the_toolkit_names_what_is_charged_or_might_be_aromatic_and_nothing_else() {
        let rules = EditRules {
            elements: ["C", "N", "O", "F"].map(String::from).to_vec(),
            max_heavy_atoms: 9,
            allowed_ring_sizes: vec![3, 4, 5, 6],
            replace_elements: false,
        };
        let named = |smiles: &str| {
            let around = neighbours(Some(&Molecule::parse(smiles).unwrap()), &rules);
            let named = around
                .iter()
                .filter(|one| matches!(one.form, Form::Name(_)));
            (named.count(), around.len())
        };
        for plain in ["CCO", "C1CC1", "CC(=O)NC", "C1CC2CC1C2", "C=CC1CC1C#N"] {
            let (by_name, all) = named(plain);
            assert!(by_name * 10 <= all, "{plain}: {by_name} of {all}");
        }
        for other in ["c1ccccc1", "C[N+](=O)[O-]", "c1cc[nH]c1"] {
            let (by_name, all) = named(other);
            assert_eq!(by_name, all, "{other}");
        }
    }
}
