//! A molecule: one connected, sanitised graph, read from SMILES.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use cosmolkit::{
    BondOrder, MorganFingerprintParams, SmilesError, SmilesParseParams, SmilesWriteParams,
};

use super::environments::environments;
use super::{ChemError, canonical};

/// One connected molecule with its valences and aromaticity perceived.
#[derive(Clone)]
pub struct Molecule {
    /// The toolkit's molecule; of one that was read from canonical SMILES not before it is needed.
    inner: OnceLock<cosmolkit::Molecule>,
    heavy_atoms: Vec<HeavyAtom>,
    /// Hydrogens that are atoms of the graph: isotopes, and molecular hydrogen.
    explicit_hydrogens: usize,
    /// All other hydrogens.
    implicit_hydrogens: usize,
    /// Formal charges of the atoms that have one.
    charges: Vec<i8>,
    radical_electrons: usize,
    has_isotopes: bool,
    canonical: OnceLock<String>,
}

/// An atom other than hydrogen; its degree is `neighbours.len()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeavyAtom {
    /// Symbol of the element.
    pub symbol: String,
    /// Number of hydrogens bonded to it.
    pub hydrogens: usize,
    /// Formal charge.
    pub charge: i8,
    /// Bonds to other heavy atoms, and the indices of those in [`Molecule::heavy_atoms`].
    pub neighbours: Vec<(BondKind, usize)>,
}

/// Kind of a bond in RDKit's aromaticity model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BondKind {
    /// Order 1.
    Single,
    /// Order 2.
    Double,
    /// Order 3.
    Triple,
    /// Order 1.5, in an aromatic ring.
    Aromatic,
}

/// Length limit of SMILES, in bytes: the toolkit's time and stack grow with it, and molecules of a
/// hundred atoms need much less.
const LONGEST: usize = 10_000;

impl Molecule {
    /// Parses SMILES of one molecule. Charges and radicals are accepted; see [`Molecule::charge`]
    /// and [`Molecule::radical_electrons`].
    ///
    /// # Errors
    ///
    /// The text is not SMILES, is too long, or denotes several molecules, a wildcard atom, an
    /// impossible valence or a kind of bond that is not modelled.
    pub fn parse(smiles: &str) -> Result<Self, ChemError> {
        let unreadable = |reason: String| ChemError::Unreadable {
            smiles: smiles.to_owned(),
            reason,
        };
        if smiles.is_empty() {
            return Err(unreadable("it is empty".into()));
        }
        if smiles.len() > LONGEST {
            let shown = &smiles[..smiles.floor_char_boundary(40)];
            return Err(ChemError::TooLong {
                smiles: format!("{shown}..."),
                longest: LONGEST,
            });
        }
        // Text after a blank is a name or an extension, which would change the molecule: callers
        // split lines themselves.
        if smiles.contains(|c: char| c.is_whitespace() || !c.is_ascii()) {
            return Err(unreadable(
                "SMILES has neither blanks nor letters outside ASCII".into(),
            ));
        }
        Self::from_graph(read_smiles(smiles)?, smiles)
    }

    /// Reads canonical SMILES that this program wrote, in a few microseconds.
    ///
    /// # Errors
    ///
    /// The text is not SMILES of one molecule.
    pub fn from_canonical(smiles: &str) -> Result<Self, ChemError> {
        let Some(heavy_atoms) = canonical::read(smiles) else {
            return Self::parse(smiles);
        };
        let charges = heavy_atoms.iter().map(|atom| atom.charge);
        Ok(Self {
            inner: OnceLock::new(),
            explicit_hydrogens: 0,
            implicit_hydrogens: heavy_atoms.iter().map(|atom| atom.hydrogens).sum(),
            charges: charges.filter(|charge| *charge != 0).collect(),
            radical_electrons: 0,
            has_isotopes: false,
            heavy_atoms,
            canonical: OnceLock::from(smiles.to_owned()),
        })
    }

    /// Canonical SMILES, equal to RDKit's.
    pub fn canonical_smiles(&self) -> String {
        self.canonical
            .get_or_init(|| write_smiles(self.inner(), &SmilesWriteParams::default()))
            .clone()
    }

    /// Net charge in elementary charges.
    pub fn charge(&self) -> i32 {
        self.charges.iter().map(|charge| i32::from(*charge)).sum()
    }

    /// Returns true if the heavy atoms do not tell all: of isotopes, and of hydrogens that are atoms
    /// of the graph.
    pub(super) fn has_special_atoms(&self) -> bool {
        self.has_isotopes || self.explicit_hydrogens > 0
    }

    /// Returns true if an atom is charged, as in a zwitterion.
    pub(super) fn has_charged_atoms(&self) -> bool {
        !self.charges.is_empty()
    }

