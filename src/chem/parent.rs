//! Salts, hydrates and mixtures: SMILES of several molecules, and the parent molecule among them.

use std::cmp::Reverse;

use super::molecule::read_smiles;
use super::{ChemError, Molecule};

/// Elements of the acids `HX` in salts of bases, such as `CCN.Cl`.
const HALOGENS: [&str; 4] = ["F", "Cl", "Br", "I"];

/// Masses of the most common isotopes in dalton (AME 2020), by which RDKit decides between
/// molecules with equally many heavy atoms.
const MASSES: [(&str, f64); 10] = [
    ("B", 11.009305),
    ("C", 12.0),
    ("N", 14.003074),
    ("O", 15.994915),
    ("F", 18.998403),
    ("P", 30.973762),
    ("S", 31.972071),
    ("Cl", 34.968853),
    ("Br", 78.918338),
    ("I", 126.904473),
];

/// Several molecules in one SMILES.
pub struct Mixture {
    fragments: Vec<Fragment>,
}

struct Fragment {
    smiles: String,
    atoms: Vec<FragmentAtom>,
}

struct FragmentAtom {
    symbol: &'static str,
    charge: i32,
    hydrogens: i32,
    neighbour_charges: Vec<i32>,
    mass: f64,
}

impl Mixture {
    /// Parses SMILES that [`Molecule::parse`] refuses as several molecules.
    ///
    /// # Errors
    ///
    /// The text is not SMILES of possible molecules.
    pub fn parse(smiles: &str) -> Result<Self, ChemError> {
        let impossible = |reason: String| ChemError::Impossible {
            smiles: smiles.to_owned(),
            reason,
        };
        let all = read_smiles(smiles)?;
        let fragments = all.fragments().map_err(|e| impossible(e.to_string()))?;
        let fragments = fragments.iter().map(|fragment| {
            let written = fragment
                .to_smiles()
                .map_err(|e| impossible(e.to_string()))?;
            let smiles =
                String::from_utf8(written.into_bytes()).map_err(|e| impossible(e.to_string()))?;
            // Read again, so that the atoms are in the order of the SMILES.
            let atoms = atoms(&read_smiles(&smiles)?).map_err(impossible)?;
            Ok(Fragment { smiles, atoms })
        });
        Ok(Self {
            fragments: fragments.collect::<Result<_, ChemError>>()?,
        })
    }

    /// Returns true if it contains an ion or a hydrogen halide.
    pub fn is_salt(&self) -> bool {
        self.fragments
            .iter()
            .any(|fragment| fragment.charge() != 0 || fragment.is_hydrogen_halide())
    }

    /// Organic molecule with the most heavy atoms, the heaviest if there are several, neutralised
    /// by adding or removing protons where possible; None if no molecule has carbon.
    ///
    /// The choice is that of RDKit's `LargestFragmentChooser` with `preferOrganic` and
    /// `largestFragmentChooserCountHeavyAtomsOnly`; protons are moved as by its `Uncharger`.
    pub fn parent(&self) -> Option<Result<Molecule, ChemError>> {
        let organic = self.fragments.iter().filter(|fragment| {
            let mut atoms = fragment.atoms.iter();
            atoms.any(|atom| atom.symbol == "C")
        });
        let largest = organic.min_by(|a, b| {
            let heavy = |fragment: &Fragment| Reverse(fragment.heavy_atoms());
            let sizes = heavy(a).cmp(&heavy(b));
            let masses = b.mass().total_cmp(&a.mass());
            sizes.then(masses).then_with(|| a.smiles.cmp(&b.smiles))
        })?;
        Some(Molecule::parse(&largest.neutral_smiles()))
    }
}

impl Fragment {
    fn charge(&self) -> i32 {
        self.atoms.iter().map(|atom| atom.charge).sum()
    }

    fn heavy_atoms(&self) -> usize {
        self.atoms.iter().filter(|atom| atom.symbol != "H").count()
    }

    fn mass(&self) -> f64 {
        self.atoms.iter().map(|atom| atom.mass).sum()
    }

    fn is_hydrogen_halide(&self) -> bool {
        matches!(self.atoms.as_slice(), [atom] if HALOGENS.contains(&atom.symbol) && atom.hydrogens == 1)
    }