    /// Number of electrons, those of hydrogens included.
    pub fn electrons(&self) -> usize {
        let atoms = self.heavy_atoms.iter();
        let protons = atoms.map(|atom| atomic_number(&atom.symbol).map_or(0, usize::from));
        // A nucleus cannot lose more electrons than it has protons in any SMILES that sanitises,
        // but `[H+5]` reads.
        let protons = protons.sum::<usize>() + self.hydrogens();
        protons.saturating_add_signed(-self.charge() as isize)
    }

    /// Number of unpaired electrons according to the valences.
    pub fn radical_electrons(&self) -> usize {
        self.radical_electrons
    }

    /// Atoms other than hydrogen, in the order of the SMILES.
    pub fn heavy_atoms(&self) -> &[HeavyAtom] {
        &self.heavy_atoms
    }

    /// Number of atoms, hydrogens included.
    pub fn atom_count(&self) -> usize {
        self.heavy_atoms.len() + self.hydrogens()
    }

    fn hydrogens(&self) -> usize {
        self.explicit_hydrogens + self.implicit_hydrogens
    }

    /// Number of atoms of each element, by symbol, hydrogens included.
    pub fn element_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for atom in &self.heavy_atoms {
            *counts.entry(atom.symbol.clone()).or_insert(0) += 1;
        }
        if self.hydrogens() > 0 {
            counts.insert("H".to_owned(), self.hydrogens());
        }
        counts
    }

    /// Indices of the set bits, ascending, of the Morgan fingerprint of `bits` bits and `radius`
    /// bonds (Rogers and Hahn, J. Chem. Inf. Model. 50, 742, 2010), equal to RDKit's.
    pub fn morgan_bits(&self, radius: u32, bits: usize) -> Vec<u32> {
        let environments = self.morgan_counts(radius).into_iter();
        let bits: BTreeSet<u32> = environments
            .map(|(environment, _)| (environment % bits as u64) as u32)
            .collect();
        bits.into_iter().collect()
    }

    /// Atom environments of up to `radius` bonds with their numbers, by ascending identifier: the
    /// Morgan fingerprint of counts without folding (Rogers and Hahn, J. Chem. Inf. Model. 50, 742,
    /// 2010), equal to RDKit's.
    pub fn morgan_counts(&self, radius: u32) -> Vec<(u64, u32)> {
        if let Some(mut environments) = environments(self, radius) {
            environments.sort_unstable();
            let equal = environments.chunk_by(|a, b| a == b);
            let count = |equal: &[u32]| (u64::from(equal[0]), equal.len() as u32);
            return equal.map(count).collect();
        }
        let mut params = MorganFingerprintParams::default();
        params.generator.radius = radius;
        let counts = self
            .inner()
            .fingerprint_morgan_sparse_count_with_params(&params, None)
            .expect("a sanitised molecule has a fingerprint");
        let counts = counts.nonzero_elements().iter();
        counts
            .map(|(environment, count)| (*environment, count.unsigned_abs()))
            .collect()
    }

    /// Number of atoms with a positive formal charge.
    pub fn cations(&self) -> usize {
        self.charges.iter().filter(|charge| **charge > 0).count()
    }

    /// Symbol of the element if the molecule is a single atom without bonds, such as `[C]`.
    pub fn free_atom(&self) -> Option<&'static str> {
        let is_single = self.heavy_atoms.len() + self.explicit_hydrogens == 1;
        let atoms = (is_single && self.implicit_hydrogens == 0).then(|| self.inner().atoms())?;
        atoms.first().map(|atom| atom.element().symbol())
    }

    /// Pairs of indices of bonded atoms, the smaller first, ascending. Hydrogens come after all
    /// other atoms, as in [`super::embed`].
    pub(super) fn bonds_with_hydrogens(&self) -> Result<Vec<(usize, usize)>, ChemError> {
        let explicit = self
            .inner()
            .with_hydrogens()
            .map_err(|e| ChemError::Unreadable {
                smiles: self.canonical_smiles(),
                reason: e.to_string(),
            })?;
        let ends = explicit.bonds().iter().map(|bond| {
            let (a, b) = (bond.begin().index(), bond.end().index());
            (a.min(b), a.max(b))
        });
        let mut bonds: Vec<_> = ends.collect();
        bonds.sort_unstable();
        Ok(bonds)
    }

    /// The toolkit's molecule.
    pub(super) fn inner(&self) -> &cosmolkit::Molecule {
        self.inner.get_or_init(|| {
            let smiles = self.canonical.get().map_or("", String::as_str);
            read_smiles(smiles).expect("SMILES that `from_canonical` reads is that of a molecule")
        })
    }

    fn from_graph(inner: cosmolkit::Molecule, smiles: &str) -> Result<Self, ChemError> {
        let unsupported = |what: String| ChemError::Unsupported {
            smiles: smiles.to_owned(),
            what,
        };
        let atoms = inner.atoms();
        let mut heavy_index = vec![None; atoms.len()];
        let mut heavy_atoms = Vec::new();
        let (mut implicit, mut charges, mut radical_electrons) = (0, Vec::new(), 0);
        let has_isotopes = atoms.iter().any(|atom| atom.isotope().is_some());
        for (i, atom) in atoms.iter().enumerate() {
            if atom.atomic_number() == 0 {
                return Err(ChemError::Wildcard {
                    smiles: smiles.to_owned(),
                });
            }
            let hydrogens = atom
                .total_hydrogens()
                .map_err(|e| unsupported(e.to_string()))? as usize;
            implicit += hydrogens;
            charges.extend(Some(atom.formal_charge()).filter(|charge| *charge != 0));
            radical_electrons += usize::from(atom.radical_electrons());
            if atom.atomic_number() > 1 {
                heavy_index[i] = Some(heavy_atoms.len());
                heavy_atoms.push(HeavyAtom {
                    symbol: atom.element().symbol().to_owned(),
                    hydrogens,
                    charge: atom.formal_charge(),
                    neighbours: Vec::new(),
                });
            }
        }
        for bond in inner.bonds() {
            let kind = match bond.order() {
                BondOrder::Single => BondKind::Single,
                BondOrder::Double => BondKind::Double,
                BondOrder::Triple => BondKind::Triple,
                BondOrder::Aromatic => BondKind::Aromatic,
                other => {
                    return Err(unsupported(format!(
                        "a bond of order {}",
                        other.rdkit_name()
                    )));
                }
            };
            match (
                heavy_index[bond.begin().index()],
                heavy_index[bond.end().index()],
            ) {
                (Some(a), Some(b)) => {
                    heavy_atoms[a].neighbours.push((kind, b));
                    heavy_atoms[b].neighbours.push((kind, a));
                }
                // Hydrogens that stay in the graph: isotopes, and molecular hydrogen.
                (Some(a), None) | (None, Some(a)) => heavy_atoms[a].hydrogens += 1,
                (None, None) => {}
            }
        }
        let count = count_fragments(&inner);
        if count != 1 {
            return Err(ChemError::SeveralFragments {
                smiles: smiles.to_owned(),
                count,
            });
        }
        Ok(Self {
            explicit_hydrogens: inner.num_atoms() - heavy_atoms.len(),
            implicit_hydrogens: implicit,
            charges,
            radical_electrons,
            has_isotopes,
            heavy_atoms,
            inner: OnceLock::from(inner),
            canonical: OnceLock::new(),
        })
    }
}

impl fmt::Debug for Molecule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Molecule({})", self.canonical_smiles())
    }
}

/// Atomic number of an element; None if the symbol is not one.
pub fn atomic_number(symbol: &str) -> Option<u8> {
    cosmolkit::Element::from_symbol(symbol)
        .map(|element| element.atomic_number())
        .filter(|z| *z > 0)
}

/// The standard atomic weight of an element, g/mol.
pub fn atomic_mass(symbol: &str) -> Option<f64> {
    let element = cosmolkit::Element::from_symbol(symbol)?;
    Some(cosmolkit::element_info(element).atomic_weight).filter(|mass| *mass > 0.0)
}

/// The toolkit's molecule of a SMILES without blanks; it may have several fragments.
pub(super) fn read_smiles(smiles: &str) -> Result<cosmolkit::Molecule, ChemError> {
    let params = SmilesParseParams {
        allow_cxsmiles: false,
        parse_name: false,
        ..SmilesParseParams::default()
    };
    cosmolkit::Molecule::from_smiles_with_params(smiles, &params).map_err(|error| {
        let (smiles, reason) = (smiles.to_owned(), error.to_string());
        match error {
            SmilesError::Parse(_) => ChemError::Unreadable { smiles, reason },
            // The syntax is valid, but there is no valence structure.
            SmilesError::Hydrogen(_)
            | SmilesError::Sanitize(_)
            | SmilesError::Stereo(_)
            | SmilesError::Construction(_) => ChemError::Impossible { smiles, reason },
        }
    })
}

/// Writes SMILES of a molecule.
pub(super) fn write_smiles(inner: &cosmolkit::Molecule, params: &SmilesWriteParams) -> String {
    let text = inner
        .to_smiles_with_params(params)
        .expect("a sanitised molecule has a SMILES");
    String::from_utf8(text.into_bytes()).expect("SMILES is ASCII")
}

/// Number of connected components of the graph.
fn count_fragments(inner: &cosmolkit::Molecule) -> usize {
    let mut component: Vec<usize> = (0..inner.num_atoms()).collect();
    let mut count = component.len();
    for bond in inner.bonds() {
        let (a, b) = (
            component[bond.begin().index()],
            component[bond.end().index()],
        );
        if a != b {
            count -= 1;
            component
                .iter_mut()
                .filter(|c| **c == b)
                .for_each(|c| *c = a);
        }
    }
    count
}