    /// SMILES with protons added to anions and removed from cations; unchanged without a net
    /// charge. Anions that balance cations without hydrogen are kept, as are opposite charges on
    /// bonded atoms, as in nitro groups.
    fn neutral_smiles(&self) -> String {
        let total = self.charge();
        let is_lone = |atom: &FragmentAtom| {
            let sign = atom.charge.signum();
            sign != 0
                && !atom
                    .neighbour_charges
                    .iter()
                    .any(|charge| charge.signum() == -sign)
        };
        let mut fixed: i32 = self
            .atoms
            .iter()
            .filter(|atom| is_lone(atom) && atom.charge > 0)
            .map(|atom| (atom.charge - atom.hydrogens).max(0))
            .sum();
        let mut changes = vec![0; self.atoms.len()];
        if total != 0 {
            for (atom, change) in self.atoms.iter().zip(&mut changes).rev() {
                if !is_lone(atom) {
                    continue;
                }
                if atom.charge > 0 {
                    *change = -atom.charge.min(atom.hydrogens);
                } else {
                    let kept = fixed.min(-atom.charge);
                    fixed -= kept;
                    *change = -atom.charge - kept;
                }
            }
        }
        with_protons(&self.smiles, &changes)
    }
}

fn atoms(molecule: &cosmolkit::Molecule) -> Result<Vec<FragmentAtom>, String> {
    let mut atoms = Vec::new();
    for atom in molecule.atoms() {
        let hydrogens = atom.total_hydrogens().map_err(|e| e.to_string())?;
        let symbol = atom.element().symbol();
        let known = MASSES.iter().find(|(known, _)| *known == symbol);
        // Other elements, with which no molecule is computed, get a rough mass.
        let mass = known.map_or(2.0 * f64::from(atom.atomic_number()), |(_, mass)| *mass);
        atoms.push(FragmentAtom {
            symbol,
            charge: i32::from(atom.formal_charge()),
            hydrogens,
            neighbour_charges: Vec::new(),
            mass,
        });
    }
    let charges: Vec<i32> = atoms.iter().map(|atom| atom.charge).collect();
    for bond in molecule.bonds() {
        let (a, b) = (bond.begin().index(), bond.end().index());
        atoms[a].neighbour_charges.push(charges[b]);
        atoms[b].neighbour_charges.push(charges[a]);
    }
    Ok(atoms)
}

/// SMILES with protons added to bracket atoms; `changes` holds their numbers, one for each atom.
fn with_protons(smiles: &str, changes: &[i32]) -> String {
    let mut text = String::with_capacity(smiles.len());
    let mut changes = changes.iter();
    let mut rest = smiles;
    while let Some(letter) = rest.chars().next() {
        let end = match letter {
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            'C' if rest.starts_with("Cl") => 2,
            'B' if rest.starts_with("Br") => 2,
            // A ring bond with two digits.
            '%' => 3.min(rest.len()),
            _ => 1,
        };
        let (token, after) = rest.split_at(end);
        let is_atom = letter == '[' || letter == '*' || letter.is_ascii_alphabetic();
        match is_atom.then(|| changes.next().copied().unwrap_or(0)) {
            Some(change) if change != 0 => text.push_str(&with_more_protons(token, change)),
            _ => text.push_str(token),
        }
        rest = after;
    }
    text
}

/// Bracket atom with `change` more protons.
fn with_more_protons(token: &str, change: i32) -> String {
    let inner = token.trim_start_matches('[').trim_end_matches(']');
    let core_end = inner.find(['+', '-']).unwrap_or(inner.len());
    let (core, charge) = inner.split_at(core_end);
    // The `H` after the letters of the element.
    let from = core.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0) + 1;
    let (body, hydrogens) = match core[from..].find('H') {
        Some(at) => core.split_at(from + at),
        None => (core, ""),
    };
    let number = |text: &str, one: i32| match text {
        "" => one,
        digits => digits.parse().unwrap_or(one),
    };
    let hydrogens = match hydrogens {
        "" => 0,
        text => number(&text[1..], 1),
    };
    let sign = if charge.starts_with('-') { -1 } else { 1 };
    let size = match charge {
        "" => 0,
        text if text.len() > 1 && text[1..].bytes().all(|c| c == text.as_bytes()[0]) => {
            text.len() as i32
        }
        text => number(&text[1..], 1),
    };
    let (hydrogens, charge) = (hydrogens + change, sign * size + change);
    let hydrogens = match hydrogens {
        0 => String::new(),
        1 => "H".to_owned(),
        n => format!("H{n}"),
    };
    let charge = match charge {
        0 => String::new(),
        n => format!("{n:+}"),
    };
    format!("[{body}{hydrogens}{charge}]")
}
